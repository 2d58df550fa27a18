//! A host by chance, in proportion to declared weights: what is left of weighted round robin where nothing is
//! remembered, as with several gateways side by side.

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "weighted-random",
    summary: "a host by chance, in proportion to declared weights",
    source: "HAProxy, balance random with weights",
    cost: "O(n)",
    needs: "declared weights",
    requires: Requires::Nothing,
    parameters: &[],
};

/// Weights as chances.
#[derive(Debug)]
pub(super) struct WeightedRandom;

impl Balancer for WeightedRandom {
    fn asks_for_weights(&self) -> bool {
        true
    }

    fn pick(&mut self, candidates: &Candidates<'_>, draw: &mut Draw) -> Pick {
        let host = candidates.drawn_by_weight(draw);
        Pick { host, reason: Reason::Drawn }
    }
}
