//! Higher priority first; among equals the earlier deadline, those without one last; then order of arrival.
//! Static priorities with earliest deadline first inside a class (Liu and Layland 1973).

use super::{Queued, Scheduler};
use crate::strategy::Strategy;
use crate::units::Instant;

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "priority-deadline",
    summary: "highest priority first, then earliest deadline, then order of arrival",
    source: "Liu and Layland 1973 (earliest deadline first)",
    cost: "O(log q)",
    needs: "priorities and deadlines of requests",
    parameters: &[],
};

/// Priority, then deadline.
#[derive(Debug)]
pub(super) struct PriorityDeadline;

impl Scheduler for PriorityDeadline {
    fn rank(&mut self, queued: Queued<'_>) -> u128 {
        let urgency = (i16::from(i8::MAX) - i16::from(queued.arrive.priority)) as u128;
        (urgency << 64) | u128::from(queued.arrive.deadline.unwrap_or(Instant::MAX).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::models::ModelFacts;
    use crate::request::Arrive;

    fn rank(priority: i8, deadline: Option<u64>) -> u128 {
        let arrive = Arrive { priority, deadline: deadline.map(Instant), ..Arrive::default() };
        let model = ModelFacts::default();
        PriorityDeadline.rank(Queued { arrive: &arrive, arrived_at: Instant::ZERO, model: &model })
    }

    #[test]
    fn priority_goes_before_deadline_and_no_deadline_last() {
        let order = [
            rank(127, None),
            rank(1, Some(9)),
            rank(0, Some(5)),
            rank(0, Some(7)),
            rank(0, None),
            rank(-128, Some(0)),
        ];
        assert!(order.is_sorted() && order.windows(2).all(|pair| pair[0] != pair[1]), "{order:?}");
    }
}
