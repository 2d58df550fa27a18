//! A hash table of slots: what the keys are, and whether two are the same, is known to whoever holds the slab.
//!
//! Open addressing with linear probing in a power of two of cells, at most half of them used: 1.5 probes for a key that is
//! there and 2.5 for one that is not (Knuth, The Art of Computer Programming 3, 6.4). A slot that goes is closed up by moving
//! back what follows (Knuth's algorithm R), so there are no tombstones and a table does not age. Cells keep half of the
//! hash: most keys that differ are told apart without a look at the slab, and growing needs no key.
//!
//! Nothing iterates over a table, so that no order of hashes can decide anything.

use alloc::vec::Vec;

/// Not a slot.
const EMPTY: u32 = u32::MAX;
const CELLS_MIN: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Cell {
    tag: u32,
    slot: u32,
}

const UNUSED: Cell = Cell { tag: 0, slot: EMPTY };

/// A set of slots, found by the hash of their keys. Slots are below [`u32::MAX`].
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// None, or a power of two of which at most half are used.
    cells: Vec<Cell>,
    len: usize,
}

impl Table {
    /// How many slots are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The slot with this hash for which `is_it` holds.
    #[must_use]
    #[inline]
    pub fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.probe(hash, is_it).map(|at| self.cells[at].slot)
    }

    /// Adds a slot whose key is not in the table.
    pub fn insert(&mut self, hash: u64, slot: u32) {
        debug_assert!(slot != EMPTY, "a slot is below u32::MAX");
        if (self.len + 1) * 2 > self.cells.len() {
            self.grow();
        }
        self.place(Cell { tag: tag(hash), slot });
        self.len += 1;
    }

    /// Puts another slot in the place of one that has this hash; false where that one is not in the table.
    pub fn replace(&mut self, hash: u64, before: u32, after: u32) -> bool {
        let found = self.probe(hash, |slot| slot == before);
        if let Some(at) = found {
            self.cells[at].slot = after;
        }
        found.is_some()
    }

    /// Takes out a slot that has this hash; false where it is not in the table.
    pub fn remove(&mut self, hash: u64, slot: u32) -> bool {
        let Some(mut hole) = self.probe(hash, |other| other == slot) else { return false };
        let mask = self.cells.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let cell = self.cells[at];
            if cell.slot == EMPTY {
                break;
            }
            // It may move back where the hole lies between its home and here.
            let from_home = at.wrapping_sub(cell.tag as usize) & mask;
            if from_home >= at.wrapping_sub(hole) & mask {
                self.cells[hole] = cell;
                hole = at;
            }
        }
        self.cells[hole] = UNUSED;
        self.len -= 1;
        true
    }

    #[inline]
    fn probe(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        if self.cells.is_empty() {
            return None;
        }
        let (tag, mask) = (tag(hash), self.cells.len() - 1);
        let mut at = tag as usize & mask;
        loop {
            let cell = self.cells[at];
            if cell.slot == EMPTY {
                return None;
            }
            if cell.tag == tag && is_it(cell.slot) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    fn place(&mut self, cell: Cell) {
        let mask = self.cells.len() - 1;
        let mut at = cell.tag as usize & mask;
        while self.cells[at].slot != EMPTY {
            at = (at + 1) & mask;
        }
        self.cells[at] = cell;
    }

    fn grow(&mut self) {
        let cells = (self.cells.len() * 2).max(CELLS_MIN);
        let before = core::mem::replace(&mut self.cells, alloc::vec![UNUSED; cells]);
        before.into_iter().filter(|cell| cell.slot != EMPTY).for_each(|cell| self.place(cell));
    }
}

/// The half of the hash that is kept; a cell's home is its low bits.
const fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    /// Few homes, the last cells among them, so that runs collide and go round the end; keys share whole hashes, too.
    fn hash(key: u32) -> u64 {
        const TAGS: [u64; 6] = [0, 1, 6, 7, 0xffff_ffff, 0xffff_fffe];
        TAGS[key as usize % TAGS.len()] << 32
    }

    proptest! {
        #[test]
        fn finds_what_a_list_of_pairs_finds(operations in prop::collection::vec((0u8..5, 0u32..40), 0..300)) {
            // The slot of key k is k until it is replaced by k + 100, and back.
            let (mut table, mut plain) = (Table::default(), vec![None; 40]);
            for (operation, key) in operations {
                let slot = &mut plain[key as usize];
                match (operation, *slot) {
                    (0..=2, None) => {
                        table.insert(hash(key), key);
                        *slot = Some(key);
                    }
                    (3, Some(before)) => {
                        let after = if before == key { key + 100 } else { key };
                        prop_assert!(table.replace(hash(key), before, after));
                        *slot = Some(after);
                    }
                    (_, Some(before)) => {
                        prop_assert!(table.remove(hash(key), before));
                        *slot = None;
                    }
                    (_, None) => {
                        prop_assert!(!table.remove(hash(key), key));
                        prop_assert!(!table.replace(hash(key), key, key + 100));
                    }
                }
                for (key, &slot) in (0..).zip(&plain) {
                    prop_assert_eq!(table.find(hash(key), |slot| slot % 100 == key), slot);
                }
                prop_assert_eq!(table.len(), plain.iter().flatten().count());
                prop_assert_eq!(table.is_empty(), plain.iter().flatten().count() == 0);
                let used = table.cells.iter().filter(|cell| cell.slot != EMPTY).count();
                prop_assert_eq!(used, table.len(), "a slot that goes leaves nothing behind");
            }
        }
    }
}
