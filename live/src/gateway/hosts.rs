//! What each host said last: for the lists that clients ask for, and for what is asked of one host that has a model.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use control::ids::HostId;

use crate::wire::lists::{ModelList, VersionAnswer};
use crate::wire::name;

/// What one host said.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) version: Option<String>,
    pub(super) tags: ModelList,
    pub(super) ps: ModelList,
}

/// The same, with what is looked up for single requests.
#[derive(Debug, Default)]
struct Known {
    said: Said,
    /// Normalised names of the models on its disk.
    stored: BTreeSet<String>,
    /// Those of them that forward prompts elsewhere.
    forwarding: BTreeSet<String>,
}

/// What all hosts said, by id; nothing of those that are silent.
#[derive(Debug)]
pub(super) struct Hosts {
    known: RwLock<Vec<Known>>,
}

impl Hosts {
    pub(super) fn new(hosts_len: usize) -> Self {
        Self { known: RwLock::new((0..hosts_len).map(|_| Known::default()).collect()) }
    }

    /// Replaces what a host said.
    pub(super) fn set(&self, host: HostId, said: Said) {
        let names = (!self.all()[host.index()].said.tags.is(&said.tags)).then(|| names(&said.tags));
        // A panic while the lock was held leaves whole values: they are replaced, never changed.
        let known = &mut self.known.write().unwrap_or_else(PoisonError::into_inner)[host.index()];
        known.said = said;
        if let Some((stored, forwarding)) = names {
            known.stored = stored;
            known.forwarding = forwarding;
        }
    }

    fn all(&self) -> RwLockReadGuard<'_, Vec<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Models on any disk.
    pub(super) fn tags(&self) -> ModelList {
        ModelList::merged(self.all().iter().map(|known| &known.said.tags))
    }

    /// Models in any memory.
    pub(super) fn ps(&self) -> ModelList {
        ModelList::merged(self.all().iter().map(|known| &known.said.ps))
    }

    /// The version of the first host that has said one: what a client may rely on is the hosts' business.
    pub(super) fn version(&self) -> VersionAnswer {
        let version = self.all().iter().find_map(|known| known.said.version.clone());
        VersionAnswer { version: version.unwrap_or_else(|| "0.0.0".into()) }
    }

    /// Hosts that have a model (by its normalised name) on disk, in order of id.
    pub(super) fn having(&self, model: &str) -> Vec<HostId> {
        let all = self.all();
        let having = all.iter().enumerate().filter(|(_, known)| known.stored.contains(model));
        having.map(|(index, _)| HostId(index as u32)).collect()
    }

    /// Whether any host says of a model (by its normalised name) that it forwards prompts elsewhere.
    pub(super) fn forwards(&self, model: &str) -> bool {
        self.all().iter().any(|known| known.forwarding.contains(model))
    }
}

/// All names of a list, and those that forward.
fn names(tags: &ModelList) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut stored, mut forwarding) = (BTreeSet::new(), BTreeSet::new());
    for listed in tags.listed() {
        let Some(name) = name::normalise(&listed.name) else { continue };
        if !listed.remote_host.is_empty() {
            forwarding.insert(name.clone());
        }
        stored.insert(name);
    }
    (stored, forwarding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_no_longer_says_is_no_longer_known() {
        let hosts = Hosts::new(2);
        let tags = |text: &str| Said { tags: serde_json::from_str(text).expect("a list"), ..Said::default() };
        let both = r#"{"models":[{"name":"a"},{"name":"b:x","remote_host":"https://ollama.com"}]}"#;
        hosts.set(HostId(1), tags(both));
        assert_eq!((hosts.having("a:latest"), hosts.having("c:latest")), (vec![HostId(1)], vec![]));
        assert!(hosts.forwards("b:x") && !hosts.forwards("a:latest"));
        hosts.set(HostId(0), tags(both));
        assert_eq!(hosts.having("a:latest"), [HostId(0), HostId(1)]);
        for host in [HostId(0), HostId(1)] {
            hosts.set(host, Said::default());
        }
        assert!(hosts.having("a:latest").is_empty() && !hosts.forwards("b:x"));
    }
}
