use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn value() -> impl Strategy<Value = u32> {
    prop_oneof![6 => 0u32..5, 1 => Just(u32::MAX), 1 => Just(u32::MAX - 1), 1 => any::<u32>()]
}

fn ratio(numerator: u64, denominator: u64) -> Ratio {
    Ratio { numerator, denominator }
}

proptest! {
    #[test]
    fn sums_and_values_agree(operations in prop::collection::vec((0u8..6, value(), any::<prop::sample::Index>()), 0..100)) {
        let mut fast = Moments::new(Implementation::Optimised);
        let mut naive = Moments::new(Implementation::Baseline);
        let mut there: Vec<u32> = Vec::new();
        for (operation, value, which) in operations {
            let at = (!there.is_empty()).then(|| which.index(there.len()));
            match (operation, at) {
                (0, Some(at)) => {
                    let gone = there.swap_remove(at);
                    fast.remove(gone);
                    naive.remove(gone);
                }
                (1 | 2, Some(at)) => {
                    fast.change(there[at], value);
                    naive.change(there[at], value);
                    there[at] = value;
                }
                (3, _) => {
                    let bytes = postcard::to_allocvec(&fast).unwrap();
                    prop_assert_eq!(&bytes, &postcard::to_allocvec(&naive).unwrap());
                    fast = postcard::from_bytes(&bytes).unwrap();
                }
                _ => {
                    there.push(value);
                    fast.add(value);
                    naive.add(value);
                }
            }
            prop_assert_eq!(fast.sums(), naive.sums());
            prop_assert_eq!(fast.sums().count() as usize, there.len());
        }
    }

    #[test]
    fn variation_is_compared_as_its_definition_says(
        values in prop::collection::vec(0u32..1_000, 0..20),
        numerator in 0u64..2_000,
        denominator in 1u64..1_000,
    ) {
        let mut moments = Moments::new(Implementation::Optimised);
        values.iter().for_each(|value| moments.add(*value));
        let n = values.len() as i128;
        let sum: i128 = values.iter().map(|value| i128::from(*value)).sum();
        // Σ (v - sum / n)² / n against (sum / n)² × ratio, all times n³.
        let spread: i128 = values.iter().map(|value| (n * i128::from(*value) - sum).pow(2)).sum();
        let expected = spread * i128::from(denominator) >= sum * sum * n * i128::from(numerator);
        let reached = moments.sums().cv_squared_at_least(ratio(numerator, denominator));
        prop_assert_eq!(reached, (sum > 0).then_some(expected));
    }
}

fn sums(values: &[u32]) -> Sums {
    let mut sums = Sums::default();
    values.iter().for_each(|value| sums.add(*value));
    sums
}

#[test]
fn largest_values_are_compared_exactly() {
    let one = sums(&[u32::MAX, 0]);
    assert_eq!(one.cv_squared_at_least(ratio(1, 1)), Some(true));
    assert_eq!(one.cv_squared_at_least(ratio(u64::MAX, u64::MAX)), Some(true));
    assert_eq!(one.cv_squared_at_least(ratio(u64::MAX, u64::MAX - 1)), Some(false));
    let full = Sums::try_from((u32::MAX, u64::from(u32::MAX).pow(2), u128::from(u32::MAX).pow(3))).unwrap();
    assert_eq!(full.cv_squared_at_least(ratio(0, 1)), Some(true));
    assert_eq!(full.cv_squared_at_least(ratio(1, u64::MAX)), Some(false), "all are equal");
}

#[test]
fn variation_without_a_mean_is_undefined() {
    for values in [&[][..], &[0, 0]] {
        assert_eq!(sums(values).cv_squared_at_least(ratio(0, 1)), None);
        assert_eq!(sums(values).cv_squared_bucket(&[]), None);
    }
}

#[test]
fn buckets_begin_at_their_edges() {
    let edges = [ratio(1, 4), ratio(1, 1), ratio(3, 1)];
    let bucket = |values: &[u32]| sums(values).cv_squared_bucket(&edges).unwrap();
    assert_eq!(bucket(&[5, 5]), 0, "no variation");
    assert_eq!(bucket(&[1, 3]), 1, "1 / 4");
    assert_eq!(bucket(&[0, 7]), 2, "1");
    assert_eq!(bucket(&[0, 0, 0, 2]), 3, "3");
}

#[test]
#[should_panic(expected = "a value that goes came before")]
fn more_cannot_go_than_came() {
    sums(&[3]).remove(4);
}

#[test]
fn moments_that_no_values_have_are_an_error() {
    for impossible in [(0, 1, 1), (2, 6, 17), (1, 0, u128::MAX), (3, 3, 2), (u32::MAX, u64::MAX, 1)] {
        let bytes = postcard::to_allocvec(&impossible).unwrap();
        assert!(postcard::from_bytes::<Moments>(&bytes).is_err(), "{impossible:?}");
    }
}
