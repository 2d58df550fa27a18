//! S8: slots, contexts, one load at a time, when the pending loop goes on, aborted loads; tiers of memory.

use control::digest::Digest;
use control::ids::ModelId;
use control::units::{Bytes, Nanos};
use sim_host::api::{HostRequest, Message};
use sim_host::host::{DiskChange, HostSpec, StoredCopy};
use sim_host::spec::ModelSpec;

use super::world::{World, empty, gpu, llama, ms, numbered, profile, qwen, request, spec, with};

/// Requests that run at once.
fn slots(model: ModelSpec, num_parallel: Option<u32>) -> u32 {
    let kind = if model.embedding_only {
        control::request::Kind::Embedding
    } else {
        control::request::Kind::Completion
    };
    let (mut world, now) = World::loaded_with(HostSpec { num_parallel, ..spec(vec![model]) }, &[]);
    world.send(now, HostRequest { kind, ..empty(99, 0) });
    world.run();
    let now = 5_000;
    for key in 1..=10 {
        let request = request(key, 0, 100);
        world.send(now, HostRequest { kind, prompt_tokens: 4_000, ..request });
    }
    world.running()
}

// S8, D
#[test]
fn one_slot_is_the_default() {
    assert_eq!(slots(llama("a"), None), 1);
    assert_eq!(slots(llama("a"), Some(4)), 4);
}

// S8, R
#[test]
fn embedding_models_and_some_families_have_one_slot() {
    for family in ["mllama", "qwen3vl", "qwen35", "qwen3next", "lfm2", "nemotron_h"] {
        assert_eq!(slots(ModelSpec { family: family.into(), ..llama("a") }, Some(4)), 1, "{family}");
    }
    let bert = ModelSpec { family: "bert".into(), embedding_only: true, ..llama("a") };
    assert_eq!(slots(bert, Some(4)), 1);
}

// S8
#[test]
fn cache_memory_grows_with_slots_and_context() {
    let size = |num_parallel, num_ctx| {
        let spec = HostSpec {
            num_parallel: Some(num_parallel),
            num_ctx_default: Some(num_ctx),
            ..spec(vec![qwen("a")])
        };
        let (world, _) = World::loaded_with(spec, &[0]);
        world.host.observe().loaded[0].bytes.0
    };
    // 16 layers × 32 heads × 64 × 2 × 2 bytes a token.
    let token = 16 * 32 * 64 * 2 * 2;
    assert_eq!(size(2, 4_096) - size(1, 4_096), 4_096 * token);
    assert_eq!(size(1, 8_192) - size(1, 4_096), 4_096 * token);
}

/// The context that a prompt of many tokens is cut to.
fn context(spec: HostSpec) -> u32 {
    let mut world = World::new(spec);
    world.send(0, HostRequest { prompt_tokens: 1_000_000, ..request(1, 0, 1) });
    world.run();
    world.usage(1).prompt_tokens
}

// S8
#[test]
fn context_is_capped_by_the_context_of_training() {
    let mut model = qwen("a");
    model.context_max = 2_048;
    assert_eq!(context(spec(vec![model])), 2_048);
}

// S8
#[test]
fn default_context_follows_the_memory_of_all_gpus() {
    let small = || {
        let mut model = qwen("a");
        (model.kv_heads, model.context_max) = (1, 1 << 20);
        model
    };
    for (gpus, tokens) in [
        (vec![], 4_096),
        (vec![gpu(22)], 4_096),
        (vec![gpu(23)], 32_768),
        (vec![gpu(46)], 32_768),
        (vec![gpu(47)], 262_144),
        (vec![gpu(24); 2], 262_144),
    ] {
        let names = format!("{gpus:?}");
        let spec = HostSpec { gpus, num_ctx_default: None, ..spec(vec![small()]) };
        assert_eq!(context(spec), tokens, "{names}");
    }
    let overhead =
        HostSpec { num_ctx_default: None, gpu_overhead: Bytes::from_gib(2), ..spec(vec![small()]) };
    assert_eq!(context(overhead), 4_096, "24 GiB less 2 reserved are below 23");
}

// S8
#[test]
fn one_load_at_a_time() {
    let mut world = World::new(spec(vec![qwen("a"), qwen("b"), llama("c")]));
    for (key, model) in [(1, 0), (2, 1), (3, 2)] {
        world.send(0, empty(key, model));
    }
    world.run();
    let done: Vec<u64> = (1..=3).map(|key| world.done_ms(key)).collect();
    assert_eq!(done, vec![1_500, 3_000, 4_500]);
}

// S8
#[test]
fn pending_loop_waits_for_the_weights_of_a_llamarunner() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a"), llama("b")]), &[0]);
    world.send(now, request(1, 1, 10));
    world.send(now + 600, with(request(2, 0, 10), |options| options.num_ctx = Some(2_048)));
    world.run_until(ms(now + 1_499));
    assert_eq!(world.ps(), vec![0], "the model to be reloaded is untouched, the loading one not listed");
    world.run_until(ms(now + 1_500 + 120));
    assert_eq!(world.ps(), vec![1]);
}

// S8
#[test]
fn pending_loop_goes_on_while_the_weights_of_an_ollamarunner_load() {
    let (mut world, now) = World::loaded_with(spec(vec![llama("a"), qwen("b")]), &[0]);
    world.send(now, request(1, 1, 10));
    world.run_until(ms(now + 499));
    assert_eq!(world.ps(), vec![0], "its layout is not committed yet");
    world.send(now + 600, with(request(2, 0, 10), |options| options.num_ctx = Some(2_048)));
    world.run_until(ms(now + 600 + 120));
    assert_eq!(world.ps(), vec![1], "the reload's old runner went while the other still loads");
    world.run();
    assert_eq!(world.done_ms(1), now + 1_510);
    assert_eq!(world.done_ms(2), now + 600 + 1_000 + 750 + 10);
}

