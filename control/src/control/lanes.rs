//! Lanes: requests that can go to the same hosts. A lane knows these hosts and how many have room, so that a request
//! whose lane has none waits without a look at any host, and what is checked for one request is checked for all of its lane.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Control;
use super::indexes::Indexes;
use crate::constraints::Demands;
use crate::door::{Part, StoredModel};
use crate::ids::{HostId, ModelId};
use crate::index::Implementation;
use crate::index::host_set::HostSet;
use crate::index::queue::Queue;
use crate::index::weights::Weights;

/// A lane, in the order in which they were first needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LaneId(u32);

impl LaneId {
    pub(super) const fn new(index: usize) -> Self {
        Self(index as u32)
    }

    #[inline]
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is derived of one model.
#[derive(Debug, Default)]
pub(super) struct ModelIndex {
    /// Hosts that had it in memory when last heard, answering or not.
    pub(super) loaded: HostSet,
    /// Hosts that had it on disk when last heard, answering or not.
    pub(super) stored: HostSet,
    /// Hosts on which the plan in force wants it in memory.
    pub(super) planned: HostSet,
    /// Those of them that have it in memory and can be chosen, or all of them while too many requests wait: while there are any,
    /// requests go there.
    pub(super) routed: HostSet,
    /// Those of them that have it on disk and can be chosen: while there are any, but none has it in memory, requests go there, so
    /// that the load that they cause is the one that is wanted.
    pub(super) aimed: HostSet,
    /// Requests for it on hosts.
    pub(super) running: u32,
    /// Its lanes.
    pub(super) lanes: Vec<LaneId>,
}

/// Requests for one model that can go to the same hosts.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Their model.
    pub(super) model: ModelId,
    /// Hosts that can be chosen for them, whether they have room or not, in order of id.
    pub(super) eligible: Vec<HostId>,
    /// The same as a set.
    pub(super) eligible_set: HostSet,
    /// How many of the eligible have room.
    pub(super) open_len: u32,
    /// Requests under way on the eligible; kept where a balancer asks for it.
    pub(super) in_flight_sum: u64,
    /// Weights of those that have room; kept where a balancer asks for it.
    pub(super) weights: Option<Weights>,
    /// How many hosts could ever take them: those that have the model, answering or not.
    pub(super) reachable_len: u32,
    /// The same as a set.
    pub(super) reachable: HostSet,
    /// What its requests demand of hosts; nothing where absent.
    pub(super) demands: Option<Box<Demands>>,
    /// Hosts that are taken before others while they have room.
    pub(super) preferred: Option<HostSet>,
    /// Those that are queued.
    pub(super) queue: Queue,
}

/// How a host stands with requests for a model.
struct Standing {
    /// Whether it can be chosen for them.
    chosen: bool,
    /// Whether the plan, where they go by it, sends them there.
    by_plan: bool,
    has_room: bool,
    /// Requests under way on it; nothing where nobody asks for sums.
    in_flight: u64,
    weight: u32,
}

impl Lane {
    fn new(model: ModelId, implementation: Implementation) -> Self {
        Self { model, queue: Queue::new(implementation), ..Self::default() }
    }

    /// Enters a host that has the model and will do, or takes it out.
    fn seat(&mut self, host: HostId, reachable: bool, standing: &Standing) {
        let member = reachable && standing.chosen && (standing.by_plan || self.demands_hosts());
        self.weigh(host, if member && standing.has_room { standing.weight } else { 0 });
        if self.reachable.set(host, reachable) {
            self.reachable_len = self.reachable_len.wrapping_add_signed(if reachable { 1 } else { -1 });
        }
        if self.eligible_set.set(host, member) {
            let place = self.eligible.partition_point(|eligible| *eligible < host);
            if member {
                self.eligible.insert(place, host);
                self.open_len += u32::from(standing.has_room);
                self.in_flight_sum += standing.in_flight;
            } else {
                self.eligible.remove(place);
                self.open_len -= u32::from(standing.has_room);
                self.in_flight_sum -= standing.in_flight;
            }
        }
    }
}

impl Lane {
    /// Whether its requests demand something of their host: they go by no plan, which knows nothing of that.
    pub(super) fn demands_hosts(&self) -> bool {
        self.demands.as_ref().is_some_and(|demands| !demands.constraints().is_empty())
    }

    fn weigh(&mut self, host: HostId, weight: u32) {
        if let Some(weights) = &mut self.weights {
            weights.set(host.index(), weight.into());
        }
    }
}

/// Hosts of a lane that are taken before others: scratch of a decision.
#[derive(Debug, Default)]
pub(super) struct Preferred {
    /// In order of id.
    pub(super) hosts: Vec<HostId>,
    /// The same as a set.
    pub(super) set: HostSet,
}

