//! S1 to S6: the fast path, the pending queue and its one loop, room, eviction, starvation.

use control::request::{DoneReason, KeepAlive};
use control::units::Bytes;
use sim_host::api::HostError;
use sim_host::host::HostSpec;

use super::world::{World, empty, for_ms, gpu, keeping, llama, ms, qwen, request, spec, with};

/// One model at a time.
fn one_at_a_time(models: usize) -> HostSpec {
    let names = ["a", "b", "c", "d"];
    HostSpec { max_loaded: Some(1), ..spec(names[..models].iter().map(|name| llama(name)).collect()) }
}

// S1
#[test]
fn request_for_a_loaded_model_is_handed_over_at_once() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, request(1, 0, 20));
    world.run();
    assert_eq!(world.done_ms(1), now + 20);
    assert_eq!(world.usage(1).load.0, 0, "no preparation in this profile, and no wait");
}

// S1
#[test]
fn fast_path_is_not_bounded_by_max_queue() {
    let (mut world, now) = World::loaded_with(HostSpec { max_queue: 1, ..spec(vec![llama("a")]) }, &[0]);
    for key in 1..=20 {
        world.send(now, request(key, 0, 10));
    }
    world.run();
    for key in 1..=20 {
        assert_eq!(world.done_ms(key), now + 10 * key, "first come, first served, on one slot");
    }
}

// S1
#[test]
fn requests_wait_for_one_of_num_parallel_slots() {
    let spec = HostSpec { num_parallel: Some(2), ..spec(vec![llama("a")]) };
    let (mut world, now) = World::loaded_with(spec, &[0]);
    for key in 1..=5 {
        world.send(now, request(key, 0, 10));
    }
    world.run_until(ms(now + 5));
    assert_eq!((world.running(), world.requests()), (2, 5));
    world.run();
    let done: Vec<u64> = (1..=5).map(|key| world.done_ms(key) - now).collect();
    assert_eq!(done, vec![10, 10, 20, 20, 30]);
}

// S1
#[test]
fn keep_alive_is_overwritten_only_by_a_request_that_carries_one() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, keeping(1, 0, 10, for_ms(3_000)));
    world.send(now + 1_000, request(2, 0, 10));
    world.run_until(ms(now + 1_010 + 2_999));
    assert_eq!(world.ps(), vec![0], "the second request set the timer again, with the first one's span");
    world.run_until(ms(now + 1_010 + 3_000 + 121));
    assert_eq!(world.ps(), Vec::<u32>::new());
}

// S1
#[test]
fn expiry_timer_stands_still_while_a_request_runs() {
    let (mut world, now) =
        World::loaded_with(HostSpec { keep_alive: for_ms(500), ..spec(vec![llama("a")]) }, &[]);
    world.send(now, request(1, 0, 10));
    world.run_until(ms(now + 1_510 + 499));
    world.send(now + 1_510 + 499, request(2, 0, 5_000));
    world.run_until(ms(now + 5_000));
    assert_eq!(world.ps(), vec![0]);
    world.run_until(ms(now + 1_510 + 499 + 5_000 + 500 + 119));
    assert_eq!(world.ps(), vec![0]);
    world.run_until(ms(now + 1_510 + 499 + 5_000 + 500 + 120));
    assert_eq!(world.ps(), Vec::<u32>::new());
}

// S1: while weights are loading, requests for that model wait for it, uncounted, then join.
#[test]
fn requests_join_a_runner_whose_weights_are_loading() {
    let mut world = World::new(HostSpec { max_queue: 0, num_parallel: Some(8), ..spec(vec![qwen("a")]) });
    world.send(0, request(1, 0, 10));
    world.run_until(ms(600));
    assert_eq!(world.ps(), vec![0], "ollamarunner is listed once its layout is committed");
    for key in 2..=6 {
        world.send(700, request(key, 0, 10));
    }
    world.run();
    assert_eq!(world.loads(), 1);
    for key in 1..=6 {
        assert_eq!(world.done_ms(key), 1_510);
    }
    assert_eq!(world.usage(2).load.0 / 1_000_000, 800, "the wait for the weights counts as load");
}

