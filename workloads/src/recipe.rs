//! What all jobs of a workload have in common: how model, tenant and lengths are drawn, and what a tenant sets.

use control::ids::TenantId;
use control::request::Kind;
use control::units::{Instant, Nanos};
use traces::job::Job;

use crate::check::{Models, Tenant, nanos};
use crate::lengths::Lengths;
use crate::sample::{Component, Draws, Entity, Weighted, exponential};

/// Who sends: drawn once for a job, or once for a session or user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sender {
    pub(crate) model: u32,
    pub(crate) tenant: u32,
}

/// Models and tenants, with the draws.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) draws: Draws,
    pub(crate) models: Vec<String>,
    pub(crate) tenants: Vec<String>,
    model: Weighted,
    turn_nanos: Option<u64>,
    tenant: Weighted,
    settings: Vec<Tenant>,
}

impl Recipe {
    pub(crate) fn new(models: &Models, tenants: &[Tenant], seed: u64) -> Self {
        Self {
            draws: Draws::new(seed),
            models: models.names.clone(),
            tenants: tenants.iter().map(|tenant| tenant.name.clone()).collect(),
            model: Weighted::new(&models.weights),
            turn_nanos: models.turn_nanos,
            tenant: Weighted::new(&tenants.iter().map(|tenant| tenant.share).collect::<Vec<_>>()),
            settings: tenants.to_vec(),
        }
    }

    /// The model that is asked for at a time: the one that has the drawn rank then.
    #[inline]
    pub(crate) fn model(&self, entity: Entity, at: Instant) -> u32 {
        let rank = self.model.pick(&mut entity.of(Component::Model)) as u64;
        let turns = self.turn_nanos.map_or(0, |turn| at.0 / turn);
        ((rank + turns) % self.models.len() as u64) as u32
    }

    #[inline]
    pub(crate) fn tenant(&self, entity: Entity) -> u32 {
        self.tenant.pick(&mut entity.of(Component::Tenant)) as u32
    }

    #[inline]
    pub(crate) fn sender(&self, entity: Entity, at: Instant) -> Sender {
        Sender { model: self.model(entity, at), tenant: self.tenant(entity) }
    }

    /// A job without blocks.
    #[inline]
    pub(crate) fn job(&self, id: u64, arrival: Instant, sender: Sender, (prompt, output): (u32, u32)) -> Job {
        let settings = &self.settings[sender.tenant as usize];
        Job {
            id,
            arrival,
            model: sender.model,
            tenant: TenantId(sender.tenant),
            session: None,
            kind: Kind::Completion,
            priority: settings.priority,
            deadline: settings.deadline.map(|after| arrival.saturating_add(after)),
            patience: settings.patience,
            prompt_tokens: prompt,
            blocks: None,
            answer_block: 0,
            output_tokens: output,
            num_predict: settings.num_predict,
            options: settings.options,
            run_nanos: None,
        }
    }

    /// Puts these tenants in place of the one that stands for all; they carry what it does.
    pub(crate) fn rename_tenants(&mut self, names: &[String]) {
        self.tenants = names.to_vec();
        self.settings =
            names.iter().map(|name| Tenant { name: name.clone(), ..self.settings[0].clone() }).collect();
        self.tenant = Weighted::new(&vec![1.0; names.len()]);
    }

    /// Sets what a tenant's jobs carry in a job made elsewhere.
    pub(crate) fn settle(&self, job: &mut Job, tenant: u32) {
        let settings = &self.settings[tenant as usize];
        job.tenant = TenantId(tenant);
        job.priority = settings.priority;
        job.deadline = settings.deadline.map(|after| job.arrival.saturating_add(after));
        job.patience = settings.patience;
        job.num_predict = settings.num_predict;
        job.options = settings.options;
    }
}

/// A think time of this mean.
pub(crate) fn think(entity: Entity, component: Component, mean_seconds: f64) -> Nanos {
    nanos(exponential(&mut entity.of(component)) * mean_seconds)
}

/// How many jobs are made, and of which lengths.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) recipe: Recipe,
    pub(crate) lengths: Lengths,
    /// Jobs in all.
    pub(crate) requests: u64,
    /// Jobs made so far; the next one's id.
    pub(crate) made: u64,
}