// S8, D: readiness is polled each 250 ms.
#[test]
fn readiness_is_seen_at_the_next_poll() {
    let mut slow = (*profile(llama("a"))).clone();
    slow.disk_bytes_per_second = 980_000_000;
    let mut host = spec(vec![]);
    host.models = numbered(vec![slow.into()]);
    let mut world = World::new(host);
    world.send(0, empty(1, 0));
    world.run();
    assert_eq!(world.done_ms(1), 500 + 1_250, "weights take 1.02 s");
}

// S8
#[test]
fn client_that_leaves_aborts_the_load() {
    for (model, gone_ms) in [(llama("a"), 1_000 + 120), (qwen("a"), 1_000 + 120)] {
        let mut world = World::new(spec(vec![model]));
        world.send(0, request(1, 0, 10));
        world.cancel(800, 1);
        world.run_until(ms(gone_ms - 1));
        assert_eq!(world.host.loaded().count(), 1);
        world.run();
        assert!(world.silent(1));
        assert_eq!(
            world.host.loaded().count(),
            0,
            "seen at the poll at 1.0 s, the process ended 0.12 s later"
        );
        assert_eq!(world.requests(), 0);
        world.send(5_000, request(2, 0, 10));
        world.run();
        assert_eq!((world.loads(), world.done_ms(2)), (2, 6_510), "the next one loads from the start");
    }
}

// S8
#[test]
fn client_that_leaves_while_the_layout_is_found_aborts_at_once() {
    let mut world = World::new(spec(vec![qwen("a"), llama("b")]));
    world.send(0, request(1, 0, 10));
    world.send(1, empty(2, 1));
    world.cancel(100, 1);
    world.run();
    assert_eq!(world.done_ms(2), 100 + 120 + 1_500);
}

// S8: the requests that waited for the aborted load go on with one of their own.
#[test]
fn requests_that_waited_for_an_aborted_load_load_again() {
    let mut world = World::new(spec(vec![qwen("a")]));
    world.send(0, request(1, 0, 10));
    world.send(700, request(2, 0, 10));
    world.cancel(800, 1);
    world.run();
    assert_eq!(world.loads(), 2);
    assert_eq!(world.usage(2).output_tokens, 10);
}

// S8: a first-byte time-out shorter than a load starts the same load on host after host.
#[test]
fn time_out_shorter_than_a_load_starts_it_on_host_after_host() {
    let mut hosts = [World::new(spec(vec![llama("a")])), World::new(spec(vec![llama("a")]))];
    let mut at = 0;
    for world in &mut hosts {
        world.send(at, request(1, 0, 10));
        world.cancel(at + 1_000, 1);
        world.run();
        at += 1_000;
    }
    assert!(hosts.iter().all(|world| world.loads() == 1 && world.ps().is_empty() && world.silent(1)));
}

// Weights in tiers: disk, then page cache, then VRAM.
#[test]
fn loads_read_from_the_page_cache_what_was_read_before() {
    let spec = HostSpec { max_loaded: Some(1), ..spec(vec![llama("a"), llama("b")]) };
    let (mut world, now) = World::loaded_with(spec, &[0, 1, 0]);
    let counters = world.host.counters(world.now);
    assert_eq!(counters.tier_hits, [0, 1, 2, 0]);
    world.send(now, request(1, 0, 10));
    world.run();
    assert_eq!(world.host.counters(world.now).tier_hits, [1, 1, 2, 0]);
}

#[test]
fn page_cache_too_small_for_both_reads_from_disk_again() {
    let host = HostSpec {
        max_loaded: Some(1),
        page_cache: Bytes(1_500_000_000),
        ..spec(vec![llama("a"), llama("b")])
    };
    let (world, _) = World::loaded_with(host, &[0, 1, 0]);
    assert_eq!(world.host.counters(world.now).tier_hits, [0, 0, 3, 0]);
}

// T: load_duration holds the whole wait for a load.
#[test]
fn load_duration_is_the_wait_in_the_pending_queue() {
    let mut world = World::new(spec(vec![llama("a"), llama("b")]));
    world.send(0, request(1, 0, 10));
    world.send(100, request(2, 1, 10));
    world.run();
    assert_eq!(world.usage(1).load, Nanos::from_millis(1_500));
    assert_eq!(world.usage(2).load, Nanos::from_millis(2_900));
}

#[test]
fn a_second_name_is_served_by_the_runner_of_the_first_and_outlives_it() {
    let mut spec = spec(vec![llama("a")]);
    let copy = spec.models[0].copy.map(|copy| StoredCopy { weights: Digest([2; 32]), ..copy });
    spec.models[0].copy = copy;
    let (first, second, copy) = (ModelId(0), ModelId(7), copy.expect("it is stored"));
    let (mut world, now) = World::loaded_with(spec, &[0]);
    world.deliver(ms(now), Message::Disk(second, DiskChange::Second { of: first, copy }));
    world.send(now + 1, request(1, second.0, 10));
    world.run();
    assert!(world.finished(1).is_some());
    assert_eq!(world.loads(), 1, "the weights are there");
    let after = world.now.0 / 1_000_000 + 1;
    world.deliver(ms(after), Message::Disk(first, DiskChange::Remove));
    world.send(after + 1, request(2, second.0, 10));
    world.send(after + 1, request(3, first.0, 10));
    world.run();
    assert!(world.finished(2).is_some() && world.error(3).is_some());
}
