//! A profile of another file of the same model, from a measured one: scaled by the bytes that a step reads.
//!
//! The part of a decode step that is reading, m(d) = min(t(d), bytes(d) × t(1) / bytes(1)), is multiplied by the ratio of
//! the bytes and by how much slower llama.cpp reads the other quantisation (published speeds of Llama 3.1 8B in 23
//! quantisations on one GPU); the rest stays. Prompts of
//! 512 tokens and more are multiplied by the ratio of the published prompt speeds, and lie on a line to 64 below.

use std::path::Path;

use sim_host::profile::Catalogue;

use super::Table;
use super::output::{Tables, model};

/// From here on a batch of prompt tokens computes longer than it reads, in any quantisation.
const PROMPT: u32 = 512;

/// What llama.cpp needs for a quantisation against 16 bits: seconds a byte when decoding, seconds a prompt token.
pub(crate) struct Quantisation {
    decode_seconds_per_byte: f64,
    prefill_seconds_per_token: f64,
}

impl Quantisation {
    /// The published figures, or none for a quantisation that is not in the table.
    pub(crate) fn read(data: &Path, name: &str) -> Option<Self> {
        let table = Table::open(&data.join("hw-perf/llama.cpp/quantize_llama-3.1-8b.csv"));
        table.rows().find(|row| row.text("quant") == name).map(|row| Self {
            decode_seconds_per_byte: 1.0 / (row.number("tg128_tps") * row.number("size_gib")),
            prefill_seconds_per_token: 1.0 / row.number("pp512_tps"),
        })
    }
}

/// Names those of the quantisations of two models for which no speed was published, if any.
pub(crate) fn unpublished(data: &Path, from: &str, to: &str) -> Option<String> {
    let (from, to) = (model(from).quantisation, model(to).quantisation);
    let missing = [&from, &to].into_iter().find(|name| Quantisation::read(data, name).is_none())?;
    (from != to)
        .then(|| format!("assumed_quantisation_speed = bytes alone, no speed of {missing} was published"))
}

/// The tables for `to`, from those measured for `from`.
pub(crate) fn scaled(data: &Path, tables: &Tables, from: &str, to: &str) -> Tables {
    let catalogue = Catalogue::rooflines();
    let bytes = |name: &str, tokens| {
        catalogue.step_bytes(name, tokens).unwrap_or_else(|error| panic!("{error}")) as f64
    };
    let of = |name: &str| Quantisation::read(data, &model(name).quantisation);
    let (slower_decode, slower_prefill) = match (of(from), of(to)) {
        (Some(before), Some(after)) => (
            after.decode_seconds_per_byte / before.decode_seconds_per_byte,
            after.prefill_seconds_per_token / before.prefill_seconds_per_token,
        ),
        _ => (1.0, 1.0),
    };
    let one = tables.decode[0].1;
    let decode = |sequences: u32, seconds: f64| {
        let reading = f64::min(seconds, bytes(from, sequences) * one / bytes(from, 1));
        let ratio = bytes(to, sequences) / bytes(from, sequences) * slower_decode;
        seconds - reading + reading * ratio
    };
    let decode: Vec<(u32, f64)> =
        tables.decode.iter().map(|&(at, seconds)| (at, decode(at, seconds))).collect();
    let prompts = tables.prefill.iter().filter(|knot| knot.0 >= PROMPT);
    let prefill = prompts.map(|&(tokens, seconds)| (tokens, seconds * slower_prefill)).collect();
    Tables { decode, prefill, ..tables.clone() }.finish()
}
