//! The `[control]` section: the same text in a scenario file and in `serve`.
//!
//! [`ControlFile`] is what stands in the file; [`Config`] is what was checked and cannot be wrong.

pub mod arms;
pub(crate) mod bounds;
mod implementations;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use self::arms::{ArmSpec, Trial};
use self::bounds::{millis, within};
pub use self::implementations::Implementations;

use serde::{Deserialize, Serialize};

use crate::constraints::{Rule, RuleFile};
use crate::facts::ledger::ATTEMPTS_MAX;
use crate::place::config::{PlacementConfig, PlacementFile};
use crate::policy::assign::{ExperimentFile, FlagFile};
use crate::policy::breaker::{BreakerConfig, BreakerFile};
use crate::policy::limit::{LimitConfig, LimitFile};
use crate::policy::prefetch::{PrefetchConfig, PrefetchFile};
use crate::policy::scale::{ScaleConfig, ScaleFile};
use crate::policy::select::{SelectConfig, SelectFile};
use crate::schedule::{SchedulerKind, WEIGHT_NORMAL};
use crate::strategy::{self, Chosen, Requires, StrategyFile};
use crate::sync::config::{SyncConfig, SyncFile};
use crate::units::Nanos;

/// `[control]` as written. Every number has its unit in its key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlFile {
    /// Order of the queue: a name from `herder strategies`, or a table of the name with parameters.
    pub scheduler: StrategyFile,
    /// Choice of host: a name from `herder strategies`, or a table of the name with parameters.
    pub balancer: StrategyFile,
    /// Balancers for a share of the requests, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, FlagFile>,
    /// Balancers side by side, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub experiments: BTreeMap<String, ExperimentFile>,
    /// Balancers that are chosen among by what the fleet is like; the one of `balancer` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<SelectFile>,
    /// When a host, or a model on a host, is left alone; never where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerFile>,
    /// How `dispatch = "learned"` learns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitFile>,
    /// Which requests demand what of hosts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleFile>,
    /// Loads of models ahead of demand; none where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefetch: Option<PrefetchFile>,
    /// Which models are kept in memory where; left to hosts where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<PlacementFile>,
    /// Keeping contents the same on all hosts; left to operators where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncFile>,
    /// Hosts that stand by, provisioned and given back as the load goes; they stay off where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<ScaleFile>,
    /// Balancers that decide beside the one that acts, for the log and the report.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shadows: Vec<StrategyFile>,
    /// Whether nothing changes by itself (selection, roll-backs, prefetch, learned limits).
    pub frozen: bool,
    /// A request that has waited for so long goes before all others, in order of arrival; never where absent.
    pub aging_millis: Option<u64>,
    /// Most requests that wait in the queue; more are rejected.
    pub queue_requests_max: u32,
    /// Longest wait in the queue.
    pub queue_timeout_millis: u64,
    /// Requests let out to a host at once: its declared slots, or no limit.
    pub dispatch: DispatchLimit,
    /// Which of the twins of each data structure decides: `optimised` or `baseline`, for all or in a table by part.
    /// Decisions are the same.
    pub implementation: Implementations,
    /// Most hosts that one request may try, the first included: 1 to 4.
    pub attempts_max: u8,
    /// Retries allowed as a share of the arrivals, in percent.
    pub retry_budget_percent: u32,
    /// Retries allowed each second besides that share.
    pub retry_budget_per_second: u32,
    /// How long requests are turned away that are like one that ended two runners; 0 = never.
    pub quarantine_seconds: u32,
    /// Whether a host that was silent begins with one request at once, and one more after each answer.
    pub slow_start: bool,
    /// Most models that a host is asked for at once while it must load them first; 0 = any number.
    pub cold_models_max: u32,
    /// First-byte time-out where the model is loaded.
    pub first_byte_timeout_warm_millis: u64,
    /// First-byte time-out where the model must be loaded first; three loads, as measured, where that is longer.
    pub first_byte_timeout_cold_millis: u64,
    /// How long a stream may stand still.
    pub idle_timeout_millis: u64,
    /// What tenants weigh under fair schedulers, by name: 1 to 10,000; 100 where nothing is written.
    pub tenant_weights: BTreeMap<String, u32>,
}

/// How many requests are let out to a host at once ("late binding" keeps the rest where they can still go elsewhere).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DispatchLimit {
    /// As many as it has declared slots.
    #[default]
    Slots,
    /// All: the queueing is left to Ollama.
    Unlimited,
    /// As many as first bytes say it works on, see `limit`.
    Learned,
    /// This many.
    Requests(u32),
}

