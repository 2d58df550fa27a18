//! Counts over a sliding window, in buckets of a tenth of it: the running bucket and the nine before.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::units::{Instant, Nanos};

/// Buckets of a window.
pub(super) const BUCKETS: u64 = 10;

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) attempts: u32,
    pub(super) failures: u32,
    pub(super) slow: u32,
}

impl Counts {
    fn change(&mut self, by: Self, change: impl Fn(u32, u32) -> u32) {
        self.attempts = change(self.attempts, by.attempts);
        self.failures = change(self.failures, by.failures);
        self.slow = change(self.slow, by.slow);
    }
}

/// The window; without buckets until something is counted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Window {
    width: Nanos,
    /// Number of the running bucket: its start over the width.
    running: u64,
    /// By number, modulo their count.
    buckets: Vec<Counts>,
    /// Sum of the buckets.
    total: Counts,
}

impl Window {
    /// Counts in the bucket of `now` and gives the sum over the window. Another width starts anew.
    pub(super) fn add(&mut self, now: Instant, width: Nanos, counts: Counts) -> Counts {
        let number = now.0 / width.0;
        if self.buckets.is_empty() || self.width != width {
            *self = Self {
                width,
                running: number,
                buckets: vec![Counts::default(); BUCKETS as usize],
                total: Counts::default(),
            };
        }
        for step in 1..=number.saturating_sub(self.running).min(BUCKETS) {
            let old = core::mem::take(&mut self.buckets[((self.running + step) % BUCKETS) as usize]);
            self.total.change(old, u32::saturating_sub);
        }
        self.running = self.running.max(number);
        self.buckets[(self.running % BUCKETS) as usize].change(counts, u32::saturating_add);
        self.total.change(counts, u32::saturating_add);
        self.total
    }
}
