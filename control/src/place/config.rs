//! `[control.placement]`: which models control may place, by which strategy, and how much it may change.
//!
//! Off where the section is absent; a section without `act` plans and says so, but changes nothing.

mod models;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use self::models::{ModelPlacement, ModelPlacementFile};
use super::patterns::Patterns;
use super::problem::Limits;
use super::{ALL, PlacementKind};
use crate::config::ConfigError;
use crate::config::bounds::{error, within};
use crate::registries;
use crate::strategy::{Chosen, StrategyFile, choose};
use crate::units::Nanos;

/// Longest span of this section: a week.
const SECONDS_MAX: u64 = 7 * 24 * 3_600;
/// Most replicas, copies and zones that can be demanded.
const REPLICAS_MAX: u64 = 1_000_000;

/// `[control.placement]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlacementFile {
    /// A name from `herder strategies`, or a table of the name with parameters.
    pub strategy: StrategyFile,
    /// Whether hosts are told to do what is planned; otherwise plans are only shown.
    pub act: bool,
    /// Names of models to place, `*` for any text. No other model is touched.
    pub manage: Vec<String>,
    /// How often a plan is made.
    pub interval_seconds: u32,
    /// How soon a request counts half in the demand for its model.
    pub half_life_seconds: u32,
    /// The span over which a load must pay.
    pub horizon_seconds: u32,
    /// How long a replica stays at least.
    pub residency_min_seconds: u32,
    /// By how many percent another plan must shorten the expected waits, its loads counted, to replace the one in force: demand
    /// is never known exactly, and a plan that follows each turn of it loads without end.
    pub hysteresis_percent: u32,
    /// How long requests may wait for planned replicas before the plan gets more of them, in percent of the time of a load.
    pub patience_percent: u32,
    /// Whether models may be pulled to hosts that lack them.
    pub allow_pull: bool,
    /// Whether models may be deleted from disks.
    pub allow_delete: bool,
    /// Registries that models may be pulled from (`host` or `host:port`; the default one is `registry.ollama.ai`); that one where empty.
    pub pull_from: Vec<String>,
    /// Most actions an hour.
    pub changes_per_hour_max: u32,
    /// Most loads at the same time.
    pub loads_at_once_max: u32,
    /// Memory of each host that is kept free, in percent.
    pub headroom_percent: u32,
    /// What a loaded model takes besides its size on disk, in percent of that (caches, buffers): a guess until it was
    /// seen loaded.
    pub assumed_overhead_percent: u32,
    /// Which hosts requests may go to.
    pub routing: Routing,
    /// Least number of replicas of each model.
    pub replicas_min: u32,
    /// Most replicas of each model; one on each host where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas_max: Option<u32>,
    /// Copies on disks, over all hosts, below which nothing is deleted; at least 1.
    pub copies_min: u32,
    /// What holds for single models, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, ModelPlacementFile>,
}

/// Which hosts requests for a placed model may go to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Routing {
    /// Those with a planned replica, while there are any. Requests that demand something of their host go to all that meet it.
    #[default]
    Planned,
    /// All that have the model on disk.
    Any,
}

impl Default for PlacementFile {
    fn default() -> Self {
        Self {
            strategy: "greedy".into(),
            act: false,
            manage: Vec::new(),
            interval_seconds: 30,
            half_life_seconds: 300,
            horizon_seconds: 300,
            residency_min_seconds: 60,
            hysteresis_percent: 10,
            patience_percent: 100,
            allow_pull: false,
            allow_delete: false,
            pull_from: Vec::new(),
            changes_per_hour_max: 60,
            loads_at_once_max: 2,
            headroom_percent: 5,
            assumed_overhead_percent: 30,
            routing: Routing::Planned,
            replicas_min: 0,
            replicas_max: None,
            copies_min: 1,
            models: BTreeMap::new(),
        }
    }
}

