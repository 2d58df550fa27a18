//! First in, first out: the queue in order of arrival. What Ollama itself does, and the base of comparison.

use super::{Group, Queued, Scheduler};
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "fifo",
    summary: "in order of arrival",
    source: "Erlang 1909; Ollama server/sched.go",
    cost: "O(log q)",
    needs: "nothing",
    requires: Requires::Nothing,
    parameters: &[],
};

/// The order of arrival.
#[derive(Debug)]
pub(super) struct Fifo;

impl Scheduler for Fifo {
    fn place(&self, _: Queued<'_>) -> (Group, u128) {
        (Group::default(), 0)
    }
}
