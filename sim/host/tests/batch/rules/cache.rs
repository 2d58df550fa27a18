//! What a request finds in the slots.

use super::*;

/// Runs requests one after the other, and tells how many prompt tokens each found.
#[track_caller]
fn found(spec: &LoopSpec, sequences: &[Sequence]) -> Vec<u32> {
    let spaced: Vec<_> =
        sequences.iter().cloned().zip(0u64..).map(|(s, i)| (i * 1_000_000, admit(s))).collect();
    found_at(spec, &spaced)
}

/// The same for any deliveries: in the order of the keys.
#[track_caller]
fn found_at(spec: &LoopSpec, deliveries: &[(u64, Delivery)]) -> Vec<u32> {
    let found = [Engine::Stepwise, Engine::Coalesced].map(|engine| {
        let (seen, _) = drive(LoopSpec { engine, ..spec.clone() }, deliveries);
        let mut found: Vec<_> = seen
            .iter()
            .filter_map(|entry| match entry {
                Seen::Event { event: LoopEvent::Finished { key, cached_tokens, .. }, .. } => {
                    Some((*key, *cached_tokens))
                }
                _ => None,
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, cached)| cached).collect::<Vec<_>>()
    });
    assert_eq!(found[0], found[1]);
    found[0].clone()
}

#[test]
fn the_same_prompt_again_runs_one_token() {
    let stats = check(
        spec(1),
        &[(0, admit(chained(1, &[(5, 100)], 3))), (1_000, admit(chained(2, &[(5, 100)], 3)))],
        "100 1 first
         102 1 done 3 0 100 2 Stop
         1001 2 first
         1003 2 done 3 99 1 2 Stop",
    );
    assert_eq!((stats.prompt_tokens, stats.cached_tokens), (101, 99));
}

#[test]
fn the_next_turn_finds_the_answer_but_for_its_last_token() {
    let first = Sequence { answer_block: 9, ..chained(1, &[(5, 100)], 30) };
    assert_eq!(found(&spec(1), &[first, chained(2, &[(5, 100), (9, 30), (6, 20)], 1)]), [0, 129]);
}

#[test]
fn a_private_answer_is_found_by_nobody() {
    let first = chained(1, &[(5, 100)], 30);
    assert_eq!(found(&spec(1), &[first, chained(2, &[(5, 100), (9, 30), (6, 20)], 1)]), [0, 100]);
}

#[test]
fn a_private_prompt_shares_the_first_token_only() {
    assert_eq!(found(&spec(1), &[private(1, 50, 1), private(2, 50, 1)]), [0, 1]);
}

#[test]
fn freed_slot_zero_beats_empty_slots() {
    // With four slots P, Q, P lose P's cache: Q goes where P was, for the first token that all share.
    let (p, q) = ([(1, 100)], [(2, 100)]);
    assert_eq!(found(&spec(4), &[chained(1, &p, 1), chained(2, &q, 1), chained(3, &p, 1)]), [0, 1, 1]);
}

#[test]
fn among_free_slots_the_longest_common_prefix_wins_and_the_lowest_among_equals() {
    let (p, q) = ([(1, 100)], [(2, 100)]);
    // P and Q run side by side in slots 0 and 1. Another Q goes to slot 1, a stranger to slot 0.
    let mut deliveries = vec![(0, admit(chained(1, &p, 50))), (0, admit(chained(2, &q, 50)))];
    deliveries.push((10_000, admit(chained(3, &[(2, 80), (7, 5)], 1))));
    deliveries.push((20_000, admit(chained(4, &[(3, 100)], 1))));
    deliveries.push((30_000, admit(chained(5, &[(2, 80)], 1))));
    assert_eq!(found_at(&spec(2), &deliveries), [0, 0, 80, 1, 79]);
}

#[test]
fn a_slot_in_use_is_not_looked_at() {
    let p = [(1, 100)];
    let deliveries = [(0, admit(chained(1, &p, 5_000))), (500, admit(chained(2, &p, 1)))];
    assert_eq!(found_at(&spec(2), &deliveries), [0, 0]);
}

#[test]
fn a_cancelled_prompt_is_kept_as_far_as_it_was_evaluated() {
    let spec = LoopSpec { batch_tokens: 10, ..spec(1) };
    let p = [(1, 35)];
    let deliveries = [(0, admit(chained(1, &p, 9))), (12, cancel(1)), (100, admit(chained(2, &p, 1)))];
    assert_eq!(found_at(&spec, &deliveries), [20]);
}

#[test]
fn without_a_prefix_cache_nothing_is_shared() {
    let spec = LoopSpec { prefix_cache: PrefixCache::Off, ..spec(2) };
    let p = [(1, 100)];
    assert_eq!(found(&spec, &[chained(1, &p, 5), chained(2, &p, 5), chained(3, &p, 5)]), [0, 0, 0]);
}

#[test]
fn multi_user_takes_the_least_recently_used_slot_and_forks_the_prefix() {
    let spec = LoopSpec { prefix_cache: PrefixCache::MultiUser, ..spec(3) };
    // A system prompt (9) and three users: each keeps a slot, and finds the system prompt in another's.
    let user = |key, user| chained(key, &[(9, 40), (user, 60)], 1);
    assert_eq!(
        found(&spec, &[user(1, 1), user(2, 2), user(3, 3), user(4, 1), user(5, 2), user(6, 4), user(7, 3)]),
        // 6 takes the slot of 3, the least recently used; 7 forks the system prompt alone.
        [0, 40, 40, 99, 99, 40, 40]
    );
}

#[test]
fn multi_user_forks_from_a_slot_in_use() {
    let spec = LoopSpec { prefix_cache: PrefixCache::MultiUser, ..spec(2) };
    let p = [(1, 100)];
    let deliveries = [(0, admit(chained(1, &p, 5_000))), (500, admit(chained(2, &p, 1)))];
    assert_eq!(found_at(&spec, &deliveries), [0, 99]);
}

#[test]
fn a_slid_window_gives_no_hit_unless_the_whole_slot_is_the_beginning() {
    let spec = with_costs(1, |costs| costs.window = 512);
    let long = [(1, 519)];
    assert_eq!(found(&spec, &[chained(1, &long, 5), chained(2, &long, 5)]), [0, 0]);
    // The window has not slid: all of the prompt but one token.
    let short = [(1, 500)];
    assert_eq!(found(&spec, &[chained(1, &short, 5), chained(2, &short, 5)]), [0, 499]);
    // The next turn of a conversation goes on from the very end.
    let first = Sequence { answer_block: 8, ..chained(1, &long, 5) };
    assert_eq!(found(&spec, &[first, chained(2, &[(1, 519), (8, 5), (2, 9)], 5)]), [0, 523]);
}

#[test]
fn what_was_shifted_matches_no_prompt_beyond_the_kept_tokens() {
    let spec = LoopSpec { num_ctx: 100, ..spec(1) };
    let p = [(1, 90)];
    assert_eq!(found(&spec, &[chained(1, &p, 11), chained(2, &p, 1)]), [0, 89]);
    assert_eq!(found(&spec, &[chained(1, &p, 12), chained(2, &p, 1)]), [0, 4]);
}
