//! Byte strings as 64 bits, the same on every machine. For tables and filters only: not a digest, two strings may share it.

use crate::draw::mix;

/// Keeps runs of zero bytes from standing still at zero, the fixed point of [`mix`].
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of a byte string under a key: [`mix`] over its little-endian words of eight bytes, chained, the length first
/// (so that the zeros that fill up the last word are told from zeros of the string).
#[must_use]
pub fn of_bytes(bytes: &[u8], key: u64) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let chain = |state: u64, word: u64| mix((state ^ word).wrapping_add(STEP));
    let state = words
        .iter()
        .fold(chain(key, bytes.len() as u64), |state, word| chain(state, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    chain(state, u64::from_le_bytes(last))
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec;

    use super::*;

    #[test]
    fn strings_of_zeros_differ_by_their_length() {
        let hashes: BTreeSet<u64> = (0..100).map(|len| of_bytes(&vec![0; len], 0)).collect();
        assert_eq!(hashes.len(), 100);
    }

    #[test]
    fn every_byte_and_the_key_count() {
        let text = *b"qwen2.5-coder:7b-instruct";
        let mut hashes = BTreeSet::from([of_bytes(&text, 0), of_bytes(&text, 1)]);
        for at in 0..text.len() {
            let mut changed = text;
            changed[at] ^= 1;
            hashes.insert(of_bytes(&changed, 0));
        }
        assert_eq!(hashes.len(), text.len() + 2);
    }
}
