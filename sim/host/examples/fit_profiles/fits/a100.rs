//! A100 80 GB: dense kernels of Llama-3-8B (vidur) and vLLM's attention and matrix kernels (aiconfigurator), 16 bits.
//!
//! The sum of kernels, with the overhead of a step that the RTX 4090's run showed. Another engine than Ollama's: marked.
//! Held out: token counts between the knots, and every second context length. The 16-bit profile is also the paged server
//! of 256 slots and 2,048 batch tokens that other simulators stand for.

use std::collections::BTreeMap;
use std::path::Path;

use super::Table;
use super::attention::{Attention, LAYERS, MILLIS};
use super::llmservingsim::quantised;
use super::output::{Fitted, decode_seconds, prefill_seconds};
use super::solve::{between, between_knots, errors, median_of};

/// Kernels of a layer and how often each runs in it.
const KERNELS: [(&str, f64); 9] = [
    ("input_layernorm", 1.0),
    ("attn_pre_proj", 1.0),
    ("attn_rope", 1.0),
    ("attn_post_proj", 1.0),
    ("post_attention_layernorm", 1.0),
    ("mlp_up_proj", 1.0),
    ("mlp_act", 1.0),
    ("mlp_down_proj", 1.0),
    ("add", 2.0),
];
const TOKENS: [u32; 19] =
    [64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048];
const VOCABULARY: f64 = 128_256.0;
/// The widest matrix measured; the output layer's is taken to cost in proportion.
const WIDEST: u32 = 65_536;

struct Kernels {
    /// By tokens.
    dense: BTreeMap<u32, f64>,
    /// The output layer, by sequences.
    output: BTreeMap<u32, f64>,
    attention: Attention,
}

pub(crate) fn fits(data: &Path, overhead: f64) -> Vec<Fitted> {
    let kernels = Kernels::read(data);
    let rest = (|sequences| kernels.rest(sequences, sequences), |tokens| kernels.rest(tokens, 1));
    let tables = kernels.attention.tables(&TOKENS, rest, overhead);
    let costs = tables.costs();
    let decode = |odd: bool| -> Vec<(f64, f64)> {
        kernels
            .attention
            .decode_rows(odd, |sequences| kernels.rest(sequences, sequences))
            .into_iter()
            .map(|(sequences, cache, seconds)| (decode_seconds(&costs, sequences, cache), seconds + overhead))
            .collect()
    };
    let mut prompts = Vec::new();
    for (&tokens, &attention) in &kernels.attention.prompt {
        let Some(&dense) = kernels.dense.get(&tokens).filter(|_| (64..=2048).contains(&tokens)) else {
            continue;
        };
        let pairs = f64::from(tokens) * f64::from(tokens) / 2.0;
        let measured = dense + LAYERS * attention + kernels.output[&1] + overhead;
        prompts.push((prefill_seconds(&costs, tokens, pairs), measured));
    }
    let off_knots: Vec<(f64, f64)> = kernels
        .dense
        .iter()
        .filter(|(tokens, _)| (65..2048).contains(*tokens) && !TOKENS.contains(tokens))
        .map(|(&tokens, &seconds)| (between_knots(&kernels.dense, &TOKENS, tokens), seconds))
        .collect();
    let base = Fitted {
        gpu: "a100-80gb".to_owned(),
        model: "llama3.1:8b-instruct-fp16".to_owned(),
        engine: "vLLM's kernels, bf16 (another engine than Ollama's)".to_owned(),
        source: "vidur compute a100 Meta-Llama-3-8B mlp (MIT) and aiconfigurator a100_sxm vllm 0.14.0 attention and gemm \
                 (Apache-2.0), summed; stands for a paged server of 256 slots and 2,048 batch tokens too"
            .to_owned(),
        fit_error: format!("sums of kernels: decode {}; prompts {}", errors(&decode(false)), errors(&prompts)),
        held_out: format!(
            "sums of kernels: decode at every second context length {}; dense kernels at token \
             counts between the knots {}; the method on Llama-2-70B over two GPUs, against splitwise's runs: {}",
            errors(&decode(true)),
            errors(&off_knots),
            splitwise(data, &kernels)
        ),
        assumed: vec![
            "other_engine: vllm bf16, taken for Ollama's".to_owned(),
            "assumed_step_overhead = as in the vLLM run on an RTX 4090".to_owned(),
            "assumed_output_layer = in proportion to a matrix of 65,536 columns".to_owned(),
            "assumed_request_overhead = 0: a paged server's tokenizer runs aside".to_owned(),
        ],
        overrides: vec![("request_overhead_nanos", 0)],
        tables,
    };
    let mut small = quantised(data, &base, "llama3.1:8b");
    small.assumed.retain(|text| !text.starts_with("assumed_request_overhead"));
    vec![base, small]
}

