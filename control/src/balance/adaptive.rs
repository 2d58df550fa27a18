//! Weights learned from latency, bounded: a host that is twice as fast as the mean gets twice the weight, up to a limit,
//! and never less than a floor, so that it is seen to recover. Then a host by chance, by weight.

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::ids::HostId;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "adaptive",
    summary: "a host by chance, by weights learned from its latency, between a floor and a limit",
    source: "weights by inverse latency, bounded; the bounds are our own",
    cost: "O(n)",
    needs: "times to the first token on each host",
    requires: Requires::Nothing,
    parameters: &[
        Parameter { name: "floor_percent", summary: "least weight", default: 20, least: 1, most: 100 },
        Parameter {
            name: "limit_percent",
            summary: "greatest weight",
            default: 400,
            least: 100,
            most: 10_000,
        },
    ],
};

/// Learned weights.
#[derive(Debug)]
pub(super) struct Adaptive {
    floor: u64,
    limit: u64,
}

impl Adaptive {
    pub(super) fn new(parameters: &Parameters) -> Self {
        Self { floor: parameters.get(0).into(), limit: parameters.get(1).into() }
    }
}

impl Balancer for Adaptive {
    fn pick(&mut self, candidates: &Candidates<'_>, draw: &mut Draw) -> Pick {
        let latency = |host: HostId| candidates.history(host).ttft.get();
        let (sum, known) = candidates
            .open()
            .filter_map(latency)
            .fold((0u128, 0u128), |(sum, known), nanos| (sum + u128::from(nanos), known + 1));
        let mean = sum.checked_div(known).unwrap_or(0);
        let weight = |host| match latency(host) {
            None => 100,
            Some(nanos) => {
                let percent = (mean * 100).checked_div(u128::from(nanos)).unwrap_or(u128::from(self.limit));
                u64::try_from(percent).unwrap_or(self.limit).clamp(self.floor, self.limit)
            }
        };
        Pick { host: candidates.drawn_by(draw, weight), reason: Reason::Drawn }
    }
}
