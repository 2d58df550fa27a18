//! A histogram of integers that keeps quantiles to a part in a thousand.
//!
//! Log-linear: each power of two is cut into 512 equal buckets, values under 512 are exact. A quantile is the
//! middle of its bucket, so it is off by at most 1/1,024 (0.098 %) of the true value. Memory is 2 KiB for
//! each power of two that occurs, whatever the number of values; merging is exact. The layout is that of
//! HdrHistogram (Gil Tene); written here since recording must cost a few nanoseconds: small cells stay in
//! the processor's cache, and a value that is counted under several weights finds them side by side.
//!
//! Left out: decay, removal, concurrent use.

use std::collections::BTreeMap;

const SUB_BITS: u32 = 9;
const SUBS: usize = 1 << SUB_BITS;
const OCTAVES: usize = 64 - SUB_BITS as usize + 1;
const ABSENT: u8 = u8::MAX;

/// Counts of unsigned integers (here: nanoseconds) with exact count, sum, least and greatest value, each value under
/// `LANES` weights.
#[derive(Clone, Debug)]
pub struct Buckets<const LANES: usize> {
    slots: [u8; OCTAVES],
    cells: Vec<[u32; LANES]>,
    /// What cells cannot hold, in units of 2³², by cell and lane.
    carries: BTreeMap<(usize, usize), u64>,
    counts: [u64; LANES],
    sums: [u128; LANES],
    min: u64,
    max: u64,
}

/// Values counted once each, or as often as is said.
pub type Histogram = Buckets<1>;

impl<const LANES: usize> Default for Buckets<LANES> {
    fn default() -> Self {
        Self {
            slots: [ABSENT; OCTAVES],
            cells: Vec::new(),
            carries: BTreeMap::new(),
            counts: [0; LANES],
            sums: [0; LANES],
            min: u64::MAX,
            max: 0,
        }
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

impl<const LANES: usize> Buckets<LANES> {
    /// Nothing counted; it takes no memory on the heap before the first value.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a value under each weight.
    #[inline]
    pub fn record_weighted(&mut self, value: u64, weights: [u64; LANES]) {
        let (octave, sub) = place(value);
        let slot = self.slot(octave);
        self.add(slot * SUBS + sub, weights);
        for (lane, weight) in weights.into_iter().enumerate() {
            self.counts[lane] += weight;
            self.sums[lane] += u128::from(value) * u128::from(weight);
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    #[inline]
    fn slot(&mut self, octave: usize) -> usize {
        let slot = self.slots[octave];
        if slot == ABSENT { self.open(octave) } else { usize::from(slot) }
    }

    #[cold]
    fn open(&mut self, octave: usize) -> usize {
        let slot = self.cells.len() / SUBS;
        self.cells.resize(self.cells.len() + SUBS, [0; LANES]);
        self.slots[octave] = u8::try_from(slot).expect("there are 56 powers of two at most");
        slot
    }

    #[inline]
    fn add(&mut self, cell: usize, weights: [u64; LANES]) {
        for (lane, weight) in weights.into_iter().enumerate() {
            let total = u64::from(self.cells[cell][lane]) + weight;
            self.cells[cell][lane] = total as u32;
            if total >> 32 != 0 {
                self.carry((cell, lane), total >> 32);
            }
        }
    }

    #[cold]
    fn carry(&mut self, place: (usize, usize), units: u64) {
        *self.carries.entry(place).or_default() += units;
    }

    fn weights(&self, cell: usize) -> [u64; LANES] {
        std::array::from_fn(|lane| {
            let carried = self.carries.get(&(cell, lane)).copied().unwrap_or(0);
            u64::from(self.cells[cell][lane]) + (carried << 32)
        })
    }

    /// Adds all that `other` counted; the same as if it had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        for (octave, from) in other.slots.into_iter().enumerate().filter(|(_, slot)| *slot != ABSENT) {
            let to = self.slot(octave) * SUBS;
            for sub in 0..SUBS {
                self.add(to + sub, other.weights(usize::from(from) * SUBS + sub));
            }
        }
        for lane in 0..LANES {
            self.counts[lane] += other.counts[lane];
            self.sums[lane] += other.sums[lane];
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// What was counted under one weight, as a histogram. A value counts as seen even where that weight was 0.
    #[must_use]
    pub fn lane(&self, lane: usize) -> Histogram {
        let mut histogram = Histogram {
            slots: self.slots,
            cells: vec![[0]; self.cells.len()],
            carries: BTreeMap::new(),
            counts: [self.counts[lane]],
            sums: [self.sums[lane]],
            min: self.min,
            max: self.max,
        };
        for cell in 0..self.cells.len() {
            histogram.add(cell, [self.weights(cell)[lane]]);
        }
        histogram
    }
}

impl Histogram {
    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_weighted(value, [1]);
    }

    /// How many values were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.counts[0]
    }

    /// The sum of all values, exact.
    #[must_use]
    pub const fn sum(&self) -> u128 {
        self.sums[0]
    }

    /// The greatest value, exact; `None` where there is none.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.counts[0] > 0).then_some(self.max)
    }

    /// The least value, exact; `None` where there is none.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.counts[0] > 0).then_some(self.min)
    }

