//! `[control.sync]`: whose content of a name is right, and how those that have another get it.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::artifact::Origin;
use super::conflict::{Policy, Preference};
use crate::config::ConfigError;
use crate::config::bounds::{error, within};
use crate::place::patterns::Patterns;
use crate::registries;
use crate::units::Nanos;

/// When hosts are brought up to date, and in which order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// At once, in order of model and host.
    #[default]
    Eager,
    /// When the model is asked for.
    Lazy,
    /// All at the end of each period.
    Periodic,
    /// At once, the least bytes first, as many as the bandwidth that is set aside for it carries.
    BandwidthAware,
    /// At once, what is asked for most first, on the hosts with the fewest requests under way.
    LatencyFirst,
    /// At once, what has the fewest good copies first.
    ReliabilityFirst,
    /// From host to host: each compares its contents with another's, drawn anew each round, and either fetches from the other
    /// what is right there and not at home (push-pull anti-entropy: Demers et al., Epidemic algorithms for replicated database
    /// maintenance, PODC 1987). Only in the simulator: no Ollama can fetch from another.
    Gossip,
}

impl Mode {
    /// All modes, as they are written.
    pub const NAMES: [&str; 7] =
        ["eager", "lazy", "periodic", "bandwidth-aware", "latency-first", "reliability-first", "gossip"];
}

/// Whose content is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyFile {
    /// The registry's where it has the name, else what was written last.
    #[default]
    Registry,
    /// What was written last, by the clocks of hosts.
    LastWriter,
    /// What was written first, by the clocks of hosts.
    FirstWriter,
    /// What was made with knowledge of all others.
    VersionVector,
    /// The highest version.
    HighestVersion,
    /// What most have.
    Majority,
    /// What an operator decides.
    Manual,
}

/// `[control.sync]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncFile {
    /// Whether hosts are told to do what follows; otherwise it is only shown.
    pub act: bool,
    /// Names of models to keep the same everywhere, `*` for any text. No other model is touched.
    pub manage: Vec<String>,
    /// Whose content of a name is right.
    pub policy: PolicyFile,
    /// When hosts are brought up to date.
    pub mode: Mode,
    /// Registries that models may be pulled from and pushed to (`host` or `host:port`; the default one is
    /// `registry.ollama.ai`); that one where empty.
    pub registries: Vec<String>,
    /// Whether a content that is right, but on a host alone, may be pushed to the registry.
    pub allow_push: bool,
    /// Whether other weights than the right ones are kept under a second name before they are replaced.
    pub keep_others: bool,
    /// Whether hosts fetch from one another (only in the simulator: no Ollama can).
    pub peers: bool,
    /// Good copies of a name below which it is critical, and one more is made.
    pub copies_min: u32,
    /// Good copies of a name from which on it is healthy.
    pub copies_target: u32,
    /// The period of `periodic`.
    pub period_seconds: u32,
    /// The time between two rounds of `gossip`.
    pub gossip_seconds: u32,
    /// What `bandwidth-aware` may move, on average.
    pub mbit_per_second: u32,
    /// Most pulls at the same time.
    pub pulls_at_once_max: u32,
    /// Most actions an hour.
    pub changes_per_hour_max: u32,
}

impl Default for SyncFile {
    fn default() -> Self {
        Self {
            act: false,
            manage: Vec::new(),
            policy: PolicyFile::Registry,
            mode: Mode::Eager,
            registries: Vec::new(),
            allow_push: false,
            keep_others: false,
            peers: false,
            copies_min: 1,
            copies_target: 1,
            period_seconds: 3_600,
            gossip_seconds: 10,
            mbit_per_second: 1_000,
            pulls_at_once_max: 4,
            changes_per_hour_max: 120,
        }
    }
}

/// A checked [`SyncFile`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SyncConfig {
    /// Whether hosts are told to do what follows.
    pub act: bool,
    /// Models to keep the same everywhere.
    pub manage: Patterns,
    /// Whose content is right.
    pub policy: Policy,
    /// When hosts are brought up to date.
    pub mode: Mode,
    /// Registries that models may be pulled from and pushed to; the default one where empty.
    pub registries: Vec<String>,
    /// Whether a right content may be pushed.
    pub allow_push: bool,
    /// Whether other weights are kept under a second name.
    pub keep_others: bool,
    /// Whether hosts fetch from one another.
    pub peers: bool,
    /// Good copies below which a name is critical.
    pub copies_min: u32,
    /// Good copies from which on it is healthy.
    pub copies_target: u32,
    /// The period of `periodic`.
    pub period: Nanos,
    /// The time between two rounds of `gossip`.
    pub gossip_period: Nanos,
    /// What `bandwidth-aware` may move, in bytes per second.
    pub bytes_per_second: u64,
    /// Most pulls at the same time.
    pub pulls_at_once_max: u32,
    /// Most actions an hour.
    pub changes_per_hour_max: u32,
}

