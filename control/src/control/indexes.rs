//! Indexes over the facts: derived, never serialised, the same whether kept up or built again.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Control;
use super::demands::Demanding;
use super::lanes::{Lane, LaneId, ModelIndex};
use super::select::Loads;
use crate::config::DispatchLimit;
use crate::door::Part;
use crate::facts::breakers::{Breakers, Place};
use crate::facts::ledger::{Entry, Slot, State};
use crate::ids::{HostId, ModelId, RequestId};
use crate::index::Implementation;
use crate::index::heap::{Ordered, Positions};
use crate::index::levels::Levels;
use crate::index::vocabulary::Vocabulary;
use crate::schedule::{Group, Key, Queued};
use crate::sync::detect::Contents;
use crate::sync::resolve::Resolver;
use crate::sync::store::Store;
use crate::units::Instant;

/// When something happens to a request, ties in order of arrival. Packed, since every request that waits has one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(Rust, packed(4))]
struct Due {
    at: Instant,
    request: RequestId,
}

/// The first slot whose time has come.
#[inline]
fn due(times: &Ordered<Due>, now: Instant) -> Option<Slot> {
    times.peek().filter(|(due, _)| { due.at } <= now).map(|(_, slot)| slot)
}

/// When something happens to a queued request by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// It is given up.
    pub(super) expires: Instant,
    /// It goes before all others.
    pub(super) ages: Option<Instant>,
}

/// What balancers ask for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wants {
    /// Hosts by requests under way.
    pub(super) levels: bool,
    /// Requests under way on the hosts of a lane.
    pub(super) sums: bool,
    /// Weights of the hosts of a lane.
    pub(super) weights: bool,
}

/// Verdicts on contents that are remembered.
const VERDICTS_MAX: u32 = 4_096;

/// All indexes.
#[derive(Debug)]
pub(super) struct Indexes {
    pub(super) models: Vec<ModelIndex>,
    pub(super) lanes: Vec<Lane>,
    /// Those of them whose hosts are still to be found.
    pub(super) unfilled: Vec<LaneId>,
    /// Lanes with queued requests, in order of id.
    pub(super) waiting: Vec<LaneId>,
    queue_positions: Positions,
    /// Queued requests by the time at which they are given up.
    expiry: Ordered<Due>,
    expiry_positions: Positions,
    /// Queued requests by the time at which they go before all others.
    aging: Ordered<Due>,
    aging_positions: Positions,
    /// Hosts that can be chosen, by requests under way; kept where the balancer asks for it.
    pub(super) levels: Option<Levels>,
    /// Loads of hosts; kept where the config selects among balancers.
    pub(super) loads: Option<Loads>,
    /// Names of models; the number of each is its id.
    pub(super) names: Vocabulary,
    /// Rules, where there are any.
    pub(super) demanding: Option<Box<Demanding>>,
    /// Requests that may not start yet, by the time at which they may.
    deferred: Ordered<Due>,
    deferred_positions: Positions,
    /// When the next breaker wants to be told of the time.
    pub(super) breaker_wake: Option<Instant>,
    /// Whether `in_flight_sum` is kept.
    pub(super) sums: bool,
    /// Whether the weights of lanes are kept.
    pub(super) weighs: bool,
    /// Whose content of a name is right.
    pub(super) resolver: Resolver,
    /// What each host has under the names that are managed; kept where hosts gossip.
    pub(super) contents: BTreeMap<HostId, Contents>,
    /// Which versions there are of the names that are managed.
    pub(super) versions: Store,
}

impl Indexes {
    /// Empty indexes, with what the balancer asks for where the implementation is the optimised one.
    pub(super) fn new(implementation: Implementation, wants: Wants) -> Self {
        Self {
            models: Vec::new(),
            lanes: Vec::new(),
            unfilled: Vec::new(),
            waiting: Vec::new(),
            queue_positions: Positions::default(),
            expiry: Ordered::new(implementation),
            expiry_positions: Positions::default(),
            aging: Ordered::new(implementation),
            aging_positions: Positions::default(),
            levels: wants.levels.then(Levels::default),
            loads: None,
            names: Vocabulary::new(implementation),
            demanding: None,
            deferred: Ordered::new(implementation),
            deferred_positions: Positions::default(),
            breaker_wake: None,
            sums: wants.sums,
            weighs: wants.weights,
            resolver: Resolver::new(implementation, VERDICTS_MAX),
            contents: BTreeMap::new(),
            versions: Store::new(implementation),
        }
    }

