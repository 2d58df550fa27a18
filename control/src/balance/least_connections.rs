//! The host with the fewest requests under way, ties to the lower id.

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "least-connections",
    summary: "fewest requests under way",
    source: "HAProxy leastconn (src/lb_fwlc.c)",
    cost: "O(levels × n / 64)",
    needs: "requests under way on each host",
    requires: Requires::Nothing,
    parameters: &[],
};

/// Fewest requests.
#[derive(Debug)]
pub(super) struct LeastConnections;

impl Balancer for LeastConnections {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        Pick { host: candidates.fewest(), reason: Reason::FewestRequests }
    }

    fn asks_for_levels(&self) -> bool {
        true
    }
}
