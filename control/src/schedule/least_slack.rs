//! Least slack first: the deadline less the time that nine in ten such answers take, since one that is longer than
//! expected is late, and one that is shorter is not. A long answer must begin before a
//! short one with the same deadline. A request without a deadline is due an objective after its arrival.

use super::{Group, Queued, Scheduler};
use crate::strategy::{Parameter, Parameters, Requires, Strategy};
use crate::units::Nanos;

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "least-slack",
    summary: "least time left beyond what nine in ten such answers take",
    source: "Mok 1983 (least laxity), not preempting",
    cost: "O(log q)",
    needs: "deadlines of requests, lengths of earlier answers",
    requires: Requires::Nothing,
    parameters: &[
        Parameter {
            name: "objective_millis",
            summary: "when an answer without a deadline is due after its arrival",
            default: 20_000,
            least: 1,
            most: 86_400_000,
        },
        Parameter {
            name: "assumed_token_micros",
            summary: "time of a generated token",
            default: 15_000,
            least: 1,
            most: 10_000_000,
        },
    ],
};

/// Slack.
#[derive(Debug)]
pub(super) struct LeastSlack {
    objective: Nanos,
    token: Nanos,
}

impl LeastSlack {
    pub(super) fn new(parameters: &Parameters) -> Self {
        let (objective, token) = (parameters.get(0), parameters.get(1));
        Self { objective: Nanos::from_millis(objective.into()), token: Nanos::from_micros(token.into()) }
    }
}

impl Scheduler for LeastSlack {
    fn place(&self, queued: Queued<'_>) -> (Group, u128) {
        let due = queued.arrive.deadline.unwrap_or(queued.arrived_at.saturating_add(self.objective));
        let tokens = queued.predictor.expected_output_tokens(queued.arrive).p90;
        let takes = u128::from(tokens) * u128::from(self.token.0);
        // All ranks are above zero: what takes longest fits below 2^96.
        (Group::default(), (1 << 96) + u128::from(due.0) - takes)
    }
}
