//! vLLM's attention kernels of a 16-bit Llama-3.1-8B by aiconfigurator, and the tables that follow from them and from the seconds
//! of everything else in a step.

use std::collections::BTreeMap;
use std::path::Path;

use super::output::Tables;
use super::solve::{between, least_squares};
use super::{Row, Table};

pub(crate) const LAYERS: f64 = 32.0;
pub(crate) const MILLIS: f64 = 1e-3;
const SEQUENCES: [u32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Seconds of the attention of a layer.
pub(crate) struct Attention {
    /// By (sequences, tokens in the cache of each).
    pub(crate) decode: BTreeMap<(u32, u32), f64>,
    /// By tokens of one prompt.
    pub(crate) prompt: BTreeMap<u32, f64>,
}

impl Attention {
    /// From the folder of a GPU's attention kernels; `also` is asked of rows besides the model's shape.
    pub(crate) fn read(folder: &Path, also: impl Fn(&Row<'_>) -> bool) -> Self {
        let llama = |row: &Row<'_>| {
            row.count("num_heads") == 32
                && row.count("num_key_value_heads") == 8
                && row.count("head_dim") == 128
                && also(row)
        };
        let generation = Table::open(&folder.join("generation_attention_perf.csv.gz"));
        let context = Table::open(&folder.join("context_attention_perf.csv.gz"));
        Self {
            decode: generation
                .rows()
                .filter(llama)
                .map(|row| ((row.count("batch_size"), row.count("step")), row.number("latency") * MILLIS))
                .collect(),
            prompt: context
                .rows()
                .filter(|row| llama(row) && row.count("batch_size") == 1)
                .map(|row| (row.count("isl"), row.number("latency") * MILLIS))
                .collect(),
        }
    }

    /// Rows of decoding: sequences, cache of each, seconds a step. `odd` picks every second context length; `rest` is the
    /// seconds of everything else for so many sequences.
    pub(crate) fn decode_rows(&self, odd: bool, rest: impl Fn(u32) -> f64) -> Vec<(u32, u32, f64)> {
        let small =
            self.decode.iter().filter(|(key, _)| SEQUENCES.contains(&key.0) && key.0 * key.1 <= 300_000);
        small
            .filter(|(key, _)| ((key.1 + 1).trailing_zeros() % 2 == 1) == odd)
            .map(|(&(sequences, cache), &seconds)| (sequences, cache, rest(sequences) + LAYERS * seconds))
            .collect()
    }

    /// The tables, with knots of prefill at these token counts. `rest` is the seconds of everything else in a step: of decoding for
    /// so many sequences, of prefill for so many tokens.
    pub(crate) fn tables(
        &self,
        knots: &[u32],
        (decode_rest, prefill_rest): (impl Fn(u32) -> f64, impl Fn(u32) -> f64),
        overhead: f64,
    ) -> Tables {
        let equations: Vec<(Vec<f64>, f64)> = self
            .decode_rows(false, decode_rest)
            .into_iter()
            .map(|(sequences, cache, seconds)| {
                let mut factors: Vec<f64> =
                    SEQUENCES.iter().map(|&d| if d == sequences { 1.0 } else { 0.0 }).collect();
                factors.push(f64::from(sequences) * f64::from(cache));
                (factors, seconds)
            })
            .collect();
        let mut solved = least_squares(&equations);
        let context = solved.pop().unwrap_or_default();
        let prompts: Vec<(Vec<f64>, f64)> = self
            .prompt
            .iter()
            .filter(|(tokens, _)| **tokens >= 512)
            .map(|(&tokens, &seconds)| {
                let tokens = f64::from(tokens);
                (vec![tokens, tokens * tokens / 2.0], LAYERS * seconds)
            })
            .collect();
        let pair = least_squares(&prompts)[1];
        let prefill = knots.iter().map(|&tokens| {
            let attention =
                LAYERS * between(&self.prompt, tokens) - pair * f64::from(tokens) * f64::from(tokens) / 2.0;
            (tokens, prefill_rest(tokens) + f64::max(0.0, attention) + overhead)
        });
        Tables {
            decode: SEQUENCES.into_iter().zip(solved).map(|(at, seconds)| (at, seconds + overhead)).collect(),
            prefill: prefill.collect(),
            context,
            prefill_context: pair,
            ..Tables::default()
        }
        .finish()
    }
}
