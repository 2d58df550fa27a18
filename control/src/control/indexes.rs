//! Indexes over the facts: derived, never serialised, the same whether kept up or built again.

use alloc::vec::Vec;

use super::Control;
use crate::balance::Balancer;
use crate::config::DispatchLimit;
use crate::facts::ledger::{Entry, Slot, State};
use crate::ids::{HostId, ModelId};
use crate::index::Implementation;
use crate::index::heap::{Ordered, Positions};
use crate::index::host_set::HostSet;
use crate::index::levels::Levels;
use crate::index::queue::Queue;
use crate::schedule::{Group, Key, Queued};
use crate::units::Instant;

/// What is derived of one model.
#[derive(Debug, Default)]
pub(super) struct ModelIndex {
    /// Hosts that have it on disk and answer, in order of id.
    pub(super) eligible: Vec<HostId>,
    /// The same as a set.
    pub(super) eligible_set: HostSet,
    /// Hosts that had it in memory when last heard, answering or not.
    pub(super) loaded: HostSet,
    /// Hosts that had it on disk when last heard, answering or not.
    pub(super) stored_len: u32,
    /// How many of the eligible have room.
    pub(super) open_len: u32,
    /// Requests under way on the eligible; kept where the balancer asks for it.
    pub(super) in_flight_sum: u64,
    /// Its queued requests.
    pub(super) queue: Queue,
}

impl ModelIndex {
    pub(super) fn new(implementation: Implementation) -> Self {
        Self { queue: Queue::new(implementation), ..Self::default() }
    }
}

/// The first slot whose time has come.
#[inline]
fn due(times: &Ordered<(Instant, u64)>, now: Instant) -> Option<Slot> {
    times.peek().filter(|((at, _), _)| *at <= now).map(|(_, slot)| slot)
}

/// When something happens to a queued request by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// It is given up.
    pub(super) expires: Instant,
    /// It goes before all others.
    pub(super) ages: Option<Instant>,
}

/// All indexes.
#[derive(Debug)]
pub(super) struct Indexes {
    pub(super) models: Vec<ModelIndex>,
    /// Models with queued requests, in order of id.
    pub(super) waiting: Vec<ModelId>,
    queue_positions: Positions,
    /// Queued requests by the time at which they are given up.
    expiry: Ordered<(Instant, u64)>,
    expiry_positions: Positions,
    /// Queued requests by the time at which they go before all others.
    aging: Ordered<(Instant, u64)>,
    aging_positions: Positions,
    /// Hosts that can be chosen, by requests under way; kept where the balancer asks for it.
    pub(super) levels: Option<Levels>,
    /// Whether `in_flight_sum` is kept.
    pub(super) sums: bool,
}

impl Indexes {
    /// Empty indexes, with what the balancer asks for where the implementation is the optimised one.
    pub(super) fn new(implementation: Implementation, balancer: &dyn Balancer) -> Self {
        let optimised = implementation == Implementation::Optimised;
        Self {
            models: Vec::new(),
            waiting: Vec::new(),
            queue_positions: Positions::default(),
            expiry: Ordered::new(implementation),
            expiry_positions: Positions::default(),
            aging: Ordered::new(implementation),
            aging_positions: Positions::default(),
            levels: (optimised && balancer.asks_for_levels()).then(Levels::default),
            sums: optimised && balancer.asks_for_bound(),
        }
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.expiry.peek().map(|((at, _), _)| at)
    }

    /// The slot that expires first, if it does by `now`.
    pub(super) fn expired(&self, now: Instant) -> Option<Slot> {
        due(&self.expiry, now)
    }

    /// The slot that has waited for too long, if there is one.
    pub(super) fn aged(&self, now: Instant) -> Option<Slot> {
        due(&self.aging, now)
    }

    /// Puts a request into its model's queue; `ages` is when it goes before all others.
    pub(super) fn enqueue(&mut self, model: ModelId, (group, key): (Group, Key), times: Times, slot: Slot) {
        let queue = &mut self.models[model.index()].queue;
        if queue.is_empty() {
            let place = self.waiting.partition_point(|waiting| *waiting < model);
            self.waiting.insert(place, model);
        }
        queue.push(&mut self.queue_positions, group, key, slot);
        self.expiry.push(&mut self.expiry_positions, (times.expires, key.request.0), slot);
        if let Some(ages) = times.ages {
            self.aging.push(&mut self.aging_positions, (ages, key.request.0), slot);
        }
    }

    pub(super) fn dequeue(&mut self, model: ModelId, group: Group, slot: Slot) {
        let queue = &mut self.models[model.index()].queue;
        let removed = queue.remove(&mut self.queue_positions, group, slot);
        assert!(removed, "a queued request stands in its model's queue");
        if queue.is_empty() {
            self.waiting.retain(|waiting| *waiting != model);
        }
        self.expiry.remove(&mut self.expiry_positions, slot);
        self.aging.remove(&mut self.aging_positions, slot);
    }
}

