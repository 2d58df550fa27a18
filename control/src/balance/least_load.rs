//! Fewest requests under way for the host's weight, hosts of a lower tier first: the "least effective load" of what a
//! gateway can see of Ollama hosts, which tell nothing of their CPU or GPU.

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::ids::HostId;
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "least-load",
    summary: "lowest tier with room, there the fewest requests under way for the declared weight",
    source: "Linux Virtual Server, weighted least-connection scheduling (Zhang 2000), with tiers",
    cost: "O(n)",
    needs: "declared weights and tiers, requests under way on each host",
    requires: Requires::Nothing,
    parameters: &[],
};

/// Requests for weight.
#[derive(Debug)]
pub(super) struct LeastLoad;

impl Balancer for LeastLoad {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        let load = |host: HostId| {
            let requests = u64::from(candidates.load(host).in_flight) + 1;
            let tier = u128::from(candidates.host(host).declaration.tier);
            tier << 64 | u128::from((requests << 32) / u64::from(candidates.weight(host)))
        };
        Pick { host: candidates.least_score(load), reason: Reason::LeastWork }
    }
}
