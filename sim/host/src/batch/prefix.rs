//! What a request finds in a slot: the rules that both engines go by.

use control::request::Block;

use super::Sequence;

/// What a slot holds, as far as a new prompt can find it again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held<'a> {
    /// The blocks of the prompt that it had; `None`: private, apart from the first token.
    pub(super) blocks: Option<&'a [Block]>,
    /// What the answer after them became; 0 = private.
    pub(super) answer_block: u64,
    /// Tokens in its cache.
    pub(super) tokens: u32,
    /// How many of them, from the start, still are what the blocks say (a shift moves the rest).
    pub(super) matching: u32,
}

/// Tokens that the held content and the prompt have in common from the start.
///
/// All prompts begin with the same token. Beyond it only equal blocks count: where ids are equal but one has fewer
/// tokens, that many, and nothing after. Block id 0 is private and equal to nothing. The answer of which a slot holds
/// all but the last token (that one was never evaluated) matches as far as it is held.
pub(super) fn common_prefix(held: Held<'_>, sequence: &Sequence) -> u32 {
    let limit = held.tokens.min(held.matching).min(sequence.prompt_tokens);
    let (Some(held_blocks), Some(blocks)) = (held.blocks, sequence.blocks.as_deref()) else {
        return limit.min(1);
    };
    let mut common = 0u32;
    for (index, block) in blocks.iter().enumerate() {
        let (id, tokens) = match held_blocks.get(index) {
            Some(other) => (other.id, other.tokens),
            None if index == held_blocks.len() => (held.answer_block, block.tokens),
            None => break,
        };
        if id != block.id || id == 0 || common >= limit {
            break;
        }
        common = common.saturating_add(tokens.min(block.tokens));
        if tokens != block.tokens {
            break;
        }
    }
    common.max(1).min(limit)
}

/// Tokens of the prompt that need not be evaluated again, where `common` of them were found in a slot that holds
/// `held` tokens.
///
/// At least one is evaluated. In a model with sliding windows a slot that holds more tokens than the window has lost
/// the oldest, and can only be gone on from its very end: unless all that it holds begins the prompt, nothing is
/// found. (A prompt of 519 tokens again with a window of 512: none, since the answer's tokens stand after it.)
pub(super) fn cached_tokens(common: u32, held: u32, window: u32, prompt_tokens: u32) -> u32 {
    if window > 0 && held > window && common < held {
        return 0;
    }
    common.min(prompt_tokens - 1)
}

/// Tokens dropped where a context of `num_ctx` tokens is full: half of those after `num_keep`, the oldest.
pub(super) fn shifted_tokens(num_ctx: u32, num_keep: u32) -> u32 {
    ((num_ctx - num_keep) / 2).max(1)
}

#[cfg(test)]
mod tests;
