//! Cutting a prompt that is longer than the context window.

use std::sync::Arc;

use control::draw::mix;
use control::request::{Block, Kind};

/// Cuts the middle out of a prompt: the first `keep` tokens and the newest stay, `limit` in all. An embedding's prompt
/// loses its tail instead.
///
/// A block of which the end is left gets an id of its own, made from its id and what it lost: equal cuts stay equal, and
/// a block cut at its start is never taken for the whole.
pub(super) fn cut(blocks: &[Block], kind: Kind, keep: u32, limit: u32) -> Arc<[Block]> {
    let total: u32 = blocks.iter().map(|block| block.tokens).sum();
    let (keep, drop) = match kind {
        Kind::Completion => (keep.min(limit), total.saturating_sub(limit)),
        Kind::Embedding => (limit, total.saturating_sub(limit)),
    };
    let mut kept = Vec::with_capacity(blocks.len());
    let mut at = 0;
    for block in blocks {
        let (start, end) = (at, at + block.tokens);
        at = end;
        let head = end.min(keep).saturating_sub(start);
        if head > 0 {
            kept.push(Block { id: block.id, tokens: head });
        }
        let from = start.max(keep + drop);
        if from < end {
            let lost = from - start;
            let id = if lost == 0 { block.id } else { tail_id(block.id, lost) };
            kept.push(Block { id, tokens: end - from });
        }
    }
    kept.into()
}

/// The id of what is left of a block without its first tokens.
fn tail_id(id: u64, lost: u32) -> u64 {
    mix(id ^ u64::from(lost).wrapping_mul(0x9E37_79B9_7F4A_7C15)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(parts: &[(u64, u32)]) -> Vec<Block> {
        parts.iter().map(|&(id, tokens)| Block { id, tokens }).collect()
    }

    fn sizes(blocks: &[Block]) -> Vec<u32> {
        blocks.iter().map(|block| block.tokens).collect()
    }

    #[test]
    fn first_tokens_and_newest_stay() {
        let cut = cut(&blocks(&[(1, 10), (2, 10), (3, 10)]), Kind::Completion, 4, 18);
        assert_eq!(sizes(&cut), vec![4, 4, 10]);
        assert_eq!((cut[0].id, cut[2].id), (1, 3));
        assert!(cut[1].id != 2, "what lost its start is another block");
    }

    #[test]
    fn cut_inside_one_block_keeps_both_ends() {
        let parts = cut(&blocks(&[(7, 100)]), Kind::Completion, 4, 50);
        assert_eq!(sizes(&parts), vec![4, 46]);
        assert_eq!(parts, cut(&blocks(&[(7, 100)]), Kind::Completion, 4, 50), "equal cuts stay equal");
    }

    #[test]
    fn embedding_loses_its_tail() {
        let cut = cut(&blocks(&[(1, 10), (2, 10)]), Kind::Embedding, 4, 12);
        assert_eq!(&*cut, blocks(&[(1, 10), (2, 2)]).as_slice());
    }
}
