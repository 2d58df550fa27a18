//! Requests for models that are loaded where there is room go first, so that a model is thrown out only when nothing is
//! left for it, or another has waited for too long.

use super::{Group, Head, Queued, Scheduler, least};
use crate::strategy::{Parameter, Parameters, Requires, Strategy};
use crate::units::Nanos;

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "model-batching",
    summary: "requests for loaded models first, until others have waited for too long",
    source: "Clockwork (Gujarati et al. 2020), loads as planned actions; the limit is our own",
    cost: "O(m n)",
    needs: "models loaded on each host",
    requires: Requires::Nothing,
    parameters: &[Parameter {
        name: "starvation_millis",
        summary: "a request that has waited longer goes first, loaded or not",
        default: 10_000,
        least: 0,
        most: 86_400_000,
    }],
};

/// Loaded first.
#[derive(Debug)]
pub(super) struct ModelBatching {
    starvation: Nanos,
}

impl ModelBatching {
    pub(super) fn new(parameters: &Parameters) -> Self {
        Self { starvation: Nanos::from_millis(parameters.get(0).into()) }
    }
}

impl Scheduler for ModelBatching {
    fn place(&self, _: Queued<'_>) -> (Group, u128) {
        (Group::default(), 0)
    }

    fn choose(&mut self, heads: &[Head]) -> usize {
        let first = least(heads);
        if heads[first].waited >= self.starvation {
            return first;
        }
        let loaded = (0..heads.len()).filter(|at| heads[*at].loaded).min_by_key(|at| heads[*at].key);
        loaded.unwrap_or(first)
    }

    fn asks_for_work(&self) -> bool {
        true
    }

    fn asks_for_loaded(&self) -> bool {
        true
    }
}
