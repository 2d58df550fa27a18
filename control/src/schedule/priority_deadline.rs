//! Higher priority first; among equals the earlier deadline, those without one last; then order of arrival.
//! Static priorities with earliest deadline first inside a class (Liu and Layland 1973).

use super::{Group, Queued, Scheduler};
use crate::strategy::{Requires, Strategy};
use crate::units::Instant;

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "priority-deadline",
    summary: "highest priority first, then earliest deadline, then order of arrival",
    source: "Liu and Layland 1973 (earliest deadline first)",
    cost: "O(log q)",
    needs: "priorities and deadlines of requests",
    requires: Requires::Nothing,
    parameters: &[],
};

/// Priority, then deadline.
#[derive(Debug)]
pub(super) struct PriorityDeadline;

impl Scheduler for PriorityDeadline {
    fn place(&self, queued: Queued<'_>) -> (Group, u128) {
        let urgency = (i16::from(i8::MAX) - i16::from(queued.arrive.priority)) as u128;
        let deadline = queued.arrive.deadline.unwrap_or(Instant::MAX);
        (Group::default(), (urgency << 64) | u128::from(deadline.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::models::ModelFacts;
    use crate::facts::predict::Predictor;
    use crate::request::Arrive;

    fn rank(priority: i8, deadline: Option<u64>) -> u128 {
        let arrive = Arrive { priority, deadline: deadline.map(Instant), ..Arrive::default() };
        let (model, predictor) = (ModelFacts::default(), Predictor::default());
        let queued =
            Queued { arrive: &arrive, arrived_at: Instant::ZERO, model: &model, predictor: &predictor };
        PriorityDeadline.place(queued).1
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
