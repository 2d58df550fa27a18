//! The history of the last so many records: by time, by request, and the newest.
//!
//! Records come when something is complete, so their times need not come in order. The one that was *inserted* first makes
//! room for the next.

mod fast;
mod naive;

use alloc::vec::Vec;
use core::ops::Range;

pub use fast::Ring;
pub use naive::List;
use serde::{Deserialize, Serialize, Serializer};

use super::Implementation;
use super::twin::Twin;
use crate::ids::RequestId;
use crate::units::Instant;

/// What is kept of something that happened to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record<T> {
    /// When it happened.
    pub at: Instant,
    /// To which request.
    pub request: RequestId,
    /// What is known of it.
    pub value: T,
}

/// The last records, up to a capacity. Either twin serialises as its capacity and records, and comes back optimised.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Content<Record<T>>", bound(deserialize = "T: Deserialize<'de>"))]
pub enum History<T> {
    /// [`Ring`].
    Optimised(Ring<T>),
    /// [`List`].
    Baseline(List<T>),
}

impl<T> History<T> {
    /// An empty history of at most `capacity` records; it keeps nothing where that is 0.
    #[must_use]
    pub fn new(implementation: Implementation, capacity: u32) -> Self {
        match implementation {
            Implementation::Optimised => Self::Optimised(Ring::new(capacity)),
            Implementation::Baseline => Self::Baseline(List::new(capacity)),
        }
    }

    /// How many records it keeps at most.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        match self {
            Self::Optimised(ring) => ring.capacity(),
            Self::Baseline(list) => list.capacity(),
        }
    }

    /// How many records it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Optimised(ring) => ring.len(),
            Self::Baseline(list) => list.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a record; where there is no room, the one that was inserted first goes.
    pub fn insert(&mut self, record: Record<T>) {
        match self {
            Self::Optimised(ring) => ring.insert(record),
            Self::Baseline(list) => list.insert(record),
        }
    }

    /// The records of a span of time, its end not included, in order of time, request and insertion.
    pub fn between(&self, times: Range<Instant>) -> impl Iterator<Item = &Record<T>> {
        match self {
            Self::Optimised(ring) => Twin::Optimised(ring.between(times)),
            Self::Baseline(list) => Twin::Baseline(list.between(times)),
        }
    }

    /// The records of a request in order of insertion.
    pub fn of(&self, request: RequestId) -> impl Iterator<Item = &Record<T>> {
        match self {
            Self::Optimised(ring) => Twin::Optimised(ring.of(request)),
            Self::Baseline(list) => Twin::Baseline(list.of(request)),
        }
    }

    /// The `count` records that were inserted last, the last of all first.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = &Record<T>> {
        match self {
            Self::Optimised(ring) => Twin::Optimised(ring.newest(count)),
            Self::Baseline(list) => Twin::Baseline(list.newest(count)),
        }
    }

    /// All records in order of insertion.
    pub fn iter(&self) -> impl Iterator<Item = &Record<T>> {
        match self {
            Self::Optimised(ring) => Twin::Optimised(ring.iter()),
            Self::Baseline(list) => Twin::Baseline(list.iter()),
        }
    }
}

/// Histories are equal where they keep as many records and have the same ones.
impl<T: PartialEq> PartialEq for History<T> {
    fn eq(&self, other: &Self) -> bool {
        self.capacity() == other.capacity() && self.iter().eq(other.iter())
    }
}

/// What is written of a history.
#[derive(Serialize, Deserialize)]
struct Content<R> {
    capacity: u32,
    /// In order of insertion.
    records: Vec<R>,
}

impl<T: Serialize> Serialize for History<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Content { capacity: self.capacity(), records: self.iter().collect() }.serialize(serializer)
    }
}

impl<T> TryFrom<Content<Record<T>>> for History<T> {
    type Error = &'static str;

    fn try_from(content: Content<Record<T>>) -> Result<Self, Self::Error> {
        if content.records.len() > content.capacity as usize {
            return Err("a history has more records than its capacity");
        }
        let mut ring = Ring::new(content.capacity);
        content.records.into_iter().for_each(|record| ring.insert(record));
        Ok(Self::Optimised(ring))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
mod tests;
