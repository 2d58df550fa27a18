//! The plain twin: a sorted vector. Every change sorts or walks through all of it.

use alloc::vec::Vec;

/// Pairs in order of key.
#[derive(Clone, Debug)]
pub struct Sorted<K> {
    pairs: Vec<(K, u32)>,
}

impl<K> Default for Sorted<K> {
    fn default() -> Self {
        Self { pairs: Vec::new() }
    }
}

impl<K: Ord + Copy> Sorted<K> {
    /// The least key and its slot.
    #[must_use]
    pub fn peek(&self) -> Option<(K, u32)> {
        self.pairs.first().copied()
    }

    /// All keys with their slots.
    #[must_use]
    pub fn items(&self) -> &[(K, u32)] {
        &self.pairs
    }

    /// Adds a slot that is not in it.
    pub fn push(&mut self, key: K, slot: u32) {
        self.pairs.push((key, slot));
        self.pairs.sort_unstable();
    }

    /// Takes the least key out.
    pub fn pop(&mut self) -> Option<(K, u32)> {
        if self.pairs.is_empty() { None } else { Some(self.pairs.remove(0)) }
    }

    /// Takes a slot out; false where it is not in it.
    pub fn remove(&mut self, slot: u32) -> bool {
        let before = self.pairs.len();
        self.pairs.retain(|pair| pair.1 != slot);
        self.pairs.len() < before
    }
}
