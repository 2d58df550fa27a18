//! Draws and ids keyed by what they are for: a function of (seed, purpose, key), so that no option shifts the
//! chance of another. The mix is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom
//! number generators, 2014), applied after each part of the key is folded in.

use std::hash::{BuildHasherDefault, Hasher};

/// What a number is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(crate) enum Purpose {
    /// Which rows stay where a trace is thinned; key: line.
    Thin = 1,
    /// Where in its tick a row goes; key: line.
    Spread = 2,
    /// Which model; key: session, root block or line.
    Model = 3,
    /// Id of the text that a user adds in a session.
    UserBlock = 4,
    /// Id of an answer in a session.
    AnswerBlock = 5,
    /// Id of a block that was cut.
    CutBlock = 6,
    /// Id of a session, from its name.
    Session = 7,
    /// Id of a block that was cut anew.
    CutPiece = 8,
    /// Id of a block of tokens, from the tokens.
    TokenBlock = 9,
    /// Times between requests of a client; key: client, window.
    Gap = 10,
    /// Lengths of a client's requests; key: client, window.
    Length = 11,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

pub(crate) use control::draw::mix;

/// 64 bits for this purpose and key.
#[inline]
pub(crate) const fn bits(seed: u64, purpose: Purpose, key: u64) -> u64 {
    let state = mix(mix(seed.wrapping_add(GOLDEN)) ^ (purpose as u64).wrapping_mul(GOLDEN));
    mix(state.wrapping_add(key.wrapping_mul(GOLDEN)))
}

/// The same with a key of two parts.
#[inline]
pub(crate) const fn bits2(seed: u64, purpose: Purpose, key: u64, more: u64) -> u64 {
    mix(bits(seed, purpose, key) ^ more.wrapping_mul(GOLDEN).rotate_left(32))
}

/// A number in 0 .. `end` from 64 even bits (`end` up to 2^64; the bias is below `end` / 2^64).
#[inline]
pub(crate) const fn scale(bits: u64, end: u64) -> u64 {
    ((bits as u128 * end as u128) >> 64) as u64
}

/// 64 bits of a name.
pub(crate) fn name_bits(purpose: Purpose, name: &[u8]) -> u64 {
    let mut state = bits(name.len() as u64, purpose, 0);
    for chunk in name.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = mix(state.wrapping_add(u64::from_le_bytes(word)).wrapping_add(GOLDEN));
    }
    state
}

/// A hasher for maps keyed by one `u64`, the same on every machine. Nothing iterates over such a map.
#[derive(Default)]
pub(crate) struct MixHasher(u64);

impl Hasher for MixHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0 ^ name_bits(Purpose::Session, bytes));
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = mix(self.0 ^ value.wrapping_add(GOLDEN));
    }
}

/// Builds [`MixHasher`]s.
pub(crate) type MixState = BuildHasherDefault<MixHasher>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_these_on_every_machine() {
        // Computed apart, with Python's integers.
        assert_eq!(mix(1), 0x5692_161d_100b_05e5);
        assert_eq!(bits(7, Purpose::Model, 42), GOLDEN_BITS);
        assert_eq!(scale(u64::MAX, 10), 9);
        assert_eq!(scale(0, 10), 0);
        assert_eq!(scale(1 << 63, 10), 5);
    }

    const GOLDEN_BITS: u64 = 0x8d37_dfac_7c1c_a96f;

    #[test]
    fn numbers_below_six_are_even() {
        let mut counts = [0u32; 6];
        for key in 0..60_000 {
            counts[scale(bits(1, Purpose::Model, key), 6) as usize] += 1;
        }
        // χ² with 5 degrees of freedom: 20.5 is exceeded once in a thousand seeds.
        let chi: f64 = counts.iter().map(|&c| (f64::from(c) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 20.5, "χ² = {chi}, counts {counts:?}");
    }

    #[test]
    fn names_that_differ_anywhere_differ() {
        let names: Vec<String> =
            (0..1_000).map(|n| format!("1722ac82-0a46-4bf0-aa08-89794e7a{n:04}")).collect();
        let mut bits: Vec<u64> = names.iter().map(|n| name_bits(Purpose::Session, n.as_bytes())).collect();
        bits.sort_unstable();
        bits.dedup();
        assert_eq!(bits.len(), 1_000);
        assert_ne!(name_bits(Purpose::Session, b"a"), name_bits(Purpose::Session, b"a\0"));
    }
}
