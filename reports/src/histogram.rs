//! A histogram of integers that keeps quantiles to half a part in a thousand.
//!
//! Log-linear: each power of two is cut into 1,024 equal buckets, values under 1,024 are exact. A quantile is the
//! middle of its bucket, so it is off by at most 1/2,048 (0.049 %) of the true value. Memory is 8 KiB for
//! each power of two that occurs, whatever the number of values; merging is exact. The layout is that of
//! HdrHistogram (Gil Tene); written here since recording must cost a few nanoseconds and only the powers
//! of two that occur may take memory.
//!
//! Left out: decay, removal, concurrent use.

const SUB_BITS: u32 = 10;
const SUBS: usize = 1 << SUB_BITS;
const OCTAVES: usize = 64 - SUB_BITS as usize + 1;
const ABSENT: u8 = u8::MAX;

/// Counts of unsigned integers (here: nanoseconds) with exact count, sum, least and greatest value.
#[derive(Clone, Debug)]
pub struct Histogram {
    slots: [u8; OCTAVES],
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { slots: [ABSENT; OCTAVES], counts: Vec::new(), count: 0, sum: 0, min: u64::MAX, max: 0 }
    }
}

/// The power of two that a value belongs to, and its bucket there.
#[inline]
const fn place(value: u64) -> (usize, usize) {
    if value < SUBS as u64 {
        return (0, value as usize);
    }
    let shift = 63 - SUB_BITS - value.leading_zeros();
    (shift as usize + 1, (value >> shift) as usize & (SUBS - 1))
}

/// The least and the greatest value of a bucket.
const fn bounds(octave: usize, sub: usize) -> (u64, u64) {
    if octave == 0 {
        return (sub as u64, sub as u64);
    }
    let shift = octave as u32 - 1;
    let low = ((SUBS + sub) as u64) << shift;
    (low, low + ((1 << shift) - 1))
}

impl Histogram {
    /// An empty histogram; it takes no memory on the heap before the first value.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value `times` times; nothing where `times` is 0.
    #[inline]
    pub fn record_n(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        let (octave, sub) = place(value);
        let mut slot = self.slots[octave];
        if slot == ABSENT {
            slot = self.open(octave);
        }
        self.counts[usize::from(slot) * SUBS + sub] += times;
        self.count += times;
        self.sum += u128::from(value) * u128::from(times);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    #[cold]
    fn open(&mut self, octave: usize) -> u8 {
        let slot = u8::try_from(self.counts.len() / SUBS).expect("there are 55 powers of two at most");
        self.counts.resize(self.counts.len() + SUBS, 0);
        self.slots[octave] = slot;
        slot
    }

    /// Adds all that `other` counted; the same as if it had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        for (octave, _) in other.slots.iter().enumerate().filter(|(_, slot)| **slot != ABSENT) {
            let from = usize::from(other.slots[octave]) * SUBS;
            let slot = if self.slots[octave] == ABSENT { self.open(octave) } else { self.slots[octave] };
            let to = usize::from(slot) * SUBS;
            for sub in 0..SUBS {
                self.counts[to + sub] += other.counts[from + sub];
            }
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// How many values were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all values, exact.
    #[must_use]
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// The greatest value, exact; `None` where there is none.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The least value, exact; `None` where there is none.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The value of a rank (1 = least, `count` = greatest), off by at most 0.05 %; `None` outside that range.
    #[must_use]
    pub fn at_rank(&self, rank: u64) -> Option<u64> {
        if rank == 0 || rank > self.count {
            return None;
        }
        let mut seen = 0;
        for (low, high, times) in self.buckets() {
            seen += times;
            if seen >= rank {
                return Some((low + (high - low) / 2).clamp(self.min, self.max));
            }
        }
        None
    }

    /// The quantile `permille`/1,000 by nearest rank: the least value that at least that share of all values does
    /// not pass. Off by at most 0.05 %; `None` where there is none.
    #[must_use]
    pub fn quantile(&self, permille: u64) -> Option<u64> {
        self.at_rank(rank(self.count, permille))
    }

    /// Buckets that hold something, ascending: least value, greatest value, how many.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        (0..OCTAVES).filter(|octave| self.slots[*octave] != ABSENT).flat_map(move |octave| {
            let from = usize::from(self.slots[octave]) * SUBS;
            self.counts[from..from + SUBS].iter().enumerate().filter(|(_, times)| **times > 0).map(
                move |(sub, times)| {
                    let (low, high) = bounds(octave, sub);
                    (low, high, *times)
                },
            )
        })
    }
}

/// The nearest rank of a quantile among `count` values: at least 1, at most `count`.
#[must_use]
pub const fn rank(count: u64, permille: u64) -> u64 {
    let exact = (count as u128 * permille as u128).div_ceil(1_000) as u64;
    if exact == 0 && count > 0 { 1 } else { exact }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(sorted: &[u64], permille: u64) -> u64 {
        sorted[rank(sorted.len() as u64, permille) as usize - 1]
    }

    proptest! {
        #[test]
        fn quantiles_are_within_a_part_in_a_thousand(
            values in prop::collection::vec((0_u32..63, any::<u64>()), 1..400),
            permille in 0_u64..=1_000,
        ) {
            let mut sorted: Vec<u64> = values.iter().map(|(bits, raw)| raw >> bits).collect();
            let mut histogram = Histogram::new();
            sorted.iter().for_each(|value| histogram.record(*value));
            sorted.sort_unstable();
            let truth = exact(&sorted, permille);
            let got = histogram.quantile(permille).unwrap();
            prop_assert!(u128::from(got.abs_diff(truth)) * 1_000 <= u128::from(truth), "{got} for {truth}");
            prop_assert_eq!(histogram.max(), sorted.last().copied());
            prop_assert_eq!(histogram.sum(), sorted.iter().map(|v| u128::from(*v)).sum::<u128>());
        }

        #[test]
        fn merging_is_recording_both(
            left in prop::collection::vec(0_u64..10_000_000_000, 0..100),
            right in prop::collection::vec(0_u64..10_000_000_000, 0..100),
        ) {
            let (mut a, mut b, mut both) = (Histogram::new(), Histogram::new(), Histogram::new());
            left.iter().for_each(|v| { a.record(*v); both.record(*v); });
            right.iter().for_each(|v| { b.record(*v); both.record(*v); });
            a.merge(&b);
            prop_assert!(a.buckets().eq(both.buckets()));
            prop_assert_eq!((a.count(), a.sum(), a.min(), a.max()), (both.count(), both.sum(), both.min(), both.max()));
        }
    }

    #[test]
    fn bucket_bounds_meet_without_gap_up_to_the_largest_value() {
        let mut next = 0_u64;
        for octave in 0..OCTAVES {
            for sub in 0..SUBS {
                let (low, high) = bounds(octave, sub);
                assert_eq!(low, next);
                assert_eq!(place(low), (octave, sub));
                assert_eq!(place(high), (octave, sub));
                next = high.wrapping_add(1);
            }
        }
        assert_eq!(next, 0, "the last bucket ends at u64::MAX");
    }

    #[test]
    fn empty_has_no_quantile_and_a_weight_of_zero_counts_nothing() {
        let mut histogram = Histogram::new();
        histogram.record_n(7, 0);
        assert_eq!((histogram.quantile(500), histogram.max(), histogram.min()), (None, None, None));
        assert!(histogram.counts.is_empty());
    }
}
