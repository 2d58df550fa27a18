//! The earliest deadline first, whatever the priority; requests without one last, in order of arrival. On one machine
//! no order meets more deadlines, as long as all can be met.

use super::{Group, Queued, Scheduler};
use crate::strategy::{Requires, Strategy};
use crate::units::Instant;

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "earliest-deadline",
    summary: "earliest deadline first, without one last",
    source: "Jackson 1955; Liu and Layland 1973",
    cost: "O(log q)",
    needs: "deadlines of requests",
    requires: Requires::Nothing,
    parameters: &[],
};

/// Deadlines only.
#[derive(Debug)]
pub(super) struct EarliestDeadline;

impl Scheduler for EarliestDeadline {
    fn place(&self, queued: Queued<'_>) -> (Group, u128) {
        (Group::default(), queued.arrive.deadline.unwrap_or(Instant::MAX).0.into())
    }
}
