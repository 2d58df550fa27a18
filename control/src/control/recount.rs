//! Everything that is kept up to date, counted again from the facts by its definition: for tests, and for drivers that check
//! themselves now and then. It walks through every host for every lane.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

use super::Control;
use super::lanes::{Lane, LaneId};
use crate::constraints::{Demands, HostView, interpret};
use crate::door::Deed;
use crate::facts::errands::Kind;
use crate::facts::ledger::State;
use crate::facts::loading::Place;
use crate::ids::{ActionId, HostId, ModelId};
use crate::index::Implementation;
use crate::index::host_set::HostSet;
use crate::index::moments::Moments;
use crate::sync::config::Mode;
use crate::sync::detect::Contents;
use crate::sync::store::Store;
use crate::sync::version::Version;
use crate::units::Instant;

fn same<T: PartialEq + Debug>(what: impl Debug, kept: T, counted: T) -> Result<(), String> {
    if kept == counted {
        return Ok(());
    }
    Err(format!("{what:?}: kept {kept:?}, counted {counted:?}"))
}

impl Control {
    /// Counts all that is kept again, and compares.
    ///
    /// # Errors
    /// The first thing that is kept wrongly.
    #[doc(hidden)]
    pub fn recount(&self) -> Result<(), String> {
        self.recount_models()?;
        self.recount_loads()?;
        for (at, lane) in self.indexes.lanes.iter().enumerate() {
            self.recount_lane(lane).map_err(|what| format!("lane {at} of {:?}, {what}", lane.model))?;
        }
        self.recount_queue()?;
        self.recount_hosts()?;
        self.recount_breakers()?;
        self.recount_errands()?;
        self.recount_contents()?;
        self.recount_versions()?;
        self.recount_prefetch()
    }

    fn recount_models(&self) -> Result<(), String> {
        same("models", self.indexes.models.len(), self.facts.models.len())?;
        let mut running = vec![0; self.facts.models.len()];
        for (_, entry) in self.facts.ledger.iter().filter(|(_, entry)| entry.is_running()) {
            running[entry.arrive.model.index()] += 1;
        }
        for (at, index) in self.indexes.models.iter().enumerate() {
            let model = ModelId(at as u32);
            let observed = |host: &HostId| &self.facts.hosts[host.index()].observation;
            let stored = |host: &HostId| {
                observed(host).stored.binary_search_by_key(&model, |stored| stored.model).is_ok()
            };
            let loaded = |host: &HostId| {
                observed(host).loaded.binary_search_by_key(&model, |loaded| loaded.model).is_ok()
            };
            same((model, "stored"), &index.stored, &self.hosts().filter(stored).collect())?;
            same((model, "loaded"), &index.loaded, &self.hosts().filter(loaded).collect())?;
            same((model, "running"), index.running, running[at])?;
        }
        Ok(())
    }

    fn recount_loads(&self) -> Result<(), String> {
        let mut requests: BTreeMap<Place, (u32, u32)> = BTreeMap::new();
        let ledger = &self.facts.ledger;
        for (slot, entry) in ledger.iter().filter(|(slot, _)| ledger.begun(*slot).is_some()) {
            let attempts = ledger.attempts(slot);
            same((slot, "part of a load while it runs"), attempts.loading && !entry.is_running(), false)?;
            if attempts.loading {
                let host = ledger.host(slot).ok_or("a request of a load without a host")?;
                let place = (host, entry.arrive.model);
                let counted = requests.entry(place).or_default();
                counted.0 += 1;
                counted.1 += u32::from(!entry.arrive.whole);
                let answered = self.facts.loading.get(place).is_some_and(|load| load.answered);
                let streams = entry.state == State::Streaming;
                same((place, "answered where one streams"), streams && !answered, false)?;
            }
        }
        let kept = self.facts.loading.iter().map(|(place, load)| (place, (load.requests, load.streamed)));
        same("requests of loads", &kept.collect(), &requests)
    }

