//! What a model and a GPU are, as far as fitting, loading and speed need it.

use std::sync::Arc;

use control::units::Bytes;
use serde::{Deserialize, Serialize};

use crate::costs::Costs;

/// Which of Ollama's runners serves a model; it depends on the family and on Ollama's version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Runner {
    /// The newer engine: one batch over all slots.
    Ollamarunner,
    /// llama.cpp behind Ollama: a batch for each slot.
    Llamarunner,
}

/// Ollama versions whose rules are modelled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub enum Version {
    /// v0.10.1.
    #[serde(rename = "0.10")]
    V0_10,
    /// v0.24.0, the default.
    #[default]
    #[serde(rename = "0.24")]
    V0_24,
}

/// Shape and size of a model in one quantisation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Name as Ollama normalises it (`llama3.1:8b`).
    pub name: String,
    /// Family (`llama`, `gemma3`, `qwen3moe`, …), as the GGUF's architecture says.
    pub family: String,
    /// Quantisation of the weights (`Q4_K_M`).
    pub quantisation: String,
    /// Digest of the GGUF blob: two names with one blob share a runner. A sorting key of evictions too.
    pub blob: String,
    /// Parameters in all.
    pub parameters: u64,
    /// Parameters that one token uses; less than all in a mixture of experts.
    pub parameters_active: u64,
    /// Size of the weights on disk in bytes.
    pub weights_bytes: u64,
    /// Transformer blocks.
    pub layers: u32,
    /// Width of the hidden state.
    pub hidden: u32,
    /// Attention heads.
    pub heads: u32,
    /// Key and value heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Vocabulary.
    pub vocabulary: u32,
    /// Experts (0: dense) and how many a token uses.
    pub experts: u32,
    /// Experts that a token uses.
    pub experts_active: u32,
    /// Window of sliding-window layers in tokens; 0 where there are none.
    pub window: u32,
    /// Layers with full attention; the rest slide.
    pub full_attention_layers: u32,
    /// Context window of training in tokens.
    pub context_max: u32,
    /// Embeddings only: nothing is generated, one slot.
    pub embedding_only: bool,
    /// Where these figures come from.
    pub source: String,
    /// Names of the fields that were guessed.
    #[serde(default)]
    pub assumed: Vec<String>,
}

/// A GPU, or a CPU that computes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuSpec {
    /// Name in scenario files (`rtx-4090`).
    pub name: String,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Memory bandwidth in bytes per second.
    pub bandwidth_bytes_per_second: u64,
    /// Dense 16-bit operations per second.
    pub flops: u64,
    /// Its memory is apart from the host's (false: unified memory, or the CPU itself).
    pub discrete: bool,
    /// It is the CPU.
    pub cpu: bool,
    /// It is driven by Metal (another reserve of memory).
    pub metal: bool,
    /// The most that it draws, in watts: the limit of the board, or of the whole chip where memory is unified. Not known where absent.
    #[serde(default)]
    pub watts_max: Option<u32>,
    /// What it draws while nothing computes, in watts; known where `watts_max` is.
    #[serde(default)]
    pub watts_idle: Option<u32>,
    /// Where these figures come from.
    pub source: String,
    /// Names of the fields that were guessed.
    #[serde(default)]
    pub assumed: Vec<String>,
}

/// A model on a GPU: what its batch loop and its load cost.
#[derive(Clone, PartialEq, Debug)]
pub struct Profile {
    /// The GPU.
    pub gpu: Arc<GpuSpec>,
    /// The model.
    pub model: Arc<ModelSpec>,
    /// The batch loop with all layers on the GPU.
    pub costs: Arc<Costs>,
    /// The batch loop with all layers on the host's CPU: what a partial offload is mixed with.
    pub cpu_costs: Arc<Costs>,
    /// CPU work for each request outside the slots (template, tokenizer), in nanoseconds.
    pub request_overhead_nanos: u64,
    /// Fixed part of a load in nanoseconds (process start, warm-up).
    pub load_fixed_nanos: u64,
    /// Reading weights from local disk, bytes per second.
    pub disk_bytes_per_second: u64,
    /// Copying weights out of the page cache to the device, bytes per second.
    pub page_cache_bytes_per_second: u64,
    /// A fitted constant for the compute graph that ollamarunner allocates.
    pub graph_bytes: u64,
    /// What it rests on: the measurement with its fit error and held-out rows, or the formula.
    pub source: String,
    /// Names of the figures that were guessed (`assumed_…`), listed in every report that uses the profile.
    pub assumed: Vec<String>,
}

impl ModelSpec {
    /// Size of the weights.
    #[must_use]
    pub fn weights(&self) -> Bytes {
        Bytes(self.weights_bytes)
    }

    /// Which runner serves the model in `version`.
    ///
    /// Source: Ollama v0.24.0 and v0.10.1 (`fs/ggml`, `llm/server.go`).
    #[must_use]
    pub fn runner(&self, version: Version) -> Runner {
        const NEW: &[&str] = &[
            "gemma3",
            "gemma3n",
            "gemma4",
            "gptoss",
            "qwen3",
            "qwen3moe",
            "qwen3vl",
            "qwen25vl",
            "llama4",
            "mistral3",
            "mllama",
            "olmo3",
            "deepseek2",
            "bert",
            "nomic-bert",
            "glm4moelite",
            "lfm2",
            "nemotron_h",
        ];
        const OLD: &[&str] = &["gemma3", "gemma3n", "mistral3", "llama4", "mllama", "qwen25vl"];
        let list = match version {
            Version::V0_24 => NEW,
            Version::V0_10 => OLD,
        };
        if list.contains(&self.family.as_str()) { Runner::Ollamarunner } else { Runner::Llamarunner }
    }
}
