//! A host as a gateway can know it: what its operator declares, what it says of itself, what others measure of it.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::ModelId;
use crate::units::Bytes;

/// What the operator declares of a host, since Ollama's API does not tell it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Declaration {
    /// Unique name.
    pub name: String,
    /// Requests that one loaded model works on at once (`OLLAMA_NUM_PARALLEL`); at least 1.
    pub slots: u32,
    /// Memory for weights and caches over all GPUs; 0 where unknown.
    pub memory: Bytes,
    /// Room for models on its disk; 0 where unknown.
    pub disk: Bytes,
    /// Models that it holds in memory at once (`OLLAMA_MAX_LOADED_MODELS`); 0 where unknown.
    pub loaded_max: u32,
    /// The GPU's name, empty where unknown.
    pub gpu: String,
    /// Relative share of load; 100 is normal.
    pub weight: u32,
    /// Lower tiers are used first.
    pub tier: u8,
    /// Where it stands, empty where it does not matter.
    pub zone: String,
    /// Memory of the host itself; 0 where unknown.
    pub ram: Bytes,
    /// The longest context it serves, in tokens; 0 where unknown.
    pub context_tokens: u32,
    /// What an hour of it costs, in hundredths of the operator's currency; 0 where unknown.
    pub cost_cents_per_hour: u32,
    /// What else can be asked of it (`vision`, `eu`, `a100-pool`), in any order.
    pub capabilities: Vec<String>,
    /// Whether something tells how busy it is ([`Input::Measured`](super::Input::Measured)): Ollama itself does not.
    pub metrics: bool,
    /// Whether it stands by: off at first, provisioned when it is needed, given back when it is not (only in the simulator).
    pub standby: bool,
}

/// How busy a host is, by a source that the operator declared; each in parts of a thousand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Utilisation {
    /// Of its processors.
    pub cpu: u16,
    /// Of its memory for weights and caches.
    pub memory: u16,
    /// Of its GPUs' time.
    pub gpu: u16,
    /// Of its network.
    pub network: u16,
}

/// A model in a host's memory, from `/api/ps`. Expiry times are left out: they change with every request.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct LoadedModel {
    /// Which model.
    pub model: ModelId,
    /// Memory it takes in all.
    pub bytes: Bytes,
    /// The part of it on GPUs.
    pub vram: Bytes,
}

/// A layer of a model: a blob by its digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Layer {
    /// Of the blob.
    pub digest: Digest,
    /// Its size.
    pub bytes: Bytes,
}

/// What a registry holds under a name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the manifest itself: hosts list a model by it.
    pub digest: Digest,
    /// What it is made of, the config included.
    pub layers: Vec<Layer>,
}

impl Manifest {
    /// Size of all layers.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.layers.iter().map(|layer| layer.bytes).sum()
    }
}

/// A model on a host's disk, from `/api/tags`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct StoredModel {
    /// Which model.
    pub model: ModelId,
    /// Size on disk.
    pub bytes: Bytes,
    /// Of its manifest; unknown where the host does not say.
    pub digest: Digest,
    /// When it came there, by the host's own clock, in nanoseconds since 1970; 0 where the host does not say.
    pub modified_nanos: u64,
}

impl StoredModel {
    /// A model of which only the size is known.
    #[must_use]
    pub const fn of_size(model: ModelId, bytes: Bytes) -> Self {
        Self { model, bytes, digest: Digest::UNKNOWN, modified_nanos: 0 }
    }
}

/// What a host said of itself, each list sorted by model.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Observation {
    /// Its version, empty where not known.
    pub version: String,
    /// Models in memory.
    pub loaded: Vec<LoadedModel>,
    /// Models on disk.
    pub stored: Vec<StoredModel>,
}

impl Observation {
    /// A model on its disk.
    #[must_use]
    pub fn find_stored(&self, model: ModelId) -> Option<&StoredModel> {
        let at = self.stored.binary_search_by_key(&model, |stored| stored.model).ok()?;
        Some(&self.stored[at])
    }

    /// A model in its memory.
    #[must_use]
    pub fn find_loaded(&self, model: ModelId) -> Option<&LoadedModel> {
        let at = self.loaded.binary_search_by_key(&model, |loaded| loaded.model).ok()?;
        Some(&self.loaded[at])
    }
}
