//! What placement is asked and what it answers: hosts, models, what is in memory now; which replicas there should be.
//!
//! Whoever asks leaves out of it what placement must not touch (models that are not managed), and takes the memory and the
//! places of what is left out off the hosts.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{HostId, ModelId};
use crate::units::{Bytes, Instant, Nanos};

/// Most arrivals that are told apart: a million requests a second.
pub const ARRIVALS_MICROS_MAX: u64 = 1_000_000_000_000;
/// Longest mean service, and longest load, that are told apart: nearly three hours.
pub const SPAN_MAX: Nanos = Nanos::from_secs(10_000);
/// Most slots of a loaded model that are told apart.
pub const SLOTS_MAX: u32 = 1_024;

/// Which models should be in memory on which hosts?
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Problem {
    /// The present.
    pub now: Instant,
    /// How long a replica stays at least.
    pub residency_min: Nanos,
    /// The span over which a load must pay; at least a nanosecond.
    pub horizon: Nanos,
    /// In order of id, each once.
    pub hosts: Vec<Host>,
    /// In order of id, each once.
    pub models: Vec<Model>,
    /// What is in memory. Hosts and models that are not above are passed over.
    pub loaded: Vec<Resident>,
}

/// A host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// Which.
    pub id: HostId,
    /// Memory for models, over all of its GPUs, without what is kept free.
    pub memory: Bytes,
    /// Most models in memory at once (`OLLAMA_MAX_LOADED_MODELS`); no limit where absent.
    pub models_max: Option<u32>,
    /// Requests that a loaded model answers at the same time (`OLLAMA_NUM_PARALLEL`): 1 to [`SLOTS_MAX`], nearest counts.
    pub slots: u32,
    /// Where it stands: hosts of one number fail together.
    pub zone: u32,
    /// Whether it may have replicas: it answers, and is neither drained nor ejected. A plan says nothing of a host that is closed.
    pub open: bool,
    /// Models on its disk.
    pub stored: Vec<ModelId>,
}

impl Host {
    /// Most of so many models that it may have at once.
    pub(super) fn places(&self, models_len: usize) -> usize {
        self.models_max.map_or(models_len, |most| models_len.min(most as usize))
    }
}

/// A model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Model {
    /// Which.
    pub id: ModelId,
    /// What it takes in memory, caches included.
    pub memory: Bytes,
    /// Requests a second, in millionths; at most [`ARRIVALS_MICROS_MAX`] count.
    pub arrivals_micros: u64,
    /// The same as expected for the next interval, where somebody forecasts.
    pub forecast_micros: Option<u64>,
    /// Mean time of a request in its slot; at most [`SPAN_MAX`] counts.
    pub service: Nanos,
    /// Time of a cold load; at most [`SPAN_MAX`] counts.
    pub load: Nanos,
    /// How many replicas.
    pub limits: Limits,
    /// Hosts that must have a replica; others may.
    pub pinned: Vec<HostId>,
    /// Hosts that must have none, even where pinned.
    pub excluded: Vec<HostId>,
    /// Models that must not be on the same host; holds both ways.
    pub apart_from: Vec<ModelId>,
    /// Zones that its replicas are spread over where there is room, before they share one.
    pub zones_min: u32,
}

/// Numbers of replicas of a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// At least.
    pub min: u32,
    /// Whatever the load, where there is room after every minimum.
    pub target: Option<u32>,
    /// At most, whatever else is demanded.
    pub max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { min: 0, target: None, max: u32::MAX }
    }
}

/// A model in the memory of a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resident {
    /// Where.
    pub host: HostId,
    /// What.
    pub model: ModelId,
    /// Since when.
    pub since: Instant,
}

/// What should be in memory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// What it can be taken for.
    pub standing: Standing,
    /// In order of host and model, each once.
    pub replicas: Vec<Replica>,
    /// Demands of the operator that are not met, in order of model.
    pub unmet: Vec<Unmet>,
}

impl Plan {
    /// The replicas on a host.
    #[must_use]
    pub fn on_host(&self, host: HostId) -> &[Replica] {
        let from = self.replicas.partition_point(|replica| replica.host < host);
        let len = self.replicas[from..].partition_point(|replica| replica.host == host);
        &self.replicas[from..from + len]
    }
}

/// What a plan can be taken for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It says nothing of any host: nothing is to be loaded or unloaded for it.
    HandsOff,
    /// It meets all limits; whether a better one exists is not known.
    Sought,
    /// There is no better one.
    Exact,
    /// The search for the best one was cut short: the best that was found.
    CutShort,
}

/// A wanted replica.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Replica {
    /// Where.
    pub host: HostId,
    /// What.
    pub model: ModelId,
    /// Why.
    pub why: Why,
}

/// Why a replica is wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It was loaded too recently to go.
    Young,
    /// The operator wants it on this host.
    Pinned,
    /// The model's least number of replicas.
    Minimum,
    /// The model's target.
    Target,
    /// The model's share of the load.
    Share,
    /// The load needs so many slots.
    Load,
    /// It shortens waits by more than its load costs.
    Gain,
    /// The same by the forecast.
    Forecast,
    /// It was moved here, where it does more.
    Moved,
    /// Requests wait that the other replicas cannot take soon.
    Waits,
    /// It is loaded, and nobody else needs the room.
    Stays,
}

/// A demand that a plan does not meet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Unmet {
    /// Of which model.
    pub model: ModelId,
    /// What is missing.
    pub demand: Demand,
    /// What is in the way.
    pub why: Hindrance,
}

/// What an operator can demand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// A replica on this host.
    Pinned(HostId),
    /// So many more replicas to reach the least number.
    Minimum(u32),
}

/// What is in the way of a replica, the first that applies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hindrance {
    /// There is no host that may have one: closed, excluded, or not known.
    NoHost,
    /// The model has its most replicas, or one on every host that may have one.
    Limit,
    /// It is larger than the memory of each host.
    TooLarge,
    /// Hosts with room have a model that it must be apart from.
    Apart,
    /// Hosts are full.
    Full,
}
