use super::*;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// 32 blocks, output tied: 33 layers.
fn model(family: &str) -> ModelSpec {
    ModelSpec {
        name: "m".into(),
        family: family.into(),
        quantisation: "Q4_0".into(),
        blob: "sha256:m".into(),
        parameters: 8_000_000_000,
        parameters_active: 8_000_000_000,
        weights_bytes: 8_000_000_000,
        layers: 32,
        hidden: 4_096,
        heads: 32,
        kv_heads: 8,
        head_dim: 128,
        vocabulary: 128_256,
        experts: 0,
        experts_active: 0,
        window: 0,
        full_attention_layers: 32,
        context_max: 131_072,
        embedding_only: false,
        source: "made up".into(),
        assumed: Vec::new(),
    }
}

fn demand(model: &ModelSpec) -> Demand<'_> {
    Demand {
        model,
        graph: Bytes::from_mib(300),
        num_ctx: 4_096,
        num_batch: 512,
        slots: 1,
        kv_cache: KvCache::F16,
        num_gpu: None,
        version: Version::V0_24,
    }
}

fn room(mib: u64) -> Room {
    Room { free: Bytes::from_mib(mib), discrete: true, metal: false }
}

fn space(gpus: &[Room], sole: bool) -> Space<'_> {
    Space { gpus, ram: Bytes::from_gib(64), overhead: Bytes::ZERO, spread: false, sole }
}

fn layers(placement: &Placement) -> Vec<u32> {
    placement.gpus.iter().map(|share| share.layers).collect()
}

/// The least free memory in MiB with which all layers go to one GPU.
fn least_mib(demand: &Demand<'_>, room: impl Fn(u64) -> Room, overhead: Bytes) -> u64 {
    let fits = |mib| {
        let rooms = [room(mib)];
        place(demand, &Space { overhead, ..space(&rooms, false) }).is_ok()
    };
    (1..200_000).find(|&mib| fits(mib)).expect("200 GB are enough")
}

#[test]
fn cache_of_a_layer_is_cells_times_heads_times_widths_times_bytes() {
    let llama = model("llama");
    let layer = kv_of_layer(&demand(&llama), 0);
    assert_eq!(layer, 4_096 * 8 * (128 + 128) * 2);
    let four = Demand { slots: 4, ..demand(&llama) };
    assert_eq!(kv_of_layer(&four, 0), 4 * layer);
}

#[test]
fn cells_are_rounded_up_to_256() {
    let llama = model("llama");
    let odd = Demand { num_ctx: 4_097, ..demand(&llama) };
    assert_eq!(kv_of_layer(&odd, 0), 4_352 * 8 * 256 * 2);
}

#[test]
fn sliding_layers_hold_window_and_batch() {
    let mut gemma = model("gemma3");
    (gemma.window, gemma.full_attention_layers, gemma.layers) = (1_024, 5, 34);
    let full = |slots: u64| 8 * 256 * 2 * (4_096 * slots);
    let cell = 8 * 256 * 2;
    let one = Demand { num_ctx: 4_096, ..demand(&gemma) };
    assert_eq!(kv_of_layer(&one, 0), cell * (1_024 + 512));
    assert_eq!(kv_of_layer(&one, 5), full(1), "every sixth layer is global");
    // One cell more for each of several slots, in all rounded up.
    let two = Demand { slots: 2, ..one };
    assert_eq!(kv_of_layer(&two, 0), cell * (2 * 1_025 + 512u64).next_multiple_of(256));
    let short = Demand { num_ctx: 1_024, ..one };
    assert_eq!(
        kv_of_layer(&short, 0),
        cell * 1_024,
        "full size where the window is not smaller than the context"
    );
    assert_eq!((0..34).filter(|&layer| attends_fully(&gemma, layer)).count(), 5);
}

#[test]
fn llamarunner_keeps_the_whole_context_in_sliding_layers() {
    let mut gemma = model("gemma2");
    (gemma.window, gemma.full_attention_layers) = (1_024, 16);
    assert_eq!(kv_of_layer(&demand(&gemma), 0), 4_096 * 8 * 256 * 2);
}

#[test]
fn gpt_oss_has_windows_on_even_layers() {
    let mut oss = model("gptoss");
    (oss.window, oss.layers, oss.full_attention_layers) = (128, 24, 12);
    let full: Vec<u32> = (0..24).filter(|&layer| attends_fully(&oss, layer)).collect();
    assert_eq!(full, (0..12).map(|pair| 2 * pair + 1).collect::<Vec<_>>());
}

