//! When things happen.

use super::*;
use control::units::{Instant, Nanos};
use sim_host::api::{Due, Phase};
use sim_host::batch::BatchLoop;

#[test]
fn the_first_token_comes_with_the_end_of_the_prefill_and_the_last_n_minus_1_steps_later() {
    let stats = check(
        spec(1),
        &[(5, admit(private(1, 10, 4)))],
        "15 1 first
         18 1 done 4 0 10 3 Stop",
    );
    assert_eq!((stats.steps, stats.prompt_tokens, stats.output_tokens), (4, 10, 4));
    assert_eq!(stats.busy, Nanos(13));
}

#[test]
fn one_token_is_first_and_last_at_one_time() {
    check(
        spec(1),
        &[(0, admit(private(1, 10, 1)))],
        "10 1 first
         10 1 done 1 0 10 0 Stop",
    );
}

#[test]
fn an_embedding_is_done_with_its_prefill_and_has_no_token() {
    let stats = check(spec(1), &[(0, admit(private(1, 10, 0)))], "10 1 done 0 0 10 0 Stop");
    assert_eq!(stats.output_tokens, 0);
}

#[test]
fn an_idle_loop_starts_after_all_deliveries_of_that_time() {
    // Both are in the first batch: 5 + 6 tokens.
    check(
        spec(2),
        &[(3, admit(private(1, 5, 1))), (3, admit(private(2, 6, 1)))],
        "14 1 first
         14 1 done 1 0 11 0 Stop
         14 2 first
         14 2 done 1 0 11 0 Stop",
    );
}

#[test]
fn the_start_is_announced_for_the_time_of_the_first_request() {
    for engine in [Engine::Stepwise, Engine::Coalesced] {
        let mut batch = BatchLoop::new(LoopSpec { engine, ..spec(1) });
        assert_eq!(batch.next(), None);
        batch.admit(Instant(7), private(1, 5, 3));
        assert_eq!(batch.next(), Some(Due { at: Instant(7), phase: Phase::Start }));
        batch.advance(Due { at: Instant(7), phase: Phase::Start }, &mut Vec::new());
        let first = Due { at: Instant(12), phase: Phase::Boundary };
        assert_eq!(batch.next(), Some(first));
        assert_eq!(batch.busy_nanos(Instant(10)), Nanos(3));
        assert!(!batch.is_idle());
    }
}

#[test]
fn a_request_joins_at_the_first_boundary_strictly_later() {
    // Boundaries at 10, 11, 12, 13. What comes at 11 sees the boundary at 11 gone by and joins at 12.
    let decode_of_two = "19 1 done 4 0 10 9 Stop";
    check(
        spec(2),
        &[(0, admit(private(1, 10, 4))), (11, admit(private(2, 6, 1)))],
        &format!(
            "10 1 first
             {decode_of_two}
             19 2 first
             19 2 done 1 0 7 0 Stop"
        ),
    );
}

#[test]
fn what_comes_with_the_last_boundary_starts_the_loop_anew() {
    check(
        spec(1),
        &[(0, admit(private(1, 10, 1))), (10, admit(private(2, 6, 1)))],
        "10 1 first
         10 1 done 1 0 10 0 Stop
         15 2 first
         15 2 done 1 1 5 0 Stop",
    );
}

#[test]
fn remainders_below_a_nanosecond_are_carried_until_the_loop_is_idle() {
    // Steps of 1.4 ns: 1.4, 2.8, 4.2, 5.6 are seen at 2, 3, 5, 6. Then the next begins at a whole nanosecond.
    let spec = with_costs(1, |costs| {
        costs.decode = vec![0, 1_400];
        costs.prefill = vec![(1, 1_400)];
    });
    check(
        spec,
        &[(0, admit(private(1, 1, 4))), (6, admit(private(2, 1, 1)))],
        "2 1 first
         6 1 done 4 0 2 4 Stop
         8 2 first
         8 2 done 1 0 2 0 Stop",
    );
}

#[test]
fn a_slowdown_counts_from_the_next_step_and_back() {
    // Steps of 1 ns; from the boundary after 12 on 2 ns, from the one after 17 on 1 ns again.
    check(
        spec(1),
        &[(0, admit(private(1, 10, 8))), (12, Delivery::SlowDown(2_000)), (17, Delivery::SlowDown(1_000))],
        "10 1 first
         20 1 done 8 0 10 10 Stop",
    );
}

#[test]
fn an_idle_loop_slows_down_at_once() {
    check(
        spec(1),
        &[(0, Delivery::SlowDown(3_000)), (0, admit(private(1, 10, 2)))],
        "30 1 first
         33 1 done 2 0 30 3 Stop",
    );
}

#[test]
fn busy_time_is_that_in_which_steps_ran() {
    let stats = check(
        spec(1),
        &[(0, admit(private(1, 10, 1))), (100, admit(private(2, 10, 1)))],
        "10 1 first
         10 1 done 1 0 10 0 Stop
         109 2 first
         109 2 done 1 1 9 0 Stop",
    );
    assert_eq!(stats.busy, Nanos(19));
}

#[test]
#[should_panic(expected = "does not fit a context")]
fn a_prompt_beyond_the_context_is_refused() {
    BatchLoop::new(spec(1)).admit(Instant(0), private(1, 4_097, 1));
}

#[test]
#[should_panic(expected = "advanced by the event that it announced")]
fn an_event_that_was_not_announced_is_refused() {
    BatchLoop::new(spec(1)).advance(Due { at: Instant(0), phase: Phase::Boundary }, &mut Vec::new());
}
