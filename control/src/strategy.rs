//! What every strategy says of itself, and how one is chosen with its parameters. The lists `ALL` drive the command
//! line, the docs and the tests.

mod choice;
mod words;

use alloc::string::String;
use alloc::vec::Vec;

pub use choice::{Chosen, Parameters, StrategyFile, choose};
pub use words::{edits, nearest};

/// A strategy, as printed by `herder strategies`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strategy {
    /// As written in `[control]`.
    pub name: &'static str,
    /// The idea in a sentence.
    pub summary: &'static str,
    /// Paper, or project and file.
    pub source: &'static str,
    /// Cost of a decision; n hosts that hold the model, q queued requests.
    pub cost: &'static str,
    /// What it must know.
    pub needs: &'static str,
    /// What can be set.
    pub parameters: &'static [Parameter],
}

/// A whole number that can be set for a strategy; its unit stands in its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// As written in the strategy's table.
    pub name: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Where nothing is written.
    pub default: u32,
    /// Least value.
    pub least: u32,
    /// Greatest value.
    pub most: u32,
}

/// One line of a list `ALL`: the variant and what it says of itself.
pub type Line<Kind> = (Kind, Strategy);

/// All names as one text.
#[must_use]
pub fn names<Kind>(all: &[Line<Kind>]) -> String {
    all.iter().map(|line| line.1.name).collect::<Vec<_>>().join(", ")
}
