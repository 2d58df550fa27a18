//! Each host in turn: the open host with the next id after the last one chosen (for any model). Knows nothing of load.

use alloc::vec;
use alloc::vec::Vec;

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::ids::HostId;
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "round-robin",
    summary: "each host in turn",
    source: "nginx ngx_http_upstream_round_robin, without weights",
    cost: "O(log n), O(n) where most are full",
    needs: "nothing",
    requires: Requires::Nothing,
    parameters: &[],
};

/// The turn.
#[derive(Debug)]
pub(super) struct RoundRobin {
    /// Id after the last chosen.
    next: HostId,
}

impl RoundRobin {
    pub(super) fn new(memory: &[u64]) -> Self {
        Self { next: HostId(memory.first().copied().unwrap_or(0) as u32) }
    }
}

impl Balancer for RoundRobin {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        let eligible = candidates.eligible();
        let start = eligible.partition_point(|host| *host < self.next);
        let turn = eligible[start..].iter().chain(&eligible[..start]).copied();
        let host = turn.into_iter().find(|host| candidates.is_open(*host)).expect("a host is open");
        self.next = HostId(host.0.wrapping_add(1));
        Pick { host, reason: Reason::Turn }
    }

    fn memory(&self) -> Vec<u64> {
        vec![self.next.0.into()]
    }
}
