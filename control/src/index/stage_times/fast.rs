//! A histogram whose bins grow with their values, in fixed memory: O(1) for a sample.
//!
//! Each power of two has sixteen bins of one width, as in HdrHistogram (Tene), so that the middle of a bin is within 1/32 of
//! whatever fell into it; below 32 each value has its own.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::units::Nanos;

/// Bins of each power of two, as bits of a value after its first.
const BIN_BITS: u32 = 4;
/// One for each value below 16, then sixteen for each power of two from 2^4 to 2^63.
const BINS: usize = (1 + 64 - BIN_BITS as usize) << BIN_BITS;

/// What is kept of the times of a stage: eight kilobytes and the last samples.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StageTimes {
    count: u64,
    sum_nanos: u128,
    min: Nanos,
    max: Nanos,
    bins: Vec<u64>,
    recent_max: usize,
    /// The oldest first.
    recent: VecDeque<Nanos>,
}

impl StageTimes {
    /// No samples yet, of which the last `recent_max` will be kept as they are.
    #[must_use]
    pub fn new(recent_max: usize) -> Self {
        Self {
            count: 0,
            sum_nanos: 0,
            min: Nanos::MAX,
            max: Nanos::ZERO,
            bins: alloc::vec![0; BINS],
            recent_max,
            recent: VecDeque::new(),
        }
    }

    /// Takes a sample in.
    pub fn record(&mut self, sample: Nanos) {
        self.count += 1;
        self.sum_nanos += u128::from(sample.0);
        self.min = self.min.min(sample);
        self.max = self.max.max(sample);
        self.bins[bin(sample.0)] += 1;
        self.keep(sample);
    }

    /// How many samples there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum in nanoseconds.
    #[must_use]
    pub fn sum_nanos(&self) -> u128 {
        self.sum_nanos
    }

    /// The least; none of no samples.
    #[must_use]
    pub fn min(&self) -> Option<Nanos> {
        (self.count > 0).then_some(self.min)
    }

    /// The most; none of no samples.
    #[must_use]
    pub fn max(&self) -> Option<Nanos> {
        (self.count > 0).then_some(self.max)
    }

    /// The last `count` samples of those that are kept, the last of all first.
    pub fn recent(&self, count: usize) -> impl Iterator<Item = Nanos> {
        self.recent.iter().rev().take(count).copied()
    }

    /// The quantile at so many per mille, by nearest rank: within 1/32 of the sample itself, exact for the least and the
    /// most and below 32 ns; none of no samples.
    #[must_use]
    pub fn quantile(&self, per_mille: u32) -> Option<Nanos> {
        let (min, max) = (self.min()?, self.max()?);
        let rank = super::rank(self.count, per_mille);
        if rank == 1 {
            return Some(min);
        }
        if rank == self.count {
            return Some(max);
        }
        let mut reached = 0;
        let found = self.bins.iter().position(|samples| {
            reached += samples;
            reached >= rank
        });
        let value = middle(found.expect("every sample is in a bin"));
        Some(Nanos(value).clamp(min, max))
    }

    fn keep(&mut self, sample: Nanos) {
        self.recent.push_back(sample);
        if self.recent.len() > self.recent_max {
            self.recent.pop_front();
        }
    }
}

/// Where a value belongs: its first five bits, counted on from one power of two to the next.
const fn bin(value: u64) -> usize {
    let doublings = (u64::BITS - value.leading_zeros()).saturating_sub(BIN_BITS + 1);
    ((doublings as usize) << BIN_BITS) + (value >> doublings) as usize
}

/// The middle of the values of a bin, rounded down.
const fn middle(bin: usize) -> u64 {
    let doublings = (bin >> BIN_BITS).saturating_sub(1);
    let first = (bin - (doublings << BIN_BITS)) as u64;
    (first << doublings) + ((1 << doublings) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_cover_all_values_without_gaps_and_their_middles_are_near() {
        assert_eq!((bin(0), bin(u64::MAX)), (0, BINS - 1));
        let powers = (0..64).map(|power| 1u64 << power);
        let values =
            powers.flat_map(|power| (0..64).map(move |part| power + (power / 64).max(1) * part % power));
        for value in values.chain([0, u64::MAX]) {
            let middle = middle(bin(value));
            assert_eq!(bin(middle), bin(value));
            assert!(middle.abs_diff(value) <= value / 32, "{value} is kept as {middle}");
            if let Some(next) = value.checked_add(1) {
                assert!((0..=1).contains(&(bin(next) - bin(value))), "between {value} and {next}");
            }
        }
    }
}