impl Default for ControlFile {
    fn default() -> Self {
        Self {
            scheduler: "fifo".into(),
            balancer: "power-of-two".into(),
            flags: BTreeMap::new(),
            experiments: BTreeMap::new(),
            select: None,
            breaker: None,
            limit: None,
            rules: Vec::new(),
            prefetch: None,
            placement: None,
            sync: None,
            scale: None,
            shadows: Vec::new(),
            frozen: false,
            aging_millis: None,
            queue_requests_max: 10_000,
            queue_timeout_millis: 600_000,
            dispatch: DispatchLimit::Slots,
            implementation: Implementations::default(),
            attempts_max: 2,
            retry_budget_percent: 20,
            retry_budget_per_second: 10,
            quarantine_seconds: 600,
            slow_start: true,
            cold_models_max: 1,
            first_byte_timeout_warm_millis: 300_000,
            first_byte_timeout_cold_millis: 900_000,
            idle_timeout_millis: 60_000,
            tenant_weights: BTreeMap::new(),
        }
    }
}

/// A checked config.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Order of the queue.
    pub scheduler: Chosen<SchedulerKind>,
    /// Choices of host: the base first.
    pub arms: Vec<ArmSpec>,
    /// Flags and experiments in order of name, flags first: the first that has an arm for a request decides which.
    pub trials: Vec<Trial>,
    /// How the base is chosen.
    pub select: Option<SelectConfig>,
    /// When a host is left alone.
    pub breaker: Option<BreakerConfig>,
    /// How limits are learned.
    pub limit: LimitConfig,
    /// Which requests demand what of hosts.
    pub rules: Vec<Rule>,
    /// Loads ahead of demand.
    pub prefetch: Option<PrefetchConfig>,
    /// Which models are kept in memory where.
    pub placement: Option<PlacementConfig>,
    /// Keeping contents the same.
    pub sync: Option<SyncConfig>,
    /// How many hosts are on.
    pub scale: Option<ScaleConfig>,
    /// Whether nothing changes by itself.
    pub frozen: bool,
    /// From what wait on a request goes before all others.
    pub aging: Option<Nanos>,
    /// Most requests that wait in the queue.
    pub queue_requests_max: u32,
    /// Longest wait in the queue.
    pub queue_timeout: Nanos,
    /// Requests let out to a host at once.
    pub dispatch: DispatchLimit,
    /// Which of the twins of each data structure decides.
    pub implementation: Implementations,
    /// Most hosts that one request may try: 1 to 4.
    pub attempts_max: u8,
    /// Retries allowed as a share of the arrivals, in percent.
    pub retry_budget_percent: u32,
    /// Retries allowed each second besides that share.
    pub retry_budget_per_second: u32,
    /// How long requests are turned away that are like one that ended two runners.
    pub quarantine: Option<Nanos>,
    /// Whether a host that was silent begins with one request at once.
    pub slow_start: bool,
    /// Most models that a host is asked for at once while it must load them first.
    pub cold_models_max: Option<u32>,
    /// First-byte time-out where the model is loaded.
    pub first_byte_timeout_warm: Nanos,
    /// Least first-byte time-out where the model must be loaded first.
    pub first_byte_timeout_cold: Nanos,
    /// How long a stream may stand still.
    pub idle_timeout: Nanos,
    /// What tenants weigh under fair schedulers, by name; 100 where nothing is written.
    pub tenant_weights: BTreeMap<String, u32>,
}

impl Config {
    /// What a tenant weighs; 100 is normal.
    #[must_use]
    pub fn tenant_weight(&self, name: &str) -> u32 {
        self.tenant_weights.get(name).copied().unwrap_or(WEIGHT_NORMAL)
    }

    /// Key and name of the strategy that cannot decide without this, where one was chosen.
    #[must_use]
    pub fn strategy_that(&self, requires: Requires) -> Option<(&'static str, &'static str)> {
        let scheduler = strategy::of(&self.scheduler, crate::schedule::ALL);
        let balancers =
            self.arms.iter().map(|arm| ("balancer", strategy::of(&arm.balancer, crate::balance::ALL)));
        core::iter::once(("scheduler", scheduler))
            .chain(balancers)
            .find(|(_, strategy)| strategy.requires == requires)
            .map(|(key, strategy)| (key, strategy.name))
    }
}

/// A key of `[control]` that cannot be taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    /// The key inside `[control]`.
    pub key: String,
    /// What stood there.
    pub found: String,
    /// What may stand there.
    pub expected: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "control.{}: found {}, expected {}", self.key, self.found, self.expected)
    }
}

