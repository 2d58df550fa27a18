//! A host with nothing under way, each in turn; where none is idle, a host by chance. Idle hosts need no comparison, which
//! is the point: at moderate load a decision asks nobody.

use alloc::vec;
use alloc::vec::Vec;

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::strategy::Strategy;

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "join-idle-queue",
    summary: "an idle host, each in turn; where none is idle, a host by chance",
    source: "Lu et al. 2011 (Join-Idle-Queue)",
    cost: "O(1) while many are idle, else O(n)",
    needs: "requests under way on each host",
    parameters: &[],
};

/// Idle first.
#[derive(Debug)]
pub(super) struct JoinIdle {
    /// The place after the last host that was found idle.
    next: u32,
}

impl JoinIdle {
    pub(super) fn new(memory: &[u64]) -> Self {
        Self { next: memory.first().map_or(0, |next| *next as u32) }
    }
}

impl Balancer for JoinIdle {
    fn pick(&mut self, candidates: &Candidates<'_>, draw: &mut Draw) -> Pick {
        let hosts = candidates.eligible();
        let from = hosts.partition_point(|host| host.0 < self.next);
        let (before, after) = hosts.split_at(from);
        let idle =
            |host: &&crate::ids::HostId| candidates.load(**host).in_flight == 0 && candidates.is_open(**host);
        match after.iter().chain(before).find(idle) {
            Some(&host) => {
                self.next = host.0 + 1;
                Pick { host, reason: Reason::Idle }
            }
            None => Pick { host: candidates.drawn(draw), reason: Reason::Drawn },
        }
    }

    fn memory(&self) -> Vec<u64> {
        vec![self.next.into()]
    }
}
