//! The text of a prompt, in pieces as they stand in the body, and hashes of its blocks.

use std::borrow::Cow;

use control::units::Bytes;

/// A prompt's text in order: for a chat the tools, then role and content of each message; for a completion the
/// system prompt, then the prompt. Templates are the host's business and are not applied.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Prompt<'a> {
    parts: Vec<Cow<'a, str>>,
}

impl<'a> Prompt<'a> {
    /// Adds a piece of text.
    pub fn push(&mut self, part: Cow<'a, str>) {
        self.parts.push(part);
    }

    /// Size of the text.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        Bytes(self.parts.iter().map(|part| part.len() as u64).sum())
    }

    /// Hashes of the text's whole blocks of `block_bytes`, keyed, each chained over those before it; at most
    /// `blocks_max`. Two prompts agree in the first n hashes where they agree in the first n blocks. Pieces
    /// are set apart by a zero byte, which counts.
    #[must_use]
    pub fn block_hashes(&self, key: &[u8; 32], block_bytes: usize, blocks_max: usize) -> Vec<u64> {
        self.hashes(key, block_bytes, blocks_max).0
    }

    /// The same, and where there is room for it the hash of what follows the last whole block: the last of the hashes stands for the
    /// whole prompt then.
    #[must_use]
    pub fn block_and_rest_hashes(&self, key: &[u8; 32], block_bytes: usize, blocks_max: usize) -> Vec<u64> {
        let (mut hashes, rest) = self.hashes(key, block_bytes, blocks_max);
        hashes.extend(rest);
        hashes
    }

    fn hashes(&self, key: &[u8; 32], block_bytes: usize, blocks_max: usize) -> (Vec<u64>, Option<u64>) {
        let mut hashes = Vec::new();
        let mut hasher = blake3::Hasher::new_keyed(key);
        let mut filled = 0;
        let pieces = self.parts.iter().flat_map(|part| [part.as_bytes(), &[0]]);
        for mut piece in pieces {
            while !piece.is_empty() && hashes.len() < blocks_max {
                let (now, rest) = piece.split_at(piece.len().min(block_bytes - filled));
                hasher.update(now);
                filled += now.len();
                piece = rest;
                if filled == block_bytes {
                    let hash = first_eight(&hasher);
                    hashes.push(hash);
                    hasher.reset().update(&hash.to_le_bytes());
                    filled = 0;
                }
            }
        }
        let rest = (filled > 0).then(|| first_eight(&hasher));
        (hashes, rest)
    }

    /// A keyed hash of the whole text and of `context` (the model's name).
    #[must_use]
    pub fn digest(&self, key: &[u8; 32], context: &str) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(context.as_bytes());
        for part in &self.parts {
            hasher.update(&[0]).update(part.as_bytes());
        }
        first_eight(&hasher)
    }
}

/// A keyed hash of a short text.
#[must_use]
pub fn keyed_hash(key: &[u8; 32], text: &str) -> u64 {
    first_eight(blake3::Hasher::new_keyed(key).update(text.as_bytes()))
}

/// The first eight bytes of a hash as a number.
fn first_eight(hasher: &blake3::Hasher) -> u64 {
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(text: &str, key: u8) -> Vec<u64> {
        let mut prompt = Prompt::default();
        prompt.push(text.into());
        prompt.block_hashes(&[key; 32], 16, 100)
    }

    #[test]
    fn equal_beginnings_have_equal_hashes_and_what_follows_has_not() {
        let long = "0123456789abcdef0123456789abcdef0123456789abcdef";
        let (a, b) = (hashes(long, 1), hashes(&long.replace("f012", "f0X2"), 1));
        assert_eq!(a.len(), 3);
        assert_eq!(a[0], b[0]);
        assert_ne!(a[1], b[1]);
        assert_ne!(a[2], b[2], "chained: a later block knows of the earlier");
        assert_ne!(a[0], a[1], "equal blocks at different places differ");
        assert_eq!(hashes(&long[..40], 1)[..], a[..2], "an unfinished block has no hash");
    }

    #[test]
    fn the_last_hash_with_the_rest_tells_prompts_apart_that_differ_anywhere() {
        let of = |text: &str, blocks_max| {
            let mut prompt = Prompt::default();
            prompt.push(text.into());
            prompt.block_and_rest_hashes(&[1; 32], 16, blocks_max)
        };
        let long = "0123456789abcdef012345";
        assert_eq!(of(long, 9)[..1], hashes(long, 1));
        assert_eq!((of(long, 9).len(), of("short", 9).len(), of("", 0).len()), (2, 1, 0));
        assert_ne!(of(long, 9)[1], of("0123456789abcdef012346", 9)[1]);
        assert_eq!(of(long, 1).len(), 1, "no room is no room");
    }

    #[test]
    fn another_key_gives_other_hashes() {
        let text = "0123456789abcdef0123456789abcdef";
        assert_ne!(hashes(text, 1), hashes(text, 2));
    }

    #[test]
    fn blocks_run_over_pieces() {
        let mut pieces = Prompt::default();
        pieces.push("0123456".into());
        pieces.push("89abcdef".into());
        assert_eq!(pieces.block_hashes(&[1; 32], 16, 9), hashes("0123456\089abcdef", 1));
        assert_eq!(pieces.bytes(), Bytes(15));
    }
}
