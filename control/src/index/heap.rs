//! An ordered set of (key, slot) pairs from which any slot can be removed.
//!
//! Slots are dense numbers that the caller owns (positions in a slab). Several heaps may share one
//! [`Positions`] as long as a slot stands in one of them at most.

mod fast;
mod naive;
mod ordered;

pub use fast::Heap;
pub use naive::Sorted;
pub use ordered::Ordered;

/// Where each slot stands in its heap.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    by_slot: alloc::vec::Vec<u32>,
}

/// Not in a heap.
const NOWHERE: u32 = u32::MAX;

impl Positions {
    /// Whether a slot stands in a heap.
    #[must_use]
    pub fn contains(&self, slot: u32) -> bool {
        self.by_slot.get(slot as usize).is_some_and(|&position| position != NOWHERE)
    }

    fn set(&mut self, slot: u32, position: u32) {
        self.by_slot[slot as usize] = position;
    }

    fn make_room(&mut self, slot: u32) {
        if self.by_slot.len() <= slot as usize {
            self.by_slot.resize(slot as usize + 1, NOWHERE);
        }
    }
}

#[cfg(test)]
mod tests;
