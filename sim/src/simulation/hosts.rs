//! The hosts of a run, when each wants to go on, and when control sees that one has changed.

mod machine;
mod meter;

use control::door::{Observation, Utilisation};
use control::ids::{HostId, ModelId};
use control::units::{Instant, Nanos};
use control::{draw, observe};
use sim_host::api::{Due, HostEvent, Message, Phase, RequestKey};
use sim_host::host::Host;
use traces::record::HostSample;

use super::run::ahead;
use super::run::kind;
use crate::config::Fleet;
use crate::engine::Tournament;
use machine::Machine;
use meter::Meter;

/// All hosts.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Vec<Place>,
    next: Tournament,
    poll_period: Nanos,
}

/// One host in its place.
#[derive(Debug)]
#[repr(C)]
struct Place {
    /// Revision of the state that control was told, or will be at the poll that is pending. It comes first, so that
    /// [`Hosts::prefetch`] knows where a place begins.
    seen: u64,
    host: Machine,
    told: Option<Observation>,
    poll_pending: bool,
    poll_phase: Nanos,
    /// Where the host has a source of metrics.
    meter: Option<Box<Meter>>,
}

/// What a poll found.
#[derive(Debug, Default)]
pub(super) struct Polled {
    /// What the host says of itself, where that is news.
    pub(super) observation: Option<Observation>,
    /// What its source of metrics says, where that is news.
    pub(super) utilisation: Option<Utilisation>,
    /// When the host must be polled again though nothing need happen to it: its metrics change by themselves.
    pub(super) again: Option<Instant>,
}

/// Packs a time and a kind into one key: least first. Times reach 2^60 ns, 36 years.
#[inline]
pub(super) fn pack(at: Instant, kind: u8) -> u64 {
    debug_assert!(at.0 < 1 << 60, "simulated time stays below 36 years");
    at.0 << 4 | u64::from(kind)
}

#[inline]
pub(super) fn unpack(key: u64) -> (Instant, u8) {
    (Instant(key >> 4), (key & 15) as u8)
}

fn phase_kind(phase: Phase) -> u8 {
    match phase {
        Phase::Boundary => kind::BOUNDARY,
        Phase::Timer | Phase::Delivery => kind::HOST_TIMER,
        Phase::Start => kind::HOST_START,
    }
}

fn kind_phase(kind: u8) -> Phase {
    match kind {
        kind::BOUNDARY => Phase::Boundary,
        kind::HOST_TIMER => Phase::Timer,
        _ => Phase::Start,
    }
}

impl Place {
    /// The first time from `from` on that falls on the host's beat.
    fn beat(&self, from: u64, period: Nanos) -> Instant {
        let beats = from.saturating_sub(self.poll_phase.0).div_ceil(period.0);
        Instant(self.poll_phase.0 + beats * period.0)
    }
}

impl Hosts {
    pub(super) fn new(fleet: &Fleet, seed: u64) -> Self {
        let hosts = fleet.hosts.iter().enumerate().map(|(index, host)| {
            let mut draw = draw::Draw::new(seed, draw::Component::Poll, index as u64, 0);
            let poll_phase = Nanos(draw.bits() % fleet.poll_period.0);
            let declaration = &host.declaration;
            let host = Machine::new(&host.spec);
            let meter = declaration.metrics.then(Box::default);
            Place { seen: host.revision(), host, told: None, poll_pending: false, poll_phase, meter }
        });
        let hosts: Vec<Place> = hosts.collect();
        Self { next: Tournament::new(hosts.len()), hosts, poll_period: fleet.poll_period }
    }

    /// Key of the next event of any host.
    #[inline]
    pub(super) fn next_key(&self) -> u64 {
        self.next.least()
    }

    /// Hosts whose next event comes before a key.
    pub(super) fn until(&self, key: u64, into: &mut Vec<u32>) {
        self.next.below(key, into);
    }

    /// Tells the processor that a host's memory will be needed soon.
    #[inline]
    pub(super) fn prefetch(&self, host: HostId) {
        ahead::whole::<Place>(&self.hosts[host.index()].seen);
    }

    /// The same of what these hosts will need beyond it. Pass by pass, since where the deeper parts lie stands in those
    /// before. Adds the attempts that their events are about.
    pub(super) fn prefetch_events(&self, hosts: &[u32], attempts: &mut Vec<RequestKey>) {
        for depth in 0..Host::PREFETCH_DEPTH {
            attempts.extend(hosts.iter().filter_map(|&host| self.hosts[host as usize].host.prefetch(depth)));
        }
    }

