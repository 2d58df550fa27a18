//! Which hosts a request may go to: what it demands of them ([`Demands`]), the rules by which an operator says which
//! requests demand what ([`Rules`]), and the answer to both over a fleet ([`Matching`]).
//!
//! A demand says of a host alone whether it will do; how busy it is and who goes first is left to balancers and schedulers.
//! Nothing here orders hosts, and a preference ([`Demands::prefers`]) turns none away.
//!
//! # What is not known
//! | fact | not known where | a demand on it |
//! |---|---|---|
//! | memory, RAM, context, cost | 0 is declared | does not hold: the operator can declare it, and a guess could break a promise |
//! | GPU, zone | nothing is declared | a required one does not hold, an excluded one is not there |
//! | capabilities | never: the declared list is all | |
//! | models in memory | never: the host's last word counts | |
//! | latency, reliability | no answer came yet | holds: a host that nothing is sent to would never be known |
//!
//! A model's name that nobody knows is loaded nowhere: required it allows no host, excluded it turns none away.

mod demands;
mod file;
pub mod interpret;
mod matcher;
mod matching;
mod rules;
mod walk;

pub use demands::{Constraint, Demands};
pub use file::DemandsFile;
pub use matcher::Matcher;
pub use matching::{Batch, Matching};
pub use rules::{RequestView, Rule, RuleFile, RuleId, Rules};
pub use walk::Walk;

use serde::{Deserialize, Serialize};

use crate::door::{Declaration, LoadedModel};
use crate::ids::{HostId, ModelId};
use crate::units::Nanos;

/// What is known of a host, as far as demands ask for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostView<'a> {
    /// Which host.
    pub host: HostId,
    /// What the operator says of it.
    pub declaration: &'a Declaration,
    /// Models in its memory, sorted by model.
    pub loaded: &'a [LoadedModel],
    /// What its answers taught.
    pub record: Record,
}

/// What a host's answers taught.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Record {
    /// Mean time to its first byte; `None` before the first.
    pub ttft: Option<Nanos>,
    /// Share of the attempts of late that it answered, in parts of a thousand; `None` before the first.
    pub answered_permille: Option<u16>,
}

/// Finds the id of a model by its name as Ollama normalises it; `None` where no host or request named it yet.
pub type ModelNames<'a> = &'a dyn Fn(&str) -> Option<ModelId>;

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its branches in an Arc")]
mod tests;
