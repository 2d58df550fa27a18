//! What a step holds and what it costs.

use super::*;

#[test]
fn decode_beside_a_prefill_takes_the_whole_step() {
    // The decode of 1 at 11 would take 1 ns; beside 9 new prompt tokens it takes 10.
    check(
        LoopSpec { prefix_cache: PrefixCache::Off, ..spec(2) },
        &[(0, admit(private(1, 10, 2))), (5, admit(private(2, 9, 1)))],
        "10 1 first
         20 1 done 2 0 10 10 Stop
         20 2 first
         20 2 done 1 0 10 0 Stop",
    );
}

#[test]
fn prefill_goes_in_chunks_of_the_batch() {
    let spec = LoopSpec { batch_tokens: 10, ..with_costs(1, |costs| costs.prefill = vec![(1, 100_000)]) };
    let stats = check(
        spec,
        &[(0, admit(private(1, 35, 1)))],
        "400 1 first
         400 1 done 1 0 400 0 Stop",
    );
    assert_eq!(stats.steps, 4);
}

#[test]
fn a_shared_batch_serves_round_robin_and_who_got_nothing_is_first_next_time() {
    // Ten tokens a step, slots 0, 1, 2 with prompts of 25, 8, 8:
    //   10        ·  ·     10 ns: 1 got nothing and is first
    //   ·(0 left) 8  2     1, 2, and 0 got nothing: 20 ns, 2 has its first token
    //   10        ·  ·     0 first: all ten; 2 gets nothing: 30 ns
    let spec = LoopSpec { batch_tokens: 10, prefix_cache: PrefixCache::Off, ..spec(3) };
    check(
        spec,
        &[(0, admit(private(1, 25, 1))), (0, admit(private(2, 8, 1))), (0, admit(private(3, 8, 1)))],
        "20 2 first
         20 2 done 1 0 10 0 Stop
         40 3 first
         40 3 done 1 0 30 0 Stop
         41 1 first
         41 1 done 1 0 41 0 Stop",
    );
}

#[test]
fn a_decode_behind_a_full_batch_waits_one_step() {
    // At 6 slot 0 (2) joins with 20 tokens and fills the batch of 10 before slot 1 (1), which decodes only in the
    // next, beside 9 of them.
    let spec = LoopSpec { batch_tokens: 10, prefix_cache: PrefixCache::Off, ..spec(2) };
    check(
        spec,
        &[(0, admit(private(9, 2, 2))), (0, admit(private(1, 2, 3))), (5, admit(private(2, 20, 1)))],
        "4 9 first
         4 1 first
         6 9 done 2 0 4 2 Stop
         26 1 done 3 0 4 22 Stop
         27 2 first
         27 2 done 1 0 21 0 Stop",
    );
}

#[test]
fn a_batch_per_slot_serves_all_slots_in_every_step() {
    let spec = LoopSpec {
        batch_tokens: 10,
        discipline: Discipline::PerSlot,
        prefix_cache: PrefixCache::Off,
        ..spec(2)
    };
    // 10 + 10, then 5 + 10 (1 has its first token), then 1 + 5.
    let stats = check(
        spec,
        &[(0, admit(private(1, 15, 2))), (0, admit(private(2, 25, 1)))],
        "35 1 first
         41 1 done 2 0 35 6 Stop
         41 2 first
         41 2 done 1 0 41 0 Stop",
    );
    assert_eq!(stats.steps, 3);
}

#[test]
fn a_context_lengthens_every_step_by_what_it_holds() {
    let spec = with_costs(1, |costs| costs.context = 1_000);
    // Contexts before the three decoding steps: 10, 11, 12.
    check(
        spec,
        &[(0, admit(private(1, 10, 4)))],
        "10 1 first
         46 1 done 4 0 10 36 Stop",
    );
}

#[test]
fn a_window_bounds_what_a_context_costs() {
    let spec = with_costs(1, |costs| (costs.window_context, costs.window) = (1_000, 11));
    check(
        spec,
        &[(0, admit(private(1, 10, 5)))],
        "10 1 first
         57 1 done 5 0 10 47 Stop",
    );
}

#[test]
fn a_span_counts_whole_units_of_256_cells_with_those_of_the_step() {
    let spec = with_costs(1, |costs| costs.span = 100_000);
    // The prompt stores 255 cells: one unit. Decoding the 256th: one; the 257th and 258th: two.
    check(
        spec,
        &[(0, admit(private(1, 255, 4)))],
        "355 1 first
         858 1 done 4 0 355 503 Stop",
    );
}

