//! When a host that is kept out by what it did gets another chance.

use alloc::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::HostId;
use crate::units::Instant;

/// Hosts of which something was learned: when that is passed over next, and for whom it is now.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Trials {
    due: BTreeSet<(Instant, HostId)>,
    due_of: BTreeMap<HostId, Instant>,
    open: BTreeSet<HostId>,
}

impl Trials {
    /// What was learned of a host counts until then.
    pub(crate) fn postpone(&mut self, host: HostId, until: Instant) {
        if let Some(before) = self.due_of.insert(host, until) {
            self.due.remove(&(before, host));
        }
        self.due.insert((until, host));
        self.open.remove(&host);
    }

    /// Whether there is a time for a host, or it has come.
    pub(crate) fn knows(&self, host: HostId) -> bool {
        self.due_of.contains_key(&host) || self.open.contains(&host)
    }

    /// A host whose time has come; from now on what was learned of it is passed over.
    pub(crate) fn begin(&mut self, now: Instant) -> Option<HostId> {
        let (_, host) = *self.due.first().filter(|(due, _)| *due <= now)?;
        self.due.pop_first();
        self.due_of.remove(&host);
        self.open.insert(host);
        Some(host)
    }

    /// Whether what was learned of a host is passed over.
    #[must_use]
    pub fn is_open(&self, host: HostId) -> bool {
        self.open.contains(&host)
    }

    /// When the next begins.
    #[must_use]
    #[inline]
    pub fn next(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }
}
