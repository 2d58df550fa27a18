//! Whether a plan replaces the one in force: demand is never known exactly, and to follow each turn of it would load without end.

use core::cmp::Ordering;

use super::PlacementKind;
use super::check::check;
use super::objective::objective;
use super::prefetch;
use super::problem::{Plan, Problem, Standing};
use crate::strategy::Chosen;
use crate::units::Nanos;

/// Whether a strategy's plan is to replace the one before: that does not hold any more, misses more of what was demanded, or costs more by
/// so many percent, by the arrivals that the strategy goes by. A strategy that aims at something else than short waits is held to them, too.
#[must_use]
pub fn replaces(
    chosen: &Chosen<PlacementKind>,
    problem: &Problem,
    plan: &Plan,
    before: &Plan,
    hysteresis_percent: u32,
) -> bool {
    let hands_off = |plan: &Plan| plan.standing == Standing::HandsOff;
    // What was loaded just now for a request is young, and no reason for another plan.
    let settled = Problem { residency_min: Nanos::ZERO, ..problem.clone() };
    if hands_off(plan) || hands_off(before) || check(&settled, before).is_err() {
        return true;
    }
    let expected = match chosen.kind {
        PlacementKind::Prefetch => &prefetch::expected(problem, &chosen.parameters),
        _ => problem,
    };
    let (new, old) = (objective(expected, plan), objective(expected, before));
    match (new.missing, new.short).cmp(&(old.missing, old.short)) {
        Ordering::Less => true,
        Ordering::Greater => false,
        Ordering::Equal => {
            let kept = u128::from(100 - hysteresis_percent);
            new.cost < old.cost && new.cost / kept.max(1) < old.cost / 100
        }
    }
}
