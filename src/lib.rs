//! herder composes the crates of the workspace: scenario files, runs, the command line.
//!
//! What decides is in `control`, what models is in `sim` and `sim-host`, what serves is in `live`. Here is only what
//! names them all: [`scenario`] reads their sections of a file, [`mod@bench`] measures their structures, [`cli`] is the program.

pub mod bench;
pub mod chaos;
pub mod cli;
pub mod compare;
pub mod plan;
pub mod run;
pub mod scenario;
pub mod sweep;
pub mod tables;
pub mod tune;
