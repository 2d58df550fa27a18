use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::units::Nanos;

const QUANTILES: [u32; 10] = [0, 1, 10, 250, 500, 900, 990, 999, 1_000, 2_000];

/// Short and long ones, as many of each number of bits.
fn sample() -> impl Strategy<Value = Nanos> {
    let spread = (any::<u64>(), 0u32..64).prop_map(|(bits, fewer)| bits >> fewer);
    prop_oneof![8 => spread, 1 => Just(0), 1 => Just(u64::MAX)].prop_map(Nanos)
}

#[derive(Clone, Debug)]
enum Operation {
    Record(Nanos),
    Merge(Vec<Nanos>),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        9 => sample().prop_map(Operation::Record),
        1 => prop::collection::vec(sample(), 0..12).prop_map(Operation::Merge),
    ]
}

proptest! {
    #[test]
    fn histogram_and_all_samples_agree(
        recent_max in 0usize..8,
        operations in prop::collection::vec(operation(), 0..100),
    ) {
        let (mut times, mut all) = (StageTimes::new(recent_max), AllSamples::default());
        for operation in operations {
            match operation {
                Operation::Record(sample) => {
                    times.record(sample);
                    all.record(sample);
                }
                Operation::Merge(samples) => {
                    let (mut other, mut other_all) = (StageTimes::new(recent_max), AllSamples::default());
                    for sample in samples {
                        other.record(sample);
                        other_all.record(sample);
                    }
                    times.merge(&other);
                    all.merge(&other_all);
                }
            }
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

#[test]
#[should_panic(expected = "merged times keep as many recent samples")]
fn times_with_other_numbers_of_recent_samples_do_not_merge() {
    StageTimes::new(1).merge(&StageTimes::new(2));
}
