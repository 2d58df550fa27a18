//! The `[network]` section: what lies between control, hosts and the registry.

use control::units::Nanos;
use serde::{Deserialize, Serialize};

use super::{FleetError, within};
use crate::network::Rate;

/// `[network]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkFile {
    /// One way between control and a host.
    pub latency_micros: u64,
    /// What a host receives in all when it pulls models.
    pub host_mbit_per_second: u64,
    /// What all hosts of a zone receive from outside of it; no limit where absent.
    pub zone_mbit_per_second: Option<u64>,
    /// Pulls that a host works on at once; more wait there.
    pub pulls_at_once: u32,
    /// Whether hosts can fetch models from one another: no Ollama can, a model of what it would gain.
    pub peers: bool,
}

impl Default for NetworkFile {
    fn default() -> Self {
        Self {
            latency_micros: 200,
            host_mbit_per_second: 10_000,
            zone_mbit_per_second: None,
            pulls_at_once: 2,
            peers: false,
        }
    }
}

/// A checked [`NetworkFile`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetworkConfig {
    /// One way between control and a host.
    pub latency: Nanos,
    /// What a host receives, and what it sends.
    pub host: Rate,
    /// What a zone receives.
    pub zone: Option<Rate>,
    /// Pulls that a host works on at once; at least 1.
    pub pulls_at_once: u32,
    /// Whether hosts can fetch models from one another.
    pub peers: bool,
}

/// Most that a link carries.
const MBIT_MAX: u64 = 100_000_000;

/// Megabits per second as a rate.
pub(super) fn mbit(key: &str, mbit: u64) -> Result<Rate, FleetError> {
    Ok(Rate(within(key, mbit, 1, MBIT_MAX)? * 125_000))
}

impl NetworkFile {
    /// Checks every key.
    ///
    /// # Errors
    /// The first key that cannot be taken.
    pub fn check(&self) -> Result<NetworkConfig, FleetError> {
        let latency = within("network.latency_micros", self.latency_micros, 0, 60_000_000)?;
        let zone = self.zone_mbit_per_second.map(|zone| mbit("network.zone_mbit_per_second", zone));
        let pulls = within("network.pulls_at_once", self.pulls_at_once.into(), 1, 1_000)?;
        Ok(NetworkConfig {
            latency: Nanos::from_micros(latency),
            host: mbit("network.host_mbit_per_second", self.host_mbit_per_second)?,
            zone: zone.transpose()?,
            pulls_at_once: pulls as u32,
            peers: self.peers,
        })
    }
}
