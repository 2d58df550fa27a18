//! What answers taught, apart from all else that is known: for a control that begins anew, under the ids that it gives.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Facts;
use super::history::HostHistory;
use super::models::ModelFacts;
use super::predict::Predictor;
use crate::ids::{HostId, ModelId, TenantId};

/// The new id of each model, tenant and host that is known by its old one. What has none is left behind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewIds {
    /// Of models.
    pub models: BTreeMap<ModelId, ModelId>,
    /// Of tenants.
    pub tenants: BTreeMap<TenantId, TenantId>,
    /// Of hosts.
    pub hosts: BTreeMap<HostId, HostId>,
}

/// Speeds, lengths and times of loads. How hosts did of late (failures, breakers, learned limits) is no part of it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Learned {
    pub(crate) models: Vec<(ModelId, ModelFacts)>,
    pub(crate) hosts: Vec<(HostId, HostHistory)>,
    pub(crate) predictor: Predictor,
}

impl Learned {
    /// What facts hold of it.
    #[must_use]
    pub fn of(facts: &Facts, ids: &NewIds) -> Self {
        let models = (0..).map(ModelId).zip(&facts.models).filter_map(|(old, model)| {
            // Whoever takes it over knows the name.
            let taught = ModelFacts { name: String::new(), ..model.clone() };
            (taught != ModelFacts::default()).then_some((*ids.models.get(&old)?, taught))
        });
        let hosts = (0..).map(HostId).zip(&facts.history).filter_map(|(old, history)| {
            let taught = history.taught(&ids.models);
            (taught != HostHistory::default()).then_some((*ids.hosts.get(&old)?, taught))
        });
        let (models, hosts) = (models.collect(), hosts.collect());
        Self { models, hosts, predictor: facts.predictor.renamed(ids) }
    }

    /// Whether nothing was learned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Models of which something was learned.
    #[must_use]
    pub fn models_len(&self) -> usize {
        self.models.len()
    }

    /// Hosts of which something was learned.
    #[must_use]
    pub fn hosts_len(&self) -> usize {
        self.hosts.len()
    }
}
