//! RTX 4090: kernel times of a 16-bit Llama-3.1-8B under vLLM (LLMServingSim's profiler), checked on a real vLLM run.
//!
//! A step is the sum of its kernels (32 times those of a layer) and an overhead, fitted on the even seconds of the run in
//! which nobody's prompt was processed; the odd seconds are held out. Another engine than Ollama's: marked as such.

use std::collections::BTreeMap;
use std::path::Path;

use super::Table;
use super::derive::scaled;
use super::output::{Fitted, Tables, decode_seconds};
use super::solve::{between, between_knots, errors, least_squares, median_of};

const LAYERS: f64 = 32.0;
const MICROS: f64 = 1e-6;
/// Kernels of a layer and how often each runs in it.
const KERNELS: [(&str, f64); 7] = [
    ("qkv_proj", 1.0),
    ("o_proj", 1.0),
    ("gate_up_proj", 1.0),
    ("down_proj", 1.0),
    ("act_fn", 1.0),
    ("layernorm", 2.0),
    ("rotary_emb", 1.0),
];
const SEQUENCES: [u32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const TOKENS: [u32; 18] =
    [64, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048];
/// Tokens of the run's cache when it is full.
const CACHE_TOKENS: f64 = 41_408.0;

/// Kernel times in seconds.
struct Kernels {
    dense: BTreeMap<(String, u32), f64>,
    per_sequence: BTreeMap<(String, u32), f64>,
    /// By (prompt chunk, its cache, sequences decoding, their cache).
    attention: BTreeMap<[u32; 4], f64>,
}

/// A second of the run without prompts: running, tokens cached, seconds a step.
struct Second {
    running: u32,
    cached: f64,
    seconds: f64,
}

pub(crate) fn fits(data: &Path) -> (Vec<Fitted>, f64) {
    let kernels =
        Kernels::read(&data.join("hw-perf/llmservingsim/perf/RTX4090/meta-llama/Llama-3.1-8B/bf16/tp1"));
    let seconds =
        run(&data.join("hw-perf/llmservingsim/bench/examples/RTX4090/Llama-3.1-8B/vllm/timeseries.csv"));
    let (context, decode_rows) = kernels.decode_context();
    let bare = kernels.tables(context, 0.0);
    let costs = bare.costs();
    let step = |second: &Second| decode_seconds(&costs, second.running, 0) + context * second.cached;
    let overhead =
        f64::max(0.0, median_of(seconds.iter().step_by(2).map(|second| second.seconds - step(second))));
    let tables = kernels.tables(context, overhead);
    let pairs = |first: usize| -> Vec<(f64, f64)> {
        seconds
            .iter()
            .skip(first)
            .step_by(2)
            .map(|second| (step(second) + overhead, second.seconds))
            .collect()
    };
    let costs = tables.costs();
    let kernel_pairs: Vec<(f64, f64)> = decode_rows
        .iter()
        .map(|&(sequences, cache, seconds)| (decode_seconds(&costs, sequences, cache), seconds + overhead))
        .collect();
    let dense = kernels.dense_by_tokens();
    let between = dense.iter().filter(|(tokens, _)| **tokens > TOKENS[0] && !TOKENS.contains(tokens));
    let off_knots: Vec<(f64, f64)> =
        between.map(|(&tokens, &seconds)| (between_knots(&dense, &TOKENS, tokens), seconds)).collect();
    let base = Fitted {
        gpu: "rtx-4090".to_owned(),
        model: "llama3.1:8b-instruct-fp16".to_owned(),
        engine: "vLLM 0.19.0 bf16 (another engine than Ollama's)".to_owned(),
        source: "LLMServingSim profiler/perf RTX4090 Llama-3.1-8B tp1 (MIT): kernels summed; overhead of a step from its \
                 real vLLM run, even seconds without prompts"
            .to_owned(),
        fit_error: format!(
            "kernels of decode at 16 to 16,384 tokens of cache {}; run, even seconds {}",
            errors(&kernel_pairs),
            errors(&pairs(0))
        ),
        held_out: format!(
            "run, odd seconds {}; dense kernels at token counts between the knots {}",
            errors(&pairs(1)),
            errors(&off_knots)
        ),
        assumed: vec!["other_engine: vllm bf16, taken for Ollama's".to_owned()],
        overrides: Vec::new(),
        tables,
    };
    let mut small = quantised(data, &base, "llama3.1:8b");
    small.assumed.push(
        "assumed_prefill = as vLLM's; one anecdote of llama.cpp is 4,668 tokens/s (8B, Q6), half of this"
            .to_owned(),
    );
    (vec![base, small], overhead)
}

/// The Q4_K_M file on the same GPU.
pub(crate) fn quantised(data: &Path, base: &Fitted, name: &str) -> Fitted {
    let mut assumed = base.assumed.clone();
    assumed.push(format!(
        "assumed_scaling = from {} by bytes a step and llama.cpp's published speeds by quantisation",
        base.model
    ));
    let tables = scaled(data, &base.tables, &base.model, name);
    let one = 1.0 / decode_seconds(&tables.costs(), 1, 100);
    Fitted {
        gpu: base.gpu.clone(),
        model: name.to_owned(),
        engine: base.engine.clone(),
        source: format!("{}; scaled to the bytes of Q4_K_M", base.source),
        fit_error: format!("before scaling: {}", base.fit_error),
        held_out: format!("before scaling: {}; after: nothing, {one:.0} tokens/s alone", base.held_out),
        assumed,
        overrides: Vec::new(),
        tables,
    }
}

impl Kernels {
    fn read(folder: &Path) -> Self {
        let by_layer = |file: &str, count: &str| {
            let table = Table::open(&folder.join(file));
            table
                .rows()
                .map(|row| ((row.text("layer").to_owned(), row.count(count)), row.number("time_us") * MICROS))
                .collect()
        };
        let attention = Table::open(&folder.join("attention.csv"));
        let key = |row: &super::Row<'_>| {
            [
                row.count("prefill_chunk"),
                row.count("kv_prefill"),
                row.count("n_decode"),
                row.count("kv_decode"),
            ]
        };
        Self {
            dense: by_layer("dense.csv", "tokens"),
            per_sequence: by_layer("per_sequence.csv", "sequences"),
            attention: attention.rows().map(|row| (key(&row), row.number("time_us") * MICROS)).collect(),
        }
    }

    fn layer(&self, name: &str, tokens: u32) -> f64 {
        self.dense[&(name.to_owned(), tokens)]
    }

    fn dense(&self, tokens: u32) -> f64 {
        let layer: f64 = KERNELS.iter().map(|(name, times)| self.layer(name, tokens) * times).sum();
        LAYERS * layer + self.layer("embedding", tokens) + self.layer("final_layernorm", tokens)
    }

    fn per_sequence(&self, sequences: u32) -> f64 {
        ["lm_head", "sampler"].iter().map(|name| self.per_sequence[&((*name).to_owned(), sequences)]).sum()
    }

    fn without_cache(&self, sequences: u32) -> f64 {
        self.dense(sequences) + self.per_sequence(sequences)
    }

    /// Seconds for a token of context, and the rows: sequences, cache of each, seconds a step.
    fn decode_context(&self) -> (f64, Vec<(u32, u32, f64)>) {
        let mut rows = Vec::new();
        for (&[chunk, _, sequences, cache], &seconds) in &self.attention {
            if chunk == 0
                && SEQUENCES.contains(&sequences)
                && u64::from(sequences) * u64::from(cache) <= 65_536
            {
                rows.push((sequences, cache, self.without_cache(sequences) + LAYERS * seconds));
            }
        }
        let equations: Vec<(Vec<f64>, f64)> = rows
            .iter()
            .map(|&(sequences, cache, seconds)| {
                let mut factors: Vec<f64> =
                    SEQUENCES.iter().map(|&d| if d == sequences { 1.0 } else { 0.0 }).collect();
                factors.push(f64::from(sequences) * f64::from(cache));
                (factors, seconds)
            })
            .collect();
        let solved = least_squares(&equations);
        (solved[SEQUENCES.len()], rows)
    }

    fn tables(&self, context: f64, overhead: f64) -> Tables {
        let decode = SEQUENCES.map(|sequences| {
            let empty =
                self.attention[&[0, 0, sequences, 16]] * LAYERS - context * 16.0 * f64::from(sequences);
            (sequences, self.without_cache(sequences) + empty + overhead)
        });
        let equations: Vec<(Vec<f64>, f64)> = self
            .attention
            .iter()
            .filter(|&(&[chunk, _, sequences, _], _)| chunk >= 512 && sequences == 0)
            .map(|(&[chunk, cache, _, _], &seconds)| {
                let pairs = f64::from(chunk) * (f64::from(cache) + f64::from(chunk) / 2.0);
                (vec![1.0, f64::from(chunk), pairs], LAYERS * seconds)
            })
            .collect();
        let pair = least_squares(&equations)[2];
        let prompts = self.attention.iter().filter(|(key, _)| key[0] > 0 && key[1..] == [0, 0, 0]);
        let prompts: BTreeMap<u32, f64> = prompts.map(|(key, &seconds)| (key[0], seconds)).collect();
        let prefill = TOKENS.map(|tokens| {
            let attention =
                between(&prompts, tokens) * LAYERS - pair * f64::from(tokens) * f64::from(tokens) / 2.0;
            (tokens, self.dense(tokens) + self.per_sequence(1) + f64::max(0.0, attention) + overhead)
        });
        Tables {
            decode: decode.to_vec(),
            prefill: prefill.to_vec(),
            context,
            prefill_context: pair,
            ..Tables::default()
        }
        .finish()
    }

    fn dense_by_tokens(&self) -> BTreeMap<u32, f64> {
        let counts = self.dense.keys().filter(|(layer, _)| layer == "qkv_proj").map(|(_, tokens)| *tokens);
        counts.map(|tokens| (tokens, self.dense(tokens))).collect()
    }
}

/// The seconds of the run in which, and before which, no prompt was processed and nobody came or went.
fn run(path: &Path) -> Vec<Second> {
    let table = Table::open(path);
    let rows: Vec<super::Row<'_>> = table.rows().collect();
    let calm = |row: &super::Row<'_>| row.number("prompt_throughput") == 0.0;
    rows.windows(2)
        .filter(|pair| {
            let (before, now) = (pair[0].count("running"), pair[1].count("running"));
            calm(&pair[0]) && calm(&pair[1]) && now > 0 && before >= now && before - now <= 2
        })
        .map(|pair| Second {
            running: pair[1].count("running"),
            cached: pair[1].number("kv_cache_pct") / 100.0 * CACHE_TOKENS,
            seconds: pair[1].number("running") / pair[1].number("gen_throughput"),
        })
        .collect()
}
