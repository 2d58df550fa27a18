//! A Bloom filter (Bloom, Space/time trade-offs in hash coding with allowable errors, 1970): whether a hash may be in a set.
//!
//! Only a check before another: no is proof that a hash was never added, yes must be verified. Byte strings come in through
//! [`hash::of_bytes`](super::hash::of_bytes). Its twin is the set itself.

use alloc::vec::Vec;

use crate::draw::mix;

/// 1 / ln 2 in ten thousandths: bits for each item and bit of the answer, where half of the bits are set.
const BITS_PER_10_000: u64 = 14_427;
/// Odd, so that the two hashes of an item have different keys whatever the key is.
const SECOND: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a filter is made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Design {
    /// Items that it will hold.
    pub items: u32,
    /// Of a thousand hashes that are not in the set, how many may pass at the most; 1 to 500.
    pub false_positives_per_mille: u32,
}

impl Design {
    /// Probes of each item: the least k for which 2^-k is the rate or less.
    fn probes(self) -> u32 {
        (1_000u32).div_ceil(self.false_positives_per_mille).next_power_of_two().trailing_zeros()
    }

    /// Words of bits: n k / ln 2 bits, of which n k probes set half, so that all k of a stranger are set once in 2^k times.
    fn words(self) -> usize {
        let bits = u64::from(self.items) * u64::from(self.probes()) * BITS_PER_10_000 / 10_000;
        (bits / 64 + 1) as usize
    }
}

/// A filter.
#[derive(Clone, Debug)]
pub struct Bloom {
    design: Design,
    key: u64,
    words: Vec<u64>,
    probes: u32,
    items: u32,
}

impl Bloom {
    /// An empty filter. Filters with other keys are wrong about other hashes.
    ///
    /// # Panics
    /// Where the rate is not within 1 and 500 per mille.
    #[must_use]
    pub fn new(design: Design, key: u64) -> Self {
        assert!(
            (1..=500).contains(&design.false_positives_per_mille),
            "a rate is within 1 and 500 per mille"
        );
        Self { design, key, words: alloc::vec![0; design.words()], probes: design.probes(), items: 0 }
    }

    /// What it was made for.
    #[must_use]
    pub fn design(&self) -> Design {
        self.design
    }

    /// Whether it holds what it was made for; from then on the rate of false positives rises above that of its design.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.items >= self.design.items
    }

    /// Adds a hash. One that is added again counts again.
    pub fn insert(&mut self, hash: u64) {
        for bit in self.bits(hash) {
            self.words[bit / 64] |= 1 << (bit % 64);
        }
        self.items = self.items.saturating_add(1);
    }

    /// False where the hash was never added.
    #[must_use]
    #[inline]
    pub fn may_contain(&self, hash: u64) -> bool {
        self.bits(hash).all(|bit| self.words[bit / 64] >> (bit % 64) & 1 == 1)
    }

    /// Begins anew with these hashes, made for `items` at the same rate: after removals, or where it is full.
    pub fn rebuild(&mut self, items: u32, hashes: impl IntoIterator<Item = u64>) {
        *self = Self::new(Design { items, ..self.design }, self.key);
        hashes.into_iter().for_each(|hash| self.insert(hash));
    }

    /// The bits of a hash: h1 + i h2, which is as good as independent hashes (Kirsch, Mitzenmacher, Less hashing, same
    /// performance: building a better Bloom filter, 2006). The sums go round a circle of 2^64, which is scaled to the bits.
    #[inline]
    fn bits(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let first = mix(hash ^ self.key);
        let second = mix(first.wrapping_add(SECOND) ^ self.key) | 1;
        let bits = self.words.len() as u128 * 64;
        (0..u64::from(self.probes)).map(move |probe| {
            let place = first.wrapping_add(probe.wrapping_mul(second));
            ((u128::from(place) * bits) >> 64) as usize
        })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn design(items: u32, false_positives_per_mille: u32) -> Design {
        Design { items, false_positives_per_mille }
    }

    proptest! {
        #[test]
        fn what_was_added_may_be_there(
            items in 0u32..40,
            per_mille in 1u32..=500,
            key: u64,
            operations in prop::collection::vec((0u8..12, prop_oneof![0u64..50, Just(u64::MAX), any::<u64>()]), 0..200),
        ) {
            let (mut bloom, mut plain) = (Bloom::new(design(items, per_mille), key), BTreeSet::new());
            let mut added = 0;
            for (operation, hash) in operations {
                match operation {
                    0 => {
                        plain.remove(&hash);
                        bloom.rebuild(items, plain.iter().copied());
                        added = plain.len();
                    }
                    1..8 => {
                        plain.insert(hash);
                        bloom.insert(hash);
                        added += 1;
                    }
                    _ => prop_assert!(bloom.may_contain(hash) || !plain.contains(&hash)),
                }
                prop_assert!(plain.iter().all(|hash| bloom.may_contain(*hash)));
                prop_assert_eq!(bloom.is_full(), added >= items as usize);
            }
        }
    }

    #[test]
    fn an_empty_filter_lets_nothing_pass() {
        for items in [0, 1, 100] {
            let bloom = Bloom::new(design(items, 500), 1);
            assert!((0..1_000).all(|hash| !bloom.may_contain(hash)));
        }
    }

    fn false_positives(bloom: &Bloom) -> u32 {
        (1_000_000..1_100_000).map(|stranger| u32::from(bloom.may_contain(stranger))).sum()
    }

    #[test]
    fn strangers_pass_at_most_twice_as_often_as_designed() {
        for per_mille in [1, 2, 10, 50, 100, 333, 500] {
            for key in [0, 7, u64::MAX] {
                let mut bloom = Bloom::new(design(5_000, per_mille), key);
                (0..5_000).for_each(|hash| bloom.insert(hash));
                // Of 100,000 strangers, 100 for each per mille.
                let passed = false_positives(&bloom);
                assert!(passed <= 2 * 100 * per_mille, "{passed} passed at {per_mille} ‰ and key {key}");
            }
        }
    }

    #[test]
    fn rebuilding_makes_a_filter_that_is_too_full_tell_apart_again() {
        let mut bloom = Bloom::new(design(100, 10), 3);
        (0..5_000).for_each(|hash| bloom.insert(hash));
        assert!(false_positives(&bloom) > 90_000, "a filter with fifty times its items says yes to all");
        bloom.rebuild(5_000, 0..5_000);
        assert!(false_positives(&bloom) <= 2_000);
        bloom.rebuild(5_000, 0..10);
        assert!(
            (10..5_000).filter(|gone| bloom.may_contain(*gone)).count() <= 1,
            "what was removed is forgotten"
        );
    }
}
