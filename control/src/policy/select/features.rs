//! What a selection looks at, and the few buckets that it falls into.

use serde::{Deserialize, Serialize};

use crate::index::moments::{Ratio, Sums};

/// What the fleet and its requests are like. Shares are those of a recent window that the caller keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Features {
    /// Hosts that can be chosen.
    pub hosts: u32,
    /// Load of each of them: requests under way, in thousandths of its slots.
    pub load: Sums,
    /// Share of requests with a deadline or a raised priority, in thousandths.
    pub sensitive_permille: u16,
    /// Mean error of predicted times, in thousandths of them.
    pub prediction_error_permille: u32,
    /// Share of requests whose model was loaded where they went, in thousandths.
    pub loaded_permille: u16,
}

/// From where on a feature counts as much.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Thresholds {
    /// Hosts from which on they are many.
    pub hosts_many_min: u32,
    /// Mean load from which on it is high, in thousandths of the slots.
    pub load_high_permille_min: u32,
    /// Standard deviation of the load from which on it is uneven, in percent of its mean.
    pub load_uneven_percent_min: u32,
    /// Share of requests with a deadline or a priority from which on latency matters, in thousandths.
    pub sensitive_permille_min: u16,
    /// Error of predictions from which on they are poor, in thousandths.
    pub prediction_poor_permille_min: u32,
    /// Share of requests sent to a loaded model from which on models are resident, in thousandths.
    pub resident_permille_min: u16,
}

/// Features as a rule sees them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Bucket {
    /// Many hosts.
    pub many: bool,
    /// High load.
    pub high: bool,
    /// Uneven load.
    pub uneven: bool,
    /// Latency matters.
    pub sensitive: bool,
    /// Poor predictions.
    pub poor: bool,
    /// Models mostly loaded where requests go.
    pub resident: bool,
}

impl Features {
    /// The bucket that these fall into.
    #[must_use]
    pub fn bucket(&self, thresholds: &Thresholds) -> Bucket {
        let (hosts, load) = (u128::from(self.load.count()), u128::from(self.load.sum()));
        let percent = u64::from(thresholds.load_uneven_percent_min);
        let uneven = Ratio { numerator: percent * percent, denominator: 10_000 };
        Bucket {
            many: self.hosts >= thresholds.hosts_many_min,
            high: hosts > 0 && load >= hosts * u128::from(thresholds.load_high_permille_min),
            uneven: self.load.cv_squared_at_least(uneven) == Some(true),
            sensitive: self.sensitive_permille >= thresholds.sensitive_permille_min,
            poor: self.prediction_error_permille >= thresholds.prediction_poor_permille_min,
            resident: self.loaded_permille >= thresholds.resident_permille_min,
        }
    }
}