impl SyncFile {
    /// Checks every key.
    ///
    /// # Errors
    /// The first key that cannot be taken, with what was expected of it.
    pub fn check(&self) -> Result<SyncConfig, ConfigError> {
        let copies_min = within("sync.copies_min", self.copies_min, (1, 1_000_000))?;
        if self.mode == Mode::Gossip && !self.peers {
            let expected = "true where sync.mode is \"gossip\", by which hosts fetch from one another (in the simulator only)";
            return Err(error("sync.peers", false, expected));
        }
        Ok(SyncConfig {
            act: self.act,
            manage: Patterns::check("sync.manage", &self.manage)?,
            policy: self.policy.policy(),
            mode: self.mode,
            registries: registries::check("sync.registries", &self.registries)?,
            allow_push: self.allow_push,
            keep_others: self.keep_others,
            peers: self.peers,
            copies_min,
            copies_target: within(
                "sync.copies_target",
                self.copies_target.max(copies_min),
                (copies_min.into(), 1_000_000),
            )?,
            period: Nanos::from_secs(
                within("sync.period_seconds", self.period_seconds, (1, 7 * 86_400))?.into(),
            ),
            gossip_period: Nanos::from_secs(
                within("sync.gossip_seconds", self.gossip_seconds, (1, 86_400))?.into(),
            ),
            bytes_per_second: u64::from(within(
                "sync.mbit_per_second",
                self.mbit_per_second,
                (1, 10_000_000),
            )?) * 125_000,
            pulls_at_once_max: within("sync.pulls_at_once_max", self.pulls_at_once_max, (1, 10_000))?,
            changes_per_hour_max: within(
                "sync.changes_per_hour_max",
                self.changes_per_hour_max,
                (1, 1_000_000),
            )?,
        })
    }
}

impl PolicyFile {
    fn policy(self) -> Policy {
        match self {
            Self::Registry => Policy::Custom(vec![Preference::Origin(Origin::Catalogue), Preference::Newer]),
            Self::LastWriter => Policy::LastWriter,
            Self::FirstWriter => Policy::FirstWriter,
            Self::VersionVector => Policy::VersionVector,
            Self::HighestVersion => Policy::HighestVersion,
            Self::Majority => Policy::Majority,
            Self::Manual => Policy::Manual,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_default_is_valid_and_does_nothing() {
        let config = SyncFile::default().check().unwrap();
        assert!(!config.act && !config.manage.matches("m:latest"));
    }

    #[test]
    fn gossip_needs_hosts_that_fetch_from_one_another() {
        let file = SyncFile { mode: Mode::Gossip, ..SyncFile::default() };
        let told = file.check().unwrap_err().to_string();
        assert!(told.starts_with("control.sync.peers: found false, expected true where"), "{told}");
        assert!(SyncFile { peers: true, ..file }.check().is_ok());
    }

    #[test]
    fn wrong_values_name_key_and_expectation() {
        let file = SyncFile { pulls_at_once_max: 0, ..SyncFile::default() };
        assert_eq!(
            file.check().unwrap_err().to_string(),
            "control.sync.pulls_at_once_max: found 0, expected 1 to 10000"
        );
        let file = SyncFile { manage: vec!["a b".into()], ..SyncFile::default() };
        assert!(file.check().unwrap_err().to_string().starts_with("control.sync.manage[0]: found \"a b\""));
        let file = SyncFile { registries: vec!["r:1".into(), "https://r".into()], ..SyncFile::default() };
        assert_eq!(
            file.check().unwrap_err().to_string(),
            "control.sync.registries[1]: found \"https://r\", expected a registry as it stands in a model's name: host or host:port"
        );
        let file = SyncFile { gossip_seconds: 86_401, ..SyncFile::default() };
        assert_eq!(
            file.check().unwrap_err().to_string(),
            "control.sync.gossip_seconds: found 86401, expected 1 to 86400"
        );
    }
}
