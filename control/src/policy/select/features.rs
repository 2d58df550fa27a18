//! What a selection looks at, and the few buckets that it falls into.

use serde::{Deserialize, Serialize};

/// Count, sum and sum of squares of one value for each host: mean and variance without rounding, kept by adding and
/// removing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Moments {
    /// How many values.
    pub count: u32,
    /// Their sum.
    pub sum: u64,
    /// The sum of their squares.
    pub squares: u128,
}

impl Moments {
    /// Takes a value in.
    #[inline]
    pub fn add(&mut self, value: u32) {
        self.count += 1;
        self.sum += u64::from(value);
        self.squares += u128::from(value) * u128::from(value);
    }

    /// Takes a value out that was taken in before.
    #[inline]
    pub fn remove(&mut self, value: u32) {
        debug_assert!(self.count > 0 && self.sum >= u64::from(value), "only what was added is removed");
        self.count -= 1;
        self.sum -= u64::from(value);
        self.squares -= u128::from(value) * u128::from(value);
    }

    /// Whether the mean is at least `least`; not without values.
    #[must_use]
    pub const fn mean_reaches(&self, least: u32) -> bool {
        self.count > 0 && self.sum as u128 >= least as u128 * self.count as u128
    }

    /// Whether the standard deviation is at least `percent` of the mean; not where all are 0.
    ///
    /// `n²σ² = n·Σx² − (Σx)²`, so nothing is divided. Sums of a million hosts fit.
    #[must_use]
    pub const fn deviation_reaches(&self, percent: u32) -> bool {
        let mean = self.sum as u128 * self.sum as u128;
        let spread = (self.count as u128).saturating_mul(self.squares).saturating_sub(mean);
        let percent = percent as u128 * percent as u128;
        self.sum > 0 && spread.saturating_mul(10_000) >= mean.saturating_mul(percent)
    }
}

/// What the fleet and its requests are like. Shares are those of a recent window that the caller keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Features {
    /// Hosts that can be chosen.
    pub hosts: u32,
    /// Load of each of them: requests under way, in thousandths of its slots.
    pub load: Moments,
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
    pub const fn bucket(&self, thresholds: &Thresholds) -> Bucket {
        Bucket {
            many: self.hosts >= thresholds.hosts_many_min,
            high: self.load.mean_reaches(thresholds.load_high_permille_min),
            uneven: self.load.deviation_reaches(thresholds.load_uneven_percent_min),
            sensitive: self.sensitive_permille >= thresholds.sensitive_permille_min,
            poor: self.prediction_error_permille >= thresholds.prediction_poor_permille_min,
            resident: self.loaded_permille >= thresholds.resident_permille_min,
        }
    }
}
