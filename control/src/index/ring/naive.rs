//! The plain twin: a vector whose front is dropped, and filters over all of it.

use alloc::vec::Vec;
use core::ops::Range;

use super::Record;
use crate::ids::RequestId;
use crate::units::Instant;

/// Records in order of insertion.
#[derive(Clone, Debug)]
pub struct List<T> {
    capacity: u32,
    records: Vec<Record<T>>,
}

impl<T> List<T> {
    /// An empty one of at most `capacity` records.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        Self { capacity, records: Vec::new() }
    }

    /// How many records it keeps at most.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// How many records it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds a record; where there is no room, the one that was inserted first goes.
    pub fn insert(&mut self, record: Record<T>) {
        self.records.push(record);
        if self.records.len() > self.capacity as usize {
            self.records.remove(0);
        }
    }

    /// The records of a span of time in order of time, request and insertion.
    pub fn between(&self, times: Range<Instant>) -> impl Iterator<Item = &Record<T>> {
        let mut found: Vec<_> = self.records.iter().filter(|record| times.contains(&record.at)).collect();
        found.sort_by_key(|record| (record.at, record.request));
        found.into_iter()
    }

    /// The records of a request in order of insertion.
    pub fn of(&self, request: RequestId) -> impl Iterator<Item = &Record<T>> {
        self.records.iter().filter(move |record| record.request == request)
    }

    /// The `count` records that were inserted last, the last of all first.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = &Record<T>> {
        self.records.iter().rev().take(count)
    }

    /// All records in order of insertion.
    pub fn iter(&self) -> impl Iterator<Item = &Record<T>> {
        self.records.iter()
    }
}
