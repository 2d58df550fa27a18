//! Mooncake's JSON lines: `timestamp` (ms), `input_length`, `output_length` (tokens), `hash_ids` (blocks of 512
//! tokens of the prompt, the last one perhaps partial; equal ids mean equal prefixes up to there).

use std::io::{self, Write};

use control::request::Block;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decimal;
use crate::error::{Fault, shown};
use crate::limits::TOKENS_MAX;
use crate::row::{RawRow, TraceRow};

/// Tokens of a block.
pub const BLOCK_TOKENS: u32 = 512;

/// First id given to blocks of written rows that have none; the public traces number theirs from 0.
const FRESH_IDS_FROM: u64 = 1 << 40;

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
        // serde would take an array for the fields in their order.
        if line.trim_ascii_start().first() != Some(&b'{') {
            return Err(Fault::new(1, shown(line), EXPECTED));
        }
        let row: Row<'_> = serde_json::from_slice(line).map_err(|error| fault(line, &error))?;
        let stamp = row.timestamp.get();
        let column = stamp.as_ptr() as usize - line.as_ptr() as usize + 1;
        let at = decimal::scaled(stamp.as_bytes(), 6).map_err(|_| {
            Fault::new(column, format!("{} in timestamp", shown(stamp.as_bytes())), "milliseconds")
        })?;
        for (name, tokens) in [("input_length", row.input_length), ("output_length", row.output_length)] {
            if tokens > TOKENS_MAX {
                return Err(Fault::new(
                    1,
                    format!("{tokens} in {name}"),
                    format!("at most {TOKENS_MAX} tokens"),
                ));
            }
        }
        let blocks = match row.hash_ids {
            None => None,
            Some(ids) => Some(blocks(&ids, row.input_length)?),
        };
        Ok(RawRow {
            at,
            column,
            shape: None,
            model: None,
            session: None,
            prompt_tokens: row.input_length,
            output_tokens: row.output_length,
            blocks,
        })
    }
}

fn blocks(ids: &[u64], tokens: u32) -> Result<std::sync::Arc<[Block]>, Fault> {
    let expected = tokens.div_ceil(BLOCK_TOKENS) as usize;
    if ids.len() != expected {
        let found = format!("{} hash_ids", ids.len());
        return Err(Fault::new(1, found, format!("{expected}, as input_length is {tokens}")));
    }
    let last = expected.saturating_sub(1);
    let last_tokens = tokens - last as u32 * BLOCK_TOKENS;
    Ok(ids
        .iter()
        .enumerate()
        .map(|(index, &id)| Block { id, tokens: if index == last { last_tokens } else { BLOCK_TOKENS } })
        .collect())
}

/// serde_json's message, taken apart.
fn fault(line: &[u8], error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let column = error.column().max(1);
    match text.split_once(", expected ") {
        Some((found, "u32")) => Fault::new(column, found, "a whole number of tokens"),
        Some((found, "u64")) => Fault::new(column, found, "the whole number of a block"),
        _ => Fault::new(column, format!("{} ({text})", shown(line)), EXPECTED),
    }
}

/// Writes the format, to the nanosecond.
pub(crate) struct Writer {
    next_id: u64,
}

impl Default for Writer {
    fn default() -> Self {
        Self { next_id: FRESH_IDS_FROM }
    }
}

impl Writer {
    /// A row whose blocks are not of [`BLOCK_TOKENS`] cannot be written: `InvalidInput`.
    pub(crate) fn row(&mut self, out: &mut dyn Write, row: &TraceRow) -> io::Result<()> {
        let (millis, nanos) = (row.at.0 / 1_000_000, row.at.0 % 1_000_000);
        write!(out, "{{\"timestamp\": {millis}")?;
        if nanos > 0 {
            write!(out, ".{}", format!("{nanos:06}").trim_end_matches('0'))?;
        }
        let (prompt, output) = (row.prompt_tokens, row.output_tokens);
        write!(out, ", \"input_length\": {prompt}, \"output_length\": {output}, \"hash_ids\": [")?;
        let len = prompt.div_ceil(BLOCK_TOKENS);
        if let Some(blocks) = &row.blocks {
            let (last, full) =
                blocks.split_last().map_or((0, &blocks[..]), |(last, full)| (last.tokens, full));
            let fits = blocks.len() == len as usize && full.iter().all(|block| block.tokens == BLOCK_TOKENS);
            if !fits || last + full.len() as u32 * BLOCK_TOKENS != prompt {
                let why = format!("Mooncake's format holds prompts in blocks of {BLOCK_TOKENS} tokens only");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
        }
        for index in 0..len {
            let id = match &row.blocks {
                Some(blocks) => blocks[index as usize].id,
                None => {
                    self.next_id += 1;
                    self.next_id - 1
                }
            };
            write!(out, "{}{id}", if index == 0 { "" } else { ", " })?;
        }
        out.write_all(b"]}\n")
    }
}
