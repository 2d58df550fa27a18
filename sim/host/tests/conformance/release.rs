//! S9, S10: ends of requests, keep-alive, unloading.

use control::request::{DoneReason, KeepAlive};
use control::units::Nanos;
use sim_host::host::{HostSpec, rules};

use super::world::{MILLI, World, empty, for_ms, gpu, keeping, llama, ms, request, spec};

const NONE: [u32; 0] = [];

// S9
#[test]
fn keep_alive_runs_from_the_last_end() {
    let spec = HostSpec { num_parallel: Some(2), keep_alive: for_ms(1_000), ..spec(vec![llama("a")]) };
    let mut world = World::new(spec);
    world.send(0, request(1, 0, 100));
    world.send(1_550, request(2, 0, 200)); // joins at the next boundary, at 1,551
    world.run_until(ms(1_751 + 1_000 + 119));
    assert_eq!(world.ps(), vec![0]);
    world.run_until(ms(1_751 + 1_000 + 120));
    assert_eq!(world.ps(), NONE);
}

// S9
#[test]
fn client_that_left_counts_as_an_end() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, keeping(1, 0, 10_000, for_ms(500)));
    world.cancel(now + 100, 1);
    world.run_until(ms(now + 102 + 500 + 120));
    assert_eq!(world.ps(), NONE);
    assert!(!world.seen.is_empty() && world.finished(1).is_none(), "its first token came, its end did not");
}

// S9, S10: −1 is for ever (Ollama shows the year 2319).
#[test]
fn negative_keep_alive_never_expires() {
    let mut world = World::new(spec(vec![llama("a")]));
    world.send(0, keeping(1, 0, 10, KeepAlive::Forever));
    world.run();
    assert_eq!((world.host.next(), world.ps()), (None, vec![0]));
}

// S9: an expired runner that is in use is looked at again each 10 ms, and goes then, whatever its keep-alive is by now.
#[test]
fn expired_runner_in_use_goes_when_it_is_seen_idle() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a"), llama("b")]), &[0, 1]);
    world.send(now, keeping(1, 0, 10, for_ms(500)));
    world.send(now, keeping(2, 1, 10, for_ms(800)));
    // Model 0 is unloaded from 510 (a little later: they share the GPU) for 1 s; model 1 expires meanwhile, unseen.
    world.send(now + 1_000, keeping(3, 1, 2_004, for_ms(300_000)));
    world.run_until(ms(now + 3_004));
    assert!(world.finished(3).is_some());
    assert_eq!(world.ps(), vec![1]);
    world.run_until(ms(now + 3_004 + 10 + 120));
    assert_eq!(world.ps(), NONE, "its keep-alive of five minutes did not save it");
}

// S9: ends wait while a runner is unloaded.
#[test]
fn ends_are_counted_after_an_unload_that_is_under_way() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a"), llama("b")]), &[0, 1]);
    world.send(now, keeping(1, 0, 10, KeepAlive::For(Nanos::ZERO)));
    world.send(now + 20, keeping(2, 1, 10, KeepAlive::For(Nanos::ZERO)));
    world.run_until(ms(now + 500));
    assert_eq!(world.ps(), vec![1], "model 1 has been idle for long, but the first unload is not over");
    world.run();
    assert_eq!(world.ps(), NONE);
}

// S9, D: polls of 250 ms, 0.5 to 1.5 s in all, on discrete GPUs only.
#[test]
fn unload_waits_for_memory_on_discrete_gpus_only() {
    let reload_ms = |host: HostSpec| {
        let (mut world, now) = World::loaded_with(HostSpec { max_loaded: Some(1), ..host }, &[0]);
        world.send(now, empty(1, 1));
        world.run();
        world.done_ms(1) - now
    };
    let models = || vec![llama("a"), llama("b")];
    let recovery = rules::ASSUMED_MEMORY_RECOVERY.0 / MILLI;
    assert!((500..=1_500).contains(&recovery) && recovery.is_multiple_of(250));
    assert_eq!(reload_ms(spec(models())), recovery + 1_500);
    let mut unified = (*gpu(24)).clone();
    unified.discrete = false;
    assert_eq!(reload_ms(HostSpec { gpus: vec![unified.into()], ..spec(models()) }), 120 + 1_500);
    assert_eq!(reload_ms(HostSpec { gpus: vec![], ..spec(models()) }), 120 + 1_500);
}

