//! The requests on a host, from their arrival until nothing of them is left there.

use control::units::{Instant, Nanos};

use super::runner::RunnerId;
use crate::api::{HostRequest, RequestKey};

/// A request's place in [`Flights`]; it is the key under which batch loops know it.
pub(super) type Slot = u32;

/// Where a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Template and tokenizer are at work.
    Preparing,
    /// It waits for the scheduler's lock, or for that of a runner that loads.
    Locked,
    /// In the pending queue, or in the scheduler's hand.
    Pending,
    /// A runner is loading for it.
    Loading(RunnerId),
    /// A runner has it: in a slot, or waiting for one.
    Running(RunnerId),
}

/// A request on the host.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) request: HostRequest,
    /// Index of its model among those on the disk.
    pub(super) model: u16,
    pub(super) arrived: Instant,
    pub(super) stage: Stage,
    /// Its client left: nothing of it is reported any more.
    pub(super) cancelled: bool,
    /// Its prompt was cut.
    pub(super) truncated: bool,
    /// Work before the runner, and the wait for a load.
    pub(super) load: Nanos,
}

/// All requests on a host. Places are used again, so that a steady stream allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Flights {
    places: Vec<Option<Flight>>,
    free: Vec<Slot>,
}

impl Flights {
    pub(super) fn add(&mut self, flight: Flight) -> Slot {
        if let Some(slot) = self.free.pop() {
            self.places[slot as usize] = Some(flight);
            return slot;
        }
        self.places.push(Some(flight));
        (self.places.len() - 1) as Slot
    }

    /// Forgets a request that is on the host.
    #[inline]
    pub(super) fn remove(&mut self, slot: Slot) {
        debug_assert!(self.places[slot as usize].is_some(), "a request leaves once");
        self.free.push(slot);
        self.places[slot as usize] = None;
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> &Flight {
        self.places[slot as usize].as_ref().expect("the request is on the host")
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Flight {
        self.places[slot as usize].as_mut().expect("the request is on the host")
    }

    /// The place of a request whose client has not left.
    pub(super) fn find(&self, key: RequestKey) -> Option<Slot> {
        let found = |place: &Option<Flight>| {
            place.as_ref().is_some_and(|flight| flight.request.key == key && !flight.cancelled)
        };
        self.places.iter().position(found).map(|at| at as Slot)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Flight> {
        self.places.iter().flatten()
    }
}
