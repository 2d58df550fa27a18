//! What each host said last, for the lists that clients ask for.

use std::sync::{PoisonError, RwLock};

use control::ids::HostId;

use crate::wire::lists::{ModelList, VersionAnswer};

/// What one host said.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) version: Option<String>,
    pub(super) tags: ModelList,
    pub(super) ps: ModelList,
}

/// What all hosts said, by id; nothing of those that are silent.
#[derive(Debug)]
pub(super) struct Hosts {
    said: RwLock<Vec<Said>>,
}

impl Hosts {
    pub(super) fn new(hosts_len: usize) -> Self {
        Self { said: RwLock::new(vec![Said::default(); hosts_len]) }
    }

    /// Replaces what a host said; hosts may be new.
    pub(super) fn set(&self, host: HostId, said: Said) {
        // A panic while the lock was held leaves whole values: entries are replaced, never changed.
        let mut all = self.said.write().unwrap_or_else(PoisonError::into_inner);
        if host.index() >= all.len() {
            all.resize(host.index() + 1, Said::default());
        }
        all[host.index()] = said;
    }

    fn all(&self) -> Vec<Said> {
        self.said.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Models on any disk.
    pub(super) fn tags(&self) -> ModelList {
        ModelList::merged(self.all().iter().map(|said| &said.tags))
    }

    /// Models in any memory.
    pub(super) fn ps(&self) -> ModelList {
        ModelList::merged(self.all().iter().map(|said| &said.ps))
    }

    /// The version of the first host that has said one: what a client may rely on is the hosts' business.
    pub(super) fn version(&self) -> VersionAnswer {
        let version = self.all().into_iter().find_map(|said| said.version);
        VersionAnswer { version: version.unwrap_or_else(|| "0.0.0".into()) }
    }
}
