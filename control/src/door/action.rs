//! Actions: what control has done on hosts besides serving, and how that ends.

use serde::{Deserialize, Serialize};

use crate::ids::{ActionId, HostId, ModelId};
use crate::request::{Failure, KeepAlive};

/// What an action was to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Load a model from disk, by a request without a prompt, and keep it for so long after its last request; as long as the host does
    /// by default where nothing is said.
    Load(Option<KeepAlive>),
    /// Let a model go from memory once its requests have ended, by a request without a prompt and a keep-alive of 0.
    Unload,
    /// Fetch what a registry holds under the model's name; layers that the host has are not moved again.
    Pull,
    /// The same from another host. No Ollama can do this: only the simulator.
    Fetch(HostId),
    /// Send what the host holds to the model's registry.
    Push,
    /// Keep what the host holds under a second name, which ends with its short digest.
    Branch,
    /// Remove a model from the host's disk.
    Delete,
    /// Provision the host itself; the model is of no matter.
    Start,
    /// Give the host back; the model is of no matter.
    Stop,
}

/// Something to do on a host besides serving.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Action {
    /// Its number; they rise without gaps.
    pub id: ActionId,
    /// Where.
    pub host: HostId,
    /// What.
    pub deed: Deed,
    /// With which model.
    pub model: ModelId,
}

/// How an action ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionOutcome {
    /// Done.
    Done,
    /// It failed.
    Failed(ActionFailure),
}

/// Why an action failed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionFailure {
    /// As a request would have failed on the host.
    Host(Failure),
    /// The registry cannot be reached.
    RegistryUnreachable,
    /// The registry has nothing under that name.
    NotInRegistry,
    /// The host's disk has no room for it.
    DiskFull,
    /// What came is not what its digest says.
    DigestMismatch,
    /// Nothing came for too long.
    Stalled,
    /// The driver may not do this, or cannot.
    Refused,
}
