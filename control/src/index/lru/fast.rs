//! A hash table into a slab whose entries are linked in order of use: O(1) for everything but iteration.

use alloc::vec::Vec;

use super::{Counters, Limits};
use crate::draw::mix;
use crate::index::table::Table;
use crate::units::Instant;

/// Not a position.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Entry<V> {
    key: u64,
    written: Instant,
    value: V,
    /// Position of the entry used next after this one.
    newer: u32,
    /// Position of the entry used last before this one.
    older: u32,
}

/// A cache with a list through its entries.
#[derive(Clone, Debug)]
pub struct Linked<V> {
    limits: Limits,
    counters: Counters,
    /// Without gaps: the last entry takes the place of one that goes.
    entries: Vec<Entry<V>>,
    /// Positions by key.
    table: Table,
    newest: u32,
    oldest: u32,
}

impl<V> Linked<V> {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            counters: Counters::default(),
            entries: Vec::new(),
            table: Table::default(),
            newest: NONE,
            oldest: NONE,
        }
    }

    /// How much it keeps, and for how long.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What it did.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn with_counters(self, counters: Counters) -> Self {
        Self { counters, ..self }
    }

    /// How many entries it has, those that have expired among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a key, which is now the one used last. An entry that has expired is removed.
    pub fn get(&mut self, key: u64, now: Instant) -> Option<&mut V> {
        let Some(at) = self.find(key) else {
            self.counters.misses += 1;
            return None;
        };
        if self.limits.is_expired(self.entries[at as usize].written, now) {
            self.take(at);
            self.counters.expirations += 1;
            self.counters.misses += 1;
            return None;
        }
        self.counters.hits += 1;
        self.touch(at);
        Some(&mut self.entries[at as usize].value)
    }

    /// The value of a key where it has not expired.
    #[must_use]
    pub fn peek(&self, key: u64, now: Instant) -> Option<&V> {
        let entry = &self.entries[self.find(key)? as usize];
        (!self.limits.is_expired(entry.written, now)).then_some(&entry.value)
    }

    /// Writes a value, which is a use.
    pub fn put(&mut self, key: u64, value: V, now: Instant) {
        if self.limits.capacity == 0 {
            return;
        }
        if let Some(at) = self.find(key) {
            let entry = &mut self.entries[at as usize];
            (entry.value, entry.written) = (value, now);
            return self.touch(at);
        }
        let entry = Entry { key, written: now, value, newer: NONE, older: NONE };
        let at = if self.entries.len() < self.limits.capacity as usize {
            self.entries.push(entry);
            self.entries.len() as u32 - 1
        } else {
            let at = self.oldest;
            self.unlink(at);
            let before = core::mem::replace(&mut self.entries[at as usize], entry);
            self.table.remove(mix(before.key), at);
            self.counters.evictions += 1;
            at
        };
        self.table.insert(mix(key), at);
        self.link_newest(at);
    }

    /// Takes an entry out, expired or not.
    pub fn remove(&mut self, key: u64) -> Option<V> {
        self.find(key).map(|at| self.take(at))
    }

    pub(super) fn by_use(&self) -> impl Iterator<Item = (u64, Instant, &V)> {
        let entry = |at: u32| self.entries.get(at as usize);
        core::iter::successors(entry(self.oldest), move |before| entry(before.newer))
            .map(|entry| (entry.key, entry.written, &entry.value))
    }

    fn find(&self, key: u64) -> Option<u32> {
        self.table.find(mix(key), |at| self.entries[at as usize].key == key)
    }

    fn touch(&mut self, at: u32) {
        if self.newest != at {
            self.unlink(at);
            self.link_newest(at);
        }
    }

    fn link_newest(&mut self, at: u32) {
        let older = core::mem::replace(&mut self.newest, at);
        let entry = &mut self.entries[at as usize];
        (entry.newer, entry.older) = (NONE, older);
        *self.newer_of(older) = at;
    }

    fn unlink(&mut self, at: u32) {
        let Entry { newer, older, .. } = self.entries[at as usize];
        *self.newer_of(older) = newer;
        *self.older_of(newer) = older;
    }

    /// The link from an entry to the next newer one; from before the oldest, the oldest.
    fn newer_of(&mut self, at: u32) -> &mut u32 {
        self.entries.get_mut(at as usize).map_or(&mut self.oldest, |entry| &mut entry.newer)
    }

    /// The link from an entry to the next older one; from behind the newest, the newest.
    fn older_of(&mut self, at: u32) -> &mut u32 {
        self.entries.get_mut(at as usize).map_or(&mut self.newest, |entry| &mut entry.older)
    }

    fn take(&mut self, at: u32) -> V {
        self.unlink(at);
        let entry = self.entries.swap_remove(at as usize);
        self.table.remove(mix(entry.key), at);
        if let Some(moved) = self.entries.get(at as usize) {
            let Entry { key, newer, older, .. } = *moved;
            self.table.replace(mix(key), self.entries.len() as u32, at);
            *self.newer_of(older) = at;
            *self.older_of(newer) = at;
        }
        entry.value
    }
}