#[test]
fn quantised_cache_is_estimated_smaller_than_it_is() {
    let (llama, qwen) = (model("llama"), model("qwen3"));
    let bytes = |model, kv_cache| kv_of_layer(&Demand { kv_cache, ..demand(model) }, 0);
    let numbers = 4_096 * 8 * 256;
    assert_eq!((bytes(&llama, KvCache::Q8_0), bytes(&llama, KvCache::Q4_0)), (numbers, numbers / 2));
    assert_eq!(
        (bytes(&qwen, KvCache::Q8_0), bytes(&qwen, KvCache::Q4_0)),
        (numbers * 17 / 16, numbers * 9 / 16)
    );
}

#[test]
fn quantised_cache_needs_flash_attention() {
    for (family, version, on) in [
        ("gemma3", Version::V0_24, true),
        ("gptoss", Version::V0_24, true),
        ("qwen3", Version::V0_24, true),
        ("qwen3moe", Version::V0_24, true),
        ("mistral3", Version::V0_24, true),
        ("llama", Version::V0_24, false),
        ("gemma3", Version::V0_10, false),
    ] {
        let effective = KvCache::Q8_0.effective(&model(family), version);
        assert_eq!(effective == KvCache::Q8_0, on, "{family} {version:?}");
    }
}

#[test]
fn llama_graph_follows_the_formula() {
    let llama = model("llama");
    let (batch, width, context, heads, vocabulary) = (512u64, 4_096u64, 4_096u64, 32u64, 128_256u64);
    let (full, partial) = graph(&demand(&llama), 0);
    let first = 4 * batch * (1 + 4 * width + context * (1 + heads));
    assert_eq!(full, first.max(4 * batch * (width + vocabulary)));
    assert!(partial > full, "{partial} {full}: the output's part is larger when it is on the CPU");
}

#[test]
fn graph_of_other_families_is_a_share_of_the_cache() {
    let qwen = model("qwen2");
    assert_eq!(graph(&demand(&qwen), 600), (400, 400), "32 heads / 8 KV heads × 600 / 6");
}

#[test]
fn ollamarunner_takes_its_fitted_graph() {
    let qwen = model("qwen3");
    assert_eq!(graph(&demand(&qwen), 600), (300 * MIB, 300 * MIB));
    let old = Demand { version: Version::V0_10, ..demand(&qwen) };
    assert_eq!(graph(&old, 600), (400, 400), "v0.10 only estimates");
}

#[test]
fn gpu_keeps_its_reserve_and_the_overhead_free() {
    let qwen = model("qwen3");
    let need = |metal, overhead| {
        least_mib(&demand(&qwen), |mib| Room { metal, ..room(mib) }, Bytes::from_mib(overhead))
    };
    let sizes = Sizes::of(&demand(&qwen));
    let bytes = sizes.layers.iter().sum::<u64>() + sizes.graph_full;
    assert_eq!(need(false, 0), bytes.div_ceil(MIB) + 457);
    assert_eq!(need(true, 0), bytes.div_ceil(MIB) + 512);
    assert_eq!(need(false, 1_000), bytes.div_ceil(MIB) + 1_457);
}

#[test]
fn llamarunner_keeps_a_spare_layer_free() {
    let llama = model("llama");
    let sizes = Sizes::of(&demand(&llama));
    let need = sizes.layers.iter().sum::<u64>() + sizes.graph_partial + sizes.layers[0] + 457 * MIB;
    assert_eq!(least_mib(&demand(&llama), room, Bytes::ZERO), need.div_ceil(MIB));
}

#[test]
fn tied_embedding_is_in_memory_twice() {
    let qwen = model("qwen3");
    let embedding = 4_096 * 128_256;
    let sizes = Sizes::of(&demand(&qwen));
    assert_eq!((sizes.input, sizes.layers[32]), (embedding, embedding));
    let placement = place(&demand(&qwen), &space(&[room(24_000)], true)).unwrap();
    assert_eq!(placement.cpu, Bytes(embedding), "input embeddings stay in the host's memory");
    let weights: u64 = placement.vram.0 - sizes.kv - sizes.graph_full;
    assert!(weights <= qwen.weights_bytes && weights + 32 > qwen.weights_bytes);
}

