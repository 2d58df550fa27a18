//! Which algorithm suits the fleet as it is now: a table of rules over a few buckets of features, the first that matches wins.
//!
//! The buckets change seldom, so the table is asked only when one does, or the config's epoch; between, the answer is the last
//! one. Another arm is taken only after it was wanted for `hold_decisions` decisions in a row and `residency_millis` after
//! the last switch: features near a threshold must not make the fleet flap.

mod features;
mod rules;

use serde::{Deserialize, Serialize};

pub use features::{Bucket, Features, Thresholds};
pub use rules::{
    Hosts, Load, Prediction, Residency, Rule, RuleFile, SelectConfig, SelectFile, Sensitivity, Spread, When,
};

use crate::ids::Epoch;
use crate::units::Instant;

/// An index into the arms of the config.
pub type Arm = u16;

/// What was chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Choice {
    /// The arm in force.
    pub arm: Arm,
    /// Whether another was in force before.
    pub switched: bool,
}

/// Counts since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SelectCounters {
    /// Decisions.
    pub choices: u64,
    /// Those for which the table was not asked.
    pub cache_hits: u64,
    /// Changes of the arm in force.
    pub switches: u64,
}

/// The state of a selection. Where the list of arms changes, start with a new one: indexes would mean others.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Selector {
    /// The arm in force and since when; none before the first decision.
    current: Option<(Arm, Instant)>,
    /// Another that was wanted last, and for how many decisions in a row.
    wanted: Option<(Arm, u32)>,
    /// What the table said last, of what.
    cached: Option<((Bucket, Epoch), Arm)>,
    counters: SelectCounters,
}

impl Selector {
    /// What has been counted.
    #[must_use]
    pub const fn counters(&self) -> &SelectCounters {
        &self.counters
    }

    /// The arm in force; none before the first decision.
    #[must_use]
    pub fn arm(&self) -> Option<Arm> {
        Some(self.current?.0)
    }

    /// Decides which arm is in force from now on. The first decision takes what is wanted.
    pub fn choose(
        &mut self,
        now: Instant,
        epoch: Epoch,
        features: &Features,
        config: &SelectConfig,
    ) -> Choice {
        self.counters.choices += 1;
        let key = (features.bucket(&config.thresholds), epoch);
        let arm = match self.cached {
            Some((cached, arm)) if cached == key => {
                self.counters.cache_hits += 1;
                arm
            }
            _ => config.wanted(key.0),
        };
        self.cached = Some((key, arm));
        self.settle(now, arm, config)
    }

    fn settle(&mut self, now: Instant, arm: Arm, config: &SelectConfig) -> Choice {
        let Some((current, since)) = self.current else {
            self.current = Some((arm, now));
            return Choice { arm, switched: false };
        };
        if arm == current {
            self.wanted = None;
            return Choice { arm, switched: false };
        }
        let times = match self.wanted {
            Some((wanted, times)) if wanted == arm => times.saturating_add(1),
            _ => 1,
        };
        if times < config.hold_decisions || now.since(since) < config.residency {
            self.wanted = Some((arm, times));
            return Choice { arm: current, switched: false };
        }
        self.current = Some((arm, now));
        self.wanted = None;
        self.counters.switches += 1;
        Choice { arm, switched: true }
    }
}

#[cfg(test)]
mod tests;