// S1, S8: llamarunner is listed only when its weights are in; until then requests for it take the queue.
#[test]
fn requests_for_a_loading_llamarunner_wait_in_the_pending_queue() {
    let mut world = World::new(HostSpec { max_queue: 1, ..spec(vec![llama("a")]) });
    world.send(0, request(1, 0, 10));
    world.send(700, request(2, 0, 10));
    world.send(700, request(3, 0, 10));
    assert_eq!(world.error(3), Some(HostError::Busy));
    world.run();
    assert_eq!((world.loads(), world.done_ms(2)), (1, 1_520));
}

// S2
#[test]
fn full_pending_queue_answers_503() {
    let mut world = World::new(HostSpec { max_queue: 2, ..one_at_a_time(2) });
    world.send(0, request(1, 0, 10));
    for key in 2..=5 {
        world.send(1, request(key, 1, 10));
    }
    let busy: Vec<u64> = (1..=5).filter(|&key| world.error(key) == Some(HostError::Busy)).collect();
    assert_eq!(busy, vec![4, 5], "the first is in the loop's hand, two are queued");
    world.run();
    assert!([1, 2, 3].iter().all(|&key| world.finished(key).is_some()));
}

// S2
#[test]
fn with_max_queue_2_three_wait() {
    let (mut world, now) = World::loaded_with(HostSpec { max_queue: 2, ..one_at_a_time(4) }, &[0]);
    world.send(now, request(1, 0, 2_000));
    for (key, model) in [(2, 1), (3, 2), (4, 3), (5, 1)] {
        world.send(now + 1, request(key, model, 10));
    }
    assert_eq!(world.error(5), Some(HostError::Busy));
    assert_eq!((2..=4).filter(|&key| world.error(key).is_some()).count(), 0);
    assert_eq!(world.requests(), 4);
}

// S3
#[test]
fn pending_loop_is_strictly_first_come_first_served() {
    let (mut world, now) = World::loaded_with(HostSpec { max_loaded: Some(2), ..one_at_a_time(3) }, &[0, 1]);
    world.send(now, request(1, 0, 3_000));
    world.send(now, request(2, 1, 3_000));
    // The third model needs room; behind it one that only needs a reload of a runner that will be idle earlier.
    world.send(now + 1, request(3, 2, 10));
    world.send(now + 2, with(request(4, 1, 10), |options| options.num_ctx = Some(2_048)));
    world.run();
    assert!(world.done_ms(3) > now + 3_000 + 1_000);
    assert!(world.done_ms(4) > world.done_ms(3), "head-of-line blocking");
}

// S3
#[test]
fn cancelled_request_keeps_its_place_until_it_is_popped() {
    let (mut world, now) = World::loaded_with(HostSpec { max_queue: 1, ..one_at_a_time(4) }, &[0]);
    world.send(now, request(1, 0, 1_000));
    world.send(now + 1, request(2, 1, 10));
    world.send(now + 2, request(3, 2, 10));
    world.cancel(now + 3, 3);
    world.send(now + 4, request(4, 3, 10));
    assert_eq!(world.error(4), Some(HostError::Busy), "the place of the cancelled request is still taken");
    world.run();
    assert!(world.silent(3));
    assert_eq!(world.loads(), 2, "nothing was loaded for it");
    assert_eq!(world.requests(), 0);
}

// S3: the loop has it in hand, waits on for the eviction, and then loads nothing.
#[test]
fn request_cancelled_in_hand_still_evicts() {
    let (mut world, now) = World::loaded_with(one_at_a_time(2), &[0]);
    world.send(now, request(1, 0, 1_000));
    world.send(now + 1, request(2, 1, 10));
    world.cancel(now + 2, 2);
    world.run();
    assert!(world.silent(2));
    assert_eq!((world.loads(), world.ps()), (1, vec![]));
}

// S3a
#[test]
fn pending_request_uses_a_runner_that_came_meanwhile() {
    let mut world = World::new(spec(vec![llama("a"), llama("b")]));
    world.send(0, request(1, 0, 10));
    world.send(1, request(2, 1, 10));
    world.send(2, request(3, 0, 10));
    world.run();
    assert_eq!(world.loads(), 2);
    // The first load takes 1.5 s, the second as long; only then is the third looked at, and both share the GPU.
    assert_eq!((world.done_ms(2), world.done_ms(3)), (3_020, 3_020));
}

