//! What each host said last: for the lists that clients ask for, and for what is asked of one host that has a model.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use control::ids::HostId;
use hyper::header::HeaderValue;
use tokio::sync::Notify;

use crate::wire::lists::{Listed, ModelList, VersionAnswer};
use crate::wire::name;

/// What one host said.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) version: Option<String>,
    pub(super) tags: ModelList,
    pub(super) ps: ModelList,
}

/// The same, with the normalised names of the models on its disk, and whether each forwards prompts elsewhere.
#[derive(Debug, Default)]
struct Known {
    /// Its name, as it can stand in a header.
    header: Option<HeaderValue>,
    said: Said,
    stored: BTreeMap<String, bool>,
    /// Wakes whoever polls it.
    changed: Arc<Notify>,
}

/// A name in any case of letters, over all hosts.
#[derive(Debug, Default)]
struct Spelling {
    /// The name as the first host that had it writes it.
    name: String,
    /// Hosts that have it.
    hosts: u32,
    /// Those that forward prompts to it elsewhere.
    forwarding: u32,
}

#[derive(Debug, Default)]
struct Fleet {
    known: Vec<Known>,
    /// By name in small letters.
    spellings: BTreeMap<String, Spelling>,
}

/// What all hosts said, by id; nothing of those that are silent.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    fleet: RwLock<Fleet>,
    /// Held while a model is deleted: two that each leave a copy to the other would leave none.
    pub(super) deleting: tokio::sync::Mutex<()>,
}

impl Fleet {
    fn stored_changed(&mut self, host: HostId, stored: BTreeMap<String, bool>) {
        let before = std::mem::replace(&mut self.known[host.index()].stored, stored.clone());
        for (name, forwarding) in stored {
            let spelling = self.spellings.entry(name.to_ascii_lowercase()).or_default();
            if spelling.hosts == 0 {
                spelling.name = name;
            }
            spelling.hosts += 1;
            spelling.forwarding += u32::from(forwarding);
        }
        for (name, forwarding) in before {
            let key = name.to_ascii_lowercase();
            let spelling = self.spellings.get_mut(&key).expect("a name that a host has was counted");
            spelling.hosts -= 1;
            spelling.forwarding -= u32::from(forwarding);
            if spelling.hosts == 0 {
                self.spellings.remove(&key);
            }
        }
    }
}

impl Hosts {
    /// A host is there, or is called otherwise now. Its id is the next at the most.
    pub(super) fn declare(&self, host: HostId, name: &str) {
        let mut fleet = self.fleet.write().unwrap_or_else(PoisonError::into_inner);
        if fleet.known.len() <= host.index() {
            fleet.known.resize_with(host.index() + 1, Known::default);
        }
        // Names with line ends or the like cannot stand in a header.
        fleet.known[host.index()].header =
            Some(HeaderValue::from_str(name).unwrap_or_else(|_| HeaderValue::from(host.0)));
    }

    /// A host's name, for a header.
    pub(super) fn header(&self, host: HostId) -> Option<HeaderValue> {
        self.fleet().known.get(host.index())?.header.clone()
    }

    /// All hosts with their names, in order of id, and whether each answers its polls.
    pub(super) fn listed(&self) -> Vec<(HostId, HeaderValue, bool)> {
        let fleet = self.fleet();
        let listed = fleet.known.iter().enumerate().filter_map(|(index, known)| {
            Some((HostId(index as u32), known.header.clone()?, known.said.version.is_some()))
        });
        listed.collect()
    }

    /// Replaces what a host said that is declared.
    pub(super) fn set(&self, host: HostId, said: Said) {
        let changed = !self.fleet().known[host.index()].said.tags.is(&said.tags);
        let stored = changed.then(|| names(&said.tags));
        let mut fleet = self.fleet.write().unwrap_or_else(PoisonError::into_inner);
        fleet.known[host.index()].said = said;
        if let Some(stored) = stored {
            fleet.stored_changed(host, stored);
        }
    }

    /// What a declared host holds was changed: told to whoever waits on this, or will next.
    pub(super) fn changed(&self, host: HostId) -> Arc<Notify> {
        Arc::clone(&self.fleet().known[host.index()].changed)
    }

    fn fleet(&self) -> RwLockReadGuard<'_, Fleet> {
        self.fleet.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Models on any disk.
    pub(super) fn tags(&self) -> ModelList {
        ModelList::merged(self.fleet().known.iter().map(|known| &known.said.tags))
    }

    /// Models in any memory.
    pub(super) fn ps(&self) -> ModelList {
        ModelList::merged(self.fleet().known.iter().map(|known| &known.said.ps))
    }

    /// The version of the first host that has said one: what a client may rely on is the hosts' business.
    pub(super) fn version(&self) -> VersionAnswer {
        let version = self.fleet().known.iter().find_map(|known| known.said.version.clone());
        VersionAnswer { version: version.unwrap_or_else(|| "0.0.0".into()) }
    }

    /// A normalised name as hosts write it, and whether any of them forwards prompts to it elsewhere: Ollama finds a model
    /// whatever the case of its letters. A name that no host has stays as it is.
    pub(super) fn spelt(&self, model: String) -> (String, bool) {
        match self.fleet().spellings.get(&model.to_ascii_lowercase()) {
            Some(spelling) => (spelling.name.clone(), spelling.forwarding > 0),
            None => (model, false),
        }
    }

    /// Hosts that have a model (by its name as [`spelt`](Self::spelt)) on disk, in order of id.
    pub(super) fn having(&self, model: &str) -> Vec<HostId> {
        let fleet = self.fleet();
        let having = fleet.known.iter().enumerate().filter(|(_, known)| known.stored.contains_key(model));
        having.map(|(index, _)| HostId(index as u32)).collect()
    }
}

/// All names of a list; true for those that forward.
fn names(tags: &ModelList) -> BTreeMap<String, bool> {
    let named = |listed: Listed| Some((name::normalise(&listed.name)?, !listed.remote_host.is_empty()));
    tags.listed().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_no_longer_says_is_no_longer_known() {
        let hosts = Hosts::default();
        hosts.declare(HostId(0), "first");
        hosts.declare(HostId(1), "se\ncond");
        assert_eq!(hosts.header(HostId(1)), Some(HeaderValue::from(1)), "no line ends in headers");
        let tags = |text: &str| Said { tags: serde_json::from_str(text).expect("a list"), ..Said::default() };
        let both = r#"{"models":[{"name":"a"},{"name":"B:x","remote_host":"https://ollama.com"}]}"#;
        let spelt = |name: &str| hosts.spelt(name.into());
        hosts.set(HostId(1), tags(both));
        assert_eq!((hosts.having("a:latest"), hosts.having("c:latest")), (vec![HostId(1)], vec![]));
        assert_eq!(spelt("b:X"), ("B:x".into(), true));
        assert_eq!(spelt("A:latest"), ("a:latest".into(), false));
        hosts.set(HostId(0), tags(both));
        hosts.set(HostId(0), tags(r#"{"models":[{"name":"a"},{"name":"b:x"}]}"#));
        assert_eq!(hosts.having("a:latest"), [HostId(0), HostId(1)]);
        assert_eq!(spelt("b:x"), ("B:x".into(), true), "one still forwards");
        hosts.set(HostId(1), Said::default());
        assert!(!spelt("b:x").1);
        hosts.set(HostId(0), Said::default());
        assert!(hosts.having("a:latest").is_empty() && hosts.fleet().spellings.is_empty());
        assert_eq!(spelt("C:x"), ("C:x".into(), false));
    }
}
