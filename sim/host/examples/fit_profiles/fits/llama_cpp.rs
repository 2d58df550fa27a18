//! GB10 and M2 Ultra: llama.cpp's published benches, the engine that Ollama runs.
//!
//! A decode step with d streams of c tokens is decode[d] + context × d × c (and the window's share): one unknown for each
//! d measured, one for the context, solved together. A prompt batch is its tokens' knot + prefill_context × pairs. The
//! sliding layers' coefficient is tied to the full layers' by the number of layers. Held out: all rows at prompts of
//! 4,096 tokens and depths of 4,096 and 16,384. Left out: prompts of 512 tokens in a batch of one, cold on the GB10. One
//! row held out is odd in the source: gpt-oss-20b alone on the M2 Ultra is slower at 4,096 tokens than at 8,192.

use std::path::Path;

use sim_host::costs::Costs;

use super::Table;
use super::derive::{scaled, unpublished};
use super::output::{Fitted, Tables, decode_seconds, model, prefill_seconds};
use super::solve::{errors, least_squares};

/// A step of decoding: streams, tokens in the cache of each (mean over the run), seconds.
struct Decode {
    sequences: u32,
    context: u32,
    seconds: f64,
    held_out: bool,
}

/// A run of prompts: tokens of a batch, batches, pairs attended to in all, seconds.
struct Prefill {
    tokens: u32,
    batches: u32,
    pairs: f64,
    seconds: f64,
    held_out: bool,
}

/// GPU, files' prefix, and name in the benches, model, models derived from it.
const MEASURED: &[(&str, &str, &str, &str, &[&str])] = &[
    ("gb10", "dgx-spark", "gpt-oss-20b", "hf.co/ggml-org/gpt-oss-20b-gguf", &["gpt-oss:20b"]),
    (
        "gb10",
        "dgx-spark",
        "Qwen3-Coder-30B-A3B-Instruct-Q8_0",
        "qwen3-coder:30b-a3b-q8_0",
        &["qwen3-coder:30b", "qwen3:30b-a3b"],
    ),
    ("gb10", "dgx-spark", "gemma-3-4b-it-qat", "hf.co/ggml-org/gemma-3-4b-it-qat-gguf", &["gemma3:4b"]),
    ("m2-ultra", "mac-m2-ultra", "gpt-oss-20b", "hf.co/ggml-org/gpt-oss-20b-gguf", &["gpt-oss:20b"]),
    (
        "m2-ultra",
        "mac-m2-ultra",
        "Qwen3-Coder-30B-A3B-Instruct-Q8_0",
        "qwen3-coder:30b-a3b-q8_0",
        &["qwen3-coder:30b", "qwen3:30b-a3b"],
    ),
    (
        "m2-ultra",
        "mac-m2-ultra",
        "Qwen2.5-Coder-7B-Q8_0",
        "qwen2.5-coder:7b-instruct-q8_0",
        &["qwen2.5-coder:7b"],
    ),
];
/// Largest batch of prompt tokens in the benches.
const BATCH: u32 = 2048;
/// Tokens generated in each run; a stream's cache holds half of them on average.
const GENERATED: u32 = 32;

pub(crate) fn fits(data: &Path) -> Vec<Fitted> {
    MEASURED
        .iter()
        .flat_map(|&(gpu, files, bench, name, others)| fit(data, gpu, files, bench, name, others))
        .collect()
}

