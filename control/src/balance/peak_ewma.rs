//! Two hosts by chance, the one where time to the first token × (requests under way + 1) is less. The mean of the time
//! takes rises at once and forgets them slowly, so that a host that stalls is avoided before its mean shows it.

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::ids::HostId;
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "peak-ewma",
    summary: "two hosts by chance, the one with the lower peak-sensitive latency × requests under way",
    source: "Finagle, PeakEwma.scala; linkerd2-proxy, tower balance",
    cost: "O(1), O(n) where most are full",
    needs: "times to the first token on each host, requests under way",
    requires: Requires::Nothing,
    parameters: &[],
};

/// Latency of a host that has not answered yet: low, so that it is tried.
const NANOS_UNKNOWN: u64 = 1_000_000;

/// Peak-sensitive latency × load.
#[derive(Debug)]
pub(super) struct PeakEwma;

impl Balancer for PeakEwma {
    fn pick(&mut self, candidates: &Candidates<'_>, draw: &mut Draw) -> Pick {
        let cost = |host: HostId| {
            let latency = candidates.history(host).ttft_peak.get().unwrap_or(NANOS_UNKNOWN);
            (u128::from(latency) * u128::from(candidates.load(host).in_flight + 1), host)
        };
        let (first, second) = (candidates.drawn(draw), candidates.drawn(draw));
        Pick { host: cost(first).min(cost(second)).1, reason: Reason::LeastLatency }
    }
}
