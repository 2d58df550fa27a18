//! The plain twin: all samples, which grow without end.

use alloc::vec::Vec;

use crate::units::Nanos;

/// Samples in order.
#[derive(Clone, Debug, Default)]
pub struct AllSamples {
    samples: Vec<Nanos>,
}

impl AllSamples {
    /// Takes a sample in.
    pub fn record(&mut self, sample: Nanos) {
        self.samples.push(sample);
    }

    /// How many samples there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.samples.len() as u64
    }

    /// Their sum in nanoseconds.
    #[must_use]
    pub fn sum_nanos(&self) -> u128 {
        self.samples.iter().map(|sample| u128::from(sample.0)).sum()
    }

    /// The least; none of no samples.
    #[must_use]
    pub fn min(&self) -> Option<Nanos> {
        self.samples.iter().min().copied()
    }

    /// The most; none of no samples.
    #[must_use]
    pub fn max(&self) -> Option<Nanos> {
        self.samples.iter().max().copied()
    }

    /// The last `count` samples, the last of all first.
    pub fn recent(&self, count: usize) -> impl Iterator<Item = Nanos> {
        self.samples.iter().rev().take(count).copied()
    }

    /// The quantile at so many per mille, by nearest rank, exactly; none of no samples.
    #[must_use]
    pub fn quantile(&self, per_mille: u32) -> Option<Nanos> {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        let rank = super::rank(self.count(), per_mille);
        sorted.get(rank as usize - 1).copied()
    }
}
