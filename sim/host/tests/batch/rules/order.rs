//! In which order things happen at a boundary, and who gets a slot.

use super::*;

#[test]
fn a_cancel_comes_after_completions_of_higher_slots_and_completions_come_by_slot() {
    // Slots 0 to 3 hold 4, 3, 2, 1.
    let spec = LoopSpec { prefix_cache: PrefixCache::Off, ..spec(4) };
    let deliveries = [
        (0, admit(private(4, 4, 100))),
        (0, admit(private(3, 500, 2))),
        (0, admit(private(2, 4, 3))),
        (0, admit(private(1, 4, 3))),
        (513, cancel(4)),
    ];
    // A batch of 512: 4 + 500 + 4 + 4. Three first tokens at 512.
    check(
        spec,
        &deliveries,
        "512 4 first
         512 3 first
         512 2 first
         512 1 first
         516 3 done 2 0 512 4 Stop
         516 4 cancelled
         518 2 done 3 0 512 6 Stop
         518 1 done 3 0 512 6 Stop",
    );
}

#[test]
fn a_first_token_comes_after_completions_of_higher_slots() {
    let spec = LoopSpec { prefix_cache: PrefixCache::Off, ..spec(3) };
    // 1 and 2 take slots 0 and 1; 1 is done at 4; 3 takes slot 0 and has its first token when 2 is done.
    check(
        spec,
        &[(0, admit(private(1, 2, 1))), (0, admit(private(2, 2, 2))), (2, admit(private(3, 3, 1)))],
        "4 1 first
         4 1 done 1 0 4 0 Stop
         4 2 first
         8 2 done 2 0 4 4 Stop
         8 3 first
         8 3 done 1 0 4 0 Stop",
    );
}

#[test]
fn requests_beyond_the_slots_wait_first_come_first_served() {
    check(
        spec(1),
        &[(0, admit(private(1, 5, 1))), (1, admit(private(2, 5, 1))), (2, admit(private(3, 5, 1)))],
        "5 1 first
         5 1 done 1 0 5 0 Stop
         9 2 first
         9 2 done 1 1 4 0 Stop
         13 3 first
         13 3 done 1 1 4 0 Stop",
    );
}

#[test]
fn cancel_frees_the_slot_at_the_next_boundary() {
    // Boundaries each nanosecond from 5. The cancel at 7 takes hold at 8, and the one who waits begins there.
    check(
        spec(1),
        &[(0, admit(private(1, 5, 100))), (1, admit(private(2, 5, 1))), (7, cancel(1))],
        "5 1 first
         8 1 cancelled
         12 2 first
         12 2 done 1 1 4 0 Stop",
    );
}

#[test]
fn cancel_in_the_middle_of_a_prefill_waits_for_its_chunk() {
    let spec = LoopSpec { batch_tokens: 10, ..spec(1) };
    let stats = check(spec, &[(0, admit(private(1, 35, 9))), (12, cancel(1))], "20 1 cancelled");
    assert_eq!((stats.prompt_tokens, stats.output_tokens, stats.steps), (20, 0, 2));
}

#[test]
fn a_waiting_request_is_dropped_at_once() {
    check(
        spec(1),
        &[(0, admit(private(1, 5, 1))), (1, admit(private(2, 5, 1))), (2, cancel(2))],
        "2 2 cancelled
         5 1 first
         5 1 done 1 0 5 0 Stop",
    );
}

#[test]
fn a_cancel_before_the_start_leaves_the_loop_idle() {
    let stats = check(spec(1), &[(3, admit(private(1, 5, 1))), (3, cancel(1))], "3 1 cancelled");
    assert_eq!((stats.boundaries, stats.steps), (0, 0));
}

#[test]
fn what_ends_with_the_boundary_of_its_cancel_has_ended() {
    check(
        spec(1),
        &[(0, admit(private(1, 5, 3))), (6, cancel(1)), (6, cancel(1)), (9, cancel(1)), (9, cancel(77))],
        "5 1 first
         7 1 done 3 0 5 2 Stop",
    );
}

#[test]
fn a_slot_freed_at_a_boundary_is_given_out_at_the_same() {
    check(
        spec(1),
        &[(0, admit(private(1, 5, 2))), (0, admit(private(2, 3, 2)))],
        "5 1 first
         6 1 done 2 0 5 1 Stop
         8 2 first
         9 2 done 2 1 2 1 Stop",
    );
}
