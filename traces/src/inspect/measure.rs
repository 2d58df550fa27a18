//! The figures, each from one pass in bounded memory.

use std::collections::HashSet;

use control::request::Block;

use super::{ArrivalFigures, BlockFigures, TokenFigures};
use crate::keyed::MixState;
use crate::limits::DISTINCT_MAX;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// Times between arrivals, and counts per second.
#[derive(Default)]
pub(super) struct Arrivals {
    rows: u64,
    last: u64,
    gap_max: u64,
    gap_mean: f64,
    /// Sum of squared distances from the mean (Welford's method).
    gap_squares: f64,
    stamps: u64,
    rows_at_stamp: u64,
    rows_at_stamp_max: u64,
    tick_min: Option<u64>,
    /// The second that is being counted, and its rows.
    second: u64,
    in_second: u64,
    in_second_max: u64,
    /// Sum of the squared counts of the seconds before.
    second_squares: u128,
}

impl Arrivals {
    /// The next row, at `at` nanoseconds since the first one.
    pub(super) fn add(&mut self, at: u64) {
        let second = at / SECOND;
        if second != self.second {
            self.close_second();
            self.second = second;
        }
        self.in_second += 1;
        if self.rows == 0 {
            self.stamps = 1;
            self.rows_at_stamp = 1;
        } else {
            let gap = at - self.last;
            let distance = gap as f64 - self.gap_mean;
            self.gap_mean += distance / self.rows as f64;
            self.gap_squares += distance * (gap as f64 - self.gap_mean);
            self.gap_max = self.gap_max.max(gap);
            if gap == 0 {
                self.rows_at_stamp += 1;
            } else {
                self.stamps += 1;
                self.rows_at_stamp = 1;
                self.tick_min = Some(self.tick_min.map_or(gap, |tick| tick.min(gap)));
            }
        }
        self.rows_at_stamp_max = self.rows_at_stamp_max.max(self.rows_at_stamp);
        self.rows += 1;
        self.last = at;
    }

    fn close_second(&mut self) {
        self.in_second_max = self.in_second_max.max(self.in_second);
        self.second_squares += u128::from(self.in_second).pow(2);
        self.in_second = 0;
    }

    pub(super) fn figures(mut self) -> ArrivalFigures {
        if self.rows == 0 {
            return ArrivalFigures::default();
        }
        self.close_second();
        let span_seconds = self.last as f64 / 1e9;
        let seconds = (self.second + 1) as f64;
        let mean = self.rows as f64 / seconds;
        let variance = self.second_squares as f64 / seconds - mean * mean;
        let gaps = (self.rows - 1) as f64;
        let moves = self.last > 0;
        ArrivalFigures {
            span_seconds,
            rate_per_second: moves.then(|| self.rows as f64 / span_seconds),
            interarrival_cv: (moves && self.rows > 2)
                .then(|| (self.gap_squares / gaps).sqrt() / self.gap_mean),
            dispersion_1s: Some(variance / mean),
            peak_rows_1s: self.in_second_max,
            gap_seconds_max: self.gap_max as f64 / 1e9,
            stamps: self.stamps,
            repeated_stamps: self.rows - self.stamps,
            rows_per_stamp_max: self.rows_at_stamp_max,
            tick_seconds_min: self.tick_min.map(|tick| tick as f64 / 1e9),
        }
    }
}

/// Below this, each number of tokens is counted apart.
const EXACT_BITS: u32 = 17;

/// Counts of token numbers: exact below 2^17, above in 2^16 buckets for each doubling.
#[derive(Default)]
pub(super) struct Tokens {
    counts: Vec<u64>,
    rows: u64,
    sum: u64,
    max: u32,
}

impl Tokens {
    pub(super) fn add(&mut self, tokens: u32) {
        let bucket = Self::bucket(tokens);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.rows += 1;
        self.sum += u64::from(tokens);
        self.max = self.max.max(tokens);
    }

    const fn bucket(tokens: u32) -> usize {
        let half = 1 << (EXACT_BITS - 1);
        let shift = (u32::BITS - tokens.leading_zeros()).saturating_sub(EXACT_BITS);
        shift as usize * half + (tokens >> shift) as usize
    }

    /// The largest number in a bucket.
    fn top(bucket: usize) -> u32 {
        let half = 1usize << (EXACT_BITS - 1);
        let shift = (bucket / half).saturating_sub(1);
        (((bucket - shift * half + 1) << shift) - 1) as u32
    }

    fn quantile(&self, percent: u64) -> u32 {
        let rank = (self.rows * percent).div_ceil(100);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        Self::top(bucket.unwrap_or_default()).min(self.max)
    }

    pub(super) fn figures(&self) -> Option<TokenFigures> {
        (self.rows > 0).then(|| TokenFigures {
            mean: self.sum as f64 / self.rows as f64,
            p50: self.quantile(50),
            p90: self.quantile(90),
            p99: self.quantile(99),
            max: self.max,
            sum: self.sum,
        })
    }
}

/// A set of 64-bit numbers, up to a limit.
#[derive(Default)]
pub(super) struct Distinct {
    set: HashSet<u64, MixState>,
    full: bool,
}

impl Distinct {
    /// Whether the number is new.
    pub(super) fn insert(&mut self, value: u64) -> bool {
        if self.set.len() == DISTINCT_MAX && !self.set.contains(&value) {
            self.full = true;
            return true;
        }
        self.set.insert(value)
    }

    /// How many; `None` where the limit was passed.
    pub(super) fn len(&self) -> Option<u64> {
        (!self.full).then_some(self.set.len() as u64)
    }
}

/// Prefix blocks in a cache without bounds.
#[derive(Default)]
pub(super) struct Blocks {
    known: Distinct,
    blocks: u64,
    hits: u64,
}

impl Blocks {
    pub(super) fn add(&mut self, chain: &[Block]) {
        self.blocks += chain.len() as u64;
        let mut in_prefix = true;
        for block in chain {
            let new = self.known.insert(block.id);
            in_prefix &= !new;
            self.hits += u64::from(in_prefix);
        }
    }

    pub(super) fn figures(&self) -> Option<BlockFigures> {
        (self.blocks > 0).then(|| {
            let distinct = self.known.len();
            BlockFigures {
                blocks: self.blocks,
                distinct,
                prefix_hit_share: distinct.map(|_| self.hits as f64 / self.blocks as f64),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn buckets_are_exact_below_131072_and_within_a_thousandth_above(tokens in any::<u32>()) {
            let top = Tokens::top(Tokens::bucket(tokens));
            prop_assert!(top >= tokens);
            prop_assert!(u64::from(top - tokens) * 1_000 <= u64::from(tokens));
            prop_assert!(tokens >= 1 << EXACT_BITS || top == tokens);
        }

        #[test]
        fn quantiles_are_those_of_the_sorted_values(values in proptest::collection::vec(0u32..1_000, 1..200)) {
            let mut tokens = Tokens::default();
            values.iter().for_each(|&value| tokens.add(value));
            let mut sorted = values;
            sorted.sort_unstable();
            let at = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100) - 1];
            let figures = tokens.figures().expect("there are rows");
            prop_assert_eq!((figures.p50, figures.p90, figures.p99), (at(50), at(90), at(99)));
        }
    }
}
