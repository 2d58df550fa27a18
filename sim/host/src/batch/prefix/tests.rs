use std::sync::Arc;

use control::request::DoneReason;

use super::*;
use crate::api::RequestKey;

fn blocks(chain: &[(u64, u32)]) -> Vec<Block> {
    chain.iter().map(|&(id, tokens)| Block { id, tokens }).collect()
}

fn prompt(chain: &[(u64, u32)]) -> Sequence {
    Sequence {
        key: RequestKey(0),
        prompt_tokens: chain.iter().map(|&(_, tokens)| tokens).sum(),
        blocks: Some(Arc::from(blocks(chain))),
        answer_block: 0,
        output_tokens: 1,
        done: DoneReason::Stop,
        shift: true,
    }
}

#[track_caller]
fn check(held: &[(u64, u32)], answer: (u64, u32), new: &[(u64, u32)], common: u32) {
    let held_blocks = blocks(held);
    let tokens = held.iter().map(|&(_, tokens)| tokens).sum::<u32>() + answer.1;
    let held = Held { blocks: Some(&held_blocks), answer_block: answer.0, tokens, matching: u32::MAX };
    assert_eq!(common_prefix(held, &prompt(new)), common);
}

#[test]
fn whole_equal_blocks_are_common() {
    check(&[(1, 10), (2, 20), (3, 5)], (0, 0), &[(1, 10), (2, 20), (4, 9)], 30);
    check(&[(1, 10), (2, 20)], (0, 0), &[(1, 10), (2, 20), (4, 9)], 30);
}

#[test]
fn a_partial_block_counts_as_far_as_both_have_it_and_nothing_after() {
    check(&[(1, 10), (2, 20), (3, 5)], (0, 0), &[(1, 10), (2, 12), (3, 5)], 22);
    check(&[(1, 10), (2, 12), (3, 5)], (0, 0), &[(1, 10), (2, 20), (3, 5)], 22);
}

#[test]
fn different_prompts_share_the_first_token() {
    check(&[(1, 10)], (0, 0), &[(2, 10)], 1);
    let private = Held { blocks: None, answer_block: 0, tokens: 10, matching: u32::MAX };
    assert_eq!(common_prefix(private, &prompt(&[(1, 10)])), 1);
    check(&[(1, 10)], (0, 0), &[], 0);
    let empty = Held { tokens: 0, ..private };
    assert_eq!(common_prefix(empty, &prompt(&[(1, 10)])), 0);
}

#[test]
fn an_answer_continues_its_prompt_but_for_its_last_token() {
    check(&[(1, 10)], (7, 29), &[(1, 10), (7, 30), (8, 4)], 39);
    check(&[(1, 10)], (7, 29), &[(1, 10), (7, 12), (8, 4)], 22);
    check(&[(1, 10)], (7, 29), &[(1, 10), (6, 30)], 10);
}

#[test]
fn a_private_block_equals_no_other() {
    check(&[(1, 10)], (0, 29), &[(1, 10), (0, 30)], 10);
    check(&[(1, 10), (0, 5), (2, 5)], (0, 0), &[(1, 10), (0, 5), (2, 5)], 10);
}

#[test]
fn what_was_not_evaluated_or_was_shifted_does_not_match() {
    let held_blocks = blocks(&[(1, 100)]);
    let held = Held { blocks: Some(&held_blocks), answer_block: 0, tokens: 60, matching: u32::MAX };
    assert_eq!(common_prefix(held, &prompt(&[(1, 100)])), 60);
    assert_eq!(common_prefix(Held { matching: 4, ..held }, &prompt(&[(1, 100)])), 4);
}

#[test]
fn one_prompt_token_is_always_run_again() {
    assert_eq!(cached_tokens(100, 120, 0, 100), 99);
    assert_eq!(cached_tokens(1, 120, 0, 1), 0);
}

#[test]
fn a_slid_window_is_gone_on_from_its_end_or_not_at_all() {
    assert_eq!(cached_tokens(519, 520, 512, 519), 0);
    assert_eq!(cached_tokens(500, 512, 512, 519), 500);
    assert_eq!(cached_tokens(520, 520, 512, 600), 520);
    assert_eq!(cached_tokens(519, 520, 512, 600), 0);
}

#[test]
fn half_of_what_follows_the_kept_tokens_is_dropped_and_at_least_one() {
    assert_eq!(shifted_tokens(4_096, 4), 2_046);
    assert_eq!(shifted_tokens(5, 4), 1);
    assert_eq!(shifted_tokens(1, 0), 1);
}
