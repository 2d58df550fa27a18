//! What fits, and where it goes: from a model, its context and the memory that is free to a placement of its layers.
//!
//! A pure function. Layers are the blocks and one more, the output layer; a tied embedding is copied there, and input
//! embeddings stay in the host's memory. v0.24 lays layers out (`layout`), v0.10 estimates (`estimate`). Left out:
//! projectors and adapters; swap (a host has none); and ollamarunner's backing off by a tenth of the free memory after
//! an allocation that failed, since here an allocation that was computed to fit does fit.
//!
//! Source: Ollama v0.24.0 (`llm/server.go`, `fs/ggml/ggml.go`, `kvcache/causal.go`) and v0.10.1 (`llm/memory.go`).

mod estimate;
mod layout;
#[cfg(test)]
mod tests;

use control::units::Bytes;
use serde::{Deserialize, Serialize};

use crate::spec::{ModelSpec, Runner, Version};

/// Memory that each GPU keeps free: 457 MiB, with Metal 512 MiB.
pub const RESERVE: Bytes = Bytes::from_mib(457);
/// The same with Metal.
pub const RESERVE_METAL: Bytes = Bytes::from_mib(512);

/// Cache cells come in multiples of this.
const CELLS: u64 = 256;

/// `OLLAMA_KV_CACHE_TYPE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum KvCache {
    /// Two bytes for each number.
    #[default]
    #[serde(rename = "f16")]
    F16,
    /// 8.5 bits for each number. Takes effect only with flash attention.
    #[serde(rename = "q8_0")]
    Q8_0,
    /// 4.5 bits for each number. Takes effect only with flash attention.
    #[serde(rename = "q4_0")]
    Q4_0,
}

impl KvCache {
    /// What a runner really uses: quantised caches need flash attention, which is on by itself only for some families
    /// of ollamarunner in v0.24, "auto" (so: not for this) in llamarunner, and off in v0.10.
    #[must_use]
    pub fn effective(self, model: &ModelSpec, version: Version) -> Self {
        const FLASH: &[&str] = &["gemma3", "gptoss", "qwen3", "qwen3moe", "qwen3vl", "mistral3"];
        let flash = version == Version::V0_24
            && model.runner(version) == Runner::Ollamarunner
            && FLASH.contains(&model.family.as_str());
        if flash { self } else { Self::F16 }
    }

    /// Sixteenths of a byte for each number in the cache. An estimate takes 1 and 0.5 bytes for the quantised types,
    /// an allocation 1.0625 and 0.5625.
    const fn sixteenths(self, estimated: bool) -> u64 {
        match (self, estimated) {
            (Self::F16, _) => 32,
            (Self::Q8_0, true) => 16,
            (Self::Q8_0, false) => 17,
            (Self::Q4_0, true) => 8,
            (Self::Q4_0, false) => 9,
        }
    }
}

/// A GPU as a load finds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Memory not in use, reserves included.
    pub free: Bytes,
    /// Its memory is apart from the host's.
    pub discrete: bool,
    /// It is driven by Metal.
    pub metal: bool,
}

/// What wants a place.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The model.
    pub model: &'a ModelSpec,
    /// Compute graph that ollamarunner allocates on each GPU used.
    pub graph: Bytes,
    /// Tokens of a slot's context, already capped by the context of training.
    pub num_ctx: u32,
    /// Tokens of a batch, at most `num_ctx`.
    pub num_batch: u32,
    /// Slots.
    pub slots: u32,
    /// Type of the key-value cache as it is used.
    pub kv_cache: KvCache,
    /// Layers asked for on GPUs (`num_gpu`); as many as fit where absent.
    pub num_gpu: Option<u32>,
    /// The rules.
    pub version: Version,
}

/// Where it may go.
#[derive(Clone, Copy, Debug)]
pub struct Space<'a> {
    /// The host's GPUs; empty on a host that computes on its CPU.
    pub gpus: &'a [Room],
    /// Memory of the host not in use.
    pub ram: Bytes,
    /// `OLLAMA_GPU_OVERHEAD`.
    pub overhead: Bytes,
    /// `OLLAMA_SCHED_SPREAD`: over all GPUs, even where fewer are enough.
    pub spread: bool,
    /// No other model is loaded: parts may go to the CPU. Otherwise all must fit on GPUs.
    pub sole: bool,
}

/// What goes to one GPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Share {
    /// Weights, cache and graph.
    pub bytes: Bytes,
    /// Layers, the output layer counted as one.
    pub layers: u32,
}

/// Where a model's layers go, and what they take there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Placement {
    /// For each GPU of the host, in the host's order.
    pub gpus: Vec<Share>,
    /// Layers computed on the CPU.
    pub layers_cpu: u32,
    /// Key-value cache in all.
    pub kv: Bytes,
    /// Memory of the host that it takes.
    pub cpu: Bytes,
    /// Memory on GPUs.
    pub vram: Bytes,
    /// Both.
    pub total: Bytes,
}

impl Placement {
    /// Layers computed on GPUs.
    #[must_use]
    pub fn layers_gpu(&self) -> u32 {
        self.gpus.iter().map(|share| share.layers).sum()
    }
}

/// Why nothing was placed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoFit {
    /// It does not fit beside the others: one of them must go.
    Evict,
    /// It does not fit at all: 500 "model requires more system memory (X) than is available (Y)".
    OutOfMemory,
}

