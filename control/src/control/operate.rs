//! The operator's side: names, hosts, and the config, which changes as a whole between two steps.

use alloc::boxed::Box;
use alloc::string::String;

use super::Control;
use super::indexes::ModelIndex;
use crate::balance;
use crate::config::Config;
use crate::door::{Declaration, Env, Outputs};
use crate::facts::Facts;
use crate::facts::history::HostHistory;
use crate::facts::hosts::{HostFacts, HostLoad};
use crate::facts::ledger::State;
use crate::facts::models::ModelFacts;
use crate::ids::{Epoch, HostId, ModelId, TenantId};
use crate::schedule::{self, Scheduler};
use crate::units::Instant;

/// The scheduler of a config with what it remembers, told what the known tenants weigh.
pub(super) fn scheduler(config: &Config, facts: &Facts) -> Box<dyn Scheduler> {
    let mut scheduler = schedule::build(&config.scheduler, &facts.scheduler_memory);
    for (tenant, name) in facts.tenants.iter().enumerate() {
        scheduler.weigh(TenantId(tenant as u32), config.tenant_weight(name));
    }
    scheduler
}

impl Control {
    pub(super) fn on_model_named(&mut self, model: ModelId, name: String) {
        assert_eq!(model.index(), self.facts.models.len(), "model ids rise without gaps");
        self.facts.models.push(ModelFacts::named(name));
        self.indexes.models.push(ModelIndex::new(self.config.implementation));
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
            self.index_stored(host, false);
            self.facts.hosts[host.index()].declaration = declaration;
        }
        self.facts.loads[host.index()].limit = self.limit(host);
        self.index_stored(host, true);
        self.pump(now, out, env);
    }

    /// Installs another config: requests that were let out keep the leases they have, the queue is ordered anew.
    pub(super) fn on_policy(&mut self, now: Instant, config: Config, out: &mut Outputs, env: &mut Env<'_>) {
        if config.balancer.kind == self.config.balancer.kind {
            self.facts.balancer_memory = self.balancer.memory();
        } else {
            self.facts.balancer_memory.clear();
        }
        if config.scheduler.kind == self.config.scheduler.kind {
            self.facts.scheduler_memory = self.scheduler.memory();
        } else {
            self.facts.scheduler_memory.clear();
        }
        let another = config.scheduler.kind != self.config.scheduler.kind;
        self.scheduler = scheduler(&config, &self.facts);
        if another {
            let queued = self.facts.ledger.iter().filter(|(_, entry)| entry.state == State::Queued);
            queued.for_each(|(_, entry)| self.scheduler.enter(&entry.arrive));
        }
        self.balancer = balance::build(&config.balancer, &self.facts.balancer_memory);
        self.config = config;
        self.epoch = Epoch(self.epoch.0 + 1);
        self.rebuild_indexes();
        self.pump(now, out, env);
    }
}
