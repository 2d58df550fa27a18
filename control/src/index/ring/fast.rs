//! A ring of slots with two indexes: times in order, and the first record of each request.
//!
//! With h records, a search by time takes O(log h) and one by request O(1), besides what they find. An insertion takes O(1)
//! where times come in order, and moves as many keys as the record is out of place where they do not. Memory is O(h).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use super::Record;
use crate::draw::mix;
use crate::ids::RequestId;
use crate::index::table::Table;
use crate::units::Instant;

/// Not a position.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Slot<T> {
    record: Record<T>,
    /// Position of the request's next record.
    next: u32,
    /// Position of the request's last record; right in its first one only.
    last: u32,
}

/// A record's place in order of time; the last part is its sequence number.
type Moment = (Instant, RequestId, u64);

/// The last records, in a ring.
#[derive(Clone, Debug)]
pub struct Ring<T> {
    capacity: u32,
    /// The record with sequence number s stands at position s modulo capacity.
    slots: Vec<Slot<T>>,
    /// How many records were ever inserted: the sequence number of the next.
    inserted: u64,
    by_time: VecDeque<Moment>,
    /// Positions of the first record of each request.
    by_request: Table,
}

impl<T> Ring<T> {
    /// An empty one of at most `capacity` records.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        Self {
            capacity,
            slots: Vec::new(),
            inserted: 0,
            by_time: VecDeque::new(),
            by_request: Table::default(),
        }
    }

    /// How many records it keeps at most.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// How many records it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Adds a record; where there is no room, the one that was inserted first goes.
    pub fn insert(&mut self, record: Record<T>) {
        if self.capacity == 0 {
            return;
        }
        let (sequence, request) = (self.inserted, record.request);
        let moment = (record.at, request, sequence);
        let position = self.position(sequence);
        let slot = Slot { record, next: NONE, last: position };
        if self.slots.len() < self.capacity as usize {
            self.slots.push(slot);
        } else {
            self.forget(sequence - u64::from(self.capacity));
            self.slots[position as usize] = slot;
        }
        self.inserted += 1;
        match self.first(request) {
            Some(first) => {
                let last = core::mem::replace(&mut self.slots[first as usize].last, position);
                self.slots[last as usize].next = position;
            }
            None => self.by_request.insert(mix(request.0), position),
        }
        if self.by_time.back().is_none_or(|newest| *newest < moment) {
            self.by_time.push_back(moment);
        } else {
            let at = self.by_time.partition_point(|other| *other < moment);
            self.by_time.insert(at, moment);
        }
    }

    /// The records of a span of time in order of time, request and insertion.
    pub fn between(&self, times: Range<Instant>) -> impl Iterator<Item = &Record<T>> {
        let before = |time: Instant| self.by_time.partition_point(|moment| moment.0 < time);
        let (from, to) = (before(times.start), before(times.end));
        let moments = self.by_time.range(from..to.max(from));
        moments.map(|moment| &self.slots[self.position(moment.2) as usize].record)
    }

    /// The records of a request in order of insertion.
    pub fn of(&self, request: RequestId) -> impl Iterator<Item = &Record<T>> {
        let slot = |position: u32| self.slots.get(position as usize);
        core::iter::successors(self.first(request).and_then(slot), move |before| slot(before.next))
            .map(|slot| &slot.record)
    }

    /// The `count` records that were inserted last, the last of all first.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = &Record<T>> {
        self.sequences().rev().take(count).map(|sequence| self.at(sequence))
    }

    /// All records in order of insertion.
    pub fn iter(&self) -> impl Iterator<Item = &Record<T>> {
        self.sequences().map(|sequence| self.at(sequence))
    }

    fn sequences(&self) -> Range<u64> {
        self.inserted - self.slots.len() as u64..self.inserted
    }

    fn position(&self, sequence: u64) -> u32 {
        (sequence % u64::from(self.capacity)) as u32
    }

    fn at(&self, sequence: u64) -> &Record<T> {
        &self.slots[self.position(sequence) as usize].record
    }

    /// Position of the first record of a request.
    fn first(&self, request: RequestId) -> Option<u32> {
        self.by_request
            .find(mix(request.0), |position| self.slots[position as usize].record.request == request)
    }

    /// Takes the record that was inserted first out of the indexes. It is the first of its request, too.
    fn forget(&mut self, sequence: u64) {
        let position = self.position(sequence);
        let Slot { ref record, next, last } = self.slots[position as usize];
        let (moment, hash) = ((record.at, record.request, sequence), mix(record.request.0));
        let indexed = match self.slots.get_mut(next as usize) {
            Some(successor) => {
                successor.last = last;
                self.by_request.replace(hash, position, next)
            }
            None => self.by_request.remove(hash, position),
        };
        assert!(indexed, "the oldest record is the first of its request");
        if self.by_time.front() == Some(&moment) {
            self.by_time.pop_front();
        } else {
            let at = self.by_time.binary_search(&moment).expect("every record is indexed by time");
            self.by_time.remove(at);
        }
    }

    /// Entries of the index by time and of the one by request.
    #[cfg(test)]
    pub(super) fn index_lens(&self) -> (usize, usize) {
        (self.by_time.len(), self.by_request.len())
    }
}
