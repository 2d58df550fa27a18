//! The state machine: one match here, one file for each kind of input.

mod arrive;
mod dispatch;
mod end;
mod indexes;
mod observe;
mod operate;

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::balance::{self, Balancer};
use crate::config::Config;
use crate::door::{Env, Input, Outputs};
use crate::facts::Facts;
use crate::ids::Epoch;
use crate::schedule::{Head, Scheduler};
use crate::units::Instant;

use indexes::Indexes;

/// The control plane.
pub struct Control {
    config: Config,
    epoch: Epoch,
    facts: Facts,
    scheduler: Box<dyn Scheduler>,
    balancer: Box<dyn Balancer>,
    indexes: Indexes,
    /// Scratch of `dispatch`: requests whose open hosts they have all tried.
    parked: Vec<u32>,
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
        let balancer = balance::build(&config.balancer, &facts.balancer_memory);
        let indexes = Indexes::new(config.implementation, &*balancer);
        let mut control = Self {
            scheduler: operate::scheduler(&config, &facts),
            balancer,
            config,
            epoch,
            facts,
            indexes,
            parked: Vec::new(),
            heads: Vec::new(),
        };
        control.rebuild_indexes();
        control
    }

    /// Everything that control knows and how it decides, as of now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut facts = self.facts.clone();
        facts.balancer_memory = self.balancer.memory();
        facts.scheduler_memory = self.scheduler.memory();
        Snapshot { config: self.config.clone(), epoch: self.epoch, facts }
    }

    /// Takes one input in. `now` never goes back; a late wake is just a later `now`.
    ///
    /// # Panics
    /// Where a driver breaks the rules of the door (an id that is not the next, a host that was never declared), or
    /// an invariant is broken.
    pub fn step(&mut self, now: Instant, input: Input, out: &mut Outputs, env: &mut Env<'_>) {
        match input {
            Input::Arrive(arrive) => self.on_arrive(now, arrive, out, env),
            Input::FirstByte { request, attempt } => self.on_first_byte(now, request, attempt),
            Input::Progress { request, attempt, tokens } => self.on_progress(request, attempt, tokens),
            Input::Finished { request, attempt, usage } => {
                self.on_finished(now, request, attempt, &usage, out, env)
            }
            Input::Failed { request, attempt, failure } => {
                self.on_failed(now, request, attempt, failure, out, env)
            }
            Input::Gone { request } => self.on_gone(now, request, out, env),
            Input::Observed { host, observation } => self.on_observed(now, host, observation, out, env),
            Input::Silent { host } => self.on_silent(now, host),
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
        }
        self.expire(now, out);
    }

    /// When control wants to be woken at the latest, whatever else happens.
    #[must_use]
    #[inline]
    pub fn next_wake(&self) -> Option<Instant> {
        self.indexes.next_expiry()
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
