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
    /// What a driver must supply for it besides what every driver does.
    pub requires: Requires,
    /// What can be set.
    pub parameters: &'static [Parameter],
}

/// What not every driver can supply. A strategy that requires it is refused before the start where it is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Requires {
    /// Nothing: what every gateway sees of Ollama hosts is enough.
    Nothing,
    /// A source of metrics for each host ([`Input::Measured`](crate::door::Input::Measured)).
    Metrics,
    /// The true length of each answer before it is given ([`Arrive::hint_output_tokens`](crate::request::Arrive)): an
    /// oracle, which only a simulator has.
    Oracle,
}

impl Requires {
    /// The same for readers of a list; `None` where nothing is required.
    #[must_use]
    pub const fn told(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Metrics => Some("a declared source of metrics for every host (metrics = true)"),
            Self::Oracle => Some("an oracle: only in the simulator, an upper bound"),
        }
    }
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

/// What the chosen one says of itself.
///
/// # Panics
/// Where the list lacks its kind: each variant has its line.
#[must_use]
pub fn of<'a, Kind: PartialEq>(chosen: &Chosen<Kind>, all: &'a [Line<Kind>]) -> &'a Strategy {
    &all.iter().find(|line| line.0 == chosen.kind).expect("every strategy has its line").1
}

/// All names as one text.
#[must_use]
pub fn names<Kind>(all: &[Line<Kind>]) -> String {
    all.iter().map(|line| line.1.name).collect::<Vec<_>>().join(", ")
}