impl core::error::Error for ConfigError {}

impl ControlFile {
    /// Checks every key.
    ///
    /// # Errors
    /// The first key that cannot be taken, with what was expected of it.
    pub fn check(&self) -> Result<Config, ConfigError> {
        if let DispatchLimit::Requests(requests) = self.dispatch {
            within("dispatch", requests, (1, u32::MAX.into()))?;
        }
        let (arms, trials) = arms::check(self)?;
        for (tenant, weight) in &self.tenant_weights {
            within(&format!("tenant_weights.{tenant}"), *weight, (1, 10_000))?;
        }
        Ok(Config {
            scheduler: strategy::choose("scheduler", &self.scheduler, crate::schedule::ALL)?,
            arms,
            trials,
            select: self.select.as_ref().map(SelectFile::check).transpose()?,
            breaker: self.breaker.as_ref().map(BreakerFile::check).transpose()?,
            limit: self.limit.clone().unwrap_or_default().check()?,
            rules: RuleFile::check_all(&self.rules, "rules")?,
            prefetch: self.prefetch.as_ref().map(PrefetchFile::check).transpose()?,
            placement: self.placement.as_ref().map(PlacementFile::check).transpose()?,
            sync: self.sync.as_ref().map(SyncFile::check).transpose()?,
            scale: self.scale.as_ref().map(ScaleFile::check).transpose()?,
            frozen: self.frozen,
            aging: self.aging_millis.map(|aging| millis("aging_millis", aging)).transpose()?,
            queue_requests_max: within("queue_requests_max", self.queue_requests_max, (0, 10_000_000))?,
            queue_timeout: millis("queue_timeout_millis", self.queue_timeout_millis)?,
            dispatch: self.dispatch,
            implementation: self.implementation,
            attempts_max: within("attempts_max", self.attempts_max, (1, ATTEMPTS_MAX as u64))?,
            retry_budget_percent: within("retry_budget_percent", self.retry_budget_percent, (0, 100))?,
            retry_budget_per_second: within(
                "retry_budget_per_second",
                self.retry_budget_per_second,
                (0, 1_000_000),
            )?,
            quarantine: match within("quarantine_seconds", self.quarantine_seconds, (0, 86_400))? {
                0 => None,
                seconds => Some(Nanos::from_secs(seconds.into())),
            },
            slow_start: self.slow_start,
            cold_models_max: match within("cold_models_max", self.cold_models_max, (0, 1_000))? {
                0 => None,
                most => Some(most),
            },
            first_byte_timeout_warm: millis(
                "first_byte_timeout_warm_millis",
                self.first_byte_timeout_warm_millis,
            )?,
            first_byte_timeout_cold: millis(
                "first_byte_timeout_cold_millis",
                self.first_byte_timeout_cold_millis,
            )?,
            idle_timeout: millis("idle_timeout_millis", self.idle_timeout_millis)?,
            tenant_weights: self.tenant_weights.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn default_file_is_valid() {
        assert!(ControlFile::default().check().is_ok());
    }

    #[test]
    fn wrong_values_name_key_and_expectation() {
        let unknown = ControlFile { balancer: "power-of-too".into(), ..ControlFile::default() }.check();
        assert_eq!(
            unknown.unwrap_err().to_string(),
            format!(
                "control.balancer: found \"power-of-too\", expected one of {} (did you mean \"power-of-two\"?)",
                strategy::names(crate::balance::ALL)
            )
        );
        let attempts = ControlFile { attempts_max: 9, ..ControlFile::default() }.check();
        assert_eq!(attempts.unwrap_err().to_string(), "control.attempts_max: found 9, expected 1 to 4");
        let weights = ControlFile { tenant_weights: [("acme".into(), 0)].into(), ..ControlFile::default() };
        assert_eq!(
            weights.check().unwrap_err().to_string(),
            "control.tenant_weights.acme: found 0, expected 1 to 10000"
        );
    }

    #[test]
    fn strategies_that_require_more_are_named_with_their_key() {
        let file = ControlFile {
            scheduler: "oracle-shortest-job".into(),
            balancer: "resource-aware".into(),
            ..ControlFile::default()
        };
        let config = file.check().unwrap();
        assert_eq!(config.strategy_that(Requires::Oracle), Some(("scheduler", "oracle-shortest-job")));
        assert_eq!(config.strategy_that(Requires::Metrics), Some(("balancer", "resource-aware")));
        assert_eq!(ControlFile::default().check().unwrap().strategy_that(Requires::Metrics), None);
    }
}
