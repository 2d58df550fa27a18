//! A cache that forgets what was not used for longest, and what was written too long ago.

mod fast;
mod naive;

use alloc::vec::Vec;

pub use fast::Linked;
pub use naive::Scanned;
use serde::{Deserialize, Serialize, Serializer};

use super::Implementation;
use super::twin::Twin;
use crate::units::{Instant, Nanos};

/// How much a cache keeps, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Entries at most; with 0 nothing is kept.
    pub capacity: u32,
    /// An entry has expired when this span has passed since it was written; never where absent.
    pub ttl: Option<Nanos>,
}

impl Limits {
    /// Whether what was written at `written` has expired. A clock that was set back makes nothing expire.
    fn is_expired(&self, written: Instant, now: Instant) -> bool {
        self.ttl.is_some_and(|ttl| now.since(written) >= ttl)
    }
}

/// What a cache did. Each [`Lru::get`] is a hit or a miss.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Gets that found an entry.
    pub hits: u64,
    /// Gets that found none, or one that had expired.
    pub misses: u64,
    /// Entries that made room for another.
    pub evictions: u64,
    /// Entries that a get found expired, and removed.
    pub expirations: u64,
}

/// A cache by 64-bit keys. Either twin serialises as what it holds, and comes back optimised.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Content<(u64, Instant, V)>", bound(deserialize = "V: Deserialize<'de>"))]
pub enum Lru<V> {
    /// [`Linked`].
    Optimised(Linked<V>),
    /// [`Scanned`].
    Baseline(Scanned<V>),
}

impl<V> Lru<V> {
    /// An empty cache.
    #[must_use]
    pub fn new(implementation: Implementation, limits: Limits) -> Self {
        match implementation {
            Implementation::Optimised => Self::Optimised(Linked::new(limits)),
            Implementation::Baseline => Self::Baseline(Scanned::new(limits)),
        }
    }

    /// How much it keeps, and for how long.
    #[must_use]
    pub fn limits(&self) -> Limits {
        match self {
            Self::Optimised(linked) => linked.limits(),
            Self::Baseline(scanned) => scanned.limits(),
        }
    }

    /// What it did.
    #[must_use]
    pub fn counters(&self) -> Counters {
        match self {
            Self::Optimised(linked) => linked.counters(),
            Self::Baseline(scanned) => scanned.counters(),
        }
    }

    /// How many entries it has, those among them that have expired and were not met since.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Optimised(linked) => linked.len(),
            Self::Baseline(scanned) => scanned.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a key, which is now the one used last. An entry that has expired is removed.
    pub fn get(&mut self, key: u64, now: Instant) -> Option<&mut V> {
        match self {
            Self::Optimised(linked) => linked.get(key, now),
            Self::Baseline(scanned) => scanned.get(key, now),
        }
    }

    /// The value of a key where it has not expired. Neither counts nor is a use.
    #[must_use]
    pub fn peek(&self, key: u64, now: Instant) -> Option<&V> {
        match self {
            Self::Optimised(linked) => linked.peek(key, now),
            Self::Baseline(scanned) => scanned.peek(key, now),
        }
    }

    /// Writes a value, which is a use. Where there is no room, the entry goes that was not used for longest, expired or not.
    pub fn put(&mut self, key: u64, value: V, now: Instant) {
        match self {
            Self::Optimised(linked) => linked.put(key, value, now),
            Self::Baseline(scanned) => scanned.put(key, value, now),
        }
    }

    /// Takes an entry out, expired or not.
    pub fn remove(&mut self, key: u64) -> Option<V> {
        match self {
            Self::Optimised(linked) => linked.remove(key),
            Self::Baseline(scanned) => scanned.remove(key),
        }
    }

    /// The entries that have not expired, by key. Neither counts nor is a use; sorts, so it is for reports and rebuilding.
    pub fn iter(&self, now: Instant) -> impl Iterator<Item = (u64, &V)> {
        let limits = self.limits();
        let mut entries: Vec<_> = self.by_use().filter(|entry| !limits.is_expired(entry.1, now)).collect();
        entries.sort_unstable_by_key(|entry| entry.0);
        entries.into_iter().map(|(key, _, value)| (key, value))
    }

    /// All entries with the times at which they were written, from the one not used for longest to the one used last.
    pub fn by_use(&self) -> impl Iterator<Item = (u64, Instant, &V)> {
        match self {
            Self::Optimised(linked) => Twin::Optimised(linked.by_use()),
            Self::Baseline(scanned) => Twin::Baseline(scanned.by_use()),
        }
    }

    fn content(&self) -> Content<(u64, Instant, &V)> {
        Content { limits: self.limits(), counters: self.counters(), entries: self.by_use().collect() }
    }
}

/// Caches are equal where what they hold, the order of use, and what they counted is.
impl<V: PartialEq> PartialEq for Lru<V> {
    fn eq(&self, other: &Self) -> bool {
        self.content() == other.content()
    }
}

/// What is written of a cache.
#[derive(PartialEq, Serialize, Deserialize)]
struct Content<E> {
    limits: Limits,
    counters: Counters,
    /// Key, time of writing and value, from the entry not used for longest to the one used last.
    entries: Vec<E>,
}

impl<V: Serialize> Serialize for Lru<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.content().serialize(serializer)
    }
}

impl<V> TryFrom<Content<(u64, Instant, V)>> for Lru<V> {
    type Error = &'static str;

    fn try_from(content: Content<(u64, Instant, V)>) -> Result<Self, Self::Error> {
        let entries = content.entries.len();
        let mut linked = Linked::new(content.limits);
        content.entries.into_iter().for_each(|(key, written, value)| linked.put(key, value, written));
        if linked.len() < entries {
            return Err("a cache has more entries than its capacity, or two of one key");
        }
        Ok(Self::Optimised(linked.with_counters(content.counters)))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
mod tests;