/// Finds a place.
///
/// # Errors
/// [`NoFit`] where there is none.
pub fn place(demand: &Demand<'_>, space: &Space<'_>) -> Result<Placement, NoFit> {
    let sizes = Sizes::of(demand);
    match demand.version {
        Version::V0_24 => layout::place(demand, space, &sizes),
        Version::V0_10 => estimate::place(demand, space, &sizes),
    }
}

/// Sizes of a model's parts in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sizes {
    /// Weights and cache of each block, from the first to the last, and the output layer behind them.
    layers: Vec<u64>,
    /// Weights of one block.
    block: u64,
    /// Cache of all layers.
    kv: u64,
    /// Cache of the first block.
    kv_first: u64,
    /// Input embeddings, which stay in the host's memory.
    input: u64,
    /// Graph where all layers are on GPUs.
    graph_full: u64,
    /// Graph where some are not.
    graph_partial: u64,
}

impl Sizes {
    pub(crate) fn of(demand: &Demand<'_>) -> Self {
        let model = demand.model;
        let (block, input, output) = weights(model);
        let kv: Vec<u64> = (0..model.layers).map(|layer| kv_of_layer(demand, layer)).collect();
        let kv_total = kv.iter().sum();
        let mut layers: Vec<u64> = kv.iter().map(|cache| cache + block).collect();
        layers.push(output);
        let (graph_full, graph_partial) = graph(demand, kv_total);
        let kv_first = kv.first().copied().unwrap_or(0);
        Self { layers, block, kv: kv_total, kv_first, input, graph_full, graph_partial }
    }
}

/// Weights of one block, of the input embedding and of the output layer.
///
/// An input embedding of its own is not among the active parameters of a dense model; a mixture of experts is taken to
/// have one. Otherwise it is tied: one tensor on disk, in memory once for the input and once as the output layer.
fn weights(model: &ModelSpec) -> (u64, u64, u64) {
    let matrix = u64::from(model.vocabulary) * u64::from(model.hidden);
    let parameters = u128::from(model.parameters.max(1));
    let bytes = (u128::from(model.weights_bytes) * u128::from(matrix) / parameters) as u64;
    let embedding = bytes.min(model.weights_bytes / 2);
    let untied = model.experts > 0 || model.parameters.saturating_sub(model.parameters_active) >= matrix;
    let outside = if untied { 2 * embedding } else { embedding };
    let block = (model.weights_bytes - outside) / u64::from(model.layers.max(1));
    (block, embedding, embedding)
}

/// Whether a layer attends over the whole context. gemma 3: every sixth; gpt-oss: windows on even layers; elsewhere the
/// full layers are spread evenly.
fn attends_fully(model: &ModelSpec, layer: u32) -> bool {
    if model.window == 0 {
        return true;
    }
    if model.family.starts_with("gemma3") {
        return (layer + 1).is_multiple_of(6);
    }
    let before =
        |layers: u32| u64::from(layers) * u64::from(model.full_attention_layers) / u64::from(model.layers);
    before(layer + 1) > before(layer)
}

/// Cache bytes of one layer: cells × KV heads × (K + V width) × bytes.
fn kv_of_layer(demand: &Demand<'_>, layer: u32) -> u64 {
    let model = demand.model;
    let runner = model.runner(demand.version);
    let estimated = runner == Runner::Llamarunner || demand.version == Version::V0_10;
    let (slots, ctx) = (u64::from(demand.slots), u64::from(demand.num_ctx));
    let slides = runner == Runner::Ollamarunner && !attends_fully(model, layer);
    let cells = if slides && u64::from(model.window) < ctx {
        let window = u64::from(model.window) + u64::from(slots > 1 && demand.version == Version::V0_24);
        slots * window + u64::from(demand.num_batch)
    } else {
        slots * ctx
    };
    let width = u64::from(model.kv_heads) * 2 * u64::from(model.head_dim);
    cells.next_multiple_of(CELLS) * width * demand.kv_cache.sixteenths(estimated) / 16
}

/// Compute graph on each GPU used: all layers on GPUs, and some on the CPU.
///
/// With B batch, E width, C context × slots, H heads, V vocabulary, in llama's family: full = max(4B(1 + 4E + C(1 + H)),
/// 4B(E + V)), and partial from the same source. Others: heads / KV heads × cache / 6. What ollamarunner allocates in
/// v0.24 has no closed form and is a fitted constant.
fn graph(demand: &Demand<'_>, kv: u64) -> (u64, u64) {
    let model = demand.model;
    if demand.version == Version::V0_24 && model.runner(demand.version) == Runner::Ollamarunner {
        return (demand.graph.0, demand.graph.0);
    }
    let heads = u64::from(model.heads);
    if model.family != "llama" && model.family != "llama4" {
        let rest = heads / u64::from(model.kv_heads.max(1)) * kv / 6;
        return (rest, rest);
    }
    let batch = u64::from(demand.num_batch);
    let width = u64::from(model.hidden);
    let vocabulary = u64::from(model.vocabulary);
    let context = u64::from(demand.num_ctx) * u64::from(demand.slots);
    let kv_width = u64::from(model.head_dim) * u64::from(model.kv_heads);
    let full = (4 * batch * (1 + 4 * width + context * (1 + heads))).max(4 * batch * (width + vocabulary));
    let attention = 4 * batch * (1 + width + context.max(width))
        + width * width * 9 / 16
        + 4 * context * (batch * heads + kv_width);
    let output = 4 * batch * (width + vocabulary) + width * vocabulary * 105 / 128;
    (full, 4 * batch * width + attention.max(output))
}