fn fit(data: &Path, gpu: &str, files: &str, bench: &str, name: &str, others: &[&str]) -> Vec<Fitted> {
    let (decodes, prefills, build) = read(data, files, bench);
    let tables = tables(name, &decodes, &prefills);
    let costs = tables.costs();
    let source = format!(
        "llama.cpp benches/{files} (MIT), {bench}: llama-batched-bench at prompts of 512 and 8,192 tokens with 1 to 32 \
         streams, llama-bench at depths 0, 8,192 and 32,768"
    );
    let mut assumed = vec![
        "assumed_decode_beyond_32 = each further sequence as a further prompt token".to_owned(),
        "assumed_prefill_below_1024 = the line through 1,024 and 2,048 tokens".to_owned(),
    ];
    if tables.window > 0 {
        assumed.push("assumed_window_context = as the full layers, by number of layers".to_owned());
    }
    let rows = |held_out| {
        format!(
            "decode {}; prefill {}",
            decode_errors(&costs, &decodes, held_out),
            prefill_errors(&costs, &prefills, held_out)
        )
    };
    let measured = Fitted {
        gpu: gpu.to_owned(),
        model: name.to_owned(),
        engine: format!("llama.cpp {build}"),
        source,
        fit_error: rows(false),
        held_out: format!("prompts of 4,096 tokens, depths 4,096 and 16,384: {}", rows(true)),
        assumed,
        overrides: Vec::new(),
        tables,
    };
    let mut all: Vec<Fitted> = others.iter().map(|other| derived(data, &measured, other)).collect();
    all.insert(0, measured);
    all
}

/// The same model in another file.
fn derived(data: &Path, measured: &Fitted, other: &str) -> Fitted {
    let mut assumed = measured.assumed.clone();
    assumed.push(format!(
        "assumed_scaling = from {} by bytes a step and published speeds by quantisation",
        measured.model
    ));
    assumed.extend(unpublished(data, &measured.model, other));
    let tables = scaled(data, &measured.tables, &measured.model, other);
    Fitted {
        gpu: measured.gpu.clone(),
        model: other.to_owned(),
        engine: measured.engine.clone(),
        source: format!("{}; scaled from {} to the bytes of this file", measured.source, measured.model),
        fit_error: format!("before scaling: {}", measured.fit_error),
        held_out: format!(
            "before scaling: {}; after: {}",
            measured.held_out,
            check(data, &measured.gpu, other, &tables)
        ),
        assumed,
        overrides: Vec::new(),
        tables,
    }
}

/// Decode speeds that others published for the file derived, with no stream but one, set against the fit.
fn check(data: &Path, gpu: &str, other: &str, tables: &Tables) -> String {
    let known = if gpu == "gb10" && other.contains("30b") {
        Some("Qwen3-Omni-30B-A3B-Instruct-Q4_K_M.gguf")
    } else {
        None
    };
    let Some(file) = known else { return "nothing to check it on".to_owned() };
    let text =
        std::fs::read_to_string(data.join("hw-perf/llmfit-community/community.jsonl")).unwrap_or_default();
    for line in text.lines() {
        let run: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        if run["hardware"]["hardwareName"] != "NVIDIA GB10" {
            continue;
        }
        for result in run["results"].as_array().into_iter().flatten() {
            if let (true, Some(rate)) = (result["model"] == file, result["avgTps"].as_f64()) {
                let fitted = 1.0 / decode_seconds(&tables.costs(), 1, 150);
                return format!(
                    "{fitted:.1} tokens/s against {rate:.1} of one community run of {file} (llmfit, MIT)"
                );
            }
        }
    }
    "nothing to check it on".to_owned()
}

