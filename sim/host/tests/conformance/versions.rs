//! V: what v0.10 does otherwise.

use control::units::Bytes;
use sim_host::api::{HostError, HostRequest};
use sim_host::host::HostSpec;
use sim_host::spec::{Runner, Version};

use super::world::{World, empty, gpu, llama, ms, qwen, request, spec};

fn old(models: Vec<sim_host::spec::ModelSpec>) -> HostSpec {
    HostSpec { version: Version::V0_10, num_parallel: Some(1), ..spec(models) }
}

// V
#[test]
fn v0_10_has_no_fast_path_and_stalls_behind_evictions() {
    for (version, at_once) in [(Version::V0_10, false), (Version::V0_24, true)] {
        let host = HostSpec { version, max_loaded: Some(2), ..old(["a", "b", "c"].map(llama).to_vec()) };
        let (mut world, now) = World::loaded_with(host, &[0, 1]);
        world.send(now, request(1, 0, 3_000));
        world.send(now, request(2, 1, 3_000));
        world.send(now + 1, request(3, 2, 10));
        world.send(now + 100, request(4, 1, 10));
        world.run();
        let stalled = world.usage(4).load.0 > 2_000_000_000;
        assert_eq!(stalled, !at_once, "{version:?}");
    }
}

// V
#[test]
fn v0_10_bounds_requests_for_loaded_models_too() {
    let host = HostSpec { max_loaded: Some(1), max_queue: 1, ..old(vec![llama("a"), llama("b")]) };
    let (mut world, now) = World::loaded_with(host, &[0]);
    world.send(now, request(1, 0, 1_000));
    world.send(now + 1, request(2, 1, 10));
    world.send(now + 2, request(3, 0, 10));
    world.send(now + 3, request(4, 0, 10));
    assert_eq!(world.error(4), Some(HostError::Busy));
    world.run();
    assert!(world.done_ms(3) > world.done_ms(2), "it waited behind the eviction of its own model");
}

// V
#[test]
fn v0_10_lists_a_model_from_the_start_of_its_load() {
    let mut world = World::new(old(vec![llama("a")]));
    world.send(0, request(1, 0, 10));
    assert_eq!(world.ps(), vec![0]);
    world.run();
    assert_eq!(world.done_ms(1), 1_510);
}

// V, S8
#[test]
fn v0_10_loads_one_model_at_a_time_too() {
    let mut world = World::new(old(vec![llama("a"), qwen("b")]));
    world.send(0, empty(1, 0));
    world.send(1, empty(2, 1));
    world.run();
    assert_eq!((world.done_ms(1), world.done_ms(2)), (1_500, 3_000));
}

// V, S8
#[test]
fn v0_10_aborts_a_load_whose_client_left() {
    let mut world = World::new(old(vec![llama("a"), llama("b")]));
    world.send(0, request(1, 0, 10));
    world.send(700, request(2, 0, 10));
    world.cancel(800, 1);
    world.run();
    assert!(world.silent(1));
    assert_eq!((world.loads(), world.usage(2).output_tokens), (2, 10));
}

// V
#[test]
fn v0_10_has_four_slots_on_a_gpu_and_two_on_a_cpu() {
    for (gpus, most) in [(vec![gpu(24)], 4), (vec![], 2)] {
        let host = HostSpec { gpus, num_parallel: None, ..old(vec![llama("a")]) };
        let (mut world, now) = World::loaded_with(host, &[0]);
        for key in 1..=8 {
            world.send(now, request(key, 0, 100));
        }
        world.run_until(ms(now + 50));
        assert_eq!(world.running(), most);
    }
}

// V
#[test]
fn v0_10_takes_one_slot_where_four_do_not_fit() {
    let gpus = vec![gpu(3)];
    let host = HostSpec { gpus, num_parallel: None, num_ctx_default: Some(2_048), ..old(vec![llama("a")]) };
    let (mut world, now) = World::loaded_with(host, &[0]);
    for key in 1..=8 {
        world.send(now, request(key, 0, 100));
    }
    world.run_until(ms(now + 50));
    assert_eq!(world.running(), 1);
    let loaded = &world.host.observe().loaded[0];
    assert_eq!(loaded.bytes, loaded.vram, "all of it on the GPU");
}

// V, D
#[test]
fn v0_10_defaults_to_4096_tokens_of_context_whatever_the_memory() {
    let host = HostSpec { gpus: vec![gpu(80)], num_ctx_default: None, ..old(vec![llama("a")]) };
    let mut world = World::new(host);
    world.send(0, HostRequest { prompt_tokens: 100_000, ..request(1, 0, 1) });
    world.run();
    assert_eq!(world.usage(1).prompt_tokens, 4_096);
}

// V: reserve, graph and two layers must be free, else nothing of the model goes to the GPU.
#[test]
fn v0_10_uses_no_gpu_without_room_for_two_layers() {
    let vram = |host: HostSpec| {
        let (world, _) = World::loaded_with(host, &[0]);
        world.host.observe().loaded[0].vram
    };
    let overhead =
        |mib| HostSpec { gpu_overhead: Bytes::from_mib(mib), gpus: vec![gpu(4)], ..old(vec![llama("a")]) };
    assert!(vram(overhead(0)) > Bytes::ZERO);
    assert_eq!(vram(overhead(3_200)), Bytes::ZERO);
}

// Which runner.
#[test]
fn runner_follows_family_and_version() {
    let runner = |family: &str, version| {
        sim_host::spec::ModelSpec { family: family.into(), ..llama("a") }.runner(version)
    };
    for family in ["gemma3", "gemma3n", "mistral3", "llama4", "mllama", "qwen25vl"] {
        assert_eq!(runner(family, Version::V0_10), Runner::Ollamarunner, "{family}");
        assert_eq!(runner(family, Version::V0_24), Runner::Ollamarunner, "{family}");
    }
    for family in
        ["gptoss", "qwen3", "qwen3moe", "olmo3", "deepseek2", "bert", "nomic-bert", "lfm2", "nemotron_h"]
    {
        assert_eq!(runner(family, Version::V0_10), Runner::Llamarunner, "{family}");
        assert_eq!(runner(family, Version::V0_24), Runner::Ollamarunner, "{family}");
    }
    for family in ["llama", "qwen2", "gemma2"] {
        assert_eq!(runner(family, Version::V0_24), Runner::Llamarunner, "{family}");
    }
}
