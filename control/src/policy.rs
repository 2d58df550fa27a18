//! What watches over decisions and changes them: breakers, quarantine, experiments, guards, selection of algorithms, prediction,
//! limits.
//!
//! Each is a state machine or a function of its own: time is an argument, memory is bounded, and nothing here acts. A file's
//! section (`…File`) is what stands in `[control]`; its `check` gives the config that cannot be wrong.

pub mod assign;
pub mod breaker;
mod fixed;
pub mod guard;
pub mod limit;
pub mod markov;
pub mod pace;
pub mod prefetch;
pub mod quarantine;
pub mod scale;
pub mod select;