fn tables(name: &str, decodes: &[Decode], prefills: &[Prefill]) -> Tables {
    let spec = model(name);
    let window = spec.window;
    let full = f64::from(spec.full_attention_layers);
    let share = f64::from(spec.layers - spec.full_attention_layers) / full;
    let mut streams: Vec<u32> = decodes.iter().map(|row| row.sequences).collect();
    streams.sort_unstable();
    streams.dedup();
    let rows: Vec<(Vec<f64>, f64)> = decodes
        .iter()
        .filter(|row| !row.held_out)
        .map(|row| {
            let mut factors: Vec<f64> =
                streams.iter().map(|&d| if d == row.sequences { 1.0 } else { 0.0 }).collect();
            let tokens = f64::from(row.context) + share * f64::from(row.context.min(window));
            factors.push(tokens * f64::from(row.sequences));
            (factors, row.seconds)
        })
        .collect();
    let mut solved = least_squares(&rows);
    let context = solved.pop().unwrap_or_default();
    let rows: Vec<(Vec<f64>, f64)> = prefills
        .iter()
        .filter(|row| !row.held_out)
        .map(|row| {
            let batches = f64::from(row.batches);
            let (half, whole) = if row.tokens == BATCH { (0.0, batches) } else { (batches, 0.0) };
            (vec![half, whole, row.pairs], row.seconds)
        })
        .collect();
    let prefill = least_squares(&rows);
    let (half, whole) = (prefill[0], prefill[1]);
    Tables {
        decode: streams.into_iter().zip(solved).collect(),
        prefill: vec![(BATCH / 4, half - (whole - half) / 2.0), (BATCH / 2, half), (BATCH, whole)],
        context,
        window_context: context * share,
        window,
        prefill_context: prefill[2],
    }
    .finish()
}

fn decode_errors(costs: &Costs, rows: &[Decode], held_out: bool) -> String {
    let rows = rows.iter().filter(|row| row.held_out == held_out);
    let pairs: Vec<(f64, f64)> =
        rows.map(|row| (decode_seconds(costs, row.sequences, row.context), row.seconds)).collect();
    errors(&pairs)
}

fn prefill_errors(costs: &Costs, rows: &[Prefill], held_out: bool) -> String {
    let rows = rows.iter().filter(|row| row.held_out == held_out);
    let fitted = |row: &Prefill| {
        let batches = f64::from(row.batches);
        prefill_seconds(costs, row.tokens, row.pairs / batches) * batches
    };
    let pairs: Vec<(f64, f64)> = rows.map(|row| (fitted(row), row.seconds)).collect();
    errors(&pairs)
}

fn read(data: &Path, files: &str, bench: &str) -> (Vec<Decode>, Vec<Prefill>, String) {
    let (mut decodes, mut prefills, mut build) = (Vec::new(), Vec::new(), String::new());
    let batched = Table::open(&data.join(format!("hw-perf/llama.cpp/{files}_llama-batched-bench.csv")));
    for row in batched.rows().filter(|row| row.text("model_repo") == bench) {
        let (prompt, sequences) = (row.count("pp_tokens"), row.count("batch"));
        let held_out = prompt == 4096;
        build = row.text("build").to_owned();
        decodes.push(Decode {
            sequences,
            context: prompt + GENERATED / 2,
            seconds: row.number("t_tg_s") / f64::from(GENERATED),
            held_out,
        });
        let all = prompt * sequences;
        if all < BATCH / 2 {
            continue;
        }
        let pairs = f64::from(sequences) * f64::from(prompt) * f64::from(prompt) / 2.0;
        let tokens = all.min(BATCH);
        prefills.push(Prefill {
            tokens,
            batches: all / tokens,
            pairs,
            seconds: row.number("t_pp_s"),
            held_out,
        });
    }
    let depths = Table::open(&data.join(format!("hw-perf/llama.cpp/{files}_llama-bench.csv")));
    for row in depths.rows().filter(|row| row.text("model_repo") == bench) {
        let (depth, rate) = (row.count("depth_tokens"), row.number("tps_mean"));
        let held_out = depth == 4096 || depth == 16_384;
        if row.text("test") == "tg32" {
            decodes.push(Decode {
                sequences: 1,
                context: depth + GENERATED / 2,
                seconds: 1.0 / rate,
                held_out,
            });
        } else {
            let pairs = f64::from(BATCH) * (f64::from(depth) + f64::from(BATCH) / 2.0);
            prefills.push(Prefill {
                tokens: BATCH,
                batches: 1,
                pairs,
                seconds: f64::from(BATCH) / rate,
                held_out,
            });
        }
    }
    (decodes, prefills, build)
}