// S10
#[test]
fn keep_alive_0_is_listed_at_the_reply_and_gone_soon_after() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, keeping(1, 0, 10, KeepAlive::For(Nanos::ZERO)));
    world.run_until(ms(now + 10));
    assert!(world.finished(1).is_some());
    assert_eq!(world.ps(), vec![0]);
    world.run_until(ms(now + 10 + 119));
    assert_eq!(world.ps(), vec![0]);
    world.run_until(ms(now + 10 + 120));
    assert_eq!(world.ps(), NONE);
}

// S10: observed 3.14 s.
#[test]
fn keep_alive_of_3_seconds_is_gone_a_process_end_later() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, keeping(1, 0, 10, for_ms(3_000)));
    world.run_until(ms(now + 10 + 3_119));
    assert_eq!(world.ps(), vec![0]);
    world.run_until(ms(now + 10 + 3_140));
    assert_eq!(world.ps(), NONE);
}

// S10
#[test]
fn empty_prompt_loads() {
    let mut world = World::new(spec(vec![llama("a")]));
    world.send(0, empty(1, 0));
    world.run();
    let usage = world.usage(1);
    assert_eq!((usage.done, usage.prompt_tokens, usage.output_tokens), (DoneReason::Load, 0, 0));
    assert_eq!((world.ps(), world.done_ms(1)), (vec![0], 1_500));
    assert_eq!(world.seen.len(), 1, "no token");
}

fn unload(key: u64) -> sim_host::api::HostRequest {
    super::world::with(empty(key, 0), |options| options.keep_alive = Some(KeepAlive::For(Nanos::ZERO)))
}

// S10
#[test]
fn empty_prompt_with_keep_alive_0_unloads() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, unload(1));
    assert_eq!(world.usage(1).done, DoneReason::Unload);
    world.run_until(ms(now + 120));
    assert_eq!(world.ps(), NONE);
}

// S10
#[test]
fn unloading_what_is_not_loaded_loads_nothing() {
    let mut world = World::new(spec(vec![llama("a")]));
    world.send(0, unload(1));
    world.run();
    assert_eq!((world.usage(1).done, world.loads()), (DoneReason::Unload, 0));
}

// S10, S9
#[test]
fn unloading_a_runner_in_use_waits_for_its_requests() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, request(1, 0, 1_000));
    world.send(now + 10, unload(2));
    assert_eq!(world.usage(2).done, DoneReason::Unload);
    world.run_until(ms(now + 1_000 + 119));
    assert_eq!((world.done_ms(1), world.ps()), (now + 1_000, vec![0]));
    world.run_until(ms(now + 1_000 + 120));
    assert_eq!(world.ps(), NONE);
}

// S9: while a process ends nobody can look at the list of runners: a request that comes then loads the model again.
#[test]
fn request_that_comes_while_its_runner_ends_loads_it_again() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a")]), &[0]);
    world.send(now, keeping(1, 0, 10, KeepAlive::For(Nanos::ZERO)));
    world.send(now + 50, request(2, 0, 10));
    world.run();
    assert_eq!(world.done_ms(2), now + 10 + 1_000 + 750 + 10);
    assert_eq!(world.loads(), 2);
}

// D: five minutes.
#[test]
fn host_keeps_a_model_for_its_own_keep_alive_by_default() {
    let mut world = World::new(spec(vec![llama("a")]));
    world.send(0, request(1, 0, 10));
    world.run_until(ms(1_510 + 300_000 + 119));
    assert_eq!(world.ps(), vec![0]);
    world.run_until(ms(1_510 + 300_000 + 120));
    assert_eq!(world.ps(), NONE);
}

// S9: what is waited for at the end of a process is named, and typical.
#[test]
fn revision_changes_whenever_the_list_does() {
    let mut world = World::new(spec(vec![llama("a")]));
    let mut seen = vec![(world.host.revision(), world.host.observe())];
    world.send(0, keeping(1, 0, 10, for_ms(100)));
    while let Some(due) = world.host.next() {
        world.run_until(due.at);
        world.run_until(control::units::Instant(due.at.0 + 1));
        seen.push((world.host.revision(), world.host.observe()));
    }
    for pair in seen.windows(2) {
        assert_eq!(pair[0].0 == pair[1].0, pair[0].1 == pair[1].1);
    }
    assert_eq!(seen.last().map(|last| last.0), Some(2), "once listed, once gone");
}
