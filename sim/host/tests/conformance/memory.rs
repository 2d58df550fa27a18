//! F: what fits, seen through a host: free memory, evictions, errors. The layout itself is tested with `fit`.

use control::units::Bytes;
use sim_host::api::HostError;
use sim_host::fit::KvCache;
use sim_host::host::HostSpec;

use super::world::{World, empty, gpu, llama, qwen, request, spec, with};

/// A llama of `gb` gigabytes.
fn sized(name: &str, gb: u64) -> sim_host::spec::ModelSpec {
    let mut model = llama(name);
    model.weights_bytes = gb * 1_000_000_000;
    model.parameters = gb * 2_000_000_000;
    model.parameters_active = model.parameters;
    model
}

// F
#[test]
fn model_larger_than_all_memory_is_an_error_and_the_host_goes_on() {
    let host = HostSpec { ram: Bytes::from_gib(16), ..spec(vec![sized("big", 60), llama("a")]) };
    let mut world = World::new(host);
    world.send(0, request(1, 0, 10));
    world.send(0, request(2, 1, 10));
    world.run();
    assert_eq!(world.error(1), Some(HostError::OutOfMemory));
    assert!(world.finished(2).is_some());
}

// F: beside another model all of it must fit; alone, parts go to the CPU.
#[test]
fn partial_offload_is_for_a_sole_model_only() {
    let host = spec(vec![llama("a"), sized("big", 40)]);
    let (mut world, now) = World::loaded_with(host, &[0]);
    world.send(now, request(1, 1, 10));
    world.run();
    assert_eq!((world.ps(), world.evictions()), (vec![1], 1));
    let loaded = world.host.observe().loaded[0].clone();
    assert!(loaded.vram < loaded.bytes && loaded.vram > Bytes::from_gib(19), "{loaded:?}");
}

// F
#[test]
fn as_many_are_evicted_as_needed() {
    let host = spec(vec![sized("a", 6), sized("b", 6), sized("c", 6), sized("d", 20)]);
    let (mut world, now) = World::loaded_with(HostSpec { max_loaded: Some(9), ..host }, &[0, 1, 2]);
    assert_eq!(world.ps(), vec![0, 1, 2]);
    world.send(now, request(1, 3, 10));
    world.run();
    assert_eq!((world.ps(), world.evictions()), (vec![3], 3));
}

// F
#[test]
fn on_a_cpu_models_share_its_memory() {
    let host =
        HostSpec { gpus: vec![], ram: Bytes::from_gib(12), ..spec(vec![sized("a", 6), sized("b", 6)]) };
    let (mut world, now) = World::loaded_with(host, &[0]);
    world.send(now, request(1, 1, 10));
    world.run();
    assert_eq!((world.ps(), world.evictions()), (vec![1], 1));
}

// F
#[test]
fn num_gpu_0_leaves_the_gpu_alone() {
    let mut world = World::new(spec(vec![llama("a")]));
    world.send(0, with(request(1, 0, 10), |options| options.num_gpu = Some(0)));
    world.run();
    assert_eq!(world.host.observe().loaded[0].vram, Bytes::ZERO);
    assert_eq!(world.done_ms(1), 1_500 + 100, "ten times slower on the CPU");
}

// F
#[test]
fn memory_of_an_unloaded_model_is_free_again() {
    let host = HostSpec { max_loaded: Some(1), ..spec(vec![sized("a", 15), sized("b", 15)]) };
    let (mut world, mut now) = World::loaded_with(host, &[]);
    for key in 1..=10 {
        world.send(now, empty(key, (key % 2) as u32));
        world.run();
        now = world.now.0 / 1_000_000 + 10;
        let loaded = world.host.observe().loaded[0].clone();
        assert_eq!((loaded.model.0, loaded.vram), ((key % 2) as u32, loaded.bytes));
    }
}

// F: quantised caches need flash attention, which qwen 3 has and llamarunner's "auto" does not give.
#[test]
fn quantised_cache_takes_effect_with_flash_attention_only() {
    let size = |model, kv_cache| {
        let host = HostSpec { kv_cache, ..spec(vec![model]) };
        World::loaded_with(host, &[0]).0.host.observe().loaded[0].bytes.0
    };
    let cache = 4_096 * 16 * 32 * 64 * 2 * 2;
    assert_eq!(size(llama("a"), KvCache::F16), size(llama("a"), KvCache::Q4_0));
    assert_eq!(size(qwen("a"), KvCache::F16) - size(qwen("a"), KvCache::Q8_0), cache - cache / 2 * 17 / 16);
    assert_eq!(size(qwen("a"), KvCache::F16) - size(qwen("a"), KvCache::Q4_0), cache - cache / 4 * 9 / 8);
}

// F: one model over two GPUs where one is too small.
#[test]
fn model_is_split_over_gpus_before_the_cpu_is_used() {
    let host = HostSpec { gpus: vec![gpu(24), gpu(24)], ..spec(vec![sized("big", 40)]) };
    let (world, _) = World::loaded_with(host, &[0]);
    let loaded = &world.host.observe().loaded[0];
    assert_eq!(loaded.vram, loaded.bytes);
}
