//! vidur's processed traces: `arrived_at,num_prefill_tokens,num_decode_tokens`, seconds from the start.
//!
//! Its files of lengths without times of arrival are refused: they are no trace.

use std::io::{self, Write};

use crate::columns::Columns;
use crate::error::Fault;
use crate::row::{RawRow, TraceRow};

const NAMES: [&str; 3] = ["arrived_at", "num_prefill_tokens", "num_decode_tokens"];

/// Reads rows.
pub(crate) struct Parser {
    columns: Columns<3>,
}

impl Parser {
    pub(crate) fn new(header: &[u8]) -> Result<Self, Fault> {
        Ok(Self { columns: Columns::find(header, NAMES, 3)? })
    }

    pub(crate) fn row(&mut self, line: &[u8]) -> Result<RawRow, Fault> {
        let fields = self.columns.fields(line)?;
        let [arrived, prompt, output] = fields.map(|field| field.expect("the header has all three columns"));
        Ok(RawRow {
            at: arrived.seconds()?,
            column: arrived.column,
            shape: None,
            model: None,
            session: None,
            prompt_tokens: prompt.tokens()?,
            output_tokens: output.tokens()?,
            blocks: None,
            asked: None,
        })
    }
}

/// Writes the format, to the nanosecond.
#[derive(Default)]
pub(crate) struct Writer;

impl Writer {
    pub(crate) fn header(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"arrived_at,num_prefill_tokens,num_decode_tokens\n")
    }

    pub(crate) fn row(&self, out: &mut dyn Write, row: &TraceRow) -> io::Result<()> {
        let (seconds, nanos) = (row.at.0 / 1_000_000_000, row.at.0 % 1_000_000_000);
        let fraction = format!("{nanos:09}");
        let fraction = match fraction.trim_end_matches('0') {
            "" => "0",
            digits => digits,
        };
        writeln!(out, "{seconds}.{fraction},{},{}", row.prompt_tokens, row.output_tokens)
    }
}