#[test]
fn untied_embeddings_are_two_tensors() {
    let mut qwen = model("qwen3");
    qwen.parameters_active -= 4_096 * 128_256;
    let sizes = Sizes::of(&demand(&qwen));
    let placement = place(&demand(&qwen), &space(&[room(24_000)], true)).unwrap();
    let all = placement.total.0 - sizes.kv - sizes.graph_full;
    assert!(all <= qwen.weights_bytes && all + 32 > qwen.weights_bytes);
}

#[test]
fn largest_gpu_alone_is_tried_first() {
    let qwen = model("qwen3");
    let rooms = [room(12_000), room(24_000), room(16_000)];
    assert_eq!(layers(&place(&demand(&qwen), &space(&rooms, true)).unwrap()), vec![0, 33, 0]);
}

#[test]
fn discrete_gpus_come_before_larger_integrated_ones() {
    let qwen = model("qwen3");
    let rooms = [Room { discrete: false, ..room(64_000) }, room(16_000)];
    assert_eq!(layers(&place(&demand(&qwen), &space(&rooms, true)).unwrap()), vec![0, 33]);
}

#[test]
fn as_few_gpus_as_can_take_all_layers_share_them_evenly() {
    let qwen = model("qwen3");
    let rooms = [room(8_000), room(8_000), room(8_000)];
    let placement = place(&demand(&qwen), &space(&rooms, true)).unwrap();
    assert_eq!(placement.layers_cpu, 0);
    assert_eq!(layers(&placement), vec![17, 16, 0]);
}

#[test]
fn layers_fill_from_the_last_on_the_gpu_with_the_least_free() {
    let qwen = model("qwen3");
    // The smaller of the two takes the last layers, the output layer among them.
    let rooms = [room(8_000), room(6_000)];
    let placement = place(&demand(&qwen), &space(&rooms, true)).unwrap();
    let sizes = Sizes::of(&demand(&qwen));
    let (first, last) = (placement.gpus[0], placement.gpus[1]);
    assert_eq!(first.layers + last.layers, 33);
    let output: u64 = sizes.layers[33 - last.layers as usize..].iter().sum();
    assert_eq!(last.bytes, Bytes(output + sizes.graph_full));
}

#[test]
fn sched_spread_uses_all_gpus() {
    let qwen = model("qwen3");
    let rooms = [room(24_000); 3];
    let spread = Space { spread: true, ..space(&rooms, true) };
    // The last holds the output layer, which is as large as two blocks.
    assert_eq!(layers(&place(&demand(&qwen), &spread).unwrap()), vec![11, 12, 10]);
}

#[test]
fn output_layer_goes_to_the_cpu_first_and_the_highest_blocks_stay() {
    let mut qwen = model("qwen3");
    qwen.vocabulary = 256_000;
    let sizes = Sizes::of(&demand(&qwen));
    let blocks: u64 = sizes.layers[..32].iter().sum();
    // Room for all blocks, and not for the output layer.
    let rooms = [Room { free: Bytes(blocks + 300 * MIB + 457 * MIB + 10), ..room(0) }];
    let placement = place(&demand(&qwen), &space(&rooms, true)).unwrap();
    assert_eq!((layers(&placement), placement.layers_cpu), (vec![32], 1));
    assert_eq!(placement.cpu.0, sizes.layers[32] + sizes.input + 300 * MIB);
    let rooms = [Room { free: Bytes(blocks / 2 + 757 * MIB), ..room(0) }];
    let half = place(&demand(&qwen), &space(&rooms, true)).unwrap();
    assert_eq!((layers(&half), half.layers_cpu), (vec![16], 17));
}

#[test]
fn beside_another_model_a_full_fit_is_required() {
    let qwen = model("qwen3");
    let rooms = [room(6_000)];
    assert_eq!(place(&demand(&qwen), &space(&rooms, false)), Err(NoFit::Evict));
    let placement = place(&demand(&qwen), &space(&rooms, true)).unwrap();
    assert!(placement.layers_cpu > 0 && placement.layers_gpu() > 0);
}

#[test]
fn more_than_the_free_memory_of_the_host_is_an_error() {
    let qwen = model("qwen3");
    let little = Space { ram: Bytes::from_gib(4), ..space(&[], true) };
    assert_eq!(place(&demand(&qwen), &little), Err(NoFit::OutOfMemory));
    assert_eq!(place(&demand(&qwen), &Space { sole: false, ..little }), Err(NoFit::Evict));
    let rooms = [room(3_000)];
    assert_eq!(place(&demand(&qwen), &Space { gpus: &rooms, ..little }), Err(NoFit::OutOfMemory));
}

