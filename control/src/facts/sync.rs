//! What is known of contents: what the registry and each host have under a name, which of them is right, who has another, and for how long
//! they have differed.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::door::Manifest;
use crate::ids::{HostId, ModelId};
use crate::sync::artifact::Origin;
use crate::sync::conflict::Kind;
use crate::sync::register::Register;
use crate::units::Instant;

/// Manifests that are remembered at most, so that a content on a host is told by its layers.
const MANIFESTS_MAX: usize = 4_096;

/// Contents of names.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SyncFacts {
    /// What the registry holds under each name.
    pub published: BTreeMap<ModelId, Manifest>,
    /// Since when it does, as far as anybody noticed, in nanoseconds since 1970.
    pub modified_nanos: BTreeMap<ModelId, u64>,
    /// Manifests that the registry held once.
    pub manifests: BTreeMap<Digest, Manifest>,
    /// What all say of each name that is managed.
    pub registers: BTreeMap<ModelId, Register>,
    /// Whose content is right, and which that is.
    pub right: BTreeMap<ModelId, (Origin, Digest)>,
    /// Hosts that have another content than the right one.
    pub drift: BTreeSet<(ModelId, HostId)>,
    /// Names of which not all have the same, since when, and the gravest way in which they differ.
    pub diverged: BTreeMap<ModelId, (Instant, Kind)>,
    /// Names that were asked for while hosts differed in them.
    pub asked: BTreeSet<ModelId>,
    /// What hosts pushed last of a name: the registry writes another manifest for the same content.
    pub pushed: BTreeMap<ModelId, Digest>,
    /// Manifests of hosts, and those that the registry wrote for the same contents.
    pub same: BTreeMap<Digest, Digest>,
    /// Contents of hosts that were kept under a second name.
    pub kept: BTreeSet<(ModelId, HostId, Digest)>,
    /// When all bytes moved so far are paid for, for `bandwidth-aware`.
    pub paid_at: Instant,
    /// When the next look is due.
    pub tick_at: Option<Instant>,
    /// Whether the period's work is under way, for `periodic`.
    pub open: bool,
    /// What became of it all.
    pub counts: SyncCounts,
}

/// Counts of sync.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SyncCounts {
    /// Times that contents of a name began to differ, by the gravest way.
    pub conflicts: BTreeMap<Kind, u64>,
    /// Times that all were the same again.
    pub converged: u64,
    /// Time from the first to the second, summed over names, in nanoseconds; and the longest.
    pub converge_nanos: u64,
    /// The longest.
    pub converge_nanos_max: u64,
    /// Requests sent to a host that had another content than the right one.
    pub stale_serves: u64,
    /// Bytes that pulls and fetches that were asked for had to move, as far as layers are known.
    pub asked_bytes: u64,
    /// What `gossip` compared.
    pub gossip: GossipCounts,
}

/// Counts of `gossip`. What was fetched in consequence is counted with all that is moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct GossipCounts {
    /// Rounds. The number of a round keys its draws, so it counts from the first on and never anew.
    pub rounds: u64,
    /// Comparisons of a host with another.
    pub comparisons: u64,
    /// Hashes that were compared for it.
    pub hashes: u64,
    /// Bytes of these hashes, as hosts would exchange them.
    pub hash_bytes: u64,
}

impl SyncFacts {
    /// The registry holds this under a name now.
    pub(crate) fn publish(&mut self, model: ModelId, published: Option<(Manifest, u64)>) {
        match published {
            Some((manifest, modified_nanos)) => {
                self.modified_nanos.insert(model, modified_nanos);
                if self.manifests.len() >= MANIFESTS_MAX {
                    self.manifests.pop_first();
                }
                self.manifests.insert(manifest.digest, manifest.clone());
                self.published.insert(model, manifest)
            }
            None => self.published.remove(&model),
        };
    }

    /// The manifest that stands for a content: the registry's, where the content was pushed there.
    #[must_use]
    pub fn canonical(&self, digest: Digest) -> Digest {
        self.same.get(&digest).copied().unwrap_or(digest)
    }

    /// Whether the registry holds this content of a name.
    #[must_use]
    pub fn is_published(&self, model: ModelId, digest: Digest) -> bool {
        self.published.get(&model).is_some_and(|manifest| manifest.digest == digest)
    }

    /// A name is not managed any more.
    pub(crate) fn forget(&mut self, model: ModelId) {
        self.registers.remove(&model);
        self.right.remove(&model);
        self.diverged.remove(&model);
        self.asked.remove(&model);
        for host in self.drifted(model).collect::<Vec<_>>() {
            self.drift.remove(&(model, host));
        }
    }

    /// Hosts that have another content of a name than the right one.
    pub fn drifted(&self, model: ModelId) -> impl Iterator<Item = HostId> + '_ {
        self.drift.range((model, HostId(0))..=(model, HostId(u32::MAX))).map(|(_, host)| *host)
    }

    /// Whether a host has another content of a name than the right one.
    #[must_use]
    #[inline]
    pub fn is_stale(&self, model: ModelId, host: HostId) -> bool {
        !self.drift.is_empty() && self.drift.contains(&(model, host))
    }
}
