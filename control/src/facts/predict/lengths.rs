//! Lengths of answers as a histogram that forgets, with its median and 90th percentile at hand.
//!
//! Log-linear, as HdrHistogram (Gil Tene): each power of two is cut into eight equal buckets, lengths under 16 are exact. Inside
//! a bucket a quantile is interpolated, so it is off by less than the bucket is wide: an eighth of the true value.
//! Memory is 304 bytes, whatever was counted; to count is O(1), amortised over what follows:
//!
//! - **Decay.** Where the answers weigh [`WINDOW`] × 2, all weights are halved: an answer counts whole for one window, half
//!   for the next, a quarter for the one after. So after a shift of all lengths the new ones are the majority within a
//!   window and one refresh.
//! - **Refresh.** The quantiles are computed again when the answers since the last time are a 32nd of all. Between two
//!   refreshes what is known changes by less than that share, so a quantile at hand is one of the true histogram at a
//!   probability that differs by less than 1/32.

use serde::{Deserialize, Serialize};

const SUB_BITS: u32 = 3;
const SUBS: usize = 1 << SUB_BITS;
/// Lengths of this many bits are told apart, longer ones count as the longest: a million tokens.
const LENGTH_BITS: u32 = 20;
const ROWS: usize = (LENGTH_BITS - SUB_BITS + 1) as usize;

/// Answers that weigh as much as all before them.
pub const WINDOW: u32 = 256;
/// What a new answer weighs: halved six times before it is forgotten, and all weights together fit into 16 bits.
const ANSWER: u16 = 64;
/// Quantiles are computed again when one in so many answers is new.
const REFRESH_SHARE: u32 = 32;

/// Median and 90th percentile of a quantity that is predicted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Quantiles {
    /// What half of the outcomes do not pass.
    pub p50: u32,
    /// What nine in ten do not pass.
    pub p90: u32,
}

impl Quantiles {
    /// Those of what is cut at `most`. Exact: cutting keeps the order.
    #[must_use]
    pub fn capped(self, most: Option<u32>) -> Self {
        let most = most.unwrap_or(u32::MAX);
        Self { p50: self.p50.min(most), p90: self.p90.min(most) }
    }
}

/// Decayed counts of lengths.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Lengths {
    /// As of the last refresh.
    quantiles: Quantiles,
    /// Sum of `counts`.
    weight: u32,
    /// Answers since the last refresh.
    fresh: u32,
    /// Row 0: lengths under 8; each further row: a power of two.
    counts: [[u16; SUBS]; ROWS],
}

/// Row and bucket of a length.
#[inline]
const fn place(tokens: u32) -> (usize, usize) {
    let longest = (1 << LENGTH_BITS) - 1;
    let tokens = if tokens > longest { longest } else { tokens };
    if tokens < SUBS as u32 {
        return (0, tokens as usize);
    }
    let shift = 31 - SUB_BITS - tokens.leading_zeros();
    (shift as usize + 1, (tokens >> shift) as usize & (SUBS - 1))
}

/// The least and the greatest length of a bucket.
const fn bounds(row: usize, sub: usize) -> (u32, u32) {
    if row == 0 {
        return (sub as u32, sub as u32);
    }
    let shift = row as u32 - 1;
    let low = ((SUBS + sub) as u32) << shift;
    (low, low + ((1 << shift) - 1))
}

/// The least length of a row that so much of its weight does not pass, interpolated inside its bucket.
fn within(row: usize, counts: &[u16; SUBS], target: u32) -> u32 {
    let mut seen = 0;
    for (sub, count) in counts.iter().map(|count| u32::from(*count)).enumerate() {
        if seen + count >= target && count > 0 {
            let (low, high) = bounds(row, sub);
            let inside = u64::from(high - low) * u64::from(target - seen) / u64::from(count);
            return low + inside as u32;
        }
        seen += count;
    }
    unreachable!("the row weighs enough")
}

impl Lengths {
    /// Counts an answer.
    #[inline]
    pub fn learn(&mut self, tokens: u32) {
        let (row, sub) = place(tokens);
        self.counts[row][sub] += ANSWER;
        self.weight += u32::from(ANSWER);
        if self.weight >= 2 * WINDOW * u32::from(ANSWER) {
            self.halve();
        }
        self.fresh += 1;
        if self.fresh * u32::from(ANSWER) * REFRESH_SHARE >= self.weight {
            self.fresh = 0;
            self.quantiles = self.count();
        }
    }

    /// What the answers so far weigh, in answers: their number, as long as none was halved.
    #[must_use]
    #[inline]
    pub const fn answers(&self) -> u32 {
        self.weight / ANSWER as u32
    }

    /// Median and 90th percentile, as of the last refresh; `None` before the first answer.
    #[must_use]
    #[inline]
    pub fn quantiles(&self) -> Option<Quantiles> {
        (self.weight > 0).then_some(self.quantiles)
    }

    fn halve(&mut self) {
        self.counts.as_flattened_mut().iter_mut().for_each(|count| *count /= 2);
        self.weight = self.counts.as_flattened().iter().map(|count| u32::from(*count)).sum();
    }

    /// Both quantiles, in one walk through the rows.
    fn count(&self) -> Quantiles {
        let mut seen = 0;
        let mut found = [0; 2];
        let mut targets =
            [50, 90].map(|percent| (self.weight * percent).div_ceil(100)).into_iter().enumerate().peekable();
        for (row, counts) in self.counts.iter().enumerate() {
            let in_row: u32 = counts.iter().map(|count| u32::from(*count)).sum();
            while let Some((at, target)) = targets.next_if(|(_, target)| seen + in_row >= *target) {
                found[at] = within(row, counts, target - seen);
            }
            if targets.peek().is_none() {
                break;
            }
            seen += in_row;
        }
        Quantiles { p50: found[0], p90: found[1] }
    }
}

#[cfg(test)]
mod tests;
