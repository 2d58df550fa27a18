//! Prompts and answers made to fit a context window.

use std::sync::Arc;

use control::request::Block;

use crate::keyed::{Purpose, bits2};

/// Tokens of prompt and answer that fit a context of `context` tokens (at least 2): the prompt is cut first, down to
/// one token, then the answer, as vidur does on its traces.
pub(super) fn lengths(prompt: u32, output: u32, context: u32) -> (u32, u32) {
    if prompt.saturating_add(output) <= context {
        return (prompt, output);
    }
    let output = output.min(context - 1);
    (prompt.min(context - output), output)
}

/// The first `tokens` tokens of a chain. A block that is cut gets an id of its own, as it holds something else.
pub(super) fn blocks(blocks: &[Block], tokens: u32) -> Arc<[Block]> {
    let mut left = tokens;
    blocks
        .iter()
        .map_while(|&block| {
            let kept = block.tokens.min(left);
            left -= kept;
            let id = if kept < block.tokens {
                bits2(0, Purpose::CutBlock, block.id, u64::from(kept))
            } else {
                block.id
            };
            (kept > 0).then_some(Block { id, tokens: kept })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_cut_fits_and_keeps_a_token(prompt in 1u32.., output in 1u32.., context in 2u32..100_000) {
            let (p, o) = lengths(prompt, output, context);
            prop_assert!(p >= 1 && o >= 1 && p <= prompt && o <= output && p + o <= context);
            prop_assert!(p + o == context || (p, o) == (prompt, output));
        }

        #[test]
        fn a_cut_chain_is_a_prefix(sizes in proptest::collection::vec(1u32..20, 1..10), share in 0u32..=100) {
            let chain: Vec<Block> = sizes.iter().zip(1..).map(|(&tokens, id)| Block { id, tokens }).collect();
            let total: u32 = sizes.iter().sum();
            let tokens = total * share / 100;
            let cut = blocks(&chain, tokens);
            prop_assert_eq!(cut.iter().map(|block| block.tokens).sum::<u32>(), tokens);
            let whole = cut.iter().zip(&chain).take_while(|(cut, block)| cut == block).count();
            prop_assert!(whole + 1 >= cut.len());
        }
    }
}
