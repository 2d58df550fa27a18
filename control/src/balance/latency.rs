//! Where first tokens came soonest of late. Hosts not yet tried go first, so that each is known.
//!
//! It shows why latency alone misleads: it lags behind load, so that all requests follow each other to one host.

use super::{Balancer, Candidates, Pick, pack};
use crate::door::Reason;
use crate::draw::Draw;
use crate::ids::HostId;
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "latency",
    summary: "where first tokens came soonest of late",
    source: "NGINX Plus, least_time header",
    cost: "O(n)",
    needs: "times to the first token on each host",
    requires: Requires::Nothing,
    parameters: &[],
};

/// Least time to the first token.
#[derive(Debug)]
pub(super) struct Latency;

impl Balancer for Latency {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        let latency = |host: HostId| {
            pack(candidates.history(host).ttft.get().unwrap_or(0), candidates.load(host).in_flight)
        };
        Pick { host: candidates.least_score(latency), reason: Reason::LeastLatency }
    }
}
