use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::draw::{Component, Draw};

fn both() -> (Weights, Weights) {
    (Weights::new(Implementation::Optimised), Weights::new(Implementation::Baseline))
}

fn weight() -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0), 5 => 1u64..10, 1 => any::<u64>().prop_map(|weight| weight / 64), 1 => Just(u64::MAX)]
}

proptest! {
    #[test]
    fn fenwick_and_plain_agree(
        changes in prop::collection::vec((0usize..70, weight()), 0..120),
        draws in prop::collection::vec(any::<u64>(), 10),
    ) {
        let (mut fenwick, mut plain) = both();
        for (index, weight) in changes {
            // No more than the sum has room for.
            let weight = weight.min(u64::MAX - (plain.sum() - plain.get(index)));
            fenwick.set(index, weight);
            plain.set(index, weight);
            prop_assert_eq!(fenwick.sum(), plain.sum());
            prop_assert_eq!(fenwick.as_slice(), plain.as_slice());
            for &bits in draws.iter().chain(&[0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX]) {
                let picked = fenwick.pick(bits);
                prop_assert_eq!(picked, plain.pick(bits));
                prop_assert_eq!(picked.is_some(), plain.sum() > 0);
                if let Some(index) = picked {
                    let x = ((u128::from(bits) * u128::from(plain.sum())) >> 64) as u64;
                    let below: u64 = plain.as_slice()[..index].iter().sum();
                    prop_assert!(below <= x && x - below < plain.get(index));
                }
            }
        }
        let bytes = postcard::to_allocvec(&fenwick).unwrap();
        prop_assert_eq!(&bytes, &postcard::to_allocvec(&plain).unwrap());
        prop_assert!(postcard::from_bytes::<Weights>(&bytes).unwrap() == plain);
    }
}

#[test]
fn each_is_picked_in_proportion_to_its_weight() {
    let (mut weights, _) = both();
    let expected = [1u32, 0, 2, 3, 10, 0, 4];
    for (index, weight) in expected.into_iter().enumerate() {
        weights.set(index, weight.into());
    }
    let mut counts = [0u32; 7];
    for entity in 0..60_000 {
        counts[weights.pick(Draw::new(1, Component::Balancer, entity, 0).bits()).unwrap()] += 1;
    }
    assert_eq!((counts[1], counts[5]), (0, 0));
    // χ² with 4 degrees of freedom: 18.5 is exceeded once in a thousand seeds.
    let term = |(count, weight): (u32, u32)| {
        let mean = f64::from(weight) * 3_000.0;
        (f64::from(count) - mean).powi(2) / mean.max(1.0)
    };
    let chi: f64 = counts.into_iter().zip(expected).map(term).sum();
    assert!(chi < 18.5, "χ² = {chi}, counts {counts:?}");
}

#[test]
#[should_panic(expected = "weights have a sum below 2^64")]
fn a_sum_of_64_bits_is_the_limit() {
    let (mut weights, _) = both();
    weights.set(0, u64::MAX);
    weights.set(1, 1);
}

#[test]
fn a_list_whose_sum_is_too_large_is_an_error() {
    let bytes = postcard::to_allocvec(&vec![u64::MAX, 1]).unwrap();
    assert!(postcard::from_bytes::<Weights>(&bytes).is_err());
}
