//! The requests on a host, from their arrival until nothing of them is left there.

use control::units::{Instant, Nanos};
use prefetch_index::prefetch_index;

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
    /// Nothing of it is left here: its place is free, and the next free one is this.
    Gone(Slot),
}

/// A request on the host.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) request: HostRequest,
    /// Index of its model among those on the disk.
    pub(super) model: u16,
    /// The number of the weights that its name stood for when it came.
    pub(super) blob: u16,
    pub(super) arrived: Instant,
    pub(super) stage: Stage,
    /// Its client left: nothing of it is reported any more.
    pub(super) cancelled: bool,
    /// Its prompt was cut.
    pub(super) truncated: bool,
    /// Work before the runner, and the wait for a load.
    pub(super) load: Nanos,
}

/// Ends the list of free places.
const NO_SLOT: Slot = Slot::MAX;

impl Flight {
    fn is_here(&self) -> bool {
        !matches!(self.stage, Stage::Gone(_))
    }
}

/// All requests on a host. Places are used again, so that a steady stream allocates nothing; those that are free form
/// a list, the last one freed first.
#[derive(Debug)]
pub(super) struct Flights {
    places: Vec<Flight>,
    free: Slot,
    len: u32,
}

impl Default for Flights {
    fn default() -> Self {
        Self { places: Vec::new(), free: NO_SLOT, len: 0 }
    }
}

impl Flights {
    pub(super) fn add(&mut self, flight: Flight) -> Slot {
        self.len += 1;
        let slot = self.free;
        let Some(place) = self.places.get_mut(slot as usize) else {
            self.places.push(flight);
            return (self.places.len() - 1) as Slot;
        };
        let Stage::Gone(next) = place.stage else { unreachable!("places on the list are free") };
        self.free = next;
        *place = flight;
        slot
    }

    /// Forgets a request that is on the host.
    #[inline]
    pub(super) fn remove(&mut self, slot: Slot) {
        let next = std::mem::replace(&mut self.free, slot);
        let flight = self.get_mut(slot);
        flight.stage = Stage::Gone(next);
        flight.request.blocks = None;
        self.len -= 1;
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> &Flight {
        let flight = &self.places[slot as usize];
        debug_assert!(flight.is_here(), "the request is on the host");
        flight
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Flight {
        let flight = &mut self.places[slot as usize];
        debug_assert!(flight.is_here(), "the request is on the host");
        flight
    }

    /// Tells the processor that a request will be needed soon.
    #[inline]
    pub(super) fn prefetch(&self, slot: Slot) {
        if let Some(flight) = self.places.get(slot as usize) {
            prefetch_index(std::slice::from_ref(&flight.request), 0);
            prefetch_index(std::slice::from_ref(&flight.stage), 0);
            prefetch_index(std::slice::from_ref(&flight.load), 0);
        }
    }

    /// The driver's handle of a request, where there is one in this place.
    pub(super) fn key(&self, slot: Slot) -> Option<RequestKey> {
        Some(self.places.get(slot as usize)?.request.key)
    }

    /// Tells the processor that a place for another request will be needed soon.
    #[inline]
    pub(super) fn prefetch_free(&self) {
        self.prefetch(self.free);
    }

    /// The place of a request whose client has not left.
    pub(super) fn find(&self, key: RequestKey) -> Option<Slot> {
        let found = |flight: &Flight| flight.request.key == key && !flight.cancelled && flight.is_here();
        self.places.iter().position(found).map(|at| at as Slot)
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// All of them, with their places.
    pub(super) fn places(&self) -> impl Iterator<Item = (Slot, &Flight)> {
        (0..).zip(&self.places).filter(|(_, flight)| flight.is_here())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Flight> {
        self.places.iter().filter(|flight| flight.is_here())
    }
}
