//! A profile of another file of the same model, from a measured one: scaled by the bytes that a step reads.
//!
//! The part of a decode step that is reading, m(d) = min(t(d), bytes(d) × m(1) / bytes(1)), is multiplied by the ratio of the
//! bytes and by how much slower llama.cpp reads the other quantisation (published speeds of Llama 3.1 8B in 23 quantisations on
//! one GPU); the rest stays. A step of one sequence is all reading, m(1) = t(1), where it is not known better. Prompts of 512
//! tokens and more are multiplied by the ratio of the published prompt speeds, and lie on a line to 64 below; those of a mixture
//! of experts whose m(1) is known, which read all experts at any such length, have their reading scaled as in decoding, and the
//! rest by prompt speeds.

use std::path::Path;

use sim_host::profile::Catalogue;

use super::Table;
use super::output::{Tables, model};

/// From here on a batch of prompt tokens computes longer than it reads, in any quantisation.
const PROMPT: u32 = 512;
/// From here on a batch of prompt tokens has knots of its own where its reading is known.
const PROMPT_READ: u32 = 64;

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

/// The tables for `to`, from those measured for `from`, where a step of one sequence is all reading.
pub(crate) fn scaled(data: &Path, tables: &Tables, from: &str, to: &str) -> Tables {
    by_bytes(data, tables, (from, to), tables.decode[0].1, false)
}

/// The same where a step of one sequence is known to read for `one` seconds.
pub(crate) fn scaled_reading(data: &Path, tables: &Tables, from: &str, to: &str, one: f64) -> Tables {
    by_bytes(data, tables, (from, to), one, model(from).experts > 0)
}

fn by_bytes(data: &Path, tables: &Tables, (from, to): (&str, &str), one: f64, prompts_read: bool) -> Tables {
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
    // Seconds of a step of so many tokens, where the part that is not reading is multiplied by `rest`.
    let step = |tokens: u32, seconds: f64, rest: f64| {
        let reading = f64::min(seconds, bytes(from, tokens) * one / bytes(from, 1));
        let ratio = bytes(to, tokens) / bytes(from, tokens) * slower_decode;
        (seconds - reading) * rest + reading * ratio
    };
    let decode: Vec<(u32, f64)> =
        tables.decode.iter().map(|&(at, seconds)| (at, step(at, seconds, 1.0))).collect();
    let least = if prompts_read { PROMPT_READ } else { PROMPT };
    let prompts = tables.prefill.iter().filter(|knot| knot.0 >= least);
    let prefill = prompts.map(|&(tokens, seconds)| {
        let scaled =
            if prompts_read { step(tokens, seconds, slower_prefill) } else { seconds * slower_prefill };
        (tokens, scaled)
    });
    let prefill = prefill.collect();
    Tables { decode, prefill, ..tables.clone() }.finish()
}
