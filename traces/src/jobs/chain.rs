//! Prompts of sessions as chains of blocks: what was said before, its answer, and what the user adds.

use std::sync::Arc;

use control::request::Block;

use crate::keyed::{Purpose, bits2};
use crate::limits::{SESSION_BLOCKS_MAX, SESSIONS_MAX};
use crate::recent::Recent;

/// What has been said in each session.
pub(super) struct Chains {
    recent: Recent<Chain>,
}

#[derive(Default)]
struct Chain {
    blocks: Vec<Block>,
    tokens: u64,
}

/// A turn's prompt, and the id that its answer will have.
pub(super) struct Turn {
    pub(super) blocks: Arc<[Block]>,
    pub(super) answer_block: u64,
}

impl Chains {
    pub(super) fn new() -> Self {
        Self { recent: Recent::new(SESSIONS_MAX) }
    }

    /// The next turn of a session; `line` tells turns apart. A prompt that is shorter than all that was said
    /// cannot contain it: the conversation starts afresh.
    pub(super) fn turn(&mut self, session: u64, line: u64, prompt_tokens: u32, output_tokens: u32) -> Turn {
        let chain = self.recent.get_or(session, Chain::default);
        if u64::from(prompt_tokens) < chain.tokens || chain.blocks.len() + 2 > SESSION_BLOCKS_MAX {
            *chain = Chain::default();
        }
        // Fits: what is new is no more than the prompt.
        let added = (u64::from(prompt_tokens) - chain.tokens) as u32;
        if added > 0 {
            chain.push(Block { id: id(Purpose::UserBlock, session, line), tokens: added });
        }
        let blocks = chain.blocks.as_slice().into();
        let answer_block = id(Purpose::AnswerBlock, session, line);
        chain.push(Block { id: answer_block, tokens: output_tokens });
        Turn { blocks, answer_block }
    }
}

impl Chain {
    fn push(&mut self, block: Block) {
        self.tokens += u64::from(block.tokens);
        self.blocks.push(block);
    }
}

/// An id that is not 0, which stands for none.
fn id(purpose: Purpose, session: u64, line: u64) -> u64 {
    bits2(0, purpose, session, line).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_the_last_one_its_answer_and_what_is_new() {
        let mut chains = Chains::new();
        let first = chains.turn(7, 2, 100, 30);
        let other = chains.turn(8, 3, 100, 30);
        let second = chains.turn(7, 4, 150, 10);
        let third = chains.turn(7, 5, 160, 5);
        let fourth = chains.turn(7, 6, 164, 5);
        let tokens = |turn: &Turn| turn.blocks.iter().map(|block| block.tokens).collect::<Vec<_>>();
        assert_eq!(tokens(&first), [100]);
        assert_eq!(tokens(&second), [100, 30, 20]);
        assert_eq!(second.blocks[0], first.blocks[0]);
        assert_eq!(second.blocks[1].id, first.answer_block);
        assert_eq!(tokens(&third), [100, 30, 20, 10], "nothing new was said");
        assert_eq!(tokens(&fourth), [164], "164 is less than the 165 said before");
        assert_ne!(first.blocks[0].id, other.blocks[0].id);
    }

    #[test]
    fn a_chain_of_too_many_blocks_starts_afresh() {
        let mut chains = Chains::new();
        let mut longest = 0;
        for turn in 1..2_000 {
            longest = longest.max(chains.turn(1, u64::from(turn), turn * 2, 1).blocks.len());
        }
        assert!(longest <= SESSION_BLOCKS_MAX && longest + 2 >= SESSION_BLOCKS_MAX, "{longest}");
    }
}
