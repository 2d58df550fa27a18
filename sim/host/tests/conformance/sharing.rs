//! Runners that compute on one device share it; a slowdown from outside comes on top.

use sim_host::api::Message;
use sim_host::host::{HostSpec, rules};

use super::world::{World, flat, gpu, llama, ms, numbered, profile, request, spec};

#[test]
fn two_runners_on_one_gpu_take_twice_as_long() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a"), llama("b")]), &[0, 1]);
    world.send(now, request(1, 0, 100));
    world.send(now, request(2, 1, 100));
    world.run();
    assert_eq!((world.done_ms(1), world.done_ms(2)), (now + 200, now + 200));
}

#[test]
fn runner_is_alone_again_from_its_next_step_on() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a"), llama("b")]), &[0, 1]);
    world.send(now, request(1, 0, 100));
    world.send(now, request(2, 1, 10));
    world.run();
    assert_eq!(world.done_ms(2), now + 20);
    // Ten steps of 2 ms; an eleventh that had begun when the other ended; the rest at 1 ms.
    assert_eq!(world.done_ms(1), now + 20 + 2 + 89);
}

#[test]
fn runners_on_gpus_of_their_own_do_not_share() {
    let host = HostSpec { gpus: vec![gpu(24), gpu(24)], ..spec(vec![llama("a"), llama("b")]) };
    let (mut world, now) = World::loaded_with(host, &[0, 1]);
    world.send(now, request(1, 0, 100));
    world.send(now, request(2, 1, 100));
    world.run();
    assert_eq!((world.done_ms(1), world.done_ms(2)), (now + 100, now + 100));
}

#[test]
fn slowdown_from_outside_multiplies() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a"), llama("b")]), &[0, 1]);
    world.deliver(ms(now), Message::Slowdown(3_000));
    world.send(now, request(1, 0, 100));
    world.send(now, request(2, 1, 100));
    world.run();
    assert_eq!(world.done_ms(1), now + 600);
    world.deliver(ms(now + 1_000), Message::Slowdown(1_000));
    world.send(now + 1_000, request(3, 0, 100));
    world.run();
    assert_eq!(world.done_ms(3), now + 1_100);
}

#[test]
fn slowdown_holds_for_runners_that_are_loaded_later() {
    let mut world = World::new(spec(vec![llama("a")]));
    world.deliver(ms(0), Message::Slowdown(2_000));
    world.send(0, request(1, 0, 100));
    world.run();
    assert_eq!(world.done_ms(1), 1_500 + 200);
}

// On a CPU, work outside the slots takes its part of the runner's time.
#[test]
fn preparation_slows_a_runner_on_the_same_cpu() {
    let done = |gpus: Vec<_>| {
        let mut slow = (*profile(llama("a"))).clone();
        slow.request_overhead_nanos = 50_000_000;
        slow.costs = flat(1);
        let host = HostSpec { gpus, models: numbered(vec![slow.into()]), ..spec(vec![]) };
        let (mut world, now) = World::loaded_with(host, &[0]);
        world.send(now, request(1, 0, 200));
        world.send(now + 100, request(2, 0, 10));
        world.run();
        world.done_ms(1) - now
    };
    assert_eq!(rules::ASSUMED_CONTENTION_PERMILLE, 2_000);
    assert_eq!(done(vec![gpu(24)]), 250);
    // From the step after 100 ms to the one after 150 ms: 25 steps of 2 ms instead of 50 of 1 ms.
    assert_eq!(done(vec![]), 275);
}

#[test]
fn busy_time_is_the_time_in_which_any_runner_computes() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a"), llama("b")]), &[0, 1]);
    world.send(now, request(1, 0, 100));
    world.send(now, request(2, 1, 100));
    world.run_until(ms(now + 50));
    assert_eq!(world.host.counters(world.now).busy_nanos, 50_000_000);
    world.run();
    assert_eq!(world.host.counters(world.now).busy_nanos, 200_000_000);
}
