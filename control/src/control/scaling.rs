//! Autoscaling: hosts that stand by are provisioned where too much is under way for those that are on, and given back where fewer have been
//! enough for long; what runs there ends first. A host that has the last copy of a model among those that are on stays.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::Control;
use super::errands::Terms;
use crate::door::{ActionOutcome, Deed, Env, Outputs};
use crate::facts::errands::Kind;
use crate::facts::hosts::HostFacts;
use crate::facts::scale::Power;
use crate::ids::{HostId, ModelId};
use crate::policy::scale::ScaleConfig;
use crate::units::Instant;

/// Actions on a host itself say nothing of a model.
const NO_MODEL: ModelId = ModelId(0);

impl Control {
    /// A config was installed, or the facts were read.
    pub(super) fn prepare_scaling(&mut self) {
        let scale = &mut self.facts.scale;
        scale.tick_at = self.config.scale.as_ref().map(|_| scale.tick_at.unwrap_or(Instant::ZERO));
    }

    /// Looks whether hosts are too few or too many, where it is time.
    pub(super) fn scale_on_time(&mut self, now: Instant, out: &mut Outputs, env: &mut Env<'_>) {
        if self.facts.scale.tick_at.is_none_or(|at| now < at) {
            return;
        }
        let Some(config) = self.config.scale.clone() else { return };
        self.facts.scale.tick_at = Some(now.saturating_add(config.interval));
        let counters = self.facts.counters;
        let wanted = config.slots_for(counters.queued + counters.running);
        self.facts.scale.wanted.add(now, wanted, config.window);
        if !self.is_frozen() {
            self.scale_up(now, wanted, &config, out);
            self.scale_down(now, &config, out);
            self.give_back(now, &config, out);
            self.pump(now, out, env);
        }
    }

    /// More hosts until there are enough slots for all requests, and for those of each model that wait.
    fn scale_up(&mut self, now: Instant, wanted: u64, config: &ScaleConfig, out: &mut Outputs) {
        for model in self.models_waited_for() {
            while self.lacks_slots(model, config) && self.add_host(now, Some(model), config, out) {}
        }
        while (self.slots_on() < wanted || self.standby_on() < config.hosts_min)
            && self.add_host(now, None, config, out)
        {}
    }

    /// Whether those that wait for a model, and all that is under way on hosts that have it, are too much for these.
    fn lacks_slots(&self, model: ModelId, config: &ScaleConfig) -> bool {
        let counted = |host: &HostId| counts(&self.facts.hosts[host.index()]);
        let stored = &self.indexes.models[model.index()].stored;
        let (mut slots, mut requests) = (0, self.waiting(model));
        for host in stored.iter().filter(counted) {
            slots += slots_of(&self.facts.hosts[host.index()]);
            requests += u64::from(self.facts.loads[host.index()].in_flight);
        }
        slots < config.slots_for(requests)
    }

    fn slots_on(&self) -> u64 {
        self.facts.hosts.iter().filter(|facts| counts(facts)).map(slots_of).sum()
    }

    /// How many of the hosts that can stand by are on, or come.
    fn standby_on(&self) -> u32 {
        let is_on = |facts: &&HostFacts| {
            facts.declaration.standby && matches!(facts.power, Power::On | Power::Coming)
        };
        self.facts.hosts.iter().filter(is_on).count() as u32
    }

    /// One more host, which has this model where one is named: one that was to be given back, else the one with the cheapest slots.
    /// Whether there was one.
    fn add_host(
        &mut self,
        now: Instant,
        model: Option<ModelId>,
        config: &ScaleConfig,
        out: &mut Outputs,
    ) -> bool {
        if self.standby_on() >= config.hosts_max {
            return false;
        }
        let comes = self.facts.errands.of_kind(Kind::Start) >= config.starts_at_once_max.into();
        let may_come = |host: &HostId| {
            let facts = &self.facts.hosts[host.index()];
            let can = match facts.power {
                Power::On | Power::Coming => false,
                Power::Leaving => self.facts.errands.on_host(*host).next().is_none(),
                Power::Off => !comes && !self.facts.errands.rests(now, (*host, NO_MODEL)),
            };
            can && !facts.drained
                && model.is_none_or(|model| self.indexes.models[model.index()].stored.contains(*host))
        };
        let best = self.hosts().filter(may_come).min_by_key(|host| {
            let facts = &self.facts.hosts[host.index()];
            (facts.power != Power::Leaving, price_of_slot(facts), facts.declaration.tier, *host)
        });
        let Some(host) = best else { return false };
        if self.facts.hosts[host.index()].power == Power::Leaving {
            self.set_power(host, Power::On);
            return true;
        }
        let terms = Terms::of_scale(config);
        let comes = self.act(now, (host, Deed::Start, NO_MODEL), terms, out);
        if comes {
            self.set_power(host, Power::Coming);
        }
        comes
    }

