//! The ordered set of the queues: a mix of pops, pushes, removals and changed keys at a standing backlog.

use std::marker::PhantomData;

use control::draw::Draw;
use control::index::heap::{Heap, Positions, Sorted};

use super::count::{Counted, Key};
use super::fit::Complexity;
use super::{Case, Clock, Component, Subject};

pub(super) fn components() -> Vec<Component> {
    vec![Component {
        name: "priority-queue".into(),
        forms: ["a sorted vector", "an indexed heap, four children a node"],
        operation: "pop and push, or change a key, in turns",
        scale: "queued requests",
        claimed: [Complexity::Linear, Complexity::Logarithmic],
        clock: Clock::Cpu,
        counted: Some("comparisons of keys"),
        build: Box::new(|case| if case.counting { mix::<Counted>(case) } else { mix::<u64>(case) }),
    }]
}

/// What both forms do.
trait Set<K> {
    fn push(&mut self, key: K, slot: u32);
    fn pop(&mut self) -> Option<(K, u32)>;
    fn remove(&mut self, slot: u32) -> bool;
}

impl<K: Key> Set<K> for Sorted<K> {
    fn push(&mut self, key: K, slot: u32) {
        self.push(key, slot);
    }
    fn pop(&mut self) -> Option<(K, u32)> {
        self.pop()
    }
    fn remove(&mut self, slot: u32) -> bool {
        self.remove(slot)
    }
}

struct Indexed<K> {
    heap: Heap<K>,
    positions: Positions,
}

impl<K: Key> Set<K> for Indexed<K> {
    fn push(&mut self, key: K, slot: u32) {
        self.heap.push(&mut self.positions, key, slot);
    }
    fn pop(&mut self) -> Option<(K, u32)> {
        self.heap.pop(&mut self.positions)
    }
    fn remove(&mut self, slot: u32) -> bool {
        self.heap.remove(&mut self.positions, slot)
    }
}

/// A backlog of one form, over keys of one type.
struct Mix<K, S> {
    set: S,
    slots: u32,
    draw: Draw,
    pushed: u64,
    keys: PhantomData<K>,
}

fn mix<K: Key>(case: Case) -> Box<dyn Subject> {
    if case.is_baseline() {
        Box::new(Mix::<K, _>::new(case, Sorted::default()))
    } else {
        Box::new(Mix::<K, _>::new(case, Indexed { heap: Heap::default(), positions: Positions::default() }))
    }
}

impl<K: Key, S: Set<K>> Mix<K, S> {
    fn new(case: Case, set: S) -> Self {
        let slots = case.scale as u32;
        let mut mix = Self { set, slots, draw: case.draw(), pushed: 0, keys: PhantomData };
        for slot in 0..slots {
            mix.push(slot);
        }
        mix
    }

    /// Under a key by chance, unlike all others.
    fn push(&mut self, slot: u32) {
        let rank = self.draw.bits() >> 32 << 32;
        self.set.push(K::of(rank | self.pushed & 0xffff_ffff), slot);
        self.pushed += 1;
    }
}

impl<K: Key, S: Set<K>> Subject for Mix<K, S> {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let slot = if self.pushed.is_multiple_of(2) {
                let (key, slot) = self.set.pop().expect("the backlog stands");
                sum = sum.wrapping_add(key.value() ^ u64::from(slot));
                slot
            } else {
                let slot = self.draw.below(self.slots);
                assert!(self.set.remove(slot), "every slot is queued");
                slot
            };
            self.push(slot);
        }
        sum
    }
}
