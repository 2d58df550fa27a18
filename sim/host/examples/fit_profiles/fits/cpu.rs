//! One CPU thread: Ollama v0.24.0 itself, calibration runs of SmolLM2 135M, and figures noted for gemma 3 270M.
//!
//! Fitted on the runs with one slot (and with two and four clients, which exist with four slots only); held out: the
//! same prompts and one client with four slots, and the open-loop runs, whose requests contend for the CPU. Prompts keep
//! their own table, since their time is no straight line; attention is a term of its own so that chunks cost right.

use std::path::Path;

use serde_json::Value;
use sim_host::costs::Costs;

use super::output::{Fitted, Tables, model, prefill_seconds};
use super::solve::{errors, least_squares, median_of};

/// A request that was answered: tokens, seconds.
struct Request {
    prompt_tokens: u32,
    output_tokens: u32,
    prompt_seconds: f64,
    decode_seconds: f64,
    /// Work before the prompt: what Ollama reports as load, and what no part reports.
    overhead_seconds: f64,
    /// Seconds between its text chunks.
    gaps: Vec<f64>,
}

const SMOLLM: &str = "smollm2:135m-instruct-q4_1";
const GEMMA: &str = "gemma3:270m";
const ENGINE: &str = "Ollama v0.24.0, one thread of an AMD EPYC";
const NANOS: f64 = 1e9;

pub(crate) fn fits(data: &Path) -> Vec<Fitted> {
    let smollm = smollm(data);
    let gemma = gemma(&smollm);
    vec![smollm, gemma]
}

fn smollm(data: &Path) -> Fitted {
    let run = |name: &str| requests(&data.join(format!("ollama-cpu/{name}.jsonl")));
    let prefill_runs = |slots| -> Vec<Request> {
        [16, 64, 256, 512]
            .into_iter()
            .flat_map(|words| run(&format!("calib-np{slots}-prefill-{words}")))
            .collect()
    };
    let decode_runs =
        [(1, run("calib-np1-decode-1")), (2, run("calib-np4-decode-2")), (4, run("calib-np4-decode-4"))];
    let fitted = prefill_runs(1);
    // Seconds a step by tokens in the cache, from the second token of each prompt run.
    let steps: Vec<(Vec<f64>, f64)> = fitted
        .iter()
        .filter(|request| request.output_tokens == 2)
        .map(|request| (vec![1.0, f64::from(request.prompt_tokens)], request.decode_seconds))
        .collect();
    let context = least_squares(&steps)[1];
    let decode: Vec<(u32, f64)> = decode_runs
        .iter()
        .map(|(clients, requests)| {
            let tokens: f64 = requests
                .iter()
                .map(|request| f64::from(request.prompt_tokens + request.output_tokens / 2))
                .sum();
            let held = tokens / requests.len() as f64;
            (*clients, trimmed_mean(requests) - context * held * f64::from(*clients))
        })
        .collect();
    let open = run("open-np1-rate0.75");
    let (short, longer): (Vec<Request>, Vec<Request>) =
        open.into_iter().partition(|request| request.prompt_tokens <= 15);
    let mut tables = Tables { decode, ..prompts(&fitted, &short, context) };
    // One token alone costs a decode step; a few prompt tokens less than as many sequences.
    tables.prefill.insert(0, tables.decode[0]);
    let tables = tables.finish();
    let costs = tables.costs();
    let overhead = median_of(fitted.iter().map(|request| request.overhead_seconds));
    let held_out_decode = run("calib-np4-decode-1");
    let held_mean: f64 = held_out_decode
        .iter()
        .map(|request| f64::from(request.prompt_tokens + request.output_tokens / 2))
        .sum::<f64>()
        / held_out_decode.len() as f64;
    let held = (super::output::decode_seconds(&costs, 1, held_mean as u32), trimmed_mean(&held_out_decode));
    Fitted {
        gpu: "cpu".to_owned(),
        model: SMOLLM.to_owned(),
        engine: ENGINE.to_owned(),
        source: "own calibration runs with one slot (prompts of 16, 64, 256 and 512 words, decode with one client) and with \
                 four slots (decode with two and four clients); prompts of 8 words from the open-loop run at 0.75 requests/s"
            .to_owned(),
        fit_error: format!("prompts {}", errors(&prompt_pairs(&costs, &fitted))),
        held_out: format!(
            "four slots: prompts {}; decode alone {}; open loop (contention): prompts of 24 and 64 words at 0.75 requests/s {}, \
             all at 2.2 requests/s {}",
            errors(&prompt_pairs(&costs, &prefill_runs(4))),
            errors(&[held]),
            errors(&prompt_pairs(&costs, &longer)),
            errors(&prompt_pairs(&costs, &run("open-np1-rate2.2"))),
        ),
        assumed: vec![
            "assumed_load_split = measured load of 0.87 s, cold and warm alike, less the file at 1 GB/s".to_owned(),
            "assumed_decode_beyond_4 = each further sequence as a further prompt token".to_owned(),
        ],
        overrides: overrides(overhead, 0.87, SMOLLM),
        tables,
    }
}

