//! Cost tables from specifications: what a step must read and compute, over what the GPU gives.
//!
//! ```text
//! read(d)    = shared bytes + expert bytes × (1 − (1 − k/E)^d)            over the bandwidth that is reached
//! decode[d]  = max(read(d), d sequences' operations) + overhead of the layers
//! prefill(t) = max(read(t), t tokens' operations) + overhead of the layers
//! context    = key and value bytes of a token over the full layers       over the bandwidth reached on the cache
//! pair       = 4 × heads × head width operations over the full layers    over the operations reached in attention
//! ```
//!
//! A token takes two operations for each parameter that it uses. Up to 32 sequences decode at `decode_flops_permille`,
//! more at the rate of prompts. A step of d tokens touches E(1 − (1 − k/E)^d) of E experts on average if each token
//! picks k of them independently: at batch 1 only the active bytes are read. All in integers: the tables are the same
//! on every machine. Source of the form: the roofline model (Williams et al. 2009), as BLIS and aiconfigurator use it.
//! Left out: contention with other work on the GPU, and clocks that fall when it gets hot.

use serde::Deserialize;

use crate::costs::Costs;
use crate::profile::tables::for_runner;
use crate::spec::{GpuSpec, ModelSpec, Runner};

/// Entries of a decode table.
const SEQUENCES: u32 = 256;
/// Up to here sequences decode in the kernels for few columns.
const SEQUENCES_SMALL: u32 = 32;
/// Knots of a prefill table.
const TOKENS: &[u32] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
/// The most tokens of a step that a table is made for.
pub(super) const TOKENS_MAX: u32 = 4096;
/// Fixed-point one.
const ONE: u64 = 1 << 32;
const PICOS: u128 = 1_000_000_000_000;

/// What an engine gets out of a GPU, in thousandths of the GPU's own figures, and what loads and requests cost on it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Efficiency {
    pub(super) gpu: String,
    /// Bandwidth reached on weights.
    pub(super) bandwidth_permille: u64,
    /// The same for K-quants, whose unpacking costs more.
    pub(super) k_quant_bandwidth_permille: u64,
    /// Bandwidth reached on the key-value cache.
    pub(super) kv_bandwidth_permille: u64,
    /// Operations reached on prompts by dense models.
    pub(super) flops_permille: u64,
    /// Operations reached on prompts by mixtures of experts.
    pub(super) expert_flops_permille: u64,
    /// Operations reached with few sequences decoding.
    pub(super) decode_flops_permille: u64,
    /// Operations reached in the attention of prompts.
    pub(super) attention_flops_permille: u64,
    /// Overhead of a layer in a step.
    pub(super) layer_overhead_nanos: u64,
    /// Further overhead of a layer with experts.
    pub(super) expert_layer_overhead_nanos: u64,
    /// Where not 0, a batch of d ≥ 2 decodes in d times the time of one, times this over 1000.
    pub(super) sequence_permille: u64,
    /// Fixed part of a load.
    pub(super) load_fixed_nanos: u64,
    /// Reading weights from local disk.
    pub(super) disk_bytes_per_second: u64,
    /// Copying weights from the page cache.
    pub(super) page_cache_bytes_per_second: u64,
    /// Work for each request outside the slots.
    pub(super) request_overhead_nanos: u64,
    pub(super) source: String,
    pub(super) assumed: Vec<String>,
}

impl Efficiency {
    /// The figures by name.
    pub(super) fn figures(&self) -> [(&'static str, u64); 14] {
        [
            ("bandwidth_permille", self.bandwidth_permille),
            ("k_quant_bandwidth_permille", self.k_quant_bandwidth_permille),
            ("kv_bandwidth_permille", self.kv_bandwidth_permille),
            ("flops_permille", self.flops_permille),
            ("expert_flops_permille", self.expert_flops_permille),
            ("decode_flops_permille", self.decode_flops_permille),
            ("attention_flops_permille", self.attention_flops_permille),
            ("layer_overhead_nanos", self.layer_overhead_nanos),
            ("expert_layer_overhead_nanos", self.expert_layer_overhead_nanos),
            ("sequence_permille", self.sequence_permille),
            ("load_fixed_nanos", self.load_fixed_nanos),
            ("disk_bytes_per_second", self.disk_bytes_per_second),
            ("page_cache_bytes_per_second", self.page_cache_bytes_per_second),
            ("request_overhead_nanos", self.request_overhead_nanos),
        ]
    }
}

/// What a step reads of a model's file where that does not follow from the parameters alone.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Weights {
    pub(super) model: String,
    /// Read by each step.
    pub(super) shared_bytes: u64,
    /// All experts together; a step reads the share that its tokens touch.
    pub(super) expert_bytes: u64,
    pub(super) source: String,
    pub(super) assumed: Vec<String>,
}

impl Weights {
    /// The split of a file with the same bits for each weight. A mixture of experts is taken to have an input embedding
    /// of its own: shared + experts + vocabulary × hidden = parameters, shared + experts × k/E = active parameters.
    pub(super) fn uniform(model: &ModelSpec) -> Self {
        let bytes = |parameters: u64| {
            (u128::from(model.weights_bytes) * u128::from(parameters) / u128::from(model.parameters)) as u64
        };
        let (shared, experts) = if model.experts == 0 {
            (model.parameters_active, 0)
        } else {
            let embedding = u64::from(model.vocabulary) * u64::from(model.hidden);
            let idle = model.parameters.saturating_sub(embedding).saturating_sub(model.parameters_active);
            let (experts, active) = (u64::from(model.experts), u64::from(model.experts_active));
            let all = (u128::from(idle) * u128::from(experts) / u128::from((experts - active).max(1))) as u64;
            (model.parameters_active.saturating_sub(all / experts * active), all)
        };
        Self {
            model: model.name.clone(),
            shared_bytes: bytes(shared),
            expert_bytes: bytes(experts),
            source: "bytes by parameters".to_owned(),
            assumed: Vec::new(),
        }
    }

