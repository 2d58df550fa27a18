//! Hosts where the model is loaded before hosts where it is only on disk; among equals the fewest requests under way.
//! A load costs seconds, and may evict what others need.

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "model-affinity",
    summary: "where the model is loaded, else where it is on disk; then fewest requests under way",
    source: "locality-aware request distribution (Pai et al. 1998), with Ollama's /api/ps",
    cost: "O(levels × n / 64)",
    needs: "models loaded on each host (/api/ps), requests under way",
    requires: Requires::Nothing,
    parameters: &[],
};

/// Loaded first.
#[derive(Debug)]
pub(super) struct ModelAffinity;

impl Balancer for ModelAffinity {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        let host = candidates.fewest_loaded_first();
        let reason = if candidates.is_loaded(host) { Reason::ModelLoaded } else { Reason::ModelOnDisk };
        Pick { host, reason }
    }

    fn asks_for_levels(&self) -> bool {
        true
    }
}