    /// The value of a rank (1 = least, `count` = greatest), off by at most 0.1 %; `None` outside that range.
    #[must_use]
    pub fn at_rank(&self, rank: u64) -> Option<u64> {
        if rank == 0 || rank > self.counts[0] {
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
    /// not pass. Off by at most 0.1 %; `None` where there is none.
    #[must_use]
    pub fn quantile(&self, permille: u64) -> Option<u64> {
        self.at_rank(rank(self.counts[0], permille))
    }

    /// Buckets that hold something, ascending: least value, greatest value, how many.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        (0..OCTAVES).filter(|octave| self.slots[*octave] != ABSENT).flat_map(move |octave| {
            let from = usize::from(self.slots[octave]) * SUBS;
            (0..SUBS).filter_map(move |sub| {
                let [times] = self.weights(from + sub);
                let (low, high) = bounds(octave, sub);
                (times > 0).then_some((low, high, times))
            })
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
    fn empty_has_no_quantile_and_takes_no_heap() {
        let histogram = Histogram::new();
        assert_eq!((histogram.quantile(500), histogram.max(), histogram.min()), (None, None, None));
        assert_eq!(histogram.cells.capacity(), 0);
    }

    #[test]
    fn lanes_are_the_histograms_that_each_weight_would_have_given() {
        let (mut both, mut once, mut heavy) = (Buckets::<2>::new(), Histogram::new(), Histogram::new());
        for value in (0..5_000).map(|k| k * k * 77) {
            both.record_weighted(value, [1, value % 9]);
            once.record(value);
            heavy.record_weighted(value, [value % 9]);
        }
        assert!(both.lane(0).buckets().eq(once.buckets()) && both.lane(1).buckets().eq(heavy.buckets()));
        assert_eq!((both.lane(1).count(), both.lane(1).sum()), (heavy.count(), heavy.sum()));
    }

    #[test]
    fn a_cell_holds_more_than_its_32_bits() {
        let weight = u64::from(u32::MAX) * 5;
        let mut histogram = Histogram::new();
        histogram.record_weighted(1_000, [weight]);
        histogram.record_weighted(1_000, [weight]);
        histogram.record_weighted(9_000, [weight]);
        let mut merged = histogram.clone();
        merged.merge(&histogram);
        assert_eq!(merged.buckets().map(|(_, _, times)| times).collect::<Vec<_>>(), [weight * 4, weight * 2]);
        assert_eq!(merged.quantile(600), merged.quantile(1));
        assert_eq!(merged.quantile(700), Some(8_999));
    }
}
