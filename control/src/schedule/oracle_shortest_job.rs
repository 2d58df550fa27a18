//! The shortest job first, by the true length of its answer: an upper bound for every order that must guess. Only a
//! simulator knows that length before the answer is given, and tells it with the arrival
//! ([`Arrive::hint_output_tokens`](crate::request::Arrive)), so that a log of such a run replays like any other.

use super::{Group, Queued, Scheduler, Work, shortest_job};
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "oracle-shortest-job",
    summary: "least work first, with the true length of the answer: what guessing costs",
    source: "Schrage 1968 (shortest processing time), with an oracle",
    cost: "O(log q)",
    needs: "the length of the answer before it is given, sizes of prompts",
    requires: Requires::Oracle,
    parameters: &[],
};

/// Least true work.
#[derive(Debug)]
pub(super) struct OracleShortestJob;

impl Scheduler for OracleShortestJob {
    fn place(&self, queued: Queued<'_>) -> (Group, u128) {
        let expected = queued.model.expected(queued.arrive);
        let output = queued.arrive.hint_output_tokens.unwrap_or(expected.output);
        (Group::default(), shortest_job::rank(Work { output, ..expected }))
    }
}
