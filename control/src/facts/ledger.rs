//! The ledger: every request between its arrival and its end.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::predict::Prediction;
use crate::control::LaneId;
use crate::ids::{ArmId, HostId, RequestId};
use crate::request::Arrive;
use crate::schedule::{Group, Work};
use crate::units::Instant;

/// Most hosts that one request may try.
pub const ATTEMPTS_MAX: usize = 4;

/// Where a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum State {
    /// In the queue.
    Queued,
    /// Not to start yet.
    Deferred,
    /// Let out to a host; nothing came back yet.
    Sent,
    /// Its first byte came: it is never tried elsewhere.
    Streaming,
}

/// One request under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// What came in.
    pub arrive: Arrive,
    /// When.
    pub arrived_at: Instant,
    /// When the last attempt was let out.
    pub dispatched_at: Instant,
    /// Which arm decided the last attempt.
    pub arm: ArmId,
    /// Where it is now.
    pub state: State,
    /// Its lane: derived, so not written down.
    #[serde(skip)]
    pub(crate) lane: LaneId,
    /// Its group in the queue.
    pub group: Group,
    /// Attempts begun.
    pub attempts: u8,
    /// The hosts of these attempts, in order.
    pub tried: [HostId; ATTEMPTS_MAX],
    /// Whether the last attempt was sent to a host that had to load the model first.
    pub cold: bool,
    /// Estimated tokens of prompt and answer, as charged to the host.
    pub charged: Work,
    /// How long the first byte of the last attempt took, if it came.
    pub ttft_micros: u32,
    /// What was predicted of the last attempt.
    pub prediction: Prediction,
    /// Tokens relayed, as last told.
    pub progress_tokens: u32,
}

impl Entry {
    /// Hosts tried so far.
    #[must_use]
    pub fn tried(&self) -> &[HostId] {
        &self.tried[..self.attempts as usize]
    }

    /// Whether it is on a host.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        matches!(self.state, State::Sent | State::Streaming)
    }

    /// The host of the last attempt.
    #[must_use]
    pub fn host(&self) -> Option<HostId> {
        self.tried().last().copied()
    }
}

/// Where an entry lies; valid until it is removed.
pub type Slot = u32;

const EMPTY: Slot = Slot::MAX;

/// Requests under way, found by id in O(1). Ids come in rising order, without gaps.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Id of the first place in `slots`.
    base: u64,
    slots: VecDeque<Slot>,
    entries: Vec<Entry>,
    free: Vec<Slot>,
}

impl Ledger {
    /// How many requests are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a request; its id must be the next.
    #[inline]
    pub fn insert(&mut self, entry: Entry) -> Slot {
        let id = entry.arrive.request.0;
        assert_eq!(id, self.base + self.slots.len() as u64, "request ids rise without gaps");
        let slot = if let Some(slot) = self.free.pop() {
            self.entries[slot as usize] = entry;
            slot
        } else {
            self.entries.push(entry);
            (self.entries.len() - 1) as Slot
        };
        self.slots.push_back(slot);
        slot
    }

    /// Where a request lies; `None` where it has ended or never came.
    #[must_use]
    #[inline]
    pub fn find(&self, request: RequestId) -> Option<Slot> {
        let place = request.0.checked_sub(self.base)?;
        let slot = *self.slots.get(usize::try_from(place).ok()?)?;
        (slot != EMPTY).then_some(slot)
    }

    /// The entry in a slot.
    #[must_use]
    #[inline]
    pub fn get(&self, slot: Slot) -> &Entry {
        &self.entries[slot as usize]
    }

    /// The entry in a slot, to change.
    #[inline]
    pub fn get_mut(&mut self, slot: Slot) -> &mut Entry {
        &mut self.entries[slot as usize]
    }

    /// Forgets a request.
    pub fn remove(&mut self, slot: Slot) {
        let entry = &mut self.entries[slot as usize];
        entry.arrive.prefix = Box::default();
        let place = (entry.arrive.request.0 - self.base) as usize;
        self.slots[place] = EMPTY;
        self.free.push(slot);
        while self.slots.front() == Some(&EMPTY) {
            self.slots.pop_front();
            self.base += 1;
        }
    }

    /// All requests under way with their slots, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        self.slots.iter().filter(|slot| **slot != EMPTY).map(|&slot| (slot, self.get(slot)))
    }

    /// The id that the next request must have.
    #[must_use]
    pub fn next_id(&self) -> RequestId {
        RequestId(self.base + self.slots.len() as u64)
    }
}

impl Serialize for Ledger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries: Vec<&Entry> = self.iter().map(|(_, entry)| entry).collect();
        (self.next_id(), entries).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Ledger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (next, entries): (RequestId, Vec<Entry>) = Deserialize::deserialize(deserializer)?;
        let mut ledger =
            Self { base: entries.first().map_or(next.0, |entry| entry.arrive.request.0), ..Self::default() };
        for entry in entries {
            let id = entry.arrive.request.0;
            let expected = ledger.next_id().0;
            if id < expected || id >= next.0 {
                return Err(serde::de::Error::custom("request ids in a ledger must rise"));
            }
            ledger.skip_to(id);
            ledger.insert(entry);
        }
        ledger.skip_to(next.0);
        Ok(ledger)
    }
}

impl Ledger {
    /// Marks ids as ended up to `next`.
    fn skip_to(&mut self, next: u64) {
        if self.slots.is_empty() {
            self.base = next;
        }
        while self.next_id().0 < next {
            self.slots.push_back(EMPTY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_leaves_room_for_its_places_in_indexes_within_256_bytes() {
        assert!(size_of::<Entry>() <= 192, "{}", size_of::<Entry>());
    }
}
