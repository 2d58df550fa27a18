//! How often each model was asked for lately: counts that halve at the turn of each period.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::ONE;
use crate::ids::ModelId;

/// Counts in parts of [`ONE`], by model.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Frequency {
    period: u64,
    counts: Vec<(ModelId, u64)>,
}

impl Frequency {
    pub(super) fn note(&mut self, model: ModelId, period: u64, models_max: usize) {
        if period > self.period {
            self.counts = self.counts(period);
            self.period = period;
        }
        if let Ok(at) = self.place(model) {
            self.counts[at].1 = self.counts[at].1.saturating_add(ONE.into());
            return;
        }
        while self.counts.len() >= models_max {
            let rarest = (0..self.counts.len()).min_by_key(|at| self.counts[*at].1).unwrap_or(0);
            self.counts.remove(rarest);
        }
        if let Err(at) = self.place(model) {
            self.counts.insert(at, (model, ONE.into()));
        }
    }

    /// The counts as they are in a period, without those that are gone.
    pub(super) fn counts(&self, period: u64) -> Vec<(ModelId, u64)> {
        let halvings = period.saturating_sub(self.period).min(63);
        let halved = self.counts.iter().map(|(model, count)| (*model, count >> halvings));
        halved.filter(|(_, count)| *count > 0).collect()
    }

    fn place(&self, model: ModelId) -> Result<usize, usize> {
        self.counts.binary_search_by_key(&model, |(of, _)| *of)
    }
}