/// Prompt knots with attention apart: seconds = a × tokens + q × tokens² / 2 by least squares gives q, and the knots are the
/// medians less attention.
fn prompts(runs: &[Request], short: &[Request], context: f64) -> Tables {
    let rows: Vec<(Vec<f64>, f64)> = runs
        .iter()
        .filter(|request| request.prompt_tokens >= 64)
        .map(|request| {
            let tokens = f64::from(request.prompt_tokens);
            (vec![tokens, tokens * tokens / 2.0], request.prompt_seconds)
        })
        .collect();
    let prefill_context = least_squares(&rows)[1];
    let mut prefill = Vec::new();
    for range in [10..=15, 16..=40, 50..=90, 200..=300, 450..=550] {
        let near: Vec<&Request> =
            short.iter().chain(runs).filter(|request| range.contains(&request.prompt_tokens)).collect();
        let tokens = median_of(near.iter().map(|request| f64::from(request.prompt_tokens)));
        let seconds = median_of(near.iter().map(|request| {
            // To the middle of the range's tokens, by proportion.
            request.prompt_seconds * tokens / f64::from(request.prompt_tokens)
        }));
        prefill.push((tokens as u32, seconds - prefill_context * tokens * tokens / 2.0));
    }
    Tables { prefill, context, prefill_context, ..Tables::default() }
}

fn prompt_pairs(costs: &Costs, requests: &[Request]) -> Vec<(f64, f64)> {
    requests
        .iter()
        .map(|request| {
            let tokens = f64::from(request.prompt_tokens);
            (prefill_seconds(costs, request.prompt_tokens, tokens * tokens / 2.0), request.prompt_seconds)
        })
        .collect()
}

/// Mean of the middle four fifths of the gaps between tokens.
fn trimmed_mean(requests: &[Request]) -> f64 {
    let mut gaps: Vec<f64> = requests.iter().flat_map(|request| request.gaps.iter().copied()).collect();
    gaps.sort_by(f64::total_cmp);
    let cut = gaps.len() / 10;
    let middle = &gaps[cut..gaps.len() - cut];
    middle.iter().sum::<f64>() / middle.len() as f64
}

fn overrides(overhead_seconds: f64, load_seconds: f64, name: &str) -> Vec<(&'static str, u64)> {
    let bytes = model(name).weights_bytes as f64;
    let rate = 1e9;
    vec![
        ("request_overhead_nanos", (overhead_seconds * NANOS) as u64),
        ("load_fixed_nanos", ((load_seconds - bytes / rate) * NANOS) as u64),
        ("disk_bytes_per_second", rate as u64),
        ("page_cache_bytes_per_second", rate as u64),
    ]
}

/// gemma 3 270M: medians noted when it was measured on the same machine, with no rows kept to check them on.
fn gemma(smollm: &Fitted) -> Fitted {
    let (small, spec) = (model(SMOLLM), model(GEMMA));
    let operations =
        |layers: u32, heads: u32, width: u32| f64::from(layers) * f64::from(heads) * f64::from(width);
    let full = operations(spec.full_attention_layers, spec.heads, spec.head_dim);
    let sliding = operations(spec.layers - spec.full_attention_layers, spec.heads, spec.head_dim);
    let scale = full / operations(small.layers, small.heads, small.head_dim);
    let context = smollm.tables.context * scale;
    let window_context = context * sliding / full;
    // About 80 tokens in the cache when the steps were measured.
    let step = |sequences: u32, seconds: f64| {
        (sequences, seconds - (context + window_context) * 80.0 * f64::from(sequences))
    };
    let tokens_per_second = (113.0 + 173.0) / 2.0;
    Fitted {
        gpu: "cpu".to_owned(),
        model: GEMMA.to_owned(),
        engine: ENGINE.to_owned(),
        source: "own figures, medians: step of 17.6, 51 and 100 ms with one, two and four running; prompts at 113 to 173 \
                 tokens/s; load 1.37 s, cold and warm alike; 0.16 to 0.45 s for each request outside the slots"
            .to_owned(),
        fit_error: "the middle of each range: prompts within 21 %, request overhead within 48 %".to_owned(),
        held_out: "nothing".to_owned(),
        assumed: vec![
            "assumed_prefill = 143 tokens/s at every length".to_owned(),
            format!("assumed_context = as {SMOLLM} by operations in attention"),
            "assumed_prefill_context = likewise".to_owned(),
            "assumed_load_split = the file at 1 GB/s, the rest fixed".to_owned(),
            "assumed_decode_beyond_4 = each further sequence as a further prompt token".to_owned(),
        ],
        overrides: overrides((0.16 + 0.45) / 2.0, 1.37, GEMMA),
        tables: Tables {
            decode: vec![step(1, 0.0176), step(2, 0.051), step(4, 0.1)],
            prefill: [(1, 0.0176), (16, 16.0 / tokens_per_second), (512, 512.0 / tokens_per_second)].to_vec(),
            context,
            window_context,
            window: spec.window,
            prefill_context: smollm.tables.prefill_context * scale,
        }
        .finish(),
    }
}

fn requests(path: &Path) -> Vec<Request> {
    let text = super::read(path);
    let lines = text.lines().map(|line| {
        let value: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        value
    });
    lines
        .filter(|line| line["type"] == "req")
        .map(|line| {
            let number =
                |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{}: no number", path.display()));
            let seconds = |key: &str| line["o"][key].as_f64().unwrap_or(0.0) / NANOS;
            let chunks: Vec<f64> = line["tok_t"].as_array().into_iter().flatten().map(number).collect();
            let to_first = number(&line["head_t"]) - number(&line["send_t"]);
            Request {
                prompt_tokens: number(&line["o"]["prompt_eval_count"]) as u32,
                output_tokens: number(&line["o"]["eval_count"]) as u32,
                prompt_seconds: seconds("prompt_eval_duration"),
                decode_seconds: seconds("eval_duration"),
                overhead_seconds: to_first - seconds("prompt_eval_duration"),
                gaps: chunks.windows(2).map(|pair| pair[1] - pair[0]).collect(),
            }
        })
        .collect()
}
