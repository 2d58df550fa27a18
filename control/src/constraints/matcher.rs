//! The hosts that a set of demands allows, from indexes that are kept up to date.
//!
//! Names are numbers here; each has the set of hosts that bear it, and each host the set of its numbers. Demands by name
//! are answered by combining sets (64 hosts at a time), the smallest first; demands on numbers are asked only of the hosts that
//! are left.

mod columns;
mod tags;

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Constraint, Demands, HostView, ModelNames, Record};
use crate::door::LoadedModel;
use crate::ids::HostId;
use crate::index::host_set::HostSet;
use columns::Columns;
use tags::{Labels, Posting, Tags};

/// Indexes over the hosts of a fleet, by everything that can be demanded of them.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    known: HostSet,
    /// Hosts by name. Names are unique once every change is in, but two may swap theirs, one after the other.
    by_name: BTreeMap<String, Vec<HostId>>,
    /// Names by host.
    names: Vec<String>,
    zones: Labels,
    gpus: Labels,
    capabilities: Labels,
    /// By model.
    loaded: Tags,
    columns: Columns,
}

impl Matcher {
    /// Takes in all that is known of a host.
    pub fn update(&mut self, view: &HostView<'_>) {
        let (host, declared) = (view.host, view.declaration);
        self.known.set(host, true);
        self.rename(host, &declared.name);
        self.zones.put(host, core::slice::from_ref(&declared.zone));
        self.gpus.put(host, core::slice::from_ref(&declared.gpu));
        self.capabilities.put(host, &declared.capabilities);
        self.columns.declare(host, declared);
        self.update_loaded(host, view.loaded);
        self.update_record(host, view.record);
    }

    /// Takes in what a host has in memory.
    ///
    /// # Panics
    /// Where the host was never updated as a whole.
    pub fn update_loaded(&mut self, host: HostId, loaded: &[LoadedModel]) {
        self.expect_known(host);
        self.loaded.put(host, loaded.iter().map(|loaded| loaded.model.0));
    }

    /// Takes in what a host's answers taught.
    ///
    /// # Panics
    /// Where the host was never updated as a whole.
    pub fn update_record(&mut self, host: HostId, record: Record) {
        self.expect_known(host);
        self.columns.learn(host, record);
    }

    /// The hosts that will do: O(m·n/64) for m names and n hosts, and a look at the columns for each host that is left.
    #[must_use]
    pub fn allowed(&self, demands: &Demands, models: ModelNames<'_>) -> HostSet {
        let Some(mut required) = self.required(demands, models) else { return HostSet::default() };
        required.sort_by_key(|required| required.0);
        let mut required = required.into_iter();
        let mut allowed = required.next().map_or_else(|| self.known.clone(), |first| first.1.into_owned());
        for (_, set) in required {
            if allowed.is_empty() {
                return allowed;
            }
            allowed.and(&set);
        }
        for constraint in demands.constraints() {
            if allowed.is_empty() {
                break;
            }
            match constraint {
                Constraint::RequireHosts(_)
                | Constraint::WithModelLoaded(_)
                | Constraint::Gpus(_)
                | Constraint::RequireZones(_)
                | Constraint::RequireCapabilities(_) => {}
                Constraint::ExcludeHosts(names) => {
                    self.named(names).for_each(|host| {
                        allowed.set(host, false);
                    });
                }
                Constraint::ExcludeZones(zones) => without(&mut allowed, self.zones.postings(zones)),
                Constraint::ExcludeCapabilities(names) => {
                    without(&mut allowed, self.capabilities.postings(names));
                }
                Constraint::WithoutModelLoaded(names) => {
                    without(&mut allowed, names.iter().map(|name| self.loaded.posting(models(name)?.0)));
                }
                Constraint::VramMin(_)
                | Constraint::RamMin(_)
                | Constraint::ContextMin(_)
                | Constraint::CostCentsPerHourMax(_)
                | Constraint::TtftMax(_)
                | Constraint::ReliabilityPermilleMin(_) => {
                    allowed.retain(|host| self.columns.hold(constraint, host));
                }
            }
        }
        allowed
    }