    /// When something happens without an input.
    #[inline]
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let expiry = self.expiry.peek().map(|(due, _)| due.at);
        let deferred = self.deferred.peek().map(|(due, _)| due.at);
        [expiry, deferred, self.breaker_wake].into_iter().flatten().min()
    }

    /// Whether a breaker keeps requests from a host, or from a model on it.
    #[inline]
    pub(super) fn ejected(&self, breakers: &Breakers, place: Place) -> bool {
        !breakers.ejected.is_empty() && breakers.ejected.contains(&place)
    }

    /// The slot that may start now, if there is one.
    pub(super) fn startable(&self, now: Instant) -> Option<Slot> {
        due(&self.deferred, now)
    }

    /// Keeps a request out of the queue until it may start.
    pub(super) fn defer(&mut self, entry: &Entry, starts: Instant, expires: Instant, slot: Slot) {
        let request = entry.arrive.request;
        self.deferred.push(&mut self.deferred_positions, Due { at: starts, request }, slot);
        self.expiry.push(&mut self.expiry_positions, Due { at: expires, request }, slot);
    }

    /// A deferred request is no longer.
    pub(super) fn undefer(&mut self, slot: Slot) {
        self.deferred.remove(&mut self.deferred_positions, slot);
        self.expiry.remove(&mut self.expiry_positions, slot);
    }

    /// The slot that expires first, if it does by `now`.
    pub(super) fn expired(&self, now: Instant) -> Option<Slot> {
        due(&self.expiry, now)
    }

    /// The slot that has waited for too long, if there is one.
    pub(super) fn aged(&self, now: Instant) -> Option<Slot> {
        due(&self.aging, now)
    }

    /// Puts a request into its lane's queue; `ages` is when it goes before all others.
    pub(super) fn enqueue(&mut self, lane: LaneId, (group, key): (Group, Key), times: Times, slot: Slot) {
        let queue = &mut self.lanes[lane.index()].queue;
        if queue.is_empty() {
            let place = self.waiting.partition_point(|waiting| *waiting < lane);
            self.waiting.insert(place, lane);
        }
        queue.push(&mut self.queue_positions, group, key, slot);
        self.expiry.push(&mut self.expiry_positions, Due { at: times.expires, request: key.request }, slot);
        if let Some(ages) = times.ages {
            self.aging.push(&mut self.aging_positions, Due { at: ages, request: key.request }, slot);
        }
    }

    /// Takes a request out of its lane's queue.
    pub(super) fn dequeue(&mut self, entry: &Entry, slot: Slot) {
        let queue = &mut self.lanes[entry.lane.index()].queue;
        let removed = queue.remove(&mut self.queue_positions, entry.group, slot);
        assert!(removed, "a queued request stands in its lane's queue");
        if queue.is_empty() {
            self.waiting.retain(|waiting| *waiting != entry.lane);
        }
        self.expiry.remove(&mut self.expiry_positions, slot);
        self.aging.remove(&mut self.aging_positions, slot);
    }
}

