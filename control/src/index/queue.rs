//! The queued requests of one model: a heap for each group that a scheduler makes.

use alloc::vec::Vec;

use super::Implementation;
use super::heap::{Ordered, Positions};
use crate::schedule::{Group, Key};

/// Queued requests by group. A group stays once it was made; there are as many as tenants at the most.
#[derive(Debug, Default)]
pub struct Queue {
    groups: Vec<(Group, Ordered<Key>)>,
    len: usize,
    implementation: Implementation,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(implementation: Implementation) -> Self {
        Self { implementation, ..Self::default() }
    }

    /// Whether no request is queued.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many requests are queued.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds a request that stands in no queue of these positions.
    pub fn push(&mut self, positions: &mut Positions, group: Group, key: Key, slot: u32) {
        let at = match self.groups.binary_search_by_key(&group, |entry| entry.0) {
            Ok(at) => at,
            Err(at) => {
                self.groups.insert(at, (group, Ordered::new(self.implementation)));
                at
            }
        };
        self.groups[at].1.push(positions, key, slot);
        self.len += 1;
    }

    /// Takes a request out; false where it does not stand in that group.
    pub fn remove(&mut self, positions: &mut Positions, group: Group, slot: u32) -> bool {
        let Ok(at) = self.groups.binary_search_by_key(&group, |entry| entry.0) else { return false };
        let removed = self.groups[at].1.remove(positions, slot);
        self.len -= usize::from(removed);
        removed
    }

    /// The keys of all, in no order.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.groups.iter().flat_map(|(_, heap)| heap.keys())
    }

    /// The first request of each group that has any, in order of groups.
    pub fn heads(&self) -> impl Iterator<Item = (Group, Key, u32)> + '_ {
        let head = |(group, heap): &(Group, Ordered<Key>)| heap.peek().map(|(key, slot)| (*group, key, slot));
        self.groups.iter().filter_map(head)
    }
}
