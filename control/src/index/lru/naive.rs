//! The plain twin: a vector in order of use, walked through for every key.

use alloc::vec::Vec;

use super::{Counters, Limits};
use crate::units::Instant;

/// Entries (key, time of writing, value) from the one not used for longest to the one used last.
#[derive(Clone, Debug)]
pub struct Scanned<V> {
    limits: Limits,
    counters: Counters,
    entries: Vec<(u64, Instant, V)>,
}

impl<V> Scanned<V> {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, counters: Counters::default(), entries: Vec::new() }
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
        let found = self.take(key);
        let expired = found.as_ref().is_some_and(|entry| self.limits.is_expired(entry.1, now));
        self.counters.expirations += u64::from(expired);
        let Some(entry) = found.filter(|_| !expired) else {
            self.counters.misses += 1;
            return None;
        };
        self.counters.hits += 1;
        self.entries.push(entry);
        self.entries.last_mut().map(|entry| &mut entry.2)
    }

    /// The value of a key where it has not expired.
    #[must_use]
    pub fn peek(&self, key: u64, now: Instant) -> Option<&V> {
        let entry = self.entries.iter().find(|entry| entry.0 == key)?;
        (!self.limits.is_expired(entry.1, now)).then_some(&entry.2)
    }

    /// Writes a value, which is a use.
    pub fn put(&mut self, key: u64, value: V, now: Instant) {
        if self.limits.capacity == 0 {
            return;
        }
        self.take(key);
        if self.entries.len() == self.limits.capacity as usize {
            self.entries.remove(0);
            self.counters.evictions += 1;
        }
        self.entries.push((key, now, value));
    }

    /// Takes an entry out, expired or not.
    pub fn remove(&mut self, key: u64) -> Option<V> {
        self.take(key).map(|entry| entry.2)
    }

    pub(super) fn by_use(&self) -> impl Iterator<Item = (u64, Instant, &V)> {
        self.entries.iter().map(|(key, written, value)| (*key, *written, value))
    }

    fn take(&mut self, key: u64) -> Option<(u64, Instant, V)> {
        let at = self.entries.iter().position(|entry| entry.0 == key)?;
        Some(self.entries.remove(at))
    }
}
