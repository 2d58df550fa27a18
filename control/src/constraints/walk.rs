//! The plain twin of [`Matcher`](super::Matcher): it keeps each host as it was told and walks through all of them.

use alloc::vec::Vec;

use super::{Demands, HostView, ModelNames, Record, interpret};
use crate::door::{Declaration, LoadedModel};
use crate::ids::HostId;
use crate::index::host_set::HostSet;

#[derive(Clone, Debug)]
struct Told {
    declaration: Declaration,
    loaded: Vec<LoadedModel>,
    record: Record,
}

/// Hosts as they were told.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    hosts: Vec<Option<Told>>,
}

impl Walk {
    /// Takes in all that is known of a host.
    pub fn update(&mut self, view: &HostView<'_>) {
        if view.host.index() >= self.hosts.len() {
            self.hosts.resize(view.host.index() + 1, None);
        }
        self.hosts[view.host.index()] = Some(Told {
            declaration: view.declaration.clone(),
            loaded: view.loaded.to_vec(),
            record: view.record,
        });
    }

    /// Takes in what a host has in memory.
    ///
    /// # Panics
    /// Where the host was never updated as a whole.
    pub fn update_loaded(&mut self, host: HostId, loaded: &[LoadedModel]) {
        self.told_mut(host).loaded = loaded.to_vec();
    }

    /// Takes in what a host's answers taught.
    ///
    /// # Panics
    /// Where the host was never updated as a whole.
    pub fn update_record(&mut self, host: HostId, record: Record) {
        self.told_mut(host).record = record;
    }

    /// The hosts that will do.
    #[must_use]
    pub fn allowed(&self, demands: &Demands, models: ModelNames<'_>) -> HostSet {
        let allowed = self.views().filter(|view| interpret::allows(demands, view, models));
        allowed.map(|view| view.host).collect()
    }

    /// Whether a host will do; `false` for one that was never updated.
    #[must_use]
    pub fn allows(&self, demands: &Demands, host: HostId, models: ModelNames<'_>) -> bool {
        self.view(host).is_some_and(|view| interpret::allows(demands, &view, models))
    }

    /// The hosts that are preferred, allowed or not; `None` where none is named.
    #[must_use]
    pub fn preferred(&self, demands: &Demands) -> Option<HostSet> {
        let preferred = self.views().filter(|view| interpret::prefers(demands, view));
        demands.prefers().then(|| preferred.map(|view| view.host).collect())
    }

    fn views(&self) -> impl Iterator<Item = HostView<'_>> {
        (0..self.hosts.len()).filter_map(|host| self.view(HostId(host as u32)))
    }

    fn view(&self, host: HostId) -> Option<HostView<'_>> {
        let Told { declaration, loaded, record } = self.hosts.get(host.index())?.as_ref()?;
        Some(HostView { host, declaration, loaded, record: *record })
    }

    fn told_mut(&mut self, host: HostId) -> &mut Told {
        let told = self.hosts.get_mut(host.index()).and_then(Option::as_mut);
        told.expect("a host is declared before anything else is known of it")
    }
}
