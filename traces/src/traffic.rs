//! What links carried in a run: for which models, of which layers, and when; and how contents that differed came to be the same again.
//!
//! Left out: single transfers. What is here has a size that depends on the fleet and its models, not on the length of the run.

use std::collections::BTreeMap;

use control::ids::{HostId, ModelId};
use control::sync::conflict::Kind;
use control::units::{Instant, Nanos};
use serde::Serialize;

/// A link of the simulated network.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Link {
    /// Out of the registry.
    RegistryOut,
    /// Into the registry.
    RegistryIn,
    /// Into the zone of this name.
    ZoneIn(String),
    /// Into a host.
    HostIn(HostId),
    /// Out of a host.
    HostOut(HostId),
}

/// What a link carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkTraffic {
    /// Which.
    pub link: Link,
    /// What it carries at most, in bytes a second.
    pub bytes_per_second: u64,
    /// What it carried, in bytes.
    pub bytes: u64,
}

/// Bytes by what they are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LayerBytes {
    /// Weights.
    pub weights: u64,
    /// Templates, parameters and configs.
    pub small: u64,
}

impl LayerBytes {
    /// Both.
    #[must_use]
    pub const fn all(self) -> u64 {
        self.weights + self.small
    }
}

/// What was moved of a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModelTraffic {
    /// Which.
    pub model: ModelId,
    /// Transfers of it, whatever became of them.
    pub transfers: u64,
    /// What these moved.
    pub bytes: LayerBytes,
}

/// Where a transfer goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the registry to a host.
    Pull,
    /// From a host to another.
    Fetch,
    /// From a host to the registry.
    Push,
}

impl Way {
    /// All, in the order of [`TrafficBin::bytes`].
    pub const ALL: [Self; 3] = [Self::Pull, Self::Fetch, Self::Push];
}

/// What happened in a stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TrafficBin {
    /// Bytes moved, by [`Way`].
    pub bytes: [u64; 3],
    /// Transfers under way, each for as long as it was, in nanoseconds.
    pub under_way_nanos: u128,
    /// Most transfers under way at once.
    pub under_way_max: u32,
}

impl TrafficBin {
    /// Both stretches together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            bytes: [0, 1, 2].map(|way| self.bytes[way] + other.bytes[way]),
            under_way_nanos: self.under_way_nanos + other.under_way_nanos,
            under_way_max: self.under_way_max.max(other.under_way_max),
        }
    }
}

/// What links carried in a run. Sums agree: what left the registry and hosts is what came to hosts and the registry, what was moved
/// of all models, and what was moved in all bins.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    /// Links that carried something: the registry's, zones', hosts'.
    pub links: Vec<LinkTraffic>,
    /// Models of which something was moved, in order of id.
    pub models: Vec<ModelTraffic>,
    /// Length of a bin; the last may be shorter.
    pub bin: Nanos,
    /// Bins from the beginning of the run to its end.
    pub bins: Vec<TrafficBin>,
    /// The end of the run.
    pub until: Instant,
}

impl Traffic {
    /// When a bin begins.
    #[must_use]
    pub fn begin(&self, bin: usize) -> Instant {
        Instant(self.bin.0.saturating_mul(bin as u64)).min(self.until)
    }

    /// How long a bin is.
    #[must_use]
    pub fn span(&self, bin: usize) -> Nanos {
        self.begin(bin + 1).since(self.begin(bin))
    }
}

/// How conflicts of a kind ended; the sum is how often one began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ConflictEnds {
    /// Hosts pulled the right content from the registry.
    pub pulled: u64,
    /// Hosts fetched it from others.
    pub fetched: u64,
    /// A host pushed it to the registry, whatever others did then.
    pub pushed: u64,
    /// An operator said which it is, whatever was moved then.
    pub decided: u64,
    /// Without any of this: copies went, or somebody made the same.
    pub otherwise: u64,
    /// Not at all.
    pub open: u64,
}

impl ConflictEnds {
    /// Each way to end in words, with its count.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("pulled", self.pulled),
            ("fetched", self.fetched),
            ("pushed", self.pushed),
            ("decided by an operator", self.decided),
            ("ended otherwise", self.otherwise),
            ("still open", self.open),
        ]
    }
}

/// [`ConflictEnds`] by kind of conflict.
pub type ConflictsEnded = BTreeMap<Kind, ConflictEnds>;
