//! Prompts cut anew into blocks of one size, for formats that know one size only.
//!
//! A new block's id follows from the pieces that it consists of, so prompts that begin with the same tokens begin with
//! the same ids, up to the last block boundary before they part. A block that begins where an old one does has its id.

use control::request::Block;

use crate::keyed::{Purpose, bits2};

/// The ids of a prompt's blocks when each holds `block_tokens` tokens, the last one what is left.
pub(crate) fn ids(blocks: &[Block], block_tokens: u32) -> Vec<u64> {
    let total: u64 = blocks.iter().map(|block| u64::from(block.tokens)).sum();
    let mut ids = Vec::with_capacity(total.div_ceil(u64::from(block_tokens)) as usize);
    // The new block so far: its id, and how many tokens it has.
    let (mut id, mut filled) = (0, 0);
    for block in blocks {
        let mut offset = 0;
        while offset < block.tokens {
            let taken = (block.tokens - offset).min(block_tokens - filled);
            // However long the old block is: a prompt that ends here opens like one that goes on.
            let begins_alike = offset == 0 && filled == 0;
            id = if begins_alike { block.id } else { piece(id, block.id, offset, taken) };
            offset += taken;
            filled += taken;
            if filled == block_tokens {
                ids.push(id);
                (id, filled) = (0, 0);
            }
        }
    }
    if filled > 0 {
        ids.push(id);
    }
    ids
}

/// Whether a prompt lies in blocks of this size already.
pub(crate) fn fits(blocks: &[Block], block_tokens: u32) -> bool {
    blocks.split_last().is_none_or(|(last, full)| {
        last.tokens <= block_tokens && full.iter().all(|block| block.tokens == block_tokens)
    })
}

fn piece(before: u64, block: u64, offset: u32, tokens: u32) -> u64 {
    bits2(before, Purpose::CutPiece, block, u64::from(offset) << 32 | u64::from(tokens))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chain(tokens: &[u32]) -> Vec<Block> {
        (0..).zip(tokens).map(|(id, &tokens)| Block { id: 100 + id, tokens }).collect()
    }

    #[test]
    fn blocks_of_the_right_size_keep_their_ids() {
        assert_eq!(ids(&chain(&[16, 16, 5]), 16), [100, 101, 102]);
        assert!(ids(&[], 16).is_empty());
        assert!(fits(&chain(&[16, 16, 5]), 16) && fits(&[], 16) && fits(&chain(&[3]), 16));
        assert!(!fits(&chain(&[16, 5, 16]), 16) && !fits(&chain(&[17]), 16));
    }

    #[test]
    fn a_longer_turn_shares_the_whole_blocks_of_the_turn_before() {
        let (first, second) = (ids(&chain(&[100]), 16), ids(&chain(&[100, 30, 20]), 16));
        assert_eq!((first.len(), second.len()), (7, 10));
        assert_eq!(first[..6], second[..6]);
        assert_ne!(first[6], second[6], "four tokens are no sixteen");
        let large = ids(&chain(&[512, 512, 40]), 16);
        assert_eq!(large.len(), 67);
        assert_eq!(ids(&chain(&[512, 700]), 16)[..64], large[..64]);
    }

    #[test]
    fn a_prompt_that_ends_within_a_block_opens_like_one_that_goes_on() {
        let [ends, goes_on] = [16, 17].map(|tokens| ids(&[Block { id: 8, tokens }], 16));
        assert_eq!(ends, goes_on[..1]);
    }

    proptest! {
        #[test]
        fn prompts_share_exactly_the_whole_blocks_before_they_part(
            sizes in proptest::collection::vec(1u32..60, 1..12),
            part in 0usize..12,
            block_tokens in 1u32..40,
        ) {
            let one = chain(&sizes);
            let mut other = one.clone();
            let part = part % sizes.len();
            other[part].id = 7;
            let before: u32 = sizes[..part].iter().sum();
            let (one, other) = (ids(&one, block_tokens), ids(&other, block_tokens));
            prop_assert_eq!(one.len() as u32, sizes.iter().sum::<u32>().div_ceil(block_tokens));
            let shared = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
            prop_assert_eq!(shared as u32, before / block_tokens);
        }
    }
}
