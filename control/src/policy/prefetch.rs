//! Loads ahead of demand: the section of the config, and what is known of loads that control asked for itself.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::assign::Unit;
use super::markov::{Budget, BudgetConfig, BudgetFile, Predictor, PredictorConfig, PredictorFile};
use crate::config::ConfigError;
use crate::config::bounds::within;
use crate::door::Action;
use crate::ids::{ActionId, HostId, ModelId};

/// `[control.prefetch]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrefetchFile {
    /// Whose requests follow one another: those of a `session` or of a `tenant`.
    pub stream: Unit,
    /// How likely a model must be to be loaded, in thousandths.
    pub likely_permille_min: u32,
    /// What a loaded model takes besides its size on disk, in percent of that (caches, buffers): a guess until it was
    /// seen loaded.
    pub assumed_overhead_percent: u32,
    /// Loads allowed.
    pub budget: BudgetFile,
    /// What is remembered.
    pub predictor: PredictorFile,
}

impl Default for PrefetchFile {
    fn default() -> Self {
        Self {
            stream: Unit::Tenant,
            likely_permille_min: 250,
            assumed_overhead_percent: 30,
            budget: BudgetFile::default(),
            predictor: PredictorFile::default(),
        }
    }
}

/// A checked [`PrefetchFile`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PrefetchConfig {
    /// Whose requests follow one another.
    pub stream: Unit,
    /// How likely a model must be, in thousandths.
    pub likely_permille_min: u32,
    /// What a loaded model takes besides its size on disk, in percent.
    pub assumed_overhead_percent: u32,
    /// Loads allowed.
    pub budget: BudgetConfig,
    /// What is remembered.
    pub predictor: PredictorConfig,
}

impl PrefetchFile {
    /// Checks every key.
    ///
    /// # Errors
    /// The first key that cannot be taken, with what was expected of it.
    pub fn check(&self) -> Result<PrefetchConfig, ConfigError> {
        if self.stream == Unit::Request {
            return Err(ConfigError {
                key: "prefetch.stream".into(),
                found: "\"request\"".into(),
                expected: "session or tenant: a request is followed by none".into(),
            });
        }
        Ok(PrefetchConfig {
            stream: self.stream,
            likely_permille_min: within(
                "prefetch.likely_permille_min",
                self.likely_permille_min,
                (1, 1_000),
            )?,
            assumed_overhead_percent: within(
                "prefetch.assumed_overhead_percent",
                self.assumed_overhead_percent,
                (0, 1_000),
            )?,
            budget: self.budget.check()?,
            predictor: self.predictor.check()?,
        })
    }
}

/// Counts of loads ahead of demand: asked = done + failed + abandoned + under way; done = used + wasted + not yet known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PrefetchCounts {
    /// Asked for.
    pub asked: u64,
    /// Ended with the model loaded.
    pub done: u64,
    /// Refused or failed.
    pub failed: u64,
    /// Given up for a request.
    pub abandoned: u64,
    /// Met by a request before the model was unloaded.
    pub used: u64,
    /// Unloaded before a request came.
    pub wasted: u64,
}

/// What is known of loads ahead of demand.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct PrefetchFacts {
    /// Which model follows which.
    pub predictor: Predictor,
    /// What is left of the budget.
    pub budget: Budget,
    /// Loads under way, in order of id.
    pub under_way: Vec<Action>,
    /// Those of them that a request for their model waits for.
    pub met: BTreeSet<ActionId>,
    /// Loads that ended well and met no request yet; whether the host was seen to have the model since.
    pub waiting: BTreeMap<(HostId, ModelId), bool>,
    /// What became of all.
    pub counts: PrefetchCounts,
}
