//! The operator's side: names, hosts, and the config, which changes as a whole between two steps.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::Control;
use super::moving::looks_every;
use crate::config::Config;
use crate::door::{Change, Declaration, Env, Note, Output, Outputs, Part};
use crate::facts::Facts;
use crate::facts::history::HostHistory;
use crate::facts::hosts::{HostFacts, HostLoad};
use crate::facts::ledger::State;
use crate::facts::models::ModelFacts;
use crate::ids::{Epoch, HostId, ModelId, TenantId};
use crate::index::Implementation;
use crate::policy::guard::GuardState;
use crate::schedule::{self, Scheduler, SchedulerKind};
use crate::strategy::{Chosen, Parameters};
use crate::units::Instant;

impl Control {
    pub(super) fn on_model_named(&mut self, model: ModelId, name: String) {
        assert_eq!(model.index(), self.facts.models.len(), "model ids rise without gaps");
        self.facts.models.push(ModelFacts::named(name));
        self.index_model(model);
    }

    pub(super) fn on_tenant_named(&mut self, tenant: TenantId, name: String) {
        assert_eq!(tenant.index(), self.facts.tenants.len(), "tenant ids rise without gaps");
        self.scheduler.weigh(tenant, self.config.tenant_weight(&name));
        self.facts.tenants.push(name);
    }

    pub(super) fn on_host_declared(
        &mut self,
        now: Instant,
        host: HostId,
        declaration: Declaration,
        out: &mut Outputs,
        env: &mut Env<'_>,
    ) {
        if host.index() == self.facts.hosts.len() {
            self.facts.hosts.push(HostFacts::declared(declaration, now));
            self.facts.loads.push(HostLoad::default());
            self.facts.history.push(HostHistory::default());
        } else {
            assert!(host.index() < self.facts.hosts.len(), "host ids rise without gaps");
            self.facts.hosts[host.index()].declaration = declaration;
        }
        self.match_declared(host);
        self.set_limit(host, self.limit(host));
        self.place_host(host);
        self.pump(now, out, env);
    }

    /// Installs another config: requests that were let out keep the leases they have, the queue is ordered anew.
    pub(super) fn on_policy(&mut self, now: Instant, config: Config, out: &mut Outputs, env: &mut Env<'_>) {
        let before = self.install(config);
        self.facts.previous = Some(Box::new(before));
        self.rebuild_registers(now, out);
        self.pump(now, out, env);
    }

    pub(super) fn on_operator(&mut self, now: Instant, change: Change, out: &mut Outputs, env: &mut Env<'_>) {
        match change {
            Change::Drain { host, drained } => {
                self.facts.hosts[host.index()].drained = drained;
                self.place_host(host);
            }
            Change::Freeze(frozen) => self.facts.frozen = frozen,
            Change::Resolve { model, digest } => {
                self.decide_content(now, model, digest, out);
            }
            Change::Rollback => match self.facts.previous.take() {
                None => out.push(Output::Note(Note::NothingToRestore)),
                Some(config) => {
                    self.install(*config);
                    self.rebuild_registers(now, out);
                    out.push(Output::Note(Note::Restored));
                }
            },
        }
        self.pump(now, out, env);
    }

    /// From now on the plain form of a part decides.
    pub(super) fn on_verdict(&mut self, now: Instant, part: Part, out: &mut Outputs, env: &mut Env<'_>) {
        if self.facts.fallen_back.contains(&part) {
            return;
        }
        self.keep_own_arms();
        self.facts.fallen_back.push(part);
        if let Part::Balancer(arm) = part
            && let Some(arm) = self.facts.arms.get_mut(arm.index())
        {
            arm.broken = true;
        }
        self.renew_scheduler();
        self.build_arms();
        self.prepare_selection(false);
        if part != Part::Scheduler {
            self.facts.ranks = self.ranks();
        }
        self.rebuild_indexes();
        out.push(Output::Note(Note::FellBack(part)));
        self.pump(now, out, env);
    }

    /// Whether nothing may change by itself: as the config says, or the operator.
    pub(super) fn is_frozen(&self) -> bool {
        self.config.frozen || self.facts.frozen
    }