#[test]
fn num_gpu_sets_the_layers_on_gpus() {
    let qwen = model("qwen3");
    let rooms = [room(24_000)];
    let with = |layers| place(&Demand { num_gpu: Some(layers), ..demand(&qwen) }, &space(&rooms, true));
    assert_eq!(layers(&with(5).unwrap()), vec![5]);
    assert_eq!(layers(&with(0).unwrap()), vec![0]);
    assert_eq!(layers(&with(99).unwrap()), vec![33]);
    let small = [room(4_000)];
    let forced = place(&Demand { num_gpu: Some(33), ..demand(&qwen) }, &space(&small, true));
    assert_eq!(forced, Err(NoFit::OutOfMemory), "more than the memory takes cannot be allocated");
    let beside = place(&Demand { num_gpu: Some(5), ..demand(&qwen) }, &space(&rooms, false));
    assert_eq!(layers(&beside.unwrap()), vec![5], "as many as asked for are a full fit");
}

#[test]
fn placement_never_exceeds_a_gpu() {
    for family in ["llama", "qwen3", "qwen2", "gptoss"] {
        let model = model(family);
        for version in [Version::V0_24, Version::V0_10] {
            for mib in (200..14_000).step_by(173) {
                for gpus in 1..=3 {
                    let rooms: Vec<Room> = (0..gpus).map(|gpu| room(mib + 900 * gpu)).collect();
                    let demand = Demand { version, slots: 1 + mib as u32 % 3, ..demand(&model) };
                    let Ok(placement) = place(&demand, &space(&rooms, true)) else { continue };
                    for (share, room) in placement.gpus.iter().zip(&rooms) {
                        assert!(share.bytes <= room.free, "{family} {version:?} {mib} MiB: {placement:?}");
                        assert_eq!(share.layers == 0, share.bytes == Bytes::ZERO);
                    }
                    assert_eq!(placement.layers_gpu() + placement.layers_cpu, 33);
                    assert_eq!(placement.total, placement.vram + placement.cpu);
                }
            }
        }
    }
}

#[test]
fn v0_10_takes_one_gpu_or_all_and_deals_blocks_out_in_turn() {
    let qwen = model("qwen3");
    let old = Demand { version: Version::V0_10, ..demand(&qwen) };
    let rooms = [room(8_000), room(24_000), room(8_000)];
    assert_eq!(layers(&place(&old, &space(&rooms, true)).unwrap()), vec![0, 33, 0]);
    let rooms = [room(8_000), room(8_000), room(8_000)];
    let all = place(&old, &space(&rooms, true)).unwrap();
    // 32 blocks over three: 11, 11, 10; the output layer to the one whose turn it is.
    assert_eq!((layers(&all), all.layers_cpu), (vec![11, 11, 11], 0));
    let spread = [room(24_000), room(24_000)];
    let both = place(&old, &Space { spread: true, ..space(&spread, true) }).unwrap();
    assert_eq!(layers(&both), vec![17, 16]);
}

#[test]
fn v0_10_leaves_a_gpu_alone_that_has_no_room_for_two_layers() {
    let llama = model("llama");
    let old = Demand { version: Version::V0_10, ..demand(&llama) };
    let sizes = Sizes::of(&old);
    let least = sizes.graph_full.max(sizes.graph_partial) + 457 * MIB + 2 * sizes.layers[0];
    let layers_with = |bytes| {
        let rooms = [Room { free: Bytes(bytes), ..room(0) }];
        place(&old, &space(&rooms, true)).unwrap().layers_gpu()
    };
    assert_eq!(layers_with(least - 1), 0);
    assert!(layers_with(least + GIB / 64) > 0);
}

#[test]
fn v0_10_requires_a_full_fit_beside_another_model() {
    let qwen = model("qwen3");
    let old = Demand { version: Version::V0_10, ..demand(&qwen) };
    let rooms = [room(6_000)];
    assert_eq!(place(&old, &space(&rooms, false)), Err(NoFit::Evict));
    assert!(place(&old, &space(&rooms, true)).unwrap().layers_cpu > 0);
}
