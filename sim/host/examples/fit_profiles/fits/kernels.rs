//! Kernel times of 16-bit models by LLMServingSim's profilers, and the tables that follow from their sum.
//!
//! A step is the sum of its kernels, those of a layer as often as there are layers. A mixture of experts is measured by the
//! tokens of a step and the experts that they touch; each token is taken to pick its own by chance alone, so that n tokens touch
//! E(1 − (1 − k/E)^n) of E experts on average.

use std::collections::BTreeMap;
use std::path::Path;

use super::Table;
use super::output::{Tables, decode_seconds, model};
use super::solve::{between, between_knots, errors, least_squares};

const MICROS: f64 = 1e-6;
const NANOS: f64 = 1e-9;
/// Kernels of a layer that read matrices; the older profiler has those of queries, keys and values apart, and gate and up.
const MATRICES: [(&str, f64); 9] = [
    ("qkv_proj", 1.0),
    ("o_proj", 1.0),
    ("gate_up_proj", 1.0),
    ("down_proj", 1.0),
    ("q_proj", 1.0),
    ("k_proj", 1.0),
    ("v_proj", 1.0),
    ("gate_proj", 1.0),
    ("up_proj", 1.0),
];
/// The other kernels of a layer and how often each runs in it; the older profiler has each norm apart.
const SMALL: [(&str, f64); 7] = [
    ("act_fn", 1.0),
    ("layernorm", 2.0),
    ("rotary_emb", 1.0),
    ("qk_norm", 1.0),
    ("input_layernorm", 1.0),
    ("post_layernorm", 1.0),
    ("rope", 1.0),
];
const SEQUENCES: [u32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const TOKENS: [u32; 18] =
    [64, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048];

/// Kernel times in seconds.
pub(crate) struct Kernels {
    pub(crate) layers: f64,
    dense: BTreeMap<(String, u32), f64>,
    per_sequence: BTreeMap<(String, u32), f64>,
    /// By (prompt chunk, its cache, sequences decoding, their cache).
    attention: BTreeMap<[u32; 4], f64>,
    pub(crate) experts: Option<Experts>,
}

/// The experts of a layer.
pub(crate) struct Experts {
    all: f64,
    /// Experts that a token picks.
    picked: f64,
    /// Seconds by tokens, then by experts touched.
    seconds: BTreeMap<u32, BTreeMap<u32, f64>>,
}

impl Kernels {
    /// Those of a folder of `profiler/perf`.
    pub(crate) fn read(folder: &Path, name: &str) -> Self {
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
        let spec = model(name);
        let experts = (spec.experts > 0).then(|| Experts {
            all: f64::from(spec.experts),
            picked: f64::from(spec.experts_active),
            seconds: Experts::read(&folder.join("moe.csv")),
        });
        Self {
            layers: f64::from(spec.layers),
            dense: by_layer("dense.csv", "tokens"),
            per_sequence: by_layer("per_sequence.csv", "sequences"),
            attention: attention.rows().map(|row| (key(&row), row.number("time_us") * MICROS)).collect(),
            experts,
        }
    }

    /// Those of a folder of `profiler/v0`: everything of a layer, its attention in prompts without a cache too, by tokens.
    pub(crate) fn read_v0(folder: &Path, name: &str) -> Self {
        let table = Table::open(&folder.join("layers.csv.gz"));
        let mut kernels = Self {
            layers: f64::from(model(name).layers),
            dense: BTreeMap::new(),
            per_sequence: BTreeMap::new(),
            attention: BTreeMap::new(),
            experts: None,
        };
        for row in table.rows() {
            let (layer, tokens) = (row.text("layer_name").to_owned(), row.count("input"));
            let seconds = row.number("latency(ns)") * NANOS;
            match layer.as_str() {
                "attn" => _ = kernels.attention.insert([tokens, 0, 0, 0], seconds),
                "lm_head" => _ = kernels.per_sequence.insert((layer, tokens), seconds),
                _ => _ = kernels.dense.insert((layer, tokens), seconds),
            }
        }
        kernels
    }

    /// Nothing where the model has no such kernel.
    fn layer(&self, name: &str, tokens: u32) -> f64 {
        self.dense.get(&(name.to_owned(), tokens)).copied().unwrap_or(0.0)
    }

    /// All kernels for so many tokens but attention, experts and what is done for each sequence.
    fn plain(&self, tokens: u32) -> f64 {
        let kernels = MATRICES.iter().chain(&SMALL);
        let layer: f64 = kernels.map(|(name, times)| self.layer(name, tokens) * times).sum();
        self.layers * layer + self.layer("embedding", tokens) + self.layer("final_layernorm", tokens)
    }

    /// The same with the experts.
    fn dense(&self, tokens: u32) -> f64 {
        let experts = self.experts.as_ref().map(|experts| experts.seconds(tokens, experts.touched(tokens)));
        self.plain(tokens) + self.layers * experts.unwrap_or(0.0)
    }

    fn per_sequence(&self, sequences: u32) -> f64 {
        let kernels = ["lm_head", "sampler"].iter();
        kernels.filter_map(|name| self.per_sequence.get(&((*name).to_owned(), sequences))).sum()
    }

    fn without_cache(&self, sequences: u32) -> f64 {
        self.dense(sequences) + self.per_sequence(sequences)
    }

    /// Seconds of a step of one sequence in which weights are read.
    pub(crate) fn reading(&self) -> f64 {
        let matrices: f64 = MATRICES.iter().map(|(name, times)| self.layer(name, 1) * times).sum();
        let experts = self.experts.as_ref().map(|experts| experts.seconds(1, experts.touched(1)));
        let output = self.per_sequence[&("lm_head".to_owned(), 1)];
        self.layers * (matrices + experts.unwrap_or(0.0)) + output
    }

    /// Seconds for a token of context, and the rows: sequences, cache of each, seconds a step.
    pub(crate) fn decode_context(&self) -> (f64, Vec<(u32, u32, f64)>) {
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

    /// Seconds of attention in a step of decoding, its context aside: measured at 16 tokens, or else those of a prompt of one.
    fn decode_attention(&self, sequences: u32, context: f64) -> f64 {
        match self.attention.get(&[0, 0, sequences, 16]) {
            Some(seconds) => seconds * self.layers - context * 16.0 * f64::from(sequences),
            None => self.attention[&[1, 0, 0, 0]] * self.layers,
        }
    }

    pub(crate) fn tables(&self, context: f64, overhead: f64) -> Tables {
        let decode = SEQUENCES.map(|sequences| {
            let empty = self.decode_attention(sequences, context);
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
        let prompts = self.prompts();
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

    /// Attention of a layer in prompts without a cache, by tokens.
    fn prompts(&self) -> BTreeMap<u32, f64> {
        let prompts = self.attention.iter().filter(|(key, _)| key[0] > 0 && key[1..] == [0, 0, 0]);
        prompts.map(|(key, &seconds)| (key[0], seconds)).collect()
    }

    /// Errors of the tables' lines between token counts that are knots.
    pub(crate) fn off_knots(&self) -> String {
        let counts = self.dense.keys().filter(|(layer, _)| layer == "o_proj").map(|(_, tokens)| *tokens);
        let dense: BTreeMap<u32, f64> = counts.map(|tokens| (tokens, self.plain(tokens))).collect();
        let between = dense.iter().filter(|(tokens, _)| **tokens > TOKENS[0] && !TOKENS.contains(tokens));
        let pairs: Vec<(f64, f64)> =
            between.map(|(&tokens, &seconds)| (between_knots(&dense, &TOKENS, tokens), seconds)).collect();
        errors(&pairs)
    }

    /// Whole steps of prompts of 64 to 2,048 tokens, (by the tables, by the kernels): those at knots, or those between.
    pub(crate) fn prompt_pairs(&self, tables: &Tables, overhead: f64, at_knots: bool) -> Vec<(f64, f64)> {
        let costs = tables.costs();
        let prompts = self.prompts();
        let range = prompts.range(TOKENS[0]..=TOKENS[TOKENS.len() - 1]);
        range
            .filter(|(tokens, _)| TOKENS.contains(tokens) == at_knots)
            .map(|(&tokens, &attention)| {
                let pairs = f64::from(tokens) * f64::from(tokens) / 2.0;
                let kernels = self.dense(tokens) + self.per_sequence(1) + self.layers * attention + overhead;
                (super::output::prefill_seconds(&costs, tokens, pairs), kernels)
            })
            .collect()
    }

    /// Steps of decoding without a cache between the knots, (by the tables, by the kernels).
    pub(crate) fn decode_pairs(&self, tables: &Tables, overhead: f64) -> Vec<(f64, f64)> {
        let costs = tables.costs();
        let between = (1..SEQUENCES[SEQUENCES.len() - 1]).filter(|sequences| !SEQUENCES.contains(sequences));
        between
            .map(|sequences| {
                let kernels = self.without_cache(sequences) + self.decode_attention(sequences, 0.0);
                (decode_seconds(&costs, sequences, 0), kernels + overhead)
            })
            .collect()
    }
}

impl Experts {
    fn read(path: &Path) -> BTreeMap<u32, BTreeMap<u32, f64>> {
        let mut seconds: BTreeMap<u32, BTreeMap<u32, f64>> = BTreeMap::new();
        for row in Table::open(path).rows() {
            let of_tokens = seconds.entry(row.count("tokens")).or_default();
            of_tokens.insert(row.count("activated_experts"), row.number("time_us") * MICROS);
        }
        seconds
    }

    /// Experts that so many tokens touch on average.
    pub(crate) fn touched(&self, tokens: u32) -> f64 {
        let missed = (0..tokens).fold(1.0, |missed, _| missed * (1.0 - self.picked / self.all));
        self.all * (1.0 - missed)
    }

    /// Seconds of a layer's experts, on lines between those measured.
    pub(crate) fn seconds(&self, tokens: u32, touched: f64) -> f64 {
        let at = |experts: u32| {
            let column = self.seconds.iter().map(|(&tokens, by)| (tokens, between(by, experts))).collect();
            between(&column, tokens)
        };
        let below = touched as u32;
        at(below) + (at(below + 1) - at(below)) * (touched - f64::from(below))
    }

    /// Errors of each row on the line between its neighbours in tokens, for as many experts.
    pub(crate) fn left_out(&self) -> String {
        let mut pairs = Vec::new();
        let experts = self.seconds.values().next_back().into_iter().flat_map(BTreeMap::keys);
        for experts in experts {
            let column: BTreeMap<u32, f64> =
                self.seconds.iter().filter_map(|(&tokens, by)| Some((tokens, *by.get(experts)?))).collect();
            let tokens: Vec<u32> = column.keys().copied().collect();
            for around in tokens.windows(3) {
                pairs.push((between_knots(&column, &[around[0], around[2]], around[1]), column[&around[1]]));
            }
        }
        errors(&pairs)
    }
}
