//! H100, L40S and Arc Pro B60: vLLM's matrix and attention kernels by aiconfigurator, summed to a 16-bit Llama-3.1-8B.
//!
//! A layer is four matrices, attention, and four small kernels (two norms, rotation, activation), which are not in the tables:
//! 3 µs each and their bytes at the part of the bandwidth that aiconfigurator observed. Matrices whose shape was not measured
//! lie on the line between the nearest that were. Held out: every second context length, and on the H100 the time between
//! tokens that TensorRT-LLM took under full load. Another engine than Ollama's: marked.

use std::collections::BTreeMap;
use std::path::Path;

use sim_host::profile::Catalogue;

use super::attention::{Attention, LAYERS, MILLIS};
use super::llmservingsim::quantised;
use super::output::{Fitted, decode_seconds, prefill_seconds};
use super::solve::{between, errors};
use super::{Row, Table};

/// Columns and rows of a layer's matrices: queries, keys and values; output; gate and up; down.
const MATRICES: [(u32, u32); 4] = [(6_144, 4_096), (4_096, 4_096), (28_672, 4_096), (4_096, 14_336)];
/// The output layer's matrix; it is wider than any measured and taken to cost in proportion to the widest in all tables.
const VOCABULARY: u32 = 128_256;
const WIDEST: u32 = 65_536;
const HIDDEN: u32 = 4_096;
/// What the small kernels of a layer read and write for a token: two norms with the residual, rotation, activation.
const SMALL_BYTES: f64 = 2.0 * (2.0 * 4.0 * 4_096.0 + 2.0 * 5_120.0 + 3.0 * 14_336.0);
const SMALL_SECONDS: f64 = 4.0 * 3e-6;
const TOKENS: [u32; 11] = [64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048];

/// A GPU of the tables.
struct Subject {
    gpu: &'static str,
    folder: &'static str,
    version: &'static str,
    /// Part of the bandwidth that kernels without operations reach (`mem_bw_empirical_scaling_factor`).
    bandwidth: f64,
}

const SUBJECTS: [Subject; 3] = [
    Subject { gpu: "h100", folder: "h100_sxm", version: "0.19.0", bandwidth: 0.8 },
    Subject { gpu: "l40s", folder: "l40s", version: "0.14.0", bandwidth: 0.8 },
    Subject { gpu: "arc-pro-b60", folder: "b60", version: "0.20.0", bandwidth: 0.5 },
];

/// Times in seconds.
struct Kernels {
    /// By columns and rows of the matrix, then by tokens.
    matrices: BTreeMap<(u32, u32), BTreeMap<u32, f64>>,
    attention: Attention,
    /// Bytes per second of the small kernels.
    small_rate: f64,
}

pub(crate) fn fits(data: &Path, overhead: f64) -> Vec<Fitted> {
    SUBJECTS.iter().flat_map(|subject| fit(data, subject, overhead)).collect()
}

fn fit(data: &Path, subject: &Subject, overhead: f64) -> Vec<Fitted> {
    let kernels = Kernels::read(data, subject);
    let rest = (|sequences| kernels.rest(sequences, sequences), |tokens| kernels.rest(tokens, 1));
    let tables = kernels.attention.tables(&TOKENS, rest, overhead);
    let costs = tables.costs();
    let decode = |odd: bool| -> Vec<(f64, f64)> {
        let rows =
            kernels.attention.decode_rows(odd, |sequences| kernels.rest(sequences, sequences)).into_iter();
        rows.map(|(sequences, cache, seconds)| (decode_seconds(&costs, sequences, cache), seconds + overhead))
            .collect()
    };
    let prompts: Vec<(f64, f64)> = kernels
        .attention
        .prompt
        .iter()
        .filter(|(tokens, _)| (64..=2_048).contains(*tokens))
        .map(|(&tokens, &attention)| {
            let pairs = f64::from(tokens) * f64::from(tokens) / 2.0;
            let measured = kernels.dense(tokens) + LAYERS * attention + kernels.output(1) + overhead;
            (prefill_seconds(&costs, tokens, pairs), measured)
        })
        .collect();
    let mut held_out =
        format!("sums of kernels: decode at every second context length {}", errors(&decode(true)));
    if subject.gpu == "h100" {
        held_out.push_str("; time between tokens of TensorRT-LLM, every prompt's batch shared by all: ");
        held_out.push_str(&errors(&loaded(data, &costs)));
    }
    let base = Fitted {
        gpu: subject.gpu.to_owned(),
        model: "llama3.1:8b-instruct-fp16".to_owned(),
        engine: "vLLM's kernels, bf16 (another engine than Ollama's)".to_owned(),
        source: format!(
            "aiconfigurator {} vllm {} attention and gemm (Apache-2.0), summed",
            subject.folder, subject.version
        ),
        fit_error: format!(
            "sums of kernels: decode {}; prompts {}",
            errors(&decode(false)),
            errors(&prompts)
        ),
        held_out,
        assumed: vec![
            "other_engine: vllm bf16, taken for Ollama's".to_owned(),
            "assumed_step_overhead = as in the vLLM run on an RTX 4090".to_owned(),
            "assumed_small_kernels = 3 µs each, and their bytes".to_owned(),
            "assumed_matrices = lines between those measured; output layer in proportion to 65,536 columns"
                .to_owned(),
        ],
        overrides: Vec::new(),
        tables,
    };
    let small = quantised(data, &base, "llama3.1:8b");
    vec![base, small]
}