    /// Whether a host will do; `false` for one that was never updated.
    #[must_use]
    pub fn allows(&self, demands: &Demands, host: HostId, models: ModelNames<'_>) -> bool {
        self.known.contains(host)
            && demands.constraints().iter().all(|constraint| self.holds(constraint, host, models))
    }

    /// The hosts that are preferred, allowed or not; `None` where none is named.
    #[must_use]
    pub fn preferred(&self, demands: &Demands) -> Option<HostSet> {
        demands.prefers().then(|| {
            let mut preferred = self.zones.any_of(demands.prefer_zones()).1.into_owned();
            self.named(demands.prefer_hosts()).for_each(|host| {
                preferred.set(host, true);
            });
            preferred
        })
    }

    /// The sets that a host must be in, each with its size; `None` where one of them is empty.
    fn required(&self, demands: &Demands, models: ModelNames<'_>) -> Option<Vec<(u32, Cow<'_, HostSet>)>> {
        let mut required = Vec::new();
        for constraint in demands.constraints() {
            match constraint {
                Constraint::RequireHosts(names) => {
                    let hosts: HostSet = self.named(names).collect();
                    required.push((hosts.len() as u32, Cow::Owned(hosts)));
                }
                Constraint::WithModelLoaded(names) => {
                    for name in names {
                        required.push(self.loaded.posting(models(name)?.0)?.borrowed());
                    }
                }
                Constraint::Gpus(gpus) => required.push(self.gpus.any_of(gpus)),
                Constraint::RequireZones(zones) => required.push(self.zones.any_of(zones)),
                Constraint::RequireCapabilities(names) => {
                    for posting in self.capabilities.postings(names) {
                        required.push(posting?.borrowed());
                    }
                }
                // The others take hosts out of those that are left.
                _ => {}
            }
            if required.last().is_some_and(|last| last.0 == 0) {
                return None;
            }
        }
        Some(required)
    }

    fn holds(&self, constraint: &Constraint, host: HostId, models: ModelNames<'_>) -> bool {
        let name = &self.names[host.index()];
        let has_loaded =
            |name: &String| models(name).is_some_and(|model| self.loaded.contains(host, model.0));
        match constraint {
            Constraint::RequireHosts(names) => names.binary_search(name).is_ok(),
            Constraint::ExcludeHosts(names) => names.binary_search(name).is_err(),
            Constraint::Gpus(gpus) => self.gpus.has_any(host, gpus),
            Constraint::RequireZones(zones) => self.zones.has_any(host, zones),
            Constraint::ExcludeZones(zones) => !self.zones.has_any(host, zones),
            Constraint::RequireCapabilities(names) => {
                names.iter().all(|name| self.capabilities.has(host, name))
            }
            Constraint::ExcludeCapabilities(names) => !self.capabilities.has_any(host, names),
            Constraint::WithModelLoaded(names) => names.iter().all(has_loaded),
            Constraint::WithoutModelLoaded(names) => !names.iter().any(has_loaded),
            Constraint::VramMin(_)
            | Constraint::RamMin(_)
            | Constraint::ContextMin(_)
            | Constraint::CostCentsPerHourMax(_)
            | Constraint::TtftMax(_)
            | Constraint::ReliabilityPermilleMin(_) => self.columns.hold(constraint, host),
        }
    }

    fn named(&self, names: &[String]) -> impl Iterator<Item = HostId> {
        names.iter().filter_map(|name| self.by_name.get(name)).flatten().copied()
    }

    fn rename(&mut self, host: HostId, name: &str) {
        if host.index() >= self.names.len() {
            self.names.resize(host.index() + 1, String::new());
        }
        let before = core::mem::replace(&mut self.names[host.index()], name.into());
        if let Some(hosts) = self.by_name.get_mut(&before) {
            hosts.retain(|other| *other != host);
            if hosts.is_empty() {
                self.by_name.remove(&before);
            }
        }
        self.by_name.entry(name.into()).or_default().push(host);
    }

    fn expect_known(&self, host: HostId) {
        assert!(self.known.contains(host), "a host is declared before anything else is known of it");
    }
}

/// Takes out the hosts of each posting that there is.
fn without<'a>(allowed: &mut HostSet, postings: impl Iterator<Item = Option<&'a Posting>>) {
    postings.flatten().for_each(|posting| allowed.and_not(posting.hosts()));
}
