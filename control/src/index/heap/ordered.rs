//! One of the twins, as the config says.

use super::{Heap, Positions, Sorted};
use crate::index::Implementation;

/// An ordered set of (key, slot) pairs.
#[derive(Clone, Debug)]
pub enum Ordered<K> {
    /// [`Heap`].
    Optimised(Heap<K>),
    /// [`Sorted`].
    Baseline(Sorted<K>),
}

impl<K: Ord + Copy> Ordered<K> {
    /// An empty set.
    #[must_use]
    pub fn new(implementation: Implementation) -> Self {
        match implementation {
            Implementation::Optimised => Self::Optimised(Heap::default()),
            Implementation::Baseline => Self::Baseline(Sorted::default()),
        }
    }

    /// The least key and its slot.
    #[must_use]
    #[inline]
    pub fn peek(&self) -> Option<(K, u32)> {
        match self {
            Self::Optimised(heap) => heap.peek(),
            Self::Baseline(sorted) => sorted.peek(),
        }
    }

    /// All keys, in no order.
    pub fn keys(&self) -> impl Iterator<Item = K> + '_ {
        let items = match self {
            Self::Optimised(heap) => heap.items(),
            Self::Baseline(sorted) => sorted.items(),
        };
        items.iter().map(|(key, _)| *key)
    }

    /// Adds a slot that is in no set of these positions.
    pub fn push(&mut self, positions: &mut Positions, key: K, slot: u32) {
        match self {
            Self::Optimised(heap) => heap.push(positions, key, slot),
            Self::Baseline(sorted) => sorted.push(key, slot),
        }
    }

    /// Takes a slot out; false where it is not in it.
    pub fn remove(&mut self, positions: &mut Positions, slot: u32) -> bool {
        match self {
            Self::Optimised(heap) => heap.remove(positions, slot),
            Self::Baseline(sorted) => sorted.remove(slot),
        }
    }
}