    /// Executes that event; gives the host.
    pub(super) fn advance(&mut self, out: &mut Vec<HostEvent>) -> HostId {
        let index = self.next.winner();
        let (at, kind) = unpack(self.next.least());
        self.hosts[index].host.advance(Due { at, phase: kind_phase(kind) }, out);
        self.requeue(index);
        HostId(index as u32)
    }

    pub(super) fn deliver(&mut self, now: Instant, host: HostId, message: Message, out: &mut Vec<HostEvent>) {
        self.hosts[host.index()].host.deliver(now, message, out);
        self.requeue(host.index());
    }

    #[inline]
    fn requeue(&mut self, index: usize) {
        let key = self.hosts[index].host.next().map_or(u64::MAX, |due| pack(due.at, phase_kind(due.phase)));
        self.next.set(index, key);
    }

    /// When the host must be polled because its state has changed since control was told, or its metrics will have;
    /// `None` where neither is so, or a poll is pending. The poll after this is the first in time at or after `now` that
    /// falls on the host's beat.
    #[inline]
    pub(super) fn poll_wanted(&mut self, now: Instant, host: HostId) -> Option<Instant> {
        let place = &mut self.hosts[host.index()];
        let changed = place.host.revision() != place.seen;
        let measured = place.meter.as_ref().is_some_and(|meter| meter.is_wanted(&place.host));
        if place.poll_pending || !(changed || measured) {
            return None;
        }
        place.poll_pending = true;
        // A poll at this very time may just have been: what it measured needs time to change.
        let from = if changed { now.0 } else { now.0 + 1 };
        Some(place.beat(from, self.poll_period))
    }

    /// What a poll finds, where that is news.
    pub(super) fn poll(&mut self, now: Instant, host: HostId) -> Polled {
        let period = self.poll_period;
        let place = &mut self.hosts[host.index()];
        place.poll_pending = false;
        place.seen = place.host.revision();
        let mut polled = Polled::default();
        let observation = place.host.observe();
        if observe::is_news(place.told.as_ref(), &observation) {
            place.told = Some(observation.clone());
            polled.observation = Some(observation);
        }
        if let Some(meter) = &mut place.meter {
            polled.utilisation = meter.read(now, &place.host, period);
            if meter.goes_on(&place.host) {
                place.poll_pending = true;
                polled.again = Some(place.beat(now.0 + 1, period));
            }
        }
        polled
    }

    /// The next time from `from` on that falls on a host's beat.
    pub(super) fn next_beat(&self, from: Instant, host: HostId) -> Instant {
        self.hosts[host.index()].beat(from.0, self.poll_period)
    }

    /// The poll that was pending is not made.
    pub(super) fn pass_poll(&mut self, host: HostId) {
        self.hosts[host.index()].poll_pending = false;
    }

    /// What a host says next is news, whatever it is.
    pub(super) fn tell_anew(&mut self, host: HostId) {
        self.hosts[host.index()].told = None;
    }

    /// Models on a host's disk.
    pub(super) fn stored(&self, host: HostId) -> Vec<ModelId> {
        let stored = self.hosts[host.index()].host.observe().stored;
        stored.into_iter().map(|stored| stored.model).collect()
    }

    /// Checks what must hold of a host at any time.
    pub(super) fn check(&self, host: HostId) -> Result<(), String> {
        self.hosts[host.index()].host.check().map_err(|what| format!("host {}: {what}", host.0))
    }

    pub(super) fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Steps and boundaries of all batch loops so far.
    pub(super) fn loop_counts(&self, now: Instant) -> (u64, u64) {
        let counts = self.hosts.iter().map(|place| {
            let counters = place.host.counters(now);
            (counters.steps, counters.boundaries)
        });
        counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
    }

    pub(super) fn sample(&self, now: Instant) -> Vec<HostSample> {
        let samples = self.hosts.iter().enumerate().map(|(index, place)| {
            let counters = place.host.counters(now);
            let mut loaded = place.host.loaded();
            loaded.sort_unstable();
            HostSample {
                host: HostId(index as u32),
                requests: counters.requests,
                running: counters.running,
                busy_nanos: counters.busy_nanos,
                loaded,
                loads: counters.loads,
                evictions: counters.evictions,
                output_tokens: counters.output_tokens,
                prompt_tokens: counters.prompt_tokens,
                cached_tokens: counters.cached_tokens,
                tier_hits: counters.tier_hits,
            }
        });
        samples.collect()
    }
}