// S3b
#[test]
fn runner_that_needs_a_reload_goes_first() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a"), llama("b")]), &[0, 1]);
    world.send(now, with(request(1, 0, 10), |options| options.num_ctx = Some(8_192)));
    world.run_until(ms(now + 121));
    assert_eq!(world.ps(), vec![1]);
    world.run();
    assert_eq!(world.ps(), vec![0, 1]);
    // 1 s until its memory is back, then a load from the page cache.
    assert_eq!(world.done_ms(1), now + 1_000 + 750 + 10);
    assert_eq!(world.evictions(), 0);
}

// S3c
#[test]
fn as_many_loaded_as_allowed_makes_one_go() {
    let (mut world, now) = World::loaded_with(HostSpec { max_loaded: Some(2), ..one_at_a_time(3) }, &[0, 1]);
    world.send(now, request(1, 2, 10));
    world.run();
    assert_eq!((world.ps(), world.evictions()), (vec![1, 2], 1));
}

// S3d
#[test]
fn model_that_fits_beside_the_others_evicts_none() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a"), llama("b")]), &[0]);
    world.send(now, request(1, 1, 10));
    world.run();
    assert_eq!((world.ps(), world.evictions()), (vec![0, 1], 0));
}

// S3d
#[test]
fn model_that_does_not_fit_beside_the_others_evicts() {
    let spec = HostSpec { gpus: vec![gpu(3)], ..spec(vec![llama("a"), llama("b")]) };
    let (mut world, now) = World::loaded_with(spec, &[0]);
    world.send(now, request(1, 1, 10));
    world.run();
    assert_eq!((world.ps(), world.evictions()), (vec![1], 1));
}

// S3d: nothing loaded, so partly on the CPU if need be.
#[test]
fn first_model_is_loaded_even_where_it_fits_only_in_part() {
    let spec = HostSpec { gpus: vec![gpu(2)], ..spec(vec![llama("a")]) };
    let mut world = World::new(spec);
    world.send(0, request(1, 0, 10));
    world.run();
    let loaded = &world.host.observe().loaded[0];
    assert!(loaded.vram > Bytes::ZERO && loaded.vram < loaded.bytes, "{loaded:?}");
    let step = (world.done_ms(1) - 1_500) / 10;
    assert!((2..10).contains(&step), "a step of {step} ms is between the GPU's 1 and the CPU's 10");
}