impl Preferred {
    /// Gathers those of a lane's hosts that it prefers. Whether one of them is open.
    pub(super) fn gather(&mut self, lane: &Lane, open: impl Fn(HostId) -> bool) -> bool {
        let Some(preferred) = &lane.preferred else { return false };
        self.set.clone_from(preferred);
        self.set.and(&lane.eligible_set);
        self.hosts.clear();
        self.hosts.extend(self.set.iter());
        self.hosts.iter().any(|host| open(*host))
    }
}

impl Control {
    /// Makes room for a model that became known, with a lane for requests that demand nothing.
    pub(super) fn index_model(&mut self, model: ModelId) {
        self.indexes.models.push(ModelIndex::default());
        self.indexes.names.intern(&self.facts.models[model.index()].name);
        self.add_lane(model);
    }

    /// Another lane for a model.
    pub(super) fn add_lane(&mut self, model: ModelId) -> LaneId {
        let lane = LaneId::new(self.indexes.lanes.len());
        let mut added = Lane::new(model, self.implementation(Part::Queue));
        added.weights = self.indexes.weighs.then(|| Weights::new(Implementation::Optimised));
        self.indexes.lanes.push(added);
        self.indexes.models[model.index()].lanes.push(lane);
        lane
    }

    /// Enters which models a host has in memory, or takes them out.
    pub(super) fn index_loaded(&mut self, host: HostId, add: bool) {
        for loaded in &self.facts.hosts[host.index()].observation.loaded {
            self.indexes.models[loaded.model.index()].loaded.set(host, add);
        }
    }

    /// Enters which models a host has on disk; `before` is what it had.
    pub(super) fn index_stored(&mut self, host: HostId, before: &[StoredModel]) {
        for stored in before {
            self.indexes.models[stored.model.index()].stored.set(host, false);
        }
        for stored in &self.facts.hosts[host.index()].observation.stored {
            self.indexes.models[stored.model.index()].stored.set(host, true);
        }
        for stored in before {
            self.place(host, stored.model);
        }
        self.place_host(host);
    }

    /// Brings a host's place in every lane of its models up to date.
    pub(super) fn place_host(&mut self, host: HostId) {
        self.index_level(host);
        for at in 0..self.facts.hosts[host.index()].observation.stored.len() {
            self.place(host, self.facts.hosts[host.index()].observation.stored[at].model);
        }
    }

    /// Whether requests for a model may go to a host that has it: it is offered, and no breaker keeps them from it.
    pub(super) fn is_chosen(&self, host: HostId, model: ModelId) -> bool {
        self.facts.hosts[host.index()].is_offered()
            && !self.indexes.ejected(&self.facts.breakers, (host, None))
            && !self.indexes.ejected(&self.facts.breakers, (host, Some(model)))
    }

    /// Brings a host's place in every lane of a model up to date, and that of the others where requests begin or cease to go by plan.
    pub(super) fn place(&mut self, host: HostId, model: ModelId) {
        let index = &self.indexes.models[model.index()];
        let before = (index.routed.is_empty(), index.aimed.is_empty());
        if self.routes_by_plan() || before != (true, true) {
            let aimed = self.is_aimed_at(host, model);
            let short = self.facts.placement.short.contains(&model);
            let index = &mut self.indexes.models[model.index()];
            index.aimed.set(host, aimed);
            index.routed.set(host, aimed && (short || index.loaded.contains(host)));
            if (index.routed.is_empty(), index.aimed.is_empty()) != before {
                let others: Vec<HostId> = index.stored.iter().filter(|other| *other != host).collect();
                others.into_iter().for_each(|other| self.place_alone(other, model));
            }
        }
        self.place_alone(host, model);
    }

    /// Whether a model is planned on a host that has it on disk and can be chosen.
    fn is_aimed_at(&self, host: HostId, model: ModelId) -> bool {
        let index = &self.indexes.models[model.index()];
        self.routes_by_plan()
            && index.planned.contains(host)
            && index.stored.contains(host)
            && self.is_chosen(host, model)
    }

    /// How a host stands with requests for a model, whatever they demand.
    fn standing(&self, host: HostId, model: ModelId) -> Standing {
        let index = &self.indexes.models[model.index()];
        let by_plan = if index.routed.is_empty() { &index.aimed } else { &index.routed };
        let load = self.facts.loads[host.index()];
        Standing {
            chosen: self.is_chosen(host, model) && !self.is_held_back(host, model),
            by_plan: by_plan.is_empty() || by_plan.contains(host),
            has_room: load.has_room(),
            in_flight: if self.indexes.sums { u64::from(load.in_flight) } else { 0 },
            weight: self.facts.hosts[host.index()].declaration.weight.max(1),
        }
    }

