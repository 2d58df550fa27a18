//! A filter that proves most unknown names unknown, then a hash table; what the table finds is compared with the name.
//! O(length of the name), whether it is known or not.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::FilterCounters;
use crate::index::bloom::{Bloom, Design};
use crate::index::hash;
use crate::index::table::Table;

/// Most vocabularies are small: names before the filter is made anew, twice as large.
const NAMES_AT_FIRST: u32 = 64;
/// Ten bits of the filter for each name.
const FALSE_POSITIVES_PER_MILLE: u32 = 10;

/// Names behind a filter and a hash table.
#[derive(Clone, Debug)]
pub struct Hashed {
    names: Vec<Box<str>>,
    table: Table,
    filter: Bloom,
    counters: FilterCounters,
}

impl Default for Hashed {
    fn default() -> Self {
        let design = Design { items: NAMES_AT_FIRST, false_positives_per_mille: FALSE_POSITIVES_PER_MILLE };
        Self {
            names: Vec::new(),
            table: Table::default(),
            filter: Bloom::new(design, 0),
            counters: FilterCounters::default(),
        }
    }
}

impl Hashed {
    /// How many names it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The number of a name; counted.
    pub fn find(&mut self, name: &str) -> Option<u32> {
        let hash = hash_of(name);
        self.counters.asked += 1;
        if !self.filter.may_contain(hash) {
            self.counters.turned_away += 1;
            return None;
        }
        let found = self.verified(hash, name);
        self.counters.false_positives += u64::from(found.is_none());
        found
    }

    /// The number of a name, not counted.
    #[must_use]
    pub fn peek(&self, name: &str) -> Option<u32> {
        let hash = hash_of(name);
        if self.filter.may_contain(hash) { self.verified(hash, name) } else { None }
    }

    /// The number of a name, which is added where it is not known.
    pub fn intern(&mut self, name: &str) -> u32 {
        self.peek(name).unwrap_or_else(|| self.add(name))
    }

    /// The name with a number.
    #[must_use]
    pub fn name(&self, id: u32) -> Option<&str> {
        self.names.get(id as usize).map(|name| &**name)
    }

    /// All names by number.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// What it was asked, and what the filter spared it.
    #[must_use]
    pub fn counters(&self) -> FilterCounters {
        self.counters
    }

    fn verified(&self, hash: u64, name: &str) -> Option<u32> {
        self.table.find(hash, |id| *self.names[id as usize] == *name)
    }

    fn add(&mut self, name: &str) -> u32 {
        let (hash, id) = (hash_of(name), self.names.len() as u32);
        self.names.push(name.into());
        self.table.insert(hash, id);
        if self.filter.is_full() {
            let items = self.filter.design().items.saturating_mul(2);
            self.filter.rebuild(items, self.names.iter().map(|name| hash_of(name)));
        } else {
            self.filter.insert(hash);
        }
        id
    }
}

fn hash_of(name: &str) -> u64 {
    hash::of_bytes(name.as_bytes(), 0)
}