    fn recount_lane(&self, lane: &Lane) -> Result<(), String> {
        let demands = lane.demands.as_deref();
        let stored = &self.indexes.models[lane.model.index()].stored;
        let reachable: Vec<HostId> = stored.iter().filter(|host| self.allows(demands, *host)).collect();
        let ejected = &self.facts.breakers.ejected;
        let outstanding = |host: HostId| {
            self.facts.loading.iter().filter(|(place, load)| place.0 == host && !load.answered).count()
        };
        let held_back = |host: HostId| {
            let loaded = &self.facts.hosts[host.index()].observation.loaded;
            let loads = |of: Option<ModelId>| {
                let under_way = self.facts.errands.under_way().map(|errand| errand.action);
                let there = under_way
                    .filter(|action| action.host == host && of.is_none_or(|model| action.model == model));
                there.filter(|action| matches!(action.deed, Deed::Load(_))).count()
            };
            let most = |most: u32| outstanding(host) + loads(None) >= most as usize;
            self.config.cold_models_max.is_some_and(most)
                && loads(Some(lane.model)) == 0
                && !self.facts.loading.iter().any(|(place, _)| place == (host, lane.model))
                && !loaded.iter().any(|loaded| loaded.model == lane.model)
        };
        let chosen = |host: &&HostId| {
            self.facts.hosts[host.index()].is_offered()
                && !held_back(**host)
                && !ejected.contains(&(**host, None))
                && !ejected.contains(&(**host, Some(lane.model)))
        };
        let all: Vec<HostId> = stored.iter().collect();
        let planned = self.facts.placement.plan.iter().flat_map(|plan| &plan.replicas);
        let planned: Vec<HostId> = planned
            .filter(|replica| replica.model == lane.model && self.routes_by_plan())
            .map(|replica| replica.host)
            .collect();
        let offered = |host: &&HostId| {
            self.facts.hosts[host.index()].is_offered()
                && !ejected.contains(&(**host, None))
                && !ejected.contains(&(**host, Some(lane.model)))
        };
        let aimed: HostSet =
            all.iter().filter(offered).filter(|host| planned.contains(host)).copied().collect();
        let short = self.facts.placement.short.contains(&lane.model);
        let has = |host: &HostId| {
            let loaded = &self.facts.hosts[host.index()].observation.loaded;
            short || loaded.iter().any(|loaded| loaded.model == lane.model)
        };
        let routed: HostSet = aimed.iter().filter(has).collect();
        same("aimed at", &self.indexes.models[lane.model.index()].aimed, &aimed)?;
        same("routed", &self.indexes.models[lane.model.index()].routed, &routed)?;
        let by_plan = if routed.is_empty() { &aimed } else { &routed };
        let by_plan = |host: &&HostId| by_plan.is_empty() || by_plan.contains(**host) || lane.demands_hosts();
        let eligible: Vec<HostId> = reachable.iter().filter(chosen).filter(by_plan).copied().collect();
        let load = |host: &HostId| &self.facts.loads[host.index()];
        same("reachable", lane.reachable_len as usize, reachable.len())?;
        same("eligible", &lane.eligible, &eligible)?;
        same("eligible as a set", &lane.eligible_set, &eligible.iter().copied().collect())?;
        let open = eligible.iter().filter(|host| load(host).has_room()).count();
        same("open", lane.open_len as usize, open)?;
        let sum: u64 = eligible.iter().map(|host| u64::from(load(host).in_flight)).sum();
        same("under way", lane.in_flight_sum, if self.indexes.sums { sum } else { 0 })?;
        if let Some(weights) = &lane.weights {
            for host in self.hosts() {
                let open = eligible.contains(&host) && load(&host).has_room();
                let weight = self.facts.hosts[host.index()].declaration.weight.max(1);
                same("weight", weights.get(host.index()), if open { weight.into() } else { 0 })?;
            }
        }
        let preferred: Option<HostSet> = demands.filter(|demands| demands.prefers()).map(|demands| {
            self.hosts().filter(|host| interpret::prefers(demands, &self.view(*host))).collect()
        });
        same("preferred", &lane.preferred, &preferred)
    }

    fn allows(&self, demands: Option<&Demands>, host: HostId) -> bool {
        let id = |name: &str| {
            let at = self.facts.models.iter().position(|model| model.name == name)?;
            Some(ModelId(at as u32))
        };
        demands.is_none_or(|demands| interpret::allows(demands, &self.view(host), &id))
    }

