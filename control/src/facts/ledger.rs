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
    /// Where its attempts lie, if one was begun.
    #[serde(skip)]
    begun: Slot,
}

impl Entry {
    /// A request that has just come in.
    pub(crate) fn new(arrive: Arrive, now: Instant, lane: LaneId) -> Self {
        Self {
            arrive,
            arrived_at: now,
            arm: ArmId::default(),
            state: State::Queued,
            lane,
            group: Group::default(),
            attempts: 0,
            begun: EMPTY,
        }
    }

    /// Whether it is on a host.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        matches!(self.state, State::Sent | State::Streaming)
    }
}

/// What is kept of a request from its first attempt on: apart from the rest, so that those which wait take less room.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Attempts {
    /// When the last attempt was let out.
    pub dispatched_at: Instant,
    /// The hosts of the attempts, in order.
    pub tried: [HostId; ATTEMPTS_MAX],
    /// Whether the last attempt was sent to a host that had to load the model first.
    pub cold: bool,
    /// Whether it is one of the requests of a load, see `loading`.
    pub loading: bool,
    /// Estimated tokens of prompt and answer, as charged to the host.
    pub charged: Work,
    /// How long the first byte of the last attempt took, if it came.
    pub ttft_micros: u32,
    /// What was predicted of the last attempt.
    pub prediction: Prediction,
    /// Tokens relayed, as last told.
    pub progress_tokens: u32,
}

/// Where an entry lies; valid until it is removed.
pub type Slot = u32;

const EMPTY: Slot = Slot::MAX;
/// Entries of a chunk: memory grows by so many, and never by copying what waits.
const CHUNK: usize = 256;

/// Requests under way, found by id in O(1). Ids come in rising order, without gaps.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Id of the first place in `slots`.
    base: u64,
    slots: VecDeque<Slot>,
    chunks: Vec<Vec<Entry>>,
    free: Vec<Slot>,
    begun: Vec<Attempts>,
    begun_free: Vec<Slot>,
}

impl Ledger {
    /// How many requests are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        full + self.chunks.last().map_or(0, Vec::len) - self.free.len()
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
            *self.get_mut(slot) = entry;
            slot
        } else {
            if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
                self.chunks.push(Vec::with_capacity(CHUNK));
            }
            let at = self.chunks.len() - 1;
            self.chunks[at].push(entry);
            (at * CHUNK + self.chunks[at].len() - 1) as Slot
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
        &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    /// The entry in a slot, to change.
    #[inline]
    pub fn get_mut(&mut self, slot: Slot) -> &mut Entry {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    /// What is kept of a request's attempts; `None` before the first.
    #[must_use]
    #[inline]
    pub fn begun(&self, slot: Slot) -> Option<&Attempts> {
        self.begun.get(self.get(slot).begun as usize)
    }

    /// What is kept of the attempts of a request that was let out.
    #[inline]
    pub(crate) fn attempts(&self, slot: Slot) -> &Attempts {
        self.begun(slot).expect("a request that was let out has attempts")
    }

    /// The same to change; made where there is none.
    #[inline]
    pub(crate) fn attempts_mut(&mut self, slot: Slot) -> &mut Attempts {
        let mut at = self.get(slot).begun;
        if at == EMPTY {
            at = self.begun_free.pop().unwrap_or_else(|| {
                self.begun.push(Attempts::default());
                (self.begun.len() - 1) as Slot
            });
            self.begun[at as usize] = Attempts::default();
            self.get_mut(slot).begun = at;
        }
        &mut self.begun[at as usize]
    }

    /// Hosts that a request tried so far.
    #[must_use]
    pub fn tried(&self, slot: Slot) -> &[HostId] {
        self.begun(slot).map_or(&[], |begun| &begun.tried[..self.get(slot).attempts as usize])
    }

    /// The host of its last attempt.
    #[must_use]
    pub fn host(&self, slot: Slot) -> Option<HostId> {
        self.tried(slot).last().copied()
    }

    /// Forgets a request.
    pub fn remove(&mut self, slot: Slot) {
        let base = self.base;
        let entry = self.get_mut(slot);
        entry.arrive.prefix = Box::default();
        entry.arrive.particulars = None;
        let place = (entry.arrive.request.0 - base) as usize;
        let begun = core::mem::replace(&mut entry.begun, EMPTY);
        if begun != EMPTY {
            self.begun_free.push(begun);
        }
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
        let entries: Vec<(&Entry, Option<&Attempts>)> =
            self.iter().map(|(slot, entry)| (entry, self.begun(slot))).collect();
        (self.next_id(), entries).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Ledger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (next, entries): (RequestId, Vec<(Entry, Option<Attempts>)>) =
            Deserialize::deserialize(deserializer)?;
        let first = entries.first().map_or(next.0, |(entry, _)| entry.arrive.request.0);
        let mut ledger = Self { base: first, ..Self::default() };
        for (mut entry, begun) in entries {
            entry.begun = EMPTY;
            if usize::from(entry.attempts) > ATTEMPTS_MAX || begun.is_none() != (entry.attempts == 0) {
                return Err(serde::de::Error::custom("a request in a ledger has its attempts, four at most"));
            }
            let id = entry.arrive.request.0;
            let expected = ledger.next_id().0;
            if id < expected || id >= next.0 {
                return Err(serde::de::Error::custom("request ids in a ledger must rise"));
            }
            ledger.skip_to(id);
            let slot = ledger.insert(entry);
            if let Some(begun) = begun {
                *ledger.attempts_mut(slot) = begun;
            }
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
        assert!(size_of::<Entry>() <= 128, "{}", size_of::<Entry>());
    }
}
