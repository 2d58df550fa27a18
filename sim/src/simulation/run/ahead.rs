//! Looking ahead: which memory the next events will touch, so that the processor can fetch it meanwhile.
//!
//! With thousands of hosts every event meets memory that no cache holds. What happens next is mostly known (hosts and
//! messages have their times), so every few dozen events all that they will need is asked for at once. These are hints
//! and change nothing: a wrong one costs some time.

use control::facts::Facts;
use control::ids::{HostId, RequestId};
use control::units::{Instant, Nanos};
use prefetch_index::prefetch_index;
use sim_host::api::RequestKey;

use super::{Simulation, ToControl, ToHost};
use crate::simulation::Sink;
use crate::simulation::flights::{self, Handle};
use crate::simulation::hosts::pack;

/// Hosts from which on it pays.
const HOSTS_MIN: usize = 256;
/// Events that are looked at together: enough to overlap their misses, few enough for the nearest cache.
const EVENTS: u64 = 32;
/// Bytes that the processor fetches at once.
const LINE_BYTES: usize = 64;

/// How far the run has looked ahead.
#[derive(Debug)]
pub(super) struct Ahead {
    /// From then on it must look again; never where the fleet is small.
    pub(super) until: Instant,
    window: Nanos,
    events: u64,
    /// Scratch: hosts whose turn comes.
    pub(super) hosts: Vec<u32>,
    /// Scratch: attempts that events are about.
    pub(super) attempts: Vec<RequestKey>,
}

impl Ahead {
    pub(super) fn new(hosts_len: usize) -> Self {
        let until = if hosts_len < HOSTS_MIN { Instant::MAX } else { Instant::ZERO };
        Self { until, window: Nanos(1_000), events: 0, hosts: Vec::new(), attempts: Vec::new() }
    }

    /// The time up to which is looked now. The window follows the density of events.
    pub(super) fn begin(&mut self, now: Instant, events: u64) -> Instant {
        let seen = events - std::mem::replace(&mut self.events, events);
        let window = if seen > EVENTS { self.window.0 * 3 / 4 } else { self.window.0 * 5 / 4 + 1 };
        self.window = Nanos(window.min(1_000_000));
        self.until = now.saturating_add(self.window);
        self.until
    }
}

impl<S: Sink> Simulation<'_, S> {
    /// Tells the processor what the next events will touch.
    #[cold]
    pub(super) fn look_ahead(&mut self) {
        let until = self.ahead.begin(self.now, self.events);
        let Ahead { hosts, attempts, .. } = &mut self.ahead;
        self.hosts.until(pack(until, 0), hosts);
        for &host in hosts.iter() {
            self.hosts.prefetch(HostId(host));
        }
        for (_, (host, message)) in self.to_host.until(until) {
            self.hosts.prefetch(*host);
            if let ToHost::Request(request, attempt) = message {
                attempts.push(flights::key(*request, *attempt));
            }
        }
        for (_, message) in self.to_control.until(until) {
            if let ToControl::FirstByte(request, attempt) | ToControl::Finished(request, attempt, _) = message
            {
                attempts.push(flights::key(*request, *attempt));
            }
        }
        self.hosts.prefetch_events(hosts, attempts);
        let facts = self.control.facts();
        let request_of = |key: &RequestKey| match flights::handle_of(*key) {
            Handle::Attempt(request, _) => Some(request),
            Handle::Action(_) => None,
        };
        let requests = || attempts.iter().filter_map(request_of);
        for request in requests() {
            self.flights.prefetch(request);
            entry(facts, request);
        }
        let learned = |request| Some(&facts.history[facts.ledger.host(facts.ledger.find(request)?)?.index()]);
        for history in requests().filter_map(learned) {
            prefetch_index(std::slice::from_ref(&history.ttft), 0);
            prefetch_index(std::slice::from_ref(&history.ttft_peak), 0);
        }
        for history in requests().filter_map(learned) {
            prefetch_index(history.paces(), 0);
        }
        attempts.clear();
        hosts.clear();
    }
}

/// Asks for all lines of a value of type `T` that begins with `first`.
#[inline]
pub(in crate::simulation) fn whole<T>(first: &u64) {
    for line in 0..size_of::<T>().div_ceil(LINE_BYTES) {
        prefetch_index(std::slice::from_ref(first), line * LINE_BYTES / size_of::<u64>());
    }
}

/// Asks for what control keeps of a request.
#[inline]
fn entry(facts: &Facts, request: RequestId) {
    if let Some(slot) = facts.ledger.find(request) {
        let entry = facts.ledger.get(slot);
        prefetch_index(std::slice::from_ref(&entry.arrive), 0);
        prefetch_index(std::slice::from_ref(&entry.state), 0);
        // Where its attempts lie is in the entry itself, which is on its way: they are asked for by whoever reads their host.
    }
}
