//! LLMServingSim's JSON lines: `input_toks`, `output_toks`, `arrival_time_ns`, and perhaps the prompt's tokens themselves,
//! `input_tok_ids`, which become prefix blocks of 16 tokens: equal ids mean equal prompts up to there.
//!
//! Lines that are agentic sessions (`sub_requests`) are refused: when their later requests come depends on answers.
//! `output_tok_ids` are not read. Source: `workloads/README.md` of casys-kaist/LLMServingSim.

use std::io::{self, Write};
use std::sync::Arc;

use control::request::Block;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::error::Fault;
use crate::json;
use crate::keyed::{Purpose, bits2};
use crate::row::{RawRow, TraceRow};

/// Tokens of a block.
pub const BLOCK_TOKENS: u32 = 16;

const EXPECTED: &str = "an object with input_toks, output_toks and arrival_time_ns";

#[derive(Deserialize)]
struct Row<'a> {
    input_toks: Option<u32>,
    output_toks: Option<u32>,
    #[serde(borrow)]
    arrival_time_ns: &'a RawValue,
    input_tok_ids: Option<Vec<i64>>,
    sub_requests: Option<IgnoredAny>,
}

/// Reads rows.
pub(crate) struct Parser;

impl Parser {
    pub(crate) fn row(&self, line: &[u8]) -> Result<RawRow, Fault> {
        let row: Row<'_> = json::object(line, EXPECTED)?;
        if row.sub_requests.is_some() {
            let found = "a session of sub_requests, which come when answers have come";
            return Err(Fault::new(1, found, EXPECTED));
        }
        let (at, column) = json::stamp(line, row.arrival_time_ns, "arrival_time_ns", (0, "nanoseconds"))?;
        let tokens = |name, tokens: Option<u32>| match tokens {
            Some(tokens) => json::tokens(name, tokens),
            None => Err(Fault::new(1, format!("no {name}"), EXPECTED)),
        };
        let prompt_tokens = tokens("input_toks", row.input_toks)?;
        let output_tokens = tokens("output_toks", row.output_toks)?;
        let blocks = match row.input_tok_ids {
            None => None,
            Some(ids) if ids.len() == prompt_tokens as usize => Some(blocks(&ids)),
            Some(ids) => {
                let found = format!("{} input_tok_ids", ids.len());
                return Err(Fault::new(1, found, format!("{prompt_tokens}, as input_toks says")));
            }
        };
        Ok(RawRow {
            at,
            column,
            shape: None,
            model: None,
            session: None,
            prompt_tokens,
            output_tokens,
            blocks,
            asked: None,
        })
    }
}

/// Each block's id holds all tokens up to its end.
fn blocks(ids: &[i64]) -> Arc<[Block]> {
    let mut id = 0;
    ids.chunks(BLOCK_TOKENS as usize)
        .map(|tokens| {
            id = tokens.iter().fold(id, |id, &token| bits2(id, Purpose::TokenBlock, token as u64, 0));
            Block { id, tokens: tokens.len() as u32 }
        })
        .collect()
}

/// Writes the format, without tokens.
#[derive(Default)]
pub(crate) struct Writer;

impl Writer {
    pub(crate) fn row(&self, out: &mut dyn Write, row: &TraceRow) -> io::Result<()> {
        let (prompt, output, at) = (row.prompt_tokens, row.output_tokens, row.at.0);
        writeln!(out, "{{\"input_toks\": {prompt}, \"output_toks\": {output}, \"arrival_time_ns\": {at}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_share_the_blocks_before_they_part() {
        let parser = Parser;
        let row = |ids: &[i64]| {
            let line = format!(
                "{{\"input_toks\": {}, \"output_toks\": 3, \"arrival_time_ns\": 5, \"input_tok_ids\": {ids:?}}}",
                ids.len()
            );
            parser.row(line.as_bytes()).expect("a good row").blocks.expect("it has tokens")
        };
        let (long, other): (Vec<i64>, Vec<i64>) = ((0..40).collect(), (0..16).chain(90..110).collect());
        let (long, other) = (row(&long), row(&other));
        let tokens: Vec<u32> = long.iter().map(|block| block.tokens).collect();
        assert_eq!(tokens, [16, 16, 8]);
        assert_eq!(long[0], other[0]);
        assert_ne!(long[1].id, other[1].id);
        assert_ne!(row(&[1, 2])[0].id, row(&[2, 1])[0].id);
        // The same sixteen tokens after others are not the same prefix.
        let twice: Vec<i64> = (0..16).chain(0..16).collect();
        assert_ne!(row(&twice)[0].id, row(&twice)[1].id);
    }
}