// S4
#[test]
fn three_models_for_each_gpu_may_be_loaded() {
    for (gpus, most) in [(1, 3), (2, 6), (0, 3)] {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let mut spec = spec(names.iter().map(|name| llama(name)).collect());
        spec.gpus = vec![gpu(24); gpus];
        let (world, _) = World::loaded_with(spec, &[0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(world.ps().len(), most, "{gpus} GPUs");
    }
}

// S4
#[test]
fn max_loaded_models_bounds_what_is_loaded() {
    let spec = HostSpec { max_loaded: Some(4), ..spec(["a", "b", "c", "d", "e"].map(llama).to_vec()) };
    let (world, _) = World::loaded_with(spec, &[0, 1, 2, 3, 4]);
    assert_eq!(world.ps().len(), 4);
}

// S5
#[test]
fn shortest_keep_alive_goes_first_not_the_least_recently_used() {
    let (mut world, now) = World::loaded_with(one_at_a_time(3), &[]);
    let mut host = World::new(HostSpec { max_loaded: Some(2), ..one_at_a_time(3) });
    std::mem::swap(&mut world, &mut host);
    world.send(now, keeping(1, 0, 10, for_ms(600_000)));
    world.run();
    world.send(2_000, keeping(2, 1, 10, for_ms(400_000)));
    world.run();
    world.send(10_000, request(3, 1, 10));
    world.run();
    world.send(20_000, request(4, 2, 10));
    world.run();
    assert_eq!(world.ps(), vec![0, 2], "model 1 was used last, but its keep-alive is shorter");
}

// S5
#[test]
fn blob_path_decides_between_equal_keep_alives() {
    let models = vec![llama("z"), llama("m"), llama("a")];
    let (mut world, now) = World::loaded_with(HostSpec { max_loaded: Some(2), ..spec(models) }, &[0, 1]);
    world.send(now, request(1, 0, 10));
    world.run();
    world.send(now + 100, request(2, 2, 10));
    world.run();
    assert_eq!(world.ps(), vec![0, 2], "sha256:m comes before sha256:z");
}

// S5
#[test]
fn idle_runner_goes_before_a_busy_one_with_a_shorter_keep_alive() {
    let (mut world, now) = World::loaded_with(HostSpec { max_loaded: Some(2), ..one_at_a_time(3) }, &[0, 1]);
    world.send(now, keeping(1, 0, 5_000, for_ms(1_000)));
    world.send(now + 1, request(2, 2, 10));
    world.run_until(ms(now + 4_000));
    assert_eq!(world.ps(), vec![0, 2]);
    assert!(world.finished(2).is_some());
}

// S5
#[test]
fn without_an_idle_runner_the_first_of_the_list_is_waited_for() {
    let (mut world, now) = World::loaded_with(HostSpec { max_loaded: Some(2), ..one_at_a_time(3) }, &[0, 1]);
    world.send(now, request(1, 0, 5_000));
    world.send(now, keeping(2, 1, 9_000, for_ms(1_000)));
    world.send(now + 1, request(3, 2, 10));
    world.run();
    // Model 1 has the shorter keep-alive, although model 0 is idle much earlier.
    assert!(world.done_ms(3) > now + 9_000 + 1_000, "{}", world.done_ms(3));
    assert_eq!(world.ps(), vec![0, 2]);
}

// S5
#[test]
fn idle_runner_is_evicted_at_once_whatever_its_keep_alive() {
    let (mut world, now) = World::loaded_with(one_at_a_time(2), &[0]);
    world.send(now, keeping(1, 0, 10, KeepAlive::Forever));
    world.send(now + 100, request(2, 1, 10));
    world.run_until(ms(now + 100 + 120));
    assert_eq!(world.ps(), Vec::<u32>::new());
    world.run();
    assert_eq!(world.ps(), vec![1]);
}

// S5
#[test]
fn running_requests_are_never_preempted() {
    let (mut world, now) = World::loaded_with(one_at_a_time(2), &[0]);
    world.send(now, request(1, 0, 3_000));
    world.send(now + 1, request(2, 1, 10));
    world.run();
    assert_eq!(world.done_ms(1), now + 3_000);
    assert_eq!(world.usage(1).output_tokens, 3_000);
    assert_eq!(world.done_ms(2), now + 3_000 + 1_000 + 1_500 + 10);
}

// S6
#[test]
fn new_requests_for_the_runner_to_be_evicted_still_take_the_fast_path() {
    let (mut world, now) = World::loaded_with(one_at_a_time(2), &[0]);
    world.send(now, request(1, 0, 1_000));
    world.send(now + 1, request(2, 1, 10));
    for (key, at) in [(3, 900), (4, 1_900), (5, 2_900)] {
        world.send(now + at, request(key, 0, 1_100));
    }
    world.run();
    // One slot: 1,000, then three of 1,100 one after the other, without a gap.
    assert_eq!(world.done_ms(5), now + 1_000 + 3 * 1_100);
    assert_eq!(world.done_ms(2), world.done_ms(5) + 1_000 + 1_500 + 10, "starved until then");
}

// S6
#[test]
fn keep_alive_of_a_late_request_holds_up_the_one_that_waits_for_the_eviction() {
    let (mut world, now) = World::loaded_with(one_at_a_time(2), &[0]);
    world.send(now, request(1, 0, 1_000));
    world.send(now + 1, request(2, 1, 10));
    world.send(now + 500, keeping(3, 0, 10, for_ms(6_000)));
    world.run();
    assert_eq!(world.done_ms(2), now + 1_010 + 6_000 + 1_000 + 1_500 + 10);
}

// S6
#[test]
fn what_comes_behind_the_starved_request_starves_with_it() {
    let (mut world, now) = World::loaded_with(one_at_a_time(3), &[0]);
    world.send(now, request(1, 0, 2_000));
    world.send(now + 1, request(2, 1, 10));
    world.send(now + 2, empty(3, 2));
    world.run();
    assert!(world.done_ms(3) > world.done_ms(2));
    assert_eq!(world.usage(3).done, DoneReason::Load);
}