    fn view(&self, host: HostId) -> HostView<'_> {
        let facts = &self.facts.hosts[host.index()];
        let (declaration, loaded) = (&facts.declaration, facts.observation.loaded.as_slice());
        HostView { host, declaration, loaded, record: self.record(host) }
    }

    fn recount_queue(&self) -> Result<(), String> {
        let mut queued = vec![0; self.indexes.lanes.len()];
        let mut wakes: Vec<Instant> = Vec::new();
        for (slot, entry) in self.facts.ledger.iter() {
            match entry.state {
                State::Queued => queued[entry.lane.index()] += 1,
                State::Deferred => wakes.push(self.starts(entry)),
                State::Sent | State::Streaming => continue,
            }
            wakes.push(self.expires(entry));
            same(
                (slot, "model of its lane"),
                self.indexes.lanes[entry.lane.index()].model,
                entry.arrive.model,
            )?;
        }
        let kept: Vec<usize> = self.indexes.lanes.iter().map(|lane| lane.queue.len()).collect();
        same("queued by lane", &kept, &queued)?;
        let waiting = (0..queued.len()).filter(|at| queued[*at] > 0).map(LaneId::new);
        same("lanes that wait", &self.indexes.waiting, &waiting.collect())?;
        let breakers = self.facts.breakers.iter().filter_map(|(_, breaker)| breaker.wake());
        wakes.extend(breakers.filter(|_| self.config.breaker.is_some()));
        wakes.extend(self.facts.placement.tick_at);
        wakes.extend(self.facts.placement.grow_at);
        wakes.extend(self.facts.sync.tick_at);
        wakes.extend(self.facts.scale.tick_at);
        wakes.extend(self.facts.trials.next());
        same("next wake", self.next_wake(), wakes.into_iter().min())
    }

    fn recount_hosts(&self) -> Result<(), String> {
        let mut loads = vec![(0, 0); self.facts.hosts.len()];
        let ledger = &self.facts.ledger;
        for (slot, _) in ledger.iter().filter(|(_, entry)| entry.is_running()) {
            let host = ledger.host(slot).ok_or("a running request without a host")?;
            loads[host.index()].0 += 1;
            loads[host.index()].1 += u64::from(ledger.attempts(slot).charged.total());
        }
        let mut moments = Moments::new(Implementation::Baseline);
        for host in self.hosts() {
            let load = &self.facts.loads[host.index()];
            same((host, "load"), (load.in_flight, load.outstanding_tokens), loads[host.index()])?;
            same((host, "limit"), load.limit, self.limit(host))?;
            let facts = &self.facts.hosts[host.index()];
            if let Some(levels) = &self.indexes.levels {
                let level = (facts.is_offered() && load.has_room()).then_some(load.in_flight);
                same((host, "level"), levels.of(host), level)?;
            }
            if facts.is_offered() {
                moments.add(load.in_flight * 1_000 / facts.declaration.slots.max(1));
            }
        }
        match &self.indexes.loads {
            Some(loads) => same("loads", loads.sums(), moments.sums()),
            None => Ok(()),
        }
    }

    fn recount_breakers(&self) -> Result<(), String> {
        let breakers = &self.facts.breakers;
        let Some(config) = &self.config.breaker else {
            return same("ejected without breakers", breakers.ejected.len(), 0);
        };
        for place in &breakers.ejected {
            let closes =
                |(of, breaker)| of == *place && !crate::policy::breaker::Breaker::admits(breaker, config);
            same((place, "ejected by its breaker"), breakers.iter().any(closes), true)?;
        }
        Ok(())
    }

    fn recount_errands(&self) -> Result<(), String> {
        let errands = &self.facts.errands;
        let kinds = errands.counts.keys().copied();
        for kind in kinds {
            let there = errands.under_way().filter(|errand| Kind::of(errand.action.deed) == kind);
            same((kind, "under way"), errands.of_kind(kind), there.count() as u64)?;
        }
        Ok(())
    }

    fn recount_contents(&self) -> Result<(), String> {
        let gossips = self.config.sync.as_ref().is_some_and(|sync| sync.mode == Mode::Gossip);
        same("contents where hosts do not gossip", !gossips && !self.indexes.contents.is_empty(), false)?;
        for host in self.hosts().filter(|_| gossips) {
            let stored = &self.facts.hosts[host.index()].observation.stored;
            let managed = stored.iter().filter(|stored| self.syncs(stored.model) && stored.digest.is_known());
            let mut counted = Contents::new(Implementation::Baseline);
            for stored in managed {
                let digest = self.facts.sync.canonical(stored.digest);
                counted.set(&self.facts.models[stored.model.index()].name, digest);
            }
            let kept: Vec<_> =
                self.indexes.contents.get(&host).into_iter().flat_map(Contents::in_order).collect();
            same((host, "contents"), kept, counted.in_order().collect())?;
        }
        Ok(())
    }

    fn recount_versions(&self) -> Result<(), String> {
        let mut counted = Store::new(Implementation::Baseline);
        for (model, register) in &self.facts.sync.registers {
            let right = self.facts.sync.right.get(model).map(|(_, digest)| *digest);
            let first = register.artifacts().next().map(|(_, artifact)| artifact.digest);
            if let Some(digest) = right.or(first) {
                let (name, version) = Version::of_model(&self.facts.models[model.index()].name);
                counted.insert(name, version, digest);
            }
        }
        same("versions", self.indexes.versions.entries(), counted.entries())
    }

    fn recount_prefetch(&self) -> Result<(), String> {
        let prefetch = &self.facts.prefetch;
        let (counts, under_way) = (prefetch.counts, prefetch.under_way.len() as u64);
        same("asked", counts.asked, counts.done + counts.failed + counts.abandoned + under_way)?;
        let met = |id: &ActionId| prefetch.under_way.iter().any(|action| action.id == *id);
        same("loads that were met are under way", prefetch.met.iter().all(met), true)?;
        same("done", counts.done, counts.used + counts.wasted + prefetch.waiting.len() as u64)?;
        same("loads of the budget", u64::from(prefetch.budget.under_way()), under_way)
    }
}
