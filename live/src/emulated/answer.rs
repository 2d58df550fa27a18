//! What a real host would know by running the model, made up by rules: tokens of a prompt, length and words of an
//! answer. The same request gets the same answer on any emulated host.

use std::sync::Arc;

use control::request::Block;

use crate::wire::prompt::Prompt;

/// Bytes of prompt that count as one token; a rest counts as one. Assumed: what English takes in common tokenizers.
pub const PROMPT_BYTES_PER_TOKEN: u64 = 4;

/// Tokens of a block of prompt: equal beginnings of prompts are found in a slot's cache in steps of this.
const BLOCK_TOKENS: u32 = 16;
/// Blocks that are told apart in a prompt (64 Ki tokens); the rest is shared with no other.
const BLOCKS_MAX: usize = 4_096;
/// Tokens of an image. Assumed: what gemma 3 makes of one.
const IMAGE_TOKENS: u32 = 256;
/// Blocks have the same ids on any emulated host.
const BLOCK_KEY: [u8; 32] = *b"herder emulated host block ids 1";

/// Tokens of an answer at 0/32, 1/32, …, 32/32 of a uniform draw: quantiles of a lognormal distribution with median
/// 128 and σ = 1, the ends at 1/256 and 255/256. Assumed: the median is that of the Azure conversation trace of 2023.
const LENGTHS: [u32; 33] = [
    9, 20, 28, 34, 41, 47, 53, 59, 65, 72, 79, 86, 93, 101, 109, 118, 128, 138, 150, 162, 176, 191, 209, 228,
    251, 278, 311, 351, 404, 478, 594, 824, 1_830,
];

/// Tokens of the answer to a request with this hash: the hash's upper half draws from the table, with straight lines
/// between its entries; at least 1.
#[must_use]
pub fn answer_tokens(hash: u64) -> u32 {
    let draw = hash >> 32;
    // 32 intervals: 5 bits choose one, 27 say where in it.
    let (interval, within) = ((draw >> 27) as usize, draw & ((1 << 27) - 1));
    let (low, high) = (LENGTHS[interval], LENGTHS[interval + 1]);
    low + ((u64::from(high - low) * within) >> 27) as u32
}

/// A prompt as the host model takes it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Sized {
    /// Its tokens.
    pub(super) tokens: u32,
    /// What it is made of.
    pub(super) blocks: Option<Arc<[Block]>>,
    /// Hash of model and prompt.
    pub(super) hash: u64,
}

/// Tokens and blocks of a prompt, and the hash of the request. Where `empty`, the prompt has no token.
pub(super) fn size(model: &str, prompt: &Prompt<'_>, empty: bool) -> Sized {
    let block_bytes = BLOCK_TOKENS as usize * PROMPT_BYTES_PER_TOKEN as usize;
    let ids = prompt.block_hashes(&BLOCK_KEY, block_bytes, BLOCKS_MAX);
    // All of the text in one block: its hash, whatever its length.
    let whole = prompt.digest(&BLOCK_KEY, model);
    if empty {
        return Sized { tokens: 0, blocks: None, hash: whole };
    }
    let tokens = prompt.bytes().0.div_ceil(PROMPT_BYTES_PER_TOKEN).clamp(1, u32::MAX.into()) as u32;
    let mut blocks: Vec<Block> = Vec::new();
    let mut left = tokens;
    for id in ids {
        if left <= BLOCK_TOKENS {
            break;
        }
        blocks.push(Block { id, tokens: BLOCK_TOKENS });
        left -= BLOCK_TOKENS;
    }
    blocks.push(Block { id: whole, tokens: left });
    Sized { tokens, blocks: Some(blocks.into()), hash: whole }
}

impl Sized {
    /// Adds images, each a block of its own after the text. Nothing where there is no prompt.
    pub(super) fn add_images(&mut self, images: &[u64]) {
        let Some(blocks) = self.blocks.as_ref().filter(|_| !images.is_empty()) else { return };
        let shown = images.iter().map(|&id| Block { id, tokens: IMAGE_TOKENS });
        self.blocks = Some(blocks.iter().copied().chain(shown).collect());
        for &id in images {
            self.tokens = self.tokens.saturating_add(IMAGE_TOKENS);
            self.hash = (self.hash ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }
}

/// The text of the token at `index` of the answer with this hash.
pub(super) fn word(hash: u64, index: u32) -> &'static str {
    const WORDS: [&str; 16] = [
        " the", " host", " reads", " a", " prompt", " and", " answers", " with", " made", "-up", " words",
        ",", " one", " by", " one", ".",
    ];
    let mixed = (hash ^ u64::from(index)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    WORDS[(mixed >> 60) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_follow_the_table() {
        assert_eq!(answer_tokens(0), 9);
        assert_eq!(answer_tokens(1 << 63), 128, "the median");
        assert_eq!(answer_tokens(u64::MAX), 1_829);
        assert!(LENGTHS.is_sorted());
        let mean: u64 = (0..1 << 12).map(|draw| u64::from(answer_tokens(draw << 52))).sum::<u64>() >> 12;
        assert!((180..=230).contains(&mean), "a lognormal mean is 128 × e^0.5 = 211, here {mean}");
    }

    fn sized(text: &str) -> Sized {
        let mut prompt = Prompt::default();
        prompt.push(text.into());
        size("m", &prompt, false)
    }

    #[test]
    fn four_bytes_are_a_token_and_blocks_sum_to_the_tokens() {
        for bytes in [1, 3, 4, 5, 63, 64, 65, 128, 129, 1_000] {
            let prompt = sized(&"x".repeat(bytes));
            assert_eq!(u64::from(prompt.tokens), (bytes as u64).div_ceil(4));
            let blocks = prompt.blocks.expect("blocks");
            assert_eq!(blocks.iter().map(|block| block.tokens).sum::<u32>(), prompt.tokens, "{bytes}");
            assert!(blocks.iter().all(|block| block.tokens > 0));
        }
        assert_eq!(size("m", &Prompt::default(), true).tokens, 0);
    }

    #[test]
    fn an_image_is_a_block_after_the_text_and_changes_the_answer() {
        let plain = sized("what is this?");
        let mut shown = sized("what is this?");
        shown.add_images(&[7, 8]);
        let blocks = shown.blocks.expect("blocks");
        assert_eq!(shown.tokens, plain.tokens + 2 * IMAGE_TOKENS);
        assert_eq!(blocks.iter().map(|block| block.tokens).sum::<u32>(), shown.tokens);
        assert_ne!(shown.hash, plain.hash);
    }

    #[test]
    fn a_longer_prompt_begins_with_the_blocks_of_the_shorter() {
        let (short, long) = (sized(&"ab".repeat(100)), sized(&"ab".repeat(150)));
        let (short_blocks, long_blocks) = (short.blocks.expect("blocks"), long.blocks.expect("blocks"));
        assert_eq!(short_blocks[..3], long_blocks[..3]);
        assert_ne!(short_blocks[3], long_blocks[3], "the unfinished block is its own");
        assert_ne!(short.hash, long.hash);
        assert_ne!(short.hash, size("n", &Prompt::default(), false).hash);
    }
}
