//! The host with the least latency × load so far, and now and then another by chance, so that what has changed is found
//! out: an ε-greedy bandit. Its chance is keyed like every other draw, so a run repeats.

use super::{Balancer, Candidates, Pick, pack};
use crate::door::Reason;
use crate::draw::Draw;
use crate::ids::HostId;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "bandit",
    summary: "least latency × requests under way so far; now and then a host by chance, to learn",
    source: "Sutton, Barto 2018, ch. 2 (ε-greedy); keyed exploration of our own",
    cost: "O(n)",
    needs: "times to the first token on each host, requests under way",
    requires: Requires::Nothing,
    parameters: &[Parameter {
        name: "explore_permille",
        summary: "how often a host is drawn, in thousandths",
        default: 50,
        least: 0,
        most: 1_000,
    }],
};

/// ε-greedy.
#[derive(Debug)]
pub(super) struct Bandit {
    explore_permille: u32,
}

impl Bandit {
    pub(super) fn new(parameters: &Parameters) -> Self {
        Self { explore_permille: parameters.get(0) }
    }
}

impl Balancer for Bandit {
    fn pick(&mut self, candidates: &Candidates<'_>, draw: &mut Draw) -> Pick {
        if draw.below(1_000) < self.explore_permille {
            return Pick { host: candidates.drawn(draw), reason: Reason::Explored };
        }
        let cost = |host: HostId| {
            let latency = candidates.history(host).ttft.get().unwrap_or(0);
            latency.saturating_mul(u64::from(candidates.load(host).in_flight) + 1)
        };
        let host = candidates.least_score(|host| pack(cost(host), candidates.load(host).in_flight));
        Pick { host, reason: Reason::LeastLatency }
    }
}