impl Control {
    /// Builds every index from the facts. A request whose rank was written down keeps it, since it rests on what was known
    /// when it was queued; others are ordered anew.
    pub(super) fn rebuild_indexes(&mut self) {
        let hosts = self.implementation(Part::Hosts);
        let wants = match hosts {
            Implementation::Optimised => self.arms.want(),
            Implementation::Baseline => Wants::default(),
        };
        self.indexes = Indexes::new(self.implementation(Part::Queue), wants);
        self.indexes.loads = self.config.select.is_some().then(|| Loads::new(hosts));
        self.index_rules();
        self.find_breaker_wake();
        for model in 0..self.facts.models.len() {
            self.index_model(ModelId(model as u32));
        }
        for replica in self.facts.placement.plan.iter().flat_map(|plan| &plan.replicas) {
            self.indexes.models[replica.model.index()].planned.set(replica.host, true);
        }
        for host in 0..self.facts.hosts.len() {
            let host = HostId(host as u32);
            self.facts.loads[host.index()].limit = self.limit(host);
            self.index_loaded(host, true);
            self.match_declared(host);
            self.index_stored(host, &[]);
            self.index_contents(host, &[]);
        }
        self.index_versions();
        let ranks = core::mem::take(&mut self.facts.ranks);
        let slots: Vec<Slot> = self.facts.ledger.iter().map(|(slot, _)| slot).collect();
        for slot in &slots {
            let arrive = self.facts.ledger.get(*slot).arrive.clone();
            self.facts.ledger.get_mut(*slot).lane = self.lane_of(&arrive);
        }
        self.fill_lanes();
        for slot in slots {
            let entry = self.facts.ledger.get(slot);
            let (request, model) = (entry.arrive.request, entry.arrive.model);
            match entry.state {
                State::Queued => match ranks.binary_search_by_key(&request, |key| key.request) {
                    Ok(at) => self.index_queued(slot, ranks[at].rank),
                    Err(_) => self.enqueue(slot),
                },
                State::Deferred => self.defer(slot),
                State::Sent | State::Streaming => self.indexes.models[model.index()].running += 1,
            }
        }
    }

    /// Most requests to be let out to a host.
    pub(super) fn limit(&self, host: HostId) -> u32 {
        let full = match self.config.dispatch {
            DispatchLimit::Slots => self.facts.hosts[host.index()].declaration.slots.max(1),
            DispatchLimit::Unlimited => u32::MAX,
            DispatchLimit::Requests(requests) => requests,
            DispatchLimit::Learned => {
                let limit = self.facts.limits.get(host.index()).cloned().unwrap_or_default();
                limit.requests(&self.config.limit)
            }
        };
        self.facts.hosts[host.index()].warming.map_or(full, |warming| warming.min(full))
    }

    /// Keeps a request out of the queue until it may start.
    pub(super) fn defer(&mut self, slot: Slot) {
        let entry = self.facts.ledger.get(slot);
        self.indexes.defer(entry, self.starts(entry), self.expires(entry), slot);
    }

    /// Puts a request into the queue of its lane, where the scheduler wants it.
    pub(super) fn enqueue(&mut self, slot: Slot) {
        let entry = self.facts.ledger.get(slot);
        let queued = Queued {
            arrive: &entry.arrive,
            arrived_at: entry.arrived_at,
            model: &self.facts.models[entry.arrive.model.index()],
            predictor: &self.facts.predictor,
        };
        let aged = entry.group == Group::AGED;
        let (group, rank) = if aged { (Group::AGED, 0) } else { self.scheduler.place(queued) };
        self.facts.ledger.get_mut(slot).group = group;
        self.index_queued(slot, rank);
    }

    /// Puts a request into the queue of its lane, in its group.
    fn index_queued(&mut self, slot: Slot, rank: u128) {
        let entry = self.facts.ledger.get(slot);
        let aging = self.config.aging.filter(|_| entry.group != Group::AGED);
        let ages = aging.map(|aging| self.starts(entry).saturating_add(aging));
        let times = Times { expires: self.expires(entry), ages };
        let key = Key { rank, request: entry.arrive.request };
        self.indexes.enqueue(entry.lane, (entry.group, key), times, slot);
    }

    /// The ranks of those that are queued, in order of arrival.
    pub(super) fn ranks(&self) -> Vec<Key> {
        let mut ranks: Vec<Key> = self.indexes.lanes.iter().flat_map(|lane| lane.queue.keys()).collect();
        ranks.sort_unstable_by_key(|key| key.request);
        ranks
    }

    /// When a request may start: its wait counts from then on.
    pub(super) fn starts(&self, entry: &Entry) -> Instant {
        entry.arrived_at.saturating_add(self.start_after(entry.lane))
    }

    /// When a queued request is given up: its deadline, or the longest wait.
    pub(super) fn expires(&self, entry: &Entry) -> Instant {
        let timeout = self.starts(entry).saturating_add(self.config.queue_timeout);
        entry.arrive.deadline.map_or(timeout, |deadline| deadline.min(timeout))
    }
}