    /// Fewer hosts, as far as the most slots that were wanted of late allow, the dearest slots first.
    fn scale_down(&mut self, now: Instant, config: &ScaleConfig, out: &mut Outputs) {
        let wanted = self.facts.scale.wanted.get();
        let mut spare: Vec<HostId> = self
            .hosts()
            .filter(|host| {
                let facts = &self.facts.hosts[host.index()];
                facts.declaration.standby && facts.power == Power::On && !facts.drained
            })
            .collect();
        spare.sort_by_key(|host| {
            let price = price_of_slot(&self.facts.hosts[host.index()]);
            (Reverse(price), self.facts.loads[host.index()].in_flight, Reverse(*host))
        });
        let (mut slots, mut on) = (self.slots_on(), self.standby_on());
        for host in spare {
            let facts = &self.facts.hosts[host.index()];
            let own = if counts(facts) { slots_of(facts) } else { 0 };
            if on <= config.hosts_min || slots - own < wanted || !self.is_spare(host) {
                continue;
            }
            slots -= own;
            on -= 1;
            if config.act {
                self.set_power(host, Power::Leaving);
            } else {
                self.act(now, (host, Deed::Stop, NO_MODEL), Terms::of_scale(config), out);
            }
        }
    }

    /// Whether other hosts that are on have all that a host has, and nobody waits for any of it.
    fn is_spare(&self, host: HostId) -> bool {
        self.facts.hosts[host.index()].observation.stored.iter().all(|stored| {
            let is_on = |other: &HostId| *other != host && self.facts.hosts[other.index()].is_offered();
            self.waiting(stored.model) == 0
                && self.indexes.models[stored.model.index()].stored.iter().any(|other| is_on(&other))
        })
    }

    /// Gives hosts back on which nothing runs any more.
    fn give_back(&mut self, now: Instant, config: &ScaleConfig, out: &mut Outputs) {
        for host in self.hosts() {
            let is_idle = self.facts.hosts[host.index()].power == Power::Leaving
                && self.facts.loads[host.index()].in_flight == 0
                && self.facts.errands.on_host(host).next().is_none()
                && !self.facts.prefetch.under_way.iter().any(|action| action.host == host)
                && !self.facts.errands.rests(now, (host, NO_MODEL));
            if is_idle {
                self.act(now, (host, Deed::Stop, NO_MODEL), Terms::of_scale(config), out);
            }
        }
    }

    /// A host was provisioned or given back, or could not be. One that was provisioned is on when it is heard.
    pub(super) fn power_changed(&mut self, now: Instant, host: HostId, deed: Deed, outcome: ActionOutcome) {
        match (deed, outcome) {
            (Deed::Stop, ActionOutcome::Done) => {
                self.set_power(host, Power::Off);
                self.forget_memory(now, host);
            }
            (Deed::Start, ActionOutcome::Failed(_)) => self.set_power(host, Power::Off),
            _ => {}
        }
    }

    /// A host was heard, or was not: the end of its coming either way.
    pub(super) fn end_coming(&mut self, host: HostId) {
        let starts = self.facts.errands.on_host(host).any(|errand| errand.action.deed == Deed::Start);
        if self.facts.hosts[host.index()].power == Power::Coming && !starts {
            self.set_power(host, Power::On);
        }
    }

    fn set_power(&mut self, host: HostId, power: Power) {
        self.facts.hosts[host.index()].power = power;
        self.place_host(host);
    }

    /// What a host that is off had in memory is lost.
    fn forget_memory(&mut self, now: Instant, host: HostId) {
        self.index_loaded(host, false);
        let lost = core::mem::take(&mut self.facts.hosts[host.index()].observation.loaded);
        self.note_residents(now, host);
        self.match_loaded(host);
        self.match_held_back(host);
        self.find_wasted(host);
        lost.iter().for_each(|loaded| self.place(host, loaded.model));
    }

    /// Models for which requests wait, in order.
    pub(super) fn models_waited_for(&self) -> Vec<ModelId> {
        let lanes = self.indexes.waiting.iter().map(|lane| self.indexes.lanes[lane.index()].model);
        let mut models: Vec<ModelId> = lanes.collect();
        models.sort_unstable();
        models.dedup();
        models
    }
}

/// Whether a host's slots are there, or come.
fn counts(facts: &HostFacts) -> bool {
    facts.is_offered() || facts.power == Power::Coming && !facts.drained
}

fn slots_of(facts: &HostFacts) -> u64 {
    facts.declaration.slots.max(1).into()
}

/// What a slot costs in an hour, in thousandths of a hundredth.
fn price_of_slot(facts: &HostFacts) -> u64 {
    u64::from(facts.declaration.cost_cents_per_hour) * 1_000 / slots_of(facts)
}
