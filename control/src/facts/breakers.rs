//! Breakers of hosts, and of models on hosts.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{HostId, ModelId};
use crate::policy::breaker::Breaker;

/// What a breaker is of: a host, or a model on it.
pub type Place = (HostId, Option<ModelId>);

/// All breakers that have counted anything.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Breakers {
    hosts: Vec<Breaker>,
    /// Made at the first failure there.
    models: BTreeMap<(HostId, ModelId), Breaker>,
    /// Hosts, or models on hosts, that get no requests: those whose breaker lets none through, but never too many at once.
    pub ejected: BTreeSet<Place>,
}

impl Breakers {
    /// The breaker of a host.
    pub(crate) fn host_mut(&mut self, host: HostId) -> &mut Breaker {
        if host.index() >= self.hosts.len() {
            self.hosts.resize(host.index() + 1, Breaker::default());
        }
        &mut self.hosts[host.index()]
    }

    /// The breaker of a place; of a model on a host only where there is one, or `make`.
    pub(crate) fn at(&mut self, (host, model): Place, make: bool) -> Option<&mut Breaker> {
        match model {
            None => Some(self.host_mut(host)),
            Some(model) if make => Some(self.models.entry((host, model)).or_default()),
            Some(model) => self.models.get_mut(&(host, model)),
        }
    }

    /// Every breaker with its place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Place, &Breaker)> {
        let hosts = self.hosts.iter().zip(0..).map(|(breaker, host)| ((HostId(host), None), breaker));
        hosts.chain(self.models.iter().map(|((host, model), breaker)| ((*host, Some(*model)), breaker)))
    }
}
