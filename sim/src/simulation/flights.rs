//! Requests under way, with what the simulator knows of them.

use std::collections::VecDeque;

use control::ids::{ActionId, ArmId, HostId, ModelId, RequestId};
use control::request::{Outcome, Usage};
use control::units::{Instant, Nanos};
use sim_host::api::RequestKey;
use traces::job::Job;
use traces::record::Record;

use super::run::ahead;
use crate::engine::Token;

/// One request under way.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Flight {
    pub(super) request: RequestId,
    pub(super) job: Job,
    pub(super) dispatched: Option<Instant>,
    pub(super) first_token: Option<Instant>,
    pub(super) host: Option<HostId>,
    /// Which arm decided the last attempt.
    pub(super) arm: ArmId,
    /// Attempts begun.
    pub(super) attempts: u8,
    /// Whether the driver has closed the last attempt's connection: what its host still says is not heard.
    pub(super) closed: bool,
    /// How long its stream may stand still.
    pub(super) idle_timeout: Nanos,
    /// Nothing that its host sends arrives before, since something sent earlier is late.
    pub(super) held_until: Instant,
    /// Something of the last attempt's stream was lost: nothing more of it comes.
    pub(super) silent: bool,
    pub(super) cached_tokens: u32,
    pub(super) truncated: bool,
    pub(super) usage: Usage,
    /// Its pending first-byte time-out.
    pub(super) timeout: Option<Token>,
    /// The end of its client's patience, pending.
    pub(super) patience: Option<Token>,
}

impl Flight {
    /// Whether what a host says of an attempt is heard: it is the last, and its connection stands.
    pub(super) fn hears(&self, attempt: u8) -> bool {
        self.attempts == attempt + 1 && !self.closed
    }

    pub(super) fn record(&self, ended: Instant, outcome: Outcome) -> Record {
        Record {
            request: self.request,
            model: ModelId(self.job.model),
            tenant: self.job.tenant,
            session: self.job.session,
            priority: self.job.priority,
            arrival: self.job.arrival,
            dispatched: self.dispatched,
            first_token: self.first_token,
            ended,
            host: self.host,
            arm: self.arm,
            attempts: self.attempts,
            prompt_tokens: self.job.prompt_tokens,
            cached_tokens: self.cached_tokens,
            truncated: self.truncated,
            usage: self.usage,
            outcome,
        }
    }
}

/// A slab of flights. A place is used again after its request ended, so messages carry the request too.
#[derive(Debug, Default)]
pub(super) struct Flights {
    places: Vec<Flight>,
    free: Vec<u32>,
    /// Place of each request from `base` on; `EMPTY` where it has ended.
    by_request: VecDeque<u32>,
    base: u64,
}

const EMPTY: u32 = u32::MAX;

impl Flights {
    /// Adds a request; ids rise without gaps.
    pub(super) fn insert(&mut self, flight: Flight) -> u32 {
        debug_assert_eq!(
            flight.request.0,
            self.base + self.by_request.len() as u64,
            "request ids rise without gaps"
        );
        let place = if let Some(place) = self.free.pop() {
            self.places[place as usize] = flight;
            place
        } else {
            self.places.push(flight);
            (self.places.len() - 1) as u32
        };
        self.by_request.push_back(place);
        place
    }

    pub(super) fn find(&mut self, request: RequestId) -> Option<(u32, &mut Flight)> {
        let index = request.0.checked_sub(self.base)?;
        let place = *self.by_request.get(index as usize)?;
        if place == EMPTY {
            return None;
        }
        Some((place, &mut self.places[place as usize]))
    }

    /// Tells the processor that a request's memory will be needed soon.
    pub(super) fn prefetch(&self, request: RequestId) {
        let Some(index) = request.0.checked_sub(self.base) else { return };
        let Some(&place) = self.by_request.get(index as usize) else { return };
        if let Some(flight) = self.places.get(place as usize) {
            ahead::whole::<Flight>(&flight.request.0);
        }
    }

    pub(super) fn at(&mut self, place: u32) -> &mut Flight {
        &mut self.places[place as usize]
    }

    /// Forgets a request that has ended; its flight stays in its place until that is used again.
    pub(super) fn remove(&mut self, place: u32) {
        let flight = &mut self.places[place as usize];
        flight.job.blocks = None;
        let index = (flight.request.0 - self.base) as usize;
        debug_assert_eq!(self.by_request[index], place, "a request ends once");
        self.free.push(place);
        self.by_request[index] = EMPTY;
        while self.by_request.front() == Some(&EMPTY) {
            self.by_request.pop_front();
            self.base += 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Places in use, in order of request.
    pub(super) fn places(&self) -> Vec<u32> {
        self.by_request.iter().copied().filter(|place| *place != EMPTY).collect()
    }
}

/// The handle of an action: no request has this bit.
const ACTION: u64 = 1 << 63;

/// What a host calls an attempt or an action.
pub(super) enum Handle {
    Attempt(RequestId, u8),
    Action(ActionId),
}

/// The handle of an action on a host.
pub(super) fn action_key(action: ActionId) -> RequestKey {
    RequestKey(ACTION | action.0)
}

/// The handle of an attempt on a host: its request and the number of the attempt.
pub(super) fn key(request: RequestId, attempt: u8) -> RequestKey {
    RequestKey(request.0 << 8 | u64::from(attempt))
}

/// The other way.
pub(super) fn handle_of(key: RequestKey) -> Handle {
    if key.0 & ACTION != 0 {
        Handle::Action(ActionId(key.0 & !ACTION))
    } else {
        Handle::Attempt(RequestId(key.0 >> 8), (key.0 & 0xff) as u8)
    }
}