impl Control {
    /// Builds every index from the facts.
    pub(super) fn rebuild_indexes(&mut self) {
        let implementation = self.config.implementation;
        self.indexes = Indexes::new(implementation, &*self.balancer);
        self.indexes.models.resize_with(self.facts.models.len(), || ModelIndex::new(implementation));
        for host in 0..self.facts.hosts.len() {
            let host = HostId(host as u32);
            self.facts.loads[host.index()].limit = self.limit(host);
            self.index_stored(host, true);
            self.index_loaded(host, true);
        }
        let queued: Vec<Slot> = self
            .facts
            .ledger
            .iter()
            .filter(|(_, entry)| entry.state == State::Queued)
            .map(|(slot, _)| slot)
            .collect();
        for slot in queued {
            self.enqueue(slot);
        }
    }

    /// Most requests to be let out to a host.
    pub(super) fn limit(&self, host: HostId) -> u32 {
        match self.config.dispatch {
            DispatchLimit::Slots => self.facts.hosts[host.index()].declaration.slots.max(1),
            DispatchLimit::Unlimited => u32::MAX,
            DispatchLimit::Requests(requests) => requests,
        }
    }

    /// Puts a request into the queue of its model, under its key.
    pub(super) fn enqueue(&mut self, slot: Slot) {
        let entry = self.facts.ledger.get(slot);
        let model = entry.arrive.model;
        let queued = Queued {
            arrive: &entry.arrive,
            arrived_at: entry.arrived_at,
            model: &self.facts.models[model.index()],
        };
        let aged = entry.group == Group::AGED;
        let (group, rank) = if aged { (Group::AGED, 0) } else { self.scheduler.place(queued) };
        let key = Key { rank, request: entry.arrive.request };
        let ages = self.config.aging.filter(|_| !aged).map(|aging| entry.arrived_at.saturating_add(aging));
        let times = Times { expires: self.expires(entry), ages };
        self.facts.ledger.get_mut(slot).group = group;
        self.indexes.enqueue(model, (group, key), times, slot);
    }

    /// When a queued request is given up: its deadline, or the longest wait.
    pub(super) fn expires(&self, entry: &Entry) -> Instant {
        let timeout = entry.arrived_at.saturating_add(self.config.queue_timeout);
        entry.arrive.deadline.map_or(timeout, |deadline| deadline.min(timeout))
    }

    /// Adds a host to the indexes of its stored models, or takes it out of them.
    pub(super) fn index_stored(&mut self, host: HostId, add: bool) {
        self.index_level(host);
        let facts = &self.facts.hosts[host.index()];
        let load = self.facts.loads[host.index()];
        let (up, open) = (facts.is_up(), load.has_room());
        let in_flight = if self.indexes.sums { u64::from(load.in_flight) } else { 0 };
        for stored in &facts.observation.stored {
            let index = &mut self.indexes.models[stored.model.index()];
            if add {
                index.stored_len += 1;
            } else {
                index.stored_len -= 1;
            }
            if !up {
                continue;
            }
            let place = index.eligible.partition_point(|eligible| *eligible < host);
            if add {
                index.eligible.insert(place, host);
                index.eligible_set.set(host, true);
                index.open_len += u32::from(open);
                index.in_flight_sum += in_flight;
            } else {
                index.eligible.remove(place);
                index.eligible_set.set(host, false);
                index.open_len -= u32::from(open);
                index.in_flight_sum -= in_flight;
            }
        }
    }

    /// Puts a host among those that can be chosen, or takes it out.
    #[inline]
    fn index_level(&mut self, host: HostId) {
        if let Some(levels) = &mut self.indexes.levels {
            let load = self.facts.loads[host.index()];
            let chosen = load.has_room() && self.facts.hosts[host.index()].is_up();
            levels.put(host, chosen.then_some(load.in_flight));
        }
    }

    /// Adds a host to the sets of its loaded models, or takes it out of them.
    pub(super) fn index_loaded(&mut self, host: HostId, add: bool) {
        for loaded in &self.facts.hosts[host.index()].observation.loaded {
            self.indexes.models[loaded.model.index()].loaded.set(host, add);
        }
    }

    /// Changes what is under way on a host, and with it who has room.
    #[inline]
    pub(super) fn charge(&mut self, host: HostId, begins: bool, tokens: u32) {
        let load = &mut self.facts.loads[host.index()];
        let had_room = load.has_room();
        if begins {
            load.in_flight += 1;
            load.outstanding_tokens += u64::from(tokens);
        } else {
            load.in_flight -= 1;
            load.outstanding_tokens -= u64::from(tokens);
        }
        let has_room = load.has_room();
        self.index_level(host);
        if self.indexes.sums {
            self.count_request(host, begins);
        }
        if had_room != has_room {
            self.count_room(host, has_room);
        }
    }

    fn count_request(&mut self, host: HostId, begins: bool) {
        let facts = &self.facts.hosts[host.index()];
        if !facts.is_up() {
            return;
        }
        for stored in &facts.observation.stored {
            let sum = &mut self.indexes.models[stored.model.index()].in_flight_sum;
            if begins {
                *sum += 1;
            } else {
                *sum -= 1;
            }
        }
    }

    fn count_room(&mut self, host: HostId, has_room: bool) {
        let facts = &self.facts.hosts[host.index()];
        if !facts.is_up() {
            return;
        }
        for stored in &facts.observation.stored {
            let open_len = &mut self.indexes.models[stored.model.index()].open_len;
            if has_room {
                *open_len += 1;
            } else {
                *open_len -= 1;
            }
        }
    }
}
