//! Mooncake's JSON lines: `timestamp` (ms), `input_length`, `output_length` (tokens), `hash_ids` (blocks of 512
//! tokens of the prompt, the last one perhaps partial; equal ids mean equal prefixes up to there).

use std::io::{self, Write};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Fault;
use crate::json;
use crate::recut;
use crate::row::{RawRow, TraceRow};

/// Tokens of a block.
pub const BLOCK_TOKENS: u32 = 512;

/// First id given to blocks of written rows that have none; the public traces number theirs from 0.
pub(crate) const FRESH_IDS_FROM: u64 = 1 << 40;

const EXPECTED: &str = "an object with timestamp (ms), input_length, output_length and hash_ids";

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    timestamp: &'a RawValue,
    input_length: u32,
    output_length: u32,
    hash_ids: Option<Vec<u64>>,
}

/// Reads rows.
pub(crate) struct Parser;

impl Parser {
    pub(crate) fn row(&self, line: &[u8]) -> Result<RawRow, Fault> {
        let row: Row<'_> = json::object(line, EXPECTED)?;
        let (at, column) = json::stamp(line, row.timestamp, "timestamp", (6, "milliseconds"))?;
        let prompt_tokens = json::tokens("input_length", row.input_length)?;
        let output_tokens = json::tokens("output_length", row.output_length)?;
        let ids = row.hash_ids.as_deref();
        Ok(RawRow {
            at,
            column,
            shape: None,
            model: None,
            session: None,
            prompt_tokens,
            output_tokens,
            blocks: ids.map(|ids| json::blocks(ids, prompt_tokens, BLOCK_TOKENS)).transpose()?,
            asked: None,
        })
    }
}

/// Writes the format, to the nanosecond. Blocks of another size are cut anew.
pub(crate) struct Writer {
    next_id: u64,
}

impl Default for Writer {
    fn default() -> Self {
        Self { next_id: FRESH_IDS_FROM }
    }
}

impl Writer {
    pub(crate) fn row(&mut self, out: &mut dyn Write, row: &TraceRow) -> io::Result<()> {
        let (millis, nanos) = (row.at.0 / 1_000_000, row.at.0 % 1_000_000);
        write!(out, "{{\"timestamp\": {millis}")?;
        if nanos > 0 {
            write!(out, ".{}", format!("{nanos:06}").trim_end_matches('0'))?;
        }
        let (prompt, output) = (row.prompt_tokens, row.output_tokens);
        write!(out, ", \"input_length\": {prompt}, \"output_length\": {output}, \"hash_ids\": ")?;
        write_ids(out, row, BLOCK_TOKENS, &mut self.next_id)?;
        out.write_all(b"}\n")
    }
}

/// Writes a prompt's blocks of this size as a list; a prompt that tells of none gets ids that no other has.
pub(crate) fn write_ids(
    out: &mut dyn Write,
    row: &TraceRow,
    block_tokens: u32,
    next_id: &mut u64,
) -> io::Result<()> {
    let ids = match &row.blocks {
        Some(blocks) => recut::ids(blocks, block_tokens),
        None => {
            let first = *next_id;
            *next_id += u64::from(row.prompt_tokens.div_ceil(block_tokens));
            (first..*next_id).collect()
        }
    };
    out.write_all(b"[")?;
    for (index, id) in ids.into_iter().enumerate() {
        write!(out, "{}{id}", if index == 0 { "" } else { ", " })?;
    }
    out.write_all(b"]")
}