    /// The twin that decides in a part.
    pub(super) fn implementation(&self, part: Part) -> Implementation {
        let written = self.config.implementation;
        let chosen = match part {
            Part::Queue => written.queue,
            Part::Hosts => written.hosts,
            Part::Constraints => written.constraints,
            Part::History => written.history,
            Part::Scheduler | Part::Balancer(_) => Implementation::Optimised,
        };
        if self.facts.fallen_back.contains(&part) { Implementation::Baseline } else { chosen }
    }

    /// Puts a config in force and returns the one before. What the driver found at fault gets another chance.
    fn install(&mut self, config: Config) -> Config {
        self.keep_own_arms();
        self.facts.fallen_back.clear();
        for arm in &mut self.facts.arms {
            arm.broken = false;
            arm.rolled_back = false;
            arm.guard = GuardState::default();
        }
        let before = core::mem::replace(&mut self.config, config);
        self.epoch = Epoch(self.epoch.0 + 1);
        self.renew_scheduler();
        self.build_arms();
        let select = |config: &Config| config.select.as_ref().map(|select| select.arms.clone());
        self.prepare_selection(select(&before) != select(&self.config));
        self.prepare_breakers();
        self.prepare_placement();
        if before.sync.as_ref().map(looks_every) != self.config.sync.as_ref().map(looks_every) {
            self.facts.sync.tick_at = None;
        }
        self.prepare_sync();
        self.prepare_scaling();
        self.rebuild_indexes();
        before
    }

    /// Builds the scheduler in force from what one of its kind kept, and tells it who waits now.
    fn renew_scheduler(&mut self) {
        set_memory(&mut self.facts.schedulers, self.scheduler_kind, self.scheduler.memory());
        self.scheduler = build_scheduler(&self.config, &self.facts);
        self.scheduler_kind = scheduler_in_force(&self.config, &self.facts).kind;
        let mut queued: BTreeMap<TenantId, u64> = BTreeMap::new();
        for (_, entry) in self.facts.ledger.iter().filter(|(_, entry)| entry.state == State::Queued) {
            *queued.entry(entry.arrive.tenant).or_default() += 1;
        }
        self.scheduler.resume(&queued);
    }

    /// Writes down what strategies keep, and the order of the queue.
    pub(super) fn keep(&self, facts: &mut Facts) {
        self.keep_arms(facts);
        facts.ranks = self.ranks();
        set_memory(&mut facts.schedulers, self.scheduler_kind, self.scheduler.memory());
    }
}

/// The scheduler in force, from what it kept, told what the known tenants weigh.
pub(super) fn build_scheduler(config: &Config, facts: &Facts) -> Box<dyn Scheduler> {
    let chosen = scheduler_in_force(config, facts);
    let mut scheduler = schedule::build(&chosen, memory_of(&facts.schedulers, chosen.kind));
    for (tenant, name) in facts.tenants.iter().enumerate() {
        scheduler.weigh(TenantId(tenant as u32), config.tenant_weight(name));
    }
    scheduler
}

/// What a scheduler of this kind kept; nothing where none was in force.
fn memory_of(schedulers: &[(SchedulerKind, Vec<u64>)], kind: SchedulerKind) -> &[u64] {
    schedulers.iter().find(|kept| kept.0 == kind).map_or(&[], |kept| &kept.1)
}

fn set_memory(schedulers: &mut Vec<(SchedulerKind, Vec<u64>)>, kind: SchedulerKind, memory: Vec<u64>) {
    match schedulers.iter_mut().find(|kept| kept.0 == kind) {
        Some(kept) => kept.1 = memory,
        None => schedulers.push((kind, memory)),
    }
}

/// The scheduler that a config and the driver's verdicts leave in force: first in, first out where it was found at fault.
pub(super) fn scheduler_in_force(config: &Config, facts: &Facts) -> Chosen<SchedulerKind> {
    if facts.fallen_back.contains(&Part::Scheduler) {
        Chosen { kind: SchedulerKind::Fifo, parameters: Parameters::default() }
    } else {
        config.scheduler.clone()
    }
}