impl Kernels {
    fn read(data: &Path) -> Self {
        let mut dense: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        let mlp = Table::open(&data.join("hw-perf/vidur/compute/a100/meta-llama/Meta-Llama-3-8B/mlp.csv.gz"));
        for row in mlp.rows().filter(|row| row.count("num_tensor_parallel_workers") == 1) {
            let median = |kernel: &str| row.number(&format!("time_stats.{kernel}.median")) * MILLIS;
            let layer: f64 = KERNELS.iter().map(|(kernel, times)| median(kernel) * times).sum();
            dense.entry(row.count("num_tokens")).or_default().push(LAYERS * layer + median("emb"));
        }
        let folder = data.join("hw-perf/aiconfigurator/a100_sxm");
        let gemm = Table::open(&folder.join("gemm/vllm/0.14.0/gemm_perf.csv.gz"));
        let wide = gemm.rows().filter(|row| {
            row.text("gemm_dtype") == "bfloat16" && row.count("n") == WIDEST && row.count("k") == 4096
        });
        let output = wide
            .map(|row| (row.count("m"), row.number("latency") * MILLIS * VOCABULARY / f64::from(WIDEST)))
            .collect();
        Self {
            dense: dense.into_iter().map(|(tokens, all)| (tokens, median_of(all.into_iter()))).collect(),
            output,
            attention: Attention::read(&folder.join("attention/vllm/0.14.0"), |_| true),
        }
    }

    /// Seconds of a step of so many tokens without its attention, with an output layer for so many sequences.
    fn rest(&self, tokens: u32, sequences: u32) -> f64 {
        self.dense[&tokens] + self.output[&sequences]
    }
}

/// Errors of the same sum for Llama-2-70B over two GPUs, one sequence: vidur's dense kernels of half a layer, two all-reduces
/// a layer, attention and output layer as above. Splitwise measured it end to end; over more GPUs its engine is bound by
/// the CPU, which a sum of kernels cannot see.
fn splitwise(data: &Path, kernels: &Kernels) -> String {
    let layers = 80.0;
    let mlp = Table::open(&data.join("hw-perf/vidur/compute/a100/meta-llama/Llama-2-70b-hf/mlp.csv.gz"));
    let halves = mlp
        .rows()
        .filter(|row| row.count("num_tensor_parallel_workers") == 2 && row.count("num_tokens") == 1);
    let dense = median_of(halves.map(|row| {
        KERNELS
            .iter()
            .map(|(kernel, times)| row.number(&format!("time_stats.{kernel}.median")) * MILLIS * times)
            .sum()
    }));
    let network = Table::open(&data.join("hw-perf/vidur/network/a100_dgx/all_reduce.csv.gz"));
    let small = network.rows().filter(|row| row.count("num_workers") == 2 && row.number("size") <= 65_536.0);
    let all_reduce = median_of(small.map(|row| row.number("time_stats.all_reduce.median") * MILLIS));
    let empty = layers * (dense + 2.0 * all_reduce) + kernels.output[&1];
    let runs = Table::open(&data.join("hw-perf/splitwise-sim/perf_model.csv"));
    let alone = runs.rows().filter(|row| {
        row.text("model") == "llama2-70b"
            && row.text("hardware") == "a100-80gb"
            && row.count("tensor_parallel") == 2
            && row.count("batch_size") == 1
    });
    let pairs: Vec<(f64, f64)> = alone
        .map(|row| {
            let context = row.count("prompt_size") + row.count("token_size") / 2;
            let ones = kernels
                .attention
                .decode
                .iter()
                .filter(|(key, _)| key.0 == 1)
                .map(|(key, &seconds)| (key.1, seconds))
                .collect();
            (empty + layers * between(&ones, context), row.number("token_time") * MILLIS)
        })
        .collect();
    errors(&pairs)
}
