//! The queue of one model, as control keeps it: a set for each tenant, of which the first of all goes next.

use control::draw::Draw;
use control::ids::RequestId;
use control::index::heap::Positions;
use control::index::queue::Queue as Index;
use control::schedule::{Group, Key};

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject};

/// Tenants; each has a group of its own.
const TENANTS: u32 = 16;

pub(super) fn components() -> Vec<Component> {
    vec![Component {
        name: "request-queue".into(),
        forms: ["a sorted vector a tenant", "an indexed heap a tenant"],
        operation: "let the first request out and queue another",
        scale: "queued requests",
        claimed: [Complexity::Linear, Complexity::Logarithmic],
        clock: Clock::Cpu,
        counted: None,
        build: Box::new(|case| Box::new(Queue::new(case))),
    }]
}

struct Queue {
    index: Index,
    positions: Positions,
    draw: Draw,
    queued: u64,
}

impl Queue {
    fn new(case: Case) -> Self {
        let index = Index::new(case.implementation);
        let mut queue = Self { index, positions: Positions::default(), draw: case.draw(), queued: 0 };
        for slot in 0..case.scale as u32 {
            queue.push(slot);
        }
        queue
    }

    fn push(&mut self, slot: u32) {
        let key = Key { rank: u128::from(self.draw.bits()), request: RequestId(self.queued) };
        let group = Group(self.draw.below(TENANTS));
        self.queued += 1;
        self.index.push(&mut self.positions, group, key, slot);
    }
}

impl Subject for Queue {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let heads = self.index.heads();
            let (group, key, slot) = heads.min_by_key(|(_, key, _)| *key).expect("the backlog stands");
            assert!(self.index.remove(&mut self.positions, group, slot), "a head is queued");
            sum = sum.wrapping_add(key.request.0 ^ u64::from(slot));
            self.push(slot);
        }
        sum
    }
}
