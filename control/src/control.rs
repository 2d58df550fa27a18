//! The state machine: one match here, one file for each kind of input.

mod ahead;
mod arms;
mod arrive;
mod breakers;
mod cold;
mod demands;
mod dispatch;
mod end;
mod errands;
mod gossiping;
mod growing;
mod indexes;
mod lanes;
mod moving;
mod observe;
mod operate;
mod placing;
mod recount;
mod scaling;
mod select;
mod syncing;
mod trials;
mod versions;

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::door::{Env, Input, Outputs};
use crate::facts::Facts;
use crate::ids::{Epoch, HostId};
use crate::index::Implementation;
use crate::index::argmin::{Executor, Sequential};
use crate::schedule::{Head, Scheduler, SchedulerKind};
use crate::units::Instant;

use arms::Arms;
use indexes::{Indexes, Wants};
pub(crate) use lanes::LaneId;
use lanes::Preferred;
use operate::{build_scheduler, scheduler_in_force};

/// The control plane.
pub struct Control {
    config: Config,
    epoch: Epoch,
    facts: Facts,
    scheduler: Box<dyn Scheduler>,
    /// Which kind that is.
    scheduler_kind: SchedulerKind,
    arms: Arms,
    indexes: Indexes,
    executor: Box<dyn Executor + Send>,
    /// Scratch of `dispatch`: requests whose open hosts they have all tried.
    parked: Vec<u32>,
    /// Scratch of `dispatch`: hosts that are taken before others.
    preferred: Preferred,
    /// Scratch of `dispatch`: requests of which one goes next.
    heads: Vec<Head>,
}

/// Everything from which control can be built again as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The config in force.
    pub config: Config,
    /// Its number.
    pub epoch: Epoch,
    /// What is known.
    pub facts: Facts,
}

impl Control {
    /// Control that knows nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::restore(Snapshot { config, epoch: Epoch::default(), facts: Facts::default() })
    }

    /// Control as it was when the snapshot was taken.
    #[must_use]
    pub fn restore(snapshot: Snapshot) -> Self {
        let Snapshot { config, epoch, facts } = snapshot;
        let kind = scheduler_in_force(&config, &facts).kind;
        let mut control = Self {
            scheduler: build_scheduler(&config, &facts),
            scheduler_kind: kind,
            arms: Arms::default(),
            config,
            epoch,
            facts,
            indexes: Indexes::new(Implementation::default(), Wants::default()),
            executor: Box::new(Sequential),
            parked: Vec::new(),
            preferred: Preferred::default(),
            heads: Vec::new(),
        };
        control.build_arms();
        control.prepare_selection(false);
        control.prepare_placement();
        control.prepare_sync();
        control.prepare_scaling();
        control.rebuild_indexes();
        control
    }

    /// Everything that control knows and how it decides, as of now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut facts = self.facts.clone();
        self.keep(&mut facts);
        Snapshot { config: self.config.clone(), epoch: self.epoch, facts }
    }

    /// Who evaluates many hosts from now on; one after the other at first. It changes no decision, so it is no part of a snapshot.
    pub fn evaluate_with(&mut self, executor: Box<dyn Executor + Send>) {
        self.executor = executor;
    }

    /// Takes one input in. `now` never goes back; a late wake is just a later `now`.
    ///
    /// # Panics
    /// Where a driver breaks the rules of the door (an id that is not the next, a host that was never declared), or
    /// an invariant is broken.
    pub fn step(&mut self, now: Instant, input: Input, out: &mut Outputs, env: &mut Env<'_>) {
        match input {
            Input::Arrive(arrive) => self.on_arrive(now, arrive, out, env),
            Input::FirstByte { request, attempt } => self.on_first_byte(now, request, attempt, out, env),
            Input::Progress { request, attempt, tokens } => self.on_progress(request, attempt, tokens),
            Input::Finished { request, attempt, usage } => {
                self.on_finished(now, request, attempt, &usage, out, env)
            }
            Input::Failed { request, attempt, failure } => {
                self.on_failed(now, request, attempt, failure, out, env)
            }
            Input::Gone { request } => self.on_gone(now, request, out, env),
            Input::Observed { host, observation } => self.on_observed(now, host, observation, out, env),
            Input::Silent { host } => self.on_silent(now, host, out, env),
            Input::Measured { host, utilisation } => {
                self.facts.hosts[host.index()].utilisation = Some(utilisation);
            }
            Input::Wake => {}
            Input::ModelNamed { model, name } => self.on_model_named(model, name),
            Input::TenantNamed { tenant, name } => self.on_tenant_named(tenant, name),
            Input::HostDeclared { host, declaration } => {
                self.on_host_declared(now, host, declaration, out, env)
            }
            Input::Policy(config) => self.on_policy(now, *config, out, env),
            Input::Operator(change) => self.on_operator(now, change, out, env),
            Input::Verdict(part) => self.on_verdict(now, part, out, env),
            Input::Published { model, manifest, modified_nanos } => {
                self.on_published(now, model, manifest, modified_nanos, out);
            }
            Input::Acted { action, outcome } => self.on_acted(now, action, outcome, out),
            Input::Remembered(learned) => self.on_remembered(now, *learned),
        }
        self.expire(now, out);
        self.place_on_time(now, out, env);
        self.grow_on_time(now, out, env);
        self.sync_on_time(now, out, env.seed);
        self.scale_on_time(now, out, env);
        self.trials_on_time(now, out, env);
        if self.indexes.next_wake().is_some_and(|wake| wake <= now) {
            let started = self.start_deferred(now, env);
            if self.breakers_on_time(now, out) || started {
                self.pump(now, out, env);
            }
        }
    }

    /// When control wants to be woken at the latest, whatever else happens.
    #[must_use]
    #[inline]
    pub fn next_wake(&self) -> Option<Instant> {
        let Facts { placement, sync, scale, trials, .. } = &self.facts;
        let ticks = [placement.tick_at, placement.grow_at, sync.tick_at, scale.tick_at, trials.next()];
        ticks.into_iter().chain([self.indexes.next_wake()]).flatten().min()
    }

    /// All hosts, in order.
    fn hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..self.facts.hosts.len() as u32).map(HostId)
    }

    /// What control knows.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The config in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The number of the config in force.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}

#[cfg(test)]
mod tests;
