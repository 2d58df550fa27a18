//! Ollama's defaults and limits by version, and the constants of this model.

use control::units::{Bytes, Nanos};

use super::HostSpec;
use crate::spec::{ModelSpec, Version};

/// Tokens of a batch where nobody sets `num_batch`.
pub(super) const NUM_BATCH: u32 = 512;
/// Tokens at the start of a prompt that survive cuts and shifts.
pub(super) const NUM_KEEP: u32 = 4;
/// The smallest context window.
const NUM_CTX_MIN: u32 = 4;
/// `num_predict` is at most this many times `num_ctx`.
pub(super) const PREDICT_PER_CTX: u32 = 10;
/// Models that may be loaded for each GPU (and on a host without).
const LOADED_PER_GPU: u32 = 3;
/// How often a runner that loads is asked whether it is ready, and free memory is looked at after an unload.
pub(super) const POLL: Nanos = Nanos::from_millis(250);
/// How often an expired runner that is in use is looked at again.
pub(super) const EXPIRED_POLL: Nanos = Nanos::from_millis(10);
/// A runner's process ends in this time: observed, a keep-alive of 0 is gone 0.12 s after the reply.
pub const PROCESS_END: Nanos = Nanos::from_millis(120);
/// How long a discrete GPU takes to report memory as free again, from the moment a runner expired. Assumed: typically
/// 0.5 to 1.5 s pass, in polls of 250 ms, and 5 s at most.
pub const ASSUMED_MEMORY_RECOVERY: Nanos = Nanos::from_millis(1_000);
/// Steps of a runner on the host's CPU take this share of their time while a request is prepared there (template,
/// tokenizer), in thousandths. Assumed: both get equal time. With 50 ms of such work for each request at 1.5 to 2.2
/// requests a second, that is the 5 to 15 % by which a measured CPU host was slower than the sum of its parts.
pub const ASSUMED_CONTENTION_PERMILLE: u32 = 2_000;
/// Slots in v0.10 where nobody sets `OLLAMA_NUM_PARALLEL`: as many as fit of this, else 1.
const PARALLEL_V0_10: u32 = 4;
/// The same on a host that computes on its CPU.
const PARALLEL_V0_10_CPU: u32 = 2;

/// Families that have one slot, whatever is set.
const ONE_SLOT: &[&str] = &[
    "mllama",
    "qwen3vl",
    "qwen3vlmoe",
    "qwen35",
    "qwen35moe",
    "qwen3next",
    "lfm2",
    "lfm2moe",
    "nemotron_h",
    "nemotron_h_moe",
];

/// Context window of requests that name none. v0.24: by total memory of all GPUs; v0.10: 4,096.
pub(super) fn num_ctx_default(spec: &HostSpec) -> u32 {
    if let Some(tokens) = spec.num_ctx_default {
        return tokens.max(NUM_CTX_MIN);
    }
    let vram: u64 = gpus(spec).map(|gpu| gpu.memory_bytes.saturating_sub(spec.gpu_overhead.0)).sum();
    match spec.version {
        Version::V0_24 if vram >= Bytes::from_gib(47).0 => 262_144,
        Version::V0_24 if vram >= Bytes::from_gib(23).0 => 32_768,
        Version::V0_24 | Version::V0_10 => 4_096,
    }
}

/// The window that a request asks for, before the model's own limit.
pub(super) fn num_ctx_wanted(asked: Option<u32>, default: u32) -> u32 {
    asked.unwrap_or(default).max(NUM_CTX_MIN)
}

/// The window that a runner has: at most the model's context of training.
pub(super) fn num_ctx_loaded(wanted: u32, model: &ModelSpec) -> u32 {
    if model.context_max == 0 { wanted } else { wanted.min(model.context_max) }.max(NUM_CTX_MIN)
}

/// Tokens of a batch: at most the context, and for embedding models all of it, since an input is one batch.
pub(super) fn num_batch(asked: Option<u32>, num_ctx: u32, model: &ModelSpec) -> u32 {
    if model.embedding_only { num_ctx } else { asked.unwrap_or(NUM_BATCH).clamp(1, num_ctx) }
}

/// Numbers of slots to try for a model, in this order.
pub(super) fn slots(spec: &HostSpec, model: &ModelSpec) -> (u32, Option<u32>) {
    if model.embedding_only || ONE_SLOT.contains(&model.family.as_str()) {
        return (1, None);
    }
    match (spec.num_parallel, spec.version) {
        (Some(slots), _) => (slots.max(1), None),
        (None, Version::V0_24) => (1, None),
        (None, Version::V0_10) if gpus(spec).next().is_none() => (PARALLEL_V0_10_CPU, None),
        (None, Version::V0_10) => (PARALLEL_V0_10, Some(1)),
    }
}

/// `OLLAMA_MAX_LOADED_MODELS`, or 3 for each GPU.
pub(super) fn loaded_max(spec: &HostSpec) -> usize {
    match spec.max_loaded {
        Some(models) if models > 0 => models as usize,
        _ => (LOADED_PER_GPU as usize) * gpus(spec).count().max(1),
    }
}

/// The host's GPUs; a CPU in the list is none.
pub(super) fn gpus(spec: &HostSpec) -> impl Iterator<Item = &crate::spec::GpuSpec> {
    spec.gpus.iter().map(AsRef::as_ref).filter(|gpu| !gpu.cpu)
}