/// A checked [`PlacementFile`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlacementConfig {
    /// How plans are made.
    pub strategy: Chosen<PlacementKind>,
    /// Whether hosts are told to do what is planned.
    pub act: bool,
    /// Models to place.
    pub manage: Patterns,
    /// How often a plan is made.
    pub interval: Nanos,
    /// How soon a request counts half in the demand for its model.
    pub half_life: Nanos,
    /// The span over which a load must pay.
    pub horizon: Nanos,
    /// How long a replica stays at least.
    pub residency_min: Nanos,
    /// By how many percent another plan must be better: 0 to 90.
    pub hysteresis_percent: u32,
    /// How long requests may wait for planned replicas before the plan gets more of them, in percent of the time of a load: 1 to
    /// 100,000.
    pub patience_percent: u32,
    /// Whether models may be pulled.
    pub allow_pull: bool,
    /// Whether models may be deleted from disks.
    pub allow_delete: bool,
    /// Registries that models may be pulled from; the default one where empty.
    pub pull_from: Vec<String>,
    /// Most actions an hour.
    pub changes_per_hour_max: u32,
    /// Most loads at the same time.
    pub loads_at_once_max: u32,
    /// Memory of each host that is kept free, in percent: 0 to 99.
    pub headroom_percent: u32,
    /// What a loaded model takes besides its size on disk, in percent of that, until it was seen loaded.
    pub assumed_overhead_percent: u32,
    /// Which hosts requests may go to.
    pub routing: Routing,
    /// What holds for a model that is not in `models`.
    pub otherwise: ModelPlacement,
    /// What holds for single models, by name.
    pub models: BTreeMap<String, ModelPlacement>,
}

impl PlacementConfig {
    /// What holds for a model; `None` where it must not be touched.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&ModelPlacement> {
        self.manage.matches(name).then(|| self.models.get(name).unwrap_or(&self.otherwise))
    }
}

impl PlacementFile {
    /// Checks every key.
    ///
    /// # Errors
    /// The first key that cannot be taken, with what was expected of it.
    pub fn check(&self) -> Result<PlacementConfig, ConfigError> {
        let manage = Patterns::check("placement.manage", &self.manage)?;
        let percents = (0, 1_000);
        Ok(PlacementConfig {
            strategy: choose("placement.strategy", &self.strategy, ALL)?,
            act: self.act,
            interval: seconds("placement.interval_seconds", self.interval_seconds, 1)?,
            half_life: seconds("placement.half_life_seconds", self.half_life_seconds, 1)?,
            horizon: seconds("placement.horizon_seconds", self.horizon_seconds, 1)?,
            residency_min: seconds("placement.residency_min_seconds", self.residency_min_seconds, 0)?,
            hysteresis_percent: within("placement.hysteresis_percent", self.hysteresis_percent, (0, 90))?,
            patience_percent: within("placement.patience_percent", self.patience_percent, (1, 100_000))?,
            allow_pull: self.allow_pull,
            allow_delete: self.allow_delete,
            pull_from: registries::check("placement.pull_from", &self.pull_from)?,
            changes_per_hour_max: within(
                "placement.changes_per_hour_max",
                self.changes_per_hour_max,
                (1, 1_000_000),
            )?,
            loads_at_once_max: within("placement.loads_at_once_max", self.loads_at_once_max, (1, 10_000))?,
            headroom_percent: within("placement.headroom_percent", self.headroom_percent, (0, 99))?,
            assumed_overhead_percent: within(
                "placement.assumed_overhead_percent",
                self.assumed_overhead_percent,
                percents,
            )?,
            routing: self.routing,
            otherwise: self.otherwise()?,
            models: self.check_models(&manage)?,
            manage,
        })
    }

    fn otherwise(&self) -> Result<ModelPlacement, ConfigError> {
        let most = self.replicas_max.unwrap_or(u32::MAX);
        let max = match self.replicas_max {
            Some(max) => within("placement.replicas_max", max, (1, REPLICAS_MAX))?,
            None => u32::MAX,
        };
        Ok(ModelPlacement {
            limits: Limits {
                min: within("placement.replicas_min", self.replicas_min, (0, REPLICAS_MAX.min(most.into())))?,
                target: None,
                max,
            },
            copies_min: within("placement.copies_min", self.copies_min, (1, REPLICAS_MAX))?,
            pin: Vec::new(),
            exclude: Vec::new(),
            apart_from: Vec::new(),
            zones_min: 1,
        })
    }

    fn check_models(&self, manage: &Patterns) -> Result<BTreeMap<String, ModelPlacement>, ConfigError> {
        let otherwise = self.otherwise()?;
        let mut models = BTreeMap::new();
        for (name, file) in &self.models {
            let key = format!("placement.models.{name:?}");
            if !manage.matches(name) {
                return Err(error(
                    &key,
                    format!("{name:?}"),
                    "a name that a pattern of placement.manage matches",
                ));
            }
            models.insert(name.clone(), file.check(&key, name, &otherwise)?);
        }
        Ok(models)
    }
}

fn seconds(key: &str, value: u32, least: u64) -> Result<Nanos, ConfigError> {
    Ok(Nanos::from_secs(within(key, value, (least, SECONDS_MAX))?.into()))
}

#[cfg(test)]
mod tests;