impl Kernels {
    fn read(data: &Path, subject: &Subject) -> Self {
        let folder = data.join("hw-perf/aiconfigurator").join(subject.folder);
        let of = |kind: &str| folder.join(kind).join("vllm").join(subject.version);
        let gemm = Table::open(&of("gemm").join("gemm_perf.csv.gz"));
        let mut matrices: BTreeMap<(u32, u32), BTreeMap<u32, f64>> = BTreeMap::new();
        for row in gemm.rows().filter(|row| row.text("gemm_dtype") == "bfloat16") {
            let shape = (row.count("n"), row.count("k"));
            matrices.entry(shape).or_default().insert(row.count("m"), row.number("latency") * MILLIS);
        }
        let whole = |row: &Row<'_>| {
            row.text("kv_cache_dtype") == "bfloat16"
                && row.maybe("window_size").is_none_or(|window| window == "0")
        };
        let gpu = Catalogue::rooflines().gpu(subject.gpu).unwrap_or_else(|error| panic!("{error}"));
        Self {
            matrices,
            attention: Attention::read(&of("attention"), whole),
            small_rate: gpu.bandwidth_bytes_per_second as f64 * subject.bandwidth,
        }
    }

    /// Seconds of a matrix of that shape for so many tokens: between the nearest shapes measured.
    fn matrix(&self, (columns, rows): (u32, u32), tokens: u32) -> f64 {
        if let Some(measured) = self.matrices.get(&(columns, rows)) {
            return between(measured, tokens);
        }
        let all = self.matrices.iter();
        let line: BTreeMap<u32, f64> = if rows == HIDDEN {
            let alike = all.filter(|((_, other), _)| *other == rows);
            alike.map(|((other, _), measured)| (*other, between(measured, tokens))).collect()
        } else {
            let alike = all.filter(|((other, _), _)| *other == columns);
            alike.map(|((_, other), measured)| (*other, between(measured, tokens))).collect()
        };
        between(&line, if rows == HIDDEN { columns } else { rows })
    }

    fn dense(&self, tokens: u32) -> f64 {
        let matrices: f64 = MATRICES.iter().map(|&shape| self.matrix(shape, tokens)).sum();
        LAYERS * (matrices + SMALL_SECONDS + SMALL_BYTES * f64::from(tokens) / self.small_rate)
    }

    fn output(&self, sequences: u32) -> f64 {
        self.matrix((WIDEST, HIDDEN), sequences) * f64::from(VOCABULARY) / f64::from(WIDEST)
    }

    /// Seconds of a step of so many tokens without its attention, with an output layer for so many sequences.
    fn rest(&self, tokens: u32, sequences: u32) -> f64 {
        self.dense(tokens) + self.output(sequences)
    }
}

/// Time between tokens on one H100 with a full batch, (ours, measured): while a request decodes, each of the others began once,
/// so that a token takes a step and its share of their prompts.
fn loaded(data: &Path, costs: &sim_host::costs::Costs) -> Vec<(f64, f64)> {
    let table = Table::open(&data.join("hw-perf/aiconfigurator/silicon_sample.csv.gz"));
    let runs = table.rows().filter(|row| {
        row.text("system") == "h100_sxm"
            && row.text("model_path").contains("Llama-3.1-8B")
            && row.text("mode") == "agg"
            && row.text("tp_size") == "1"
            && row.count("batch_size") <= 256
    });
    runs.map(|row| {
        let (prompt, answer, batch) = (row.count("isl"), row.count("osl"), row.count("batch_size"));
        let (mut prompts, mut done) = (0.0, 0);
        while done < prompt {
            let chunk = (prompt - done).min(2_048);
            let pairs = f64::from(chunk) * (f64::from(done) + f64::from(chunk) / 2.0);
            prompts += prefill_seconds(costs, chunk, pairs);
            done += chunk;
        }
        let step = decode_seconds(costs, batch, prompt + answer / 2);
        let ours = step + prompts * f64::from(batch) / f64::from(answer);
        (ours, row.number("silicon_tpot_ms") * MILLIS)
    })
    .collect()
}
