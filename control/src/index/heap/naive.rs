//! The plain twin: a sorted vector.

use alloc::vec::Vec;

/// Pairs in order of key.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pairs: Vec<(u64, u32)>,
}

impl Sorted {
    pub(super) fn push(&mut self, key: u64, slot: u32) {
        self.pairs.push((key, slot));
        self.pairs.sort_unstable();
    }

    pub(super) fn pop(&mut self) -> Option<(u64, u32)> {
        if self.pairs.is_empty() { None } else { Some(self.pairs.remove(0)) }
    }

    pub(super) fn remove(&mut self, slot: u32) -> bool {
        let before = self.pairs.len();
        self.pairs.retain(|pair| pair.1 != slot);
        self.pairs.len() < before
    }
}