    fn place_alone(&mut self, host: HostId, model: ModelId) {
        let standing = self.standing(host, model);
        let Indexes { models, lanes, demanding, names, .. } = &mut self.indexes;
        let index = &models[model.index()];
        let has = index.stored.contains(host);
        for lane in &index.lanes {
            let lane = &mut lanes[lane.index()];
            let will_do = match (&lane.demands, &*demanding) {
                (Some(demands), Some(demanding)) => {
                    demanding.matching.allows(demands, host, &|name| names.peek(name).map(ModelId))
                }
                _ => true,
            };
            lane.seat(host, has && will_do, &standing);
        }
    }

    /// Finds the hosts of lanes that were made and have none yet, with one question for all that demand the same, whatever their
    /// models are.
    pub(super) fn fill_lanes(&mut self) {
        let unfilled = core::mem::take(&mut self.indexes.unfilled);
        let Some(demanding) = self.indexes.demanding.as_ref().filter(|_| !unfilled.is_empty()) else {
            return;
        };
        let asked: Vec<&Demands> =
            unfilled.iter().filter_map(|lane| self.indexes.lanes[lane.index()].demands.as_deref()).collect();
        let names = &self.indexes.names;
        let allowed = demanding.matching.allowed_many(&asked, &|name| names.peek(name).map(ModelId));
        debug_assert_eq!(allowed.len(), unfilled.len(), "only lanes with demands are made unfilled");
        for (at, lane) in unfilled.into_iter().enumerate() {
            let model = self.indexes.lanes[lane.index()].model;
            let mut hosts = allowed.get(at).clone();
            hosts.and(&self.indexes.models[model.index()].stored);
            for host in hosts.iter() {
                let standing = self.standing(host, model);
                self.indexes.lanes[lane.index()].seat(host, true, &standing);
            }
        }
    }

    /// Puts a host among those that can be chosen, or takes it out.
    #[inline]
    fn index_level(&mut self, host: HostId) {
        if let Some(levels) = &mut self.indexes.levels {
            let load = self.facts.loads[host.index()];
            let chosen = load.has_room() && self.facts.hosts[host.index()].is_offered();
            levels.put(host, chosen.then_some(load.in_flight));
        }
        if let Some(loads) = &mut self.indexes.loads {
            let facts = &self.facts.hosts[host.index()];
            let slots = u64::from(facts.declaration.slots.max(1));
            let load = u64::from(self.facts.loads[host.index()].in_flight) * 1_000 / slots;
            loads.put(host, facts.is_offered().then_some(load.min(u32::MAX.into()) as u32));
        }
    }

    /// Changes what is under way on a host, and with it who has room.
    #[inline]
    pub(super) fn charge(&mut self, (host, model): (HostId, ModelId), begins: bool, tokens: u32) {
        let running = &mut self.indexes.models[model.index()].running;
        *running = running.wrapping_add_signed(if begins { 1 } else { -1 });
        let load = &mut self.facts.loads[host.index()];
        let had_room = load.has_room();
        if begins {
            load.in_flight += 1;
            load.outstanding_tokens += u64::from(tokens);
        } else {
            load.in_flight -= 1;
            load.outstanding_tokens -= u64::from(tokens);
        }
        if self.indexes.sums {
            self.count_request(host, begins);
        }
        self.count_room(host, had_room);
    }

    fn count_request(&mut self, host: HostId, begins: bool) {
        for stored in &self.facts.hosts[host.index()].observation.stored {
            for lane in &self.indexes.models[stored.model.index()].lanes {
                let lane = &mut self.indexes.lanes[lane.index()];
                if lane.eligible_set.contains(host) {
                    lane.in_flight_sum = lane.in_flight_sum.wrapping_add_signed(if begins { 1 } else { -1 });
                }
            }
        }
    }

    /// Sets how many requests may be let out to a host, and with it whether it has room.
    pub(super) fn set_limit(&mut self, host: HostId, limit: u32) {
        let load = &mut self.facts.loads[host.index()];
        let had_room = load.has_room();
        load.limit = limit;
        self.count_room(host, had_room);
    }

    #[inline]
    fn count_room(&mut self, host: HostId, had_room: bool) {
        self.index_level(host);
        let has_room = self.facts.loads[host.index()].has_room();
        if had_room == has_room {
            return;
        }
        let weight = self.facts.hosts[host.index()].declaration.weight.max(1);
        for stored in &self.facts.hosts[host.index()].observation.stored {
            for lane in &self.indexes.models[stored.model.index()].lanes {
                let lane = &mut self.indexes.lanes[lane.index()];
                if lane.eligible_set.contains(host) {
                    lane.open_len = lane.open_len.wrapping_add_signed(if has_room { 1 } else { -1 });
                    lane.weigh(host, if has_room { weight } else { 0 });
                }
            }
        }
    }
}
