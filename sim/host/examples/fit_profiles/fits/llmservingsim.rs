//! RTX 4090 and RTX PRO 6000: kernel times of 16-bit models under vLLM (LLMServingSim's profiler), checked on real vLLM runs.
//!
//! A step is the sum of its kernels (those of a layer as often as there are layers) and an overhead, fitted on the even seconds
//! of a run in which nobody's prompt was processed; the odd seconds are held out. A model without a run of its own has the
//! overhead of the run on its GPU. Another engine than Ollama's: marked as such.

use std::collections::BTreeMap;
use std::path::Path;

use super::Table;
use super::derive::scaled;
use super::output::{Fitted, Tables, decode_seconds};
use super::solve::{between, between_knots, errors, least_squares, median_of};

const MICROS: f64 = 1e-6;
/// Kernels of a layer and how often each runs in it.
const KERNELS: [(&str, f64); 8] = [
    ("qkv_proj", 1.0),
    ("o_proj", 1.0),
    ("gate_up_proj", 1.0),
    ("down_proj", 1.0),
    ("act_fn", 1.0),
    ("layernorm", 2.0),
    ("rotary_emb", 1.0),
    ("qk_norm", 1.0),
];
const SEQUENCES: [u32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const TOKENS: [u32; 18] =
    [64, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048];
/// A model measured on a GPU.
struct Subject {
    gpu: &'static str,
    model: &'static str,
    /// The same model in the quantisation that Ollama takes by default.
    small: &'static str,
    /// As in the folders.
    gpu_folder: &'static str,
    model_folder: &'static str,
    layers: f64,
}

const RTX_4090: Subject = Subject {
    gpu: "rtx-4090",
    model: "llama3.1:8b-instruct-fp16",
    small: "llama3.1:8b",
    gpu_folder: "RTX4090",
    model_folder: "meta-llama/Llama-3.1-8B",
    layers: 32.0,
};
const RTX_PRO_6000: Subject = Subject { gpu: "rtx-pro-6000", gpu_folder: "RTXPRO6000", ..RTX_4090 };
const RTX_PRO_6000_QWEN: Subject = Subject {
    model: "qwen3:32b-fp16",
    small: "qwen3:32b",
    model_folder: "Qwen/Qwen3-32B",
    layers: 64.0,
    ..RTX_PRO_6000
};

/// A real run of Llama-3.1-8B: its folder, tokens of its cache when it is full (where it wrote how full it was), and which of
/// its seconds count: so many run at least, and so many left at most.
struct Run {
    folder: &'static str,
    cache_tokens: Option<f64>,
    running_min: u32,
    left_max: u32,
}

const RUN_4090: Run = Run { folder: "RTX4090", cache_tokens: Some(41_408.0), running_min: 1, left_max: 2 };
const RUN_PRO_6000: Run = Run { folder: "RTXPRO6000", cache_tokens: None, running_min: 16, left_max: 16 };

/// Kernel times in seconds.
struct Kernels {
    layers: f64,
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

/// The profiles, and the overhead of a step on the RTX 4090 in seconds.
pub(crate) fn fits(data: &Path) -> (Vec<Fitted>, f64) {
    let (mut fits, overhead) = with_run(data, &RTX_4090, &RUN_4090);
    fits[1].assumed.push(
        "assumed_prefill = as vLLM's; one anecdote of llama.cpp is 4,668 tokens/s (8B, Q6), half of this"
            .to_owned(),
    );
    let (more, overhead_pro) = with_run(data, &RTX_PRO_6000, &RUN_PRO_6000);
    fits.extend(more);
    fits.extend(without_run(data, &RTX_PRO_6000_QWEN, overhead_pro));
    (fits, overhead)
}

/// A model with a run: both quantisations, and the overhead of a step in seconds.
fn with_run(data: &Path, subject: &Subject, run: &Run) -> (Vec<Fitted>, f64) {
    let kernels = Kernels::read(data, subject);
    let seconds = run.seconds(data);
    let (context, decode_rows) = kernels.decode_context();
    let bare = kernels.tables(context, 0.0);
    let costs = bare.costs();
    let step = |second: &Second| decode_seconds(&costs, second.running, 0) + context * second.cached;
    let overhead =
        f64::max(0.0, median_of(seconds.iter().step_by(2).map(|second| second.seconds - step(second))));
    let pairs = |first: usize| -> Vec<(f64, f64)> {
        seconds
            .iter()
            .skip(first)
            .step_by(2)
            .map(|second| (step(second) + overhead, second.seconds))
            .collect()
    };
    let tables = kernels.tables(context, overhead);
    let base = Fitted {
        gpu: subject.gpu.to_owned(),
        model: subject.model.to_owned(),
        engine: "vLLM 0.19.0 bf16 (another engine than Ollama's)".to_owned(),
        source: format!(
            "LLMServingSim profiler/perf {} {} tp1 (MIT): kernels summed; overhead of a step from its \
             real vLLM run, even seconds without prompts{}",
            subject.gpu_folder,
            subject.model_folder.rsplit('/').next().unwrap_or_default(),
            run.told()
        ),
        fit_error: format!(
            "kernels of decode at 16 to 16,384 tokens of cache {}; run, even seconds {}",
            kernel_errors(&tables, &decode_rows, overhead),
            errors(&pairs(0))
        ),
        held_out: format!(
            "run, odd seconds {}; dense kernels at token counts between the knots {}",
            errors(&pairs(1)),
            kernels.off_knots()
        ),
        assumed: vec!["other_engine: vllm bf16, taken for Ollama's".to_owned()],
        overrides: Vec::new(),
        tables,
    };
    let small = quantised(data, &base, subject.small);
    (vec![base, small], overhead)
}

/// A model whose step has the overhead of another's run.
fn without_run(data: &Path, subject: &Subject, overhead: f64) -> Vec<Fitted> {
    let kernels = Kernels::read(data, subject);
    let (context, decode_rows) = kernels.decode_context();
    let tables = kernels.tables(context, overhead);
    let base = Fitted {
        gpu: subject.gpu.to_owned(),
        model: subject.model.to_owned(),
        engine: "vLLM 0.19.0 bf16 (another engine than Ollama's)".to_owned(),
        source: format!(
            "LLMServingSim profiler/perf {} {} tp1 (MIT): kernels summed; overhead of a step from the vLLM run of \
             Llama-3.1-8B on this GPU",
            subject.gpu_folder,
            subject.model_folder.rsplit('/').next().unwrap_or_default()
        ),
        fit_error: format!(
            "kernels of decode at 16 to 16,384 tokens of cache {}",
            kernel_errors(&tables, &decode_rows, overhead)
        ),
        held_out: format!(
            "dense kernels at token counts between the knots {}; no run of this model",
            kernels.off_knots()
        ),
        assumed: vec![
            "other_engine: vllm bf16, taken for Ollama's".to_owned(),
            "assumed_step_overhead = as in the run of Llama-3.1-8B".to_owned(),
        ],
        overrides: Vec::new(),
        tables,
    };
    let small = quantised(data, &base, subject.small);
    vec![base, small]
}

fn kernel_errors(tables: &Tables, rows: &[(u32, u32, f64)], overhead: f64) -> String {
    let costs = tables.costs();
    let pair = |&(sequences, cache, seconds): &(u32, u32, f64)| {
        (decode_seconds(&costs, sequences, cache), seconds + overhead)
    };
    errors(&rows.iter().map(pair).collect::<Vec<_>>())
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
    fn read(data: &Path, subject: &Subject) -> Self {
        let folder = data.join("hw-perf/llmservingsim/perf");
        let folder = folder.join(subject.gpu_folder).join(subject.model_folder).join("bf16/tp1");
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
            layers: subject.layers,
            dense: by_layer("dense.csv", "tokens"),
            per_sequence: by_layer("per_sequence.csv", "sequences"),
            attention: attention.rows().map(|row| (key(&row), row.number("time_us") * MICROS)).collect(),
        }
    }

    /// Nothing where the model has no such kernel.
    fn layer(&self, name: &str, tokens: u32) -> f64 {
        self.dense.get(&(name.to_owned(), tokens)).copied().unwrap_or(0.0)
    }

    fn dense(&self, tokens: u32) -> f64 {
        let layer: f64 = KERNELS.iter().map(|(name, times)| self.layer(name, tokens) * times).sum();
        self.layers * layer + self.layer("embedding", tokens) + self.layer("final_layernorm", tokens)
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
                rows.push((sequences, cache, self.without_cache(sequences) + self.layers * seconds));
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
                self.attention[&[0, 0, sequences, 16]] * self.layers - context * 16.0 * f64::from(sequences);
            (sequences, self.without_cache(sequences) + empty + overhead)
        });
        let equations: Vec<(Vec<f64>, f64)> = self
            .attention
            .iter()
            .filter(|&(&[chunk, _, sequences, _], _)| chunk >= 512 && sequences == 0)
            .map(|(&[chunk, cache, _, _], &seconds)| {
                let pairs = f64::from(chunk) * (f64::from(cache) + f64::from(chunk) / 2.0);
                (vec![1.0, f64::from(chunk), pairs], self.layers * seconds)
            })
            .collect();
        let pair = least_squares(&equations)[2];
        let prompts = self.attention.iter().filter(|(key, _)| key[0] > 0 && key[1..] == [0, 0, 0]);
        let prompts: BTreeMap<u32, f64> = prompts.map(|(key, &seconds)| (key[0], seconds)).collect();
        let prefill = TOKENS.map(|tokens| {
            let attention =
                between(&prompts, tokens) * self.layers - pair * f64::from(tokens) * f64::from(tokens) / 2.0;
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
    /// Errors of the tables' lines between token counts that are knots.
    fn off_knots(&self) -> String {
        let dense = self.dense_by_tokens();
        let between = dense.iter().filter(|(tokens, _)| **tokens > TOKENS[0] && !TOKENS.contains(tokens));
        let pairs: Vec<(f64, f64)> =
            between.map(|(&tokens, &seconds)| (between_knots(&dense, &TOKENS, tokens), seconds)).collect();
        errors(&pairs)
    }
}

impl Run {
    fn told(&self) -> String {
        match (self.running_min, self.left_max) {
            (1, _) => String::new(),
            (least, left) => format!(" in which {least} or more ran and at most {left} left"),
        }
    }

    /// The seconds of the run in which, and before which, no prompt was processed and nobody came, and few went.
    fn seconds(&self, data: &Path) -> Vec<Second> {
        let folder =
            data.join("hw-perf/llmservingsim/bench/examples").join(self.folder).join("Llama-3.1-8B/vllm");
        let table = Table::open(&folder.join("timeseries.csv"));
        let requests =
            if self.cache_tokens.is_none() { requests(&folder.join("requests.jsonl")) } else { Vec::new() };
        let rows: Vec<super::Row<'_>> = table.rows().collect();
        let calm = |row: &super::Row<'_>| row.number("prompt_throughput") == 0.0;
        rows.windows(2)
            .filter(|pair| {
                let (before, now) = (pair[0].count("running"), pair[1].count("running"));
                let steady = before >= now && before - now <= self.left_max;
                calm(&pair[0]) && calm(&pair[1]) && now >= self.running_min && steady
            })
            .map(|pair| Second {
                running: pair[1].count("running"),
                cached: match self.cache_tokens {
                    Some(tokens) => pair[1].number("kv_cache_pct") / 100.0 * tokens,
                    None => requests.iter().map(|request| request.cached(pair[1].number("t"))).sum(),
                },
                seconds: pair[1].number("running") / pair[1].number("gen_throughput"),
            })
            .collect()
    }
}

/// A request of a run, in seconds from the first one's arrival.
struct Request {
    prompt: f64,
    output: f64,
    first: f64,
    last: f64,
}

impl Request {
    /// Tokens that it holds in the cache, its answer growing evenly.
    fn cached(&self, at: f64) -> f64 {
        if at < self.first || at > self.last {
            return 0.0;
        }
        self.prompt + self.output * (at - self.first) / (self.last - self.first)
    }
}

fn requests(path: &Path) -> Vec<Request> {
    let text = super::read(path);
    let rows: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .collect();
    let number = |row: &serde_json::Value, key: &str| {
        row[key].as_f64().unwrap_or_else(|| panic!("{}: {key} is {}", path.display(), row[key]))
    };
    let start = rows.iter().map(|row| number(row, "queued_ts")).fold(f64::INFINITY, f64::min);
    let request = |row: &serde_json::Value| Request {
        prompt: number(row, "input_toks"),
        output: number(row, "output_toks"),
        first: number(row, "first_token_ts") - start,
        last: number(row, "last_token_ts") - start,
    };
    rows.iter().map(request).collect()
}