    /// Bytes that steps of 0, 1, 2 … `tokens_max` tokens read, on average: entry t is for t tokens.
    pub(super) fn step_bytes(&self, model: &ModelSpec, tokens_max: u32) -> Vec<u64> {
        if model.experts == 0 {
            return vec![self.shared_bytes + self.expert_bytes; tokens_max as usize + 1];
        }
        let (experts, active) = (u64::from(model.experts), u64::from(model.experts_active));
        let mut missed = ONE;
        let bytes = (0..=tokens_max).map(|_| {
            let touched = u128::from(self.expert_bytes) * u128::from(ONE - missed) / u128::from(ONE);
            missed = missed * (experts - active) / experts;
            self.shared_bytes + touched as u64
        });
        bytes.collect()
    }
}

/// A model on a GPU, as the formulas above see it.
pub(super) struct Roofline<'a> {
    pub(super) gpu: &'a GpuSpec,
    pub(super) model: &'a ModelSpec,
    /// [`Weights::step_bytes`] up to [`TOKENS_MAX`].
    pub(super) step_bytes: &'a [u64],
    pub(super) efficiency: &'a Efficiency,
}

impl Roofline<'_> {
    /// The tables, with attention over full layers put where `runner` pays for it.
    pub(super) fn costs(&self, runner: Runner) -> Costs {
        let model = self.model;
        let mut decode = vec![0];
        for sequences in 1..=SEQUENCES {
            let floor = decode[sequences as usize - 1];
            decode.push(self.decode(sequences).max(floor));
        }
        let mut prefill: Vec<(u32, u64)> = Vec::new();
        for &tokens in TOKENS {
            let floor = prefill.last().map_or(0, |knot| knot.1);
            prefill.push((tokens, self.prefill(tokens).max(floor)));
        }
        let full = u64::from(model.full_attention_layers);
        let sliding = u64::from(model.layers) - full;
        let pair = 4 * full * u64::from(model.heads) * u64::from(model.head_dim);
        let costs = Costs {
            decode,
            prefill,
            context: self.cache(full),
            window_context: self.cache(sliding),
            window: model.window,
            span: 0,
            prefill_context: over(pair, self.gpu.flops, self.efficiency.attention_flops_permille),
        };
        for_runner(costs, runner)
    }

    fn decode(&self, sequences: u32) -> u64 {
        if self.efficiency.sequence_permille > 0 && sequences > 1 {
            let one = u128::from(self.decode(1)) * u128::from(sequences);
            return (one * u128::from(self.efficiency.sequence_permille) / 1000) as u64;
        }
        let small = u64::from(sequences.min(SEQUENCES_SMALL));
        let more = u64::from(sequences) - small;
        let compute = self.operations(small, self.efficiency.decode_flops_permille)
            + self.operations(more, self.prompt_permille());
        self.read(sequences).max(compute) + self.overhead()
    }

    fn prefill(&self, tokens: u32) -> u64 {
        self.read(tokens).max(self.operations(u64::from(tokens), self.prompt_permille())) + self.overhead()
    }

    fn prompt_permille(&self) -> u64 {
        let efficiency = self.efficiency;
        if self.model.experts > 0 { efficiency.expert_flops_permille } else { efficiency.flops_permille }
    }

    fn read(&self, tokens: u32) -> u64 {
        let efficiency = self.efficiency;
        let k_quant = self.model.quantisation.contains("_K");
        let permille =
            if k_quant { efficiency.k_quant_bandwidth_permille } else { efficiency.bandwidth_permille };
        over(self.step_bytes[tokens as usize], self.gpu.bandwidth_bytes_per_second, permille)
    }

    fn operations(&self, tokens: u64, permille: u64) -> u64 {
        over(2 * self.model.parameters_active * tokens, self.gpu.flops, permille)
    }

    /// Picoseconds for a token of context over `layers`: its keys and values read, or computed with, if that is longer.
    fn cache(&self, layers: u64) -> u64 {
        let model = self.model;
        let width = u64::from(model.head_dim);
        let bytes = layers * 2 * u64::from(model.kv_heads) * width * 2;
        let operations = layers * 4 * u64::from(model.heads) * width;
        let efficiency = self.efficiency;
        let read = over(bytes, self.gpu.bandwidth_bytes_per_second, efficiency.kv_bandwidth_permille);
        read.max(over(operations, self.gpu.flops, efficiency.attention_flops_permille))
    }

    fn overhead(&self) -> u64 {
        let experts = if self.model.experts > 0 { self.efficiency.expert_layer_overhead_nanos } else { 0 };
        u64::from(self.model.layers) * (self.efficiency.layer_overhead_nanos + experts) * 1000
    }
}

/// Picoseconds for `amount` at `permille` thousandths of `rate` per second, rounded up.
fn over(amount: u64, rate: u64, permille: u64) -> u64 {
    let per_second = u128::from(rate) * u128::from(permille);
    (u128::from(amount) * PICOS * 1000).div_ceil(per_second) as u64
}
