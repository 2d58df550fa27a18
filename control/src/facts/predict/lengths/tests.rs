use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

/// The quantile by nearest rank.
fn exact(sorted: &[u32], percent: usize) -> u32 {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

fn within_an_eighth(got: u32, truth: u32) -> bool {
    u64::from(got.abs_diff(truth)) * 8 <= u64::from(truth)
}

fn learned(lengths: impl IntoIterator<Item = u32>) -> Lengths {
    let mut histogram = Lengths::default();
    lengths.into_iter().for_each(|length| histogram.learn(length));
    histogram
}

#[test]
fn bucket_bounds_meet_without_gap_and_are_an_eighth_wide() {
    let mut next = 0;
    for row in 0..ROWS {
        for sub in 0..SUBS {
            let (low, high) = bounds(row, sub);
            assert_eq!((low, place(low), place(high)), (next, (row, sub), (row, sub)));
            assert!((high - low) * 8 <= low);
            next = high + 1;
        }
    }
    assert_eq!(next, 1 << LENGTH_BITS);
    assert_eq!(place(u32::MAX), place(next - 1), "longer ones count as the longest");
}

#[test]
fn one_histogram_takes_304_bytes() {
    assert_eq!(size_of::<Lengths>(), 304);
}

#[test]
fn nothing_is_known_before_the_first_answer_and_one_answer_says_all() {
    assert_eq!(Lengths::default().quantiles(), None);
    assert_eq!(learned([13]).quantiles(), Some(Quantiles { p50: 13, p90: 13 }));
    assert_eq!(learned([0]).quantiles(), Some(Quantiles::default()));
}

#[test]
fn a_weight_of_all_answers_in_one_bucket_fits_its_counter() {
    let histogram = learned(vec![7; 100_000]);
    assert_eq!(histogram.quantiles(), Some(Quantiles { p50: 7, p90: 7 }));
    assert!((WINDOW..2 * WINDOW).contains(&histogram.answers()));
}

#[test]
fn after_a_shift_the_median_follows_within_a_window_and_a_refresh() {
    let refresh = 2 * WINDOW / REFRESH_SHARE;
    for before in [WINDOW, 2 * WINDOW - 1, 5 * WINDOW + 77, 10_000] {
        for (old, new) in [(50, 1_000), (1_000, 50)] {
            let mut histogram = learned(vec![old; before as usize]);
            let taken = (1..).find(|_| {
                histogram.learn(new);
                within_an_eighth(histogram.quantiles().unwrap().p50, new)
            });
            assert!(taken.unwrap() <= WINDOW + refresh, "{before} of {old}, then {taken:?} of {new}");
        }
    }
}

#[test]
fn after_a_shift_downwards_the_90th_percentile_follows_within_four_windows() {
    // Halved three times, the old answers are an eighth of all; a tenth after some of the fourth window.
    let mut histogram = learned(vec![1_000; 10_000]);
    (0..4 * WINDOW).for_each(|_| histogram.learn(50));
    assert!(within_an_eighth(histogram.quantiles().unwrap().p90, 50));
}

proptest! {
    #[test]
    fn fresh_quantiles_are_within_an_eighth_of_the_exact_ones(
        lengths in prop::collection::vec((12_u32..32, any::<u32>()), 1..2 * WINDOW as usize - 1),
    ) {
        let mut lengths: Vec<u32> = lengths.iter().map(|(bits, raw)| raw >> bits).collect();
        let histogram = learned(lengths.iter().copied());
        lengths.sort_unstable();
        let fresh = histogram.count();
        for (percent, got) in [(50, fresh.p50), (90, fresh.p90)] {
            let truth = exact(&lengths, percent);
            prop_assert!(within_an_eighth(got, truth), "p{percent}: {got} for {truth}");
        }
    }

    #[test]
    fn quantiles_at_hand_lie_between_exact_ones_a_32nd_to_either_side(
        lengths in prop::collection::vec((12_u32..32, any::<u32>()), 1..2 * WINDOW as usize - 1),
    ) {
        let mut lengths: Vec<u32> = lengths.iter().map(|(bits, raw)| raw >> bits).collect();
        let histogram = learned(lengths.iter().copied());
        lengths.sort_unstable();
        let Quantiles { p50, p90 } = histogram.quantiles().unwrap();
        for (got, percent) in [(p50, 50), (p90, 90)] {
            let (low, high) = (exact(&lengths, percent - 4), exact(&lengths, (percent + 4).min(100)));
            prop_assert!(got >= low || within_an_eighth(got, low), "p{percent}: {got} below {low}");
            prop_assert!(got <= high || within_an_eighth(got, high), "p{percent}: {got} above {high}");
        }
    }

    /// Stationary: the same lengths come again and again, in another order each time.
    #[test]
    fn decay_keeps_the_quantiles_of_what_stays_as_it_is(
        lengths in prop::collection::vec((12_u32..32, any::<u32>()), 32..=64),
        rounds in 8_usize..40,
    ) {
        let mut lengths: Vec<u32> = lengths.iter().map(|(bits, raw)| raw >> bits).collect();
        let len = lengths.len();
        let mut histogram = Lengths::default();
        for round in 0..rounds {
            (0..len).for_each(|at| histogram.learn(lengths[(at * 5 + round * 7) % len]));
        }
        lengths.sort_unstable();
        let Quantiles { p50, p90 } = histogram.quantiles().unwrap();
        // Of the window, a round that is cut off or has not been seen since the refresh is a quarter at most, and it is a
        // sample of its own: ten percentage points to either side.
        for (got, percent) in [(p50, 50), (p90, 90)] {
            let (low, high) = (exact(&lengths, percent - 10), exact(&lengths, percent + 10));
            prop_assert!(got >= low || within_an_eighth(got, low), "p{percent}: {got} below {low}");
            prop_assert!(got <= high || within_an_eighth(got, high), "p{percent}: {got} above {high}");
        }
    }
}
