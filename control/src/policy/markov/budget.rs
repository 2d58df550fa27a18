//! How much may be loaded ahead of demand: so many loads an hour and so many at once.

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::config::bounds::within;
use crate::policy::pace::Pace;
use crate::units::Instant;

/// `[control.prefetch]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetFile {
    /// Loads allowed in an hour; 0 allows none.
    pub loads_per_hour: u32,
    /// Loads that can be saved up.
    pub loads_burst_max: u32,
    /// Loads under way at once.
    pub loads_under_way_max: u32,
}

impl Default for BudgetFile {
    fn default() -> Self {
        Self { loads_per_hour: 12, loads_burst_max: 2, loads_under_way_max: 1 }
    }
}

/// A checked [`BudgetFile`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BudgetConfig {
    /// Loads allowed in an hour; 0 allows none.
    pub loads_per_hour: u32,
    /// Loads that can be saved up; at least 1.
    pub loads_burst_max: u32,
    /// Loads under way at once.
    pub loads_under_way_max: u32,
}

impl BudgetFile {
    /// Checks every key.
    ///
    /// # Errors
    /// The first key that cannot be taken, with what was expected of it.
    pub fn check(&self) -> Result<BudgetConfig, ConfigError> {
        Ok(BudgetConfig {
            loads_per_hour: within("prefetch.budget.loads_per_hour", self.loads_per_hour, (0, 100_000))?,
            loads_burst_max: within("prefetch.budget.loads_burst_max", self.loads_burst_max, (1, 100_000))?,
            loads_under_way_max: within(
                "prefetch.budget.loads_under_way_max",
                self.loads_under_way_max,
                (0, 10_000),
            )?,
        })
    }
}

/// What is left of the budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Budget {
    pace: Pace,
    under_way: u32,
}

impl Budget {
    /// Whether it has a load.
    #[must_use]
    pub fn allows(&self, now: Instant, config: &BudgetConfig) -> bool {
        self.under_way < config.loads_under_way_max
            && self.pace.allows(now, config.loads_per_hour, config.loads_burst_max)
    }

    /// Takes a load out, where the budget has one; [`Self::on_ended`] must follow.
    pub fn take(&mut self, now: Instant, config: &BudgetConfig) -> bool {
        if !self.allows(now, config) {
            return false;
        }
        self.pace.take(now, config.loads_per_hour);
        self.under_way += 1;
        true
    }

    /// A load that was taken out ended, whichever way.
    pub fn on_ended(&mut self) {
        debug_assert!(self.under_way > 0, "a load ends once");
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Loads under way.
    #[must_use]
    pub const fn under_way(&self) -> u32 {
        self.under_way
    }
}
