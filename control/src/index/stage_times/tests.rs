use proptest::prelude::*;

use super::*;
use crate::units::Nanos;

const QUANTILES: [u32; 10] = [0, 1, 10, 250, 500, 900, 990, 999, 1_000, 2_000];

/// Short and long ones, as many of each number of bits.
fn sample() -> impl Strategy<Value = Nanos> {
    let spread = (any::<u64>(), 0u32..64).prop_map(|(bits, fewer)| bits >> fewer);
    prop_oneof![8 => spread, 1 => Just(0), 1 => Just(u64::MAX)].prop_map(Nanos)
}

proptest! {
    #[test]
    fn histogram_and_all_samples_agree(
        recent_max in 0usize..8,
        samples in prop::collection::vec(sample(), 0..150),
    ) {
        let (mut times, mut all) = (StageTimes::new(recent_max), AllSamples::default());
        for sample in samples {
            times.record(sample);
            all.record(sample);
            prop_assert_eq!((times.count(), times.sum_nanos()), (all.count(), all.sum_nanos()));
            prop_assert_eq!((times.min(), times.max()), (all.min(), all.max()));
            prop_assert!(times.recent(usize::MAX).eq(all.recent(recent_max)));
            prop_assert!(times.recent(2).eq(all.recent(recent_max.min(2))));
            for per_mille in QUANTILES {
                let (found, exact) = (times.quantile(per_mille), all.quantile(per_mille));
                prop_assert_eq!(found.is_some(), exact.is_some());
                if let (Some(found), Some(exact)) = (found, exact) {
                    prop_assert!(found.0.abs_diff(exact.0) <= exact.0 / 32, "{} and {} at {}", found, exact, per_mille);
                }
            }
            prop_assert_eq!((times.quantile(0), times.quantile(1_000)), (all.min(), all.max()), "the ends are exact");
        }
    }
}
