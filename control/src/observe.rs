//! What of a poll is news: the pure difference that both drivers apply before they tell control.

use crate::door::Observation;

/// Whether control must hear of `new`, having heard `old` last (`None`: nothing, or the host was silent).
/// Both lists of each must be sorted by model.
#[must_use]
pub fn is_news(old: Option<&Observation>, new: &Observation) -> bool {
    debug_assert!(new.loaded.is_sorted() && new.stored.is_sorted(), "observations are sorted by model");
    old != Some(new)
}