#[test]
fn what_a_free_slot_keeps_is_not_in_the_span() {
    let spec = with_costs(2, |costs| costs.span = 100_000);
    check(
        spec,
        &[
            (0, admit(chained(1, &[(1, 250)], 1))),
            (0, admit(chained(2, &[(2, 250)], 1))),
            (10_000, admit(chained(3, &[(2, 250)], 1))),
        ],
        "700 1 first
         700 1 done 1 0 700 0 Stop
         700 2 first
         700 2 done 1 0 700 0 Stop
         10101 3 first
         10101 3 done 1 249 101 0 Stop",
    );
}

#[test]
fn prompt_tokens_pay_for_the_pairs_they_attend_to() {
    let spec = LoopSpec { batch_tokens: 10, ..with_costs(1, |costs| costs.prefill_context = 1_000) };
    // Chunks of 10, 10, 4 at contexts 0, 10, 20: 50, 150, 88 pairs.
    check(
        spec,
        &[(0, admit(private(1, 24, 1)))],
        "312 1 first
         312 1 done 1 0 312 0 Stop",
    );
}

#[test]
fn a_full_context_drops_half_of_what_follows_the_kept_tokens() {
    // 20 tokens of context, 4 kept: with 20 in it 8 go. 18 + 2 steps, then contexts of 12 …
    let spec = LoopSpec { num_ctx: 20, ..with_costs(1, |costs| costs.context = 1_000) };
    check(
        spec,
        &[(0, admit(private(1, 18, 5)))],
        // 1 + 18, 1 + 19, then 1 + 12, 1 + 13.
        "18 1 first
         84 1 done 5 0 18 66 Stop",
    );
}

#[test]
fn a_full_context_ends_the_answer_where_shifting_is_off() {
    let spec = LoopSpec { num_ctx: 20, ..spec(1) };
    let sequence = |prompt| Sequence { shift: false, ..private(1, prompt, 50) };
    // The cache takes the prompt and two tokens; the third is out, but has no room.
    check(
        spec.clone(),
        &[(0, admit(sequence(18)))],
        "18 1 first
         20 1 done 3 0 18 2 Length",
    );
    check(
        spec,
        &[(0, admit(sequence(20)))],
        "20 1 first
         20 1 done 1 0 20 0 Length",
    );
}

#[test]
fn an_answer_that_ends_with_the_context_keeps_its_own_reason() {
    let spec = LoopSpec { num_ctx: 20, ..spec(1) };
    let sequence = Sequence { shift: false, ..private(1, 18, 3) };
    check(
        spec,
        &[(0, admit(sequence))],
        "18 1 first
         20 1 done 3 0 18 2 Stop",
    );
}

#[test]
fn a_tiny_context_shifts_with_every_token() {
    let spec = LoopSpec { num_ctx: 1, num_keep: 4, ..spec(1) };
    check(
        spec,
        &[(0, admit(private(1, 1, 6)))],
        "1 1 first
         6 1 done 6 0 1 5 Stop",
    );
}

#[test]
fn a_slowdown_scales_the_context_terms_too() {
    let spec = with_costs(1, |costs| costs.context = 1_000);
    check(
        spec,
        &[(0, Delivery::SlowDown(2_000)), (0, admit(private(1, 10, 3)))],
        "20 1 first
         66 1 done 3 0 20 46 Stop",
    );
}

#[test]
fn runs_of_whole_chunks_are_one_jump() {
    let spec = LoopSpec { num_ctx: 100_000, engine: Engine::Coalesced, ..spec(2) };
    let (_, batch) = drive(spec, &[(0, admit(private(1, 50_000, 1)))]);
    // The start, 97 whole chunks of 512, the rest.
    assert_eq!((batch.stats().boundaries, batch.stats().steps), (3, 98));
}

#[test]
fn an_answer_is_one_jump_whatever_its_length() {
    let spec = LoopSpec { engine: Engine::Coalesced, ..with_costs(1, |costs| costs.span = 77) };
    let (_, batch) = drive(spec, &[(0, admit(private(1, 100, 3_000)))]);
    assert_eq!((batch.stats().boundaries, batch.stats().steps), (3, 3_000));
}
