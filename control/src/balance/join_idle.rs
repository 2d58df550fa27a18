//! A host with nothing under way, each in turn; where none is idle, a host by chance. Idle hosts need no comparison, which
//! is the point: at moderate load a decision asks nobody.

use alloc::vec;
use alloc::vec::Vec;

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::Draw;
use crate::ids::HostId;
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "join-idle-queue",
    summary: "an idle host, each in turn; where none is idle, a host by chance",
    source: "Lu et al. 2011 (Join-Idle-Queue)",
    cost: "O(n / 64), O(1) where none is idle",
    needs: "requests under way on each host",
    requires: Requires::Nothing,
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
        match candidates.idle_from(HostId(self.next)) {
            Some(host) => {
                self.next = host.0 + 1;
                Pick { host, reason: Reason::Idle }
            }
            None => Pick { host: candidates.drawn(draw), reason: Reason::Drawn },
        }
    }

    fn asks_for_levels(&self) -> bool {
        true
    }

    fn memory(&self) -> Vec<u64> {
        vec![self.next.into()]
    }
}
