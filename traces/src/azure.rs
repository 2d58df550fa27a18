//! Azure LLM inference traces: `TIMESTAMP,ContextTokens,GeneratedTokens`.
//!
//! 2023 (Splitwise, ISCA 2024): stamps of seven digits without offset, CRLF, no newline at the end. 2024
//! (DynamoLLM): six digits and an offset from UTC; both, and plain Unix seconds, may be mixed in one file.

use std::io::{self, Write};

use crate::columns::Columns;
use crate::error::Fault;
use crate::row::{RawRow, TraceRow};
use crate::stamp;

const NAMES: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];

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
        let [stamp, prompt, output] = fields.map(|field| field.expect("the header has all three columns"));
        let (at, shape) =
            stamp::parse(stamp.text.trim_ascii()).ok_or_else(|| stamp.fault(stamp::EXPECTED))?;
        Ok(RawRow {
            at,
            column: stamp.column,
            shape: Some(shape),
            model: None,
            session: None,
            prompt_tokens: prompt.tokens()?,
            output_tokens: output.tokens()?,
            blocks: None,
            asked: None,
        })
    }
}

/// Day on which written traces begin, as days since 1970-01-01: 2023-11-16, that of the 2023 trace.
const FIRST_DAY: u64 = 19_677;

/// Writes in the format of 2023. Stamps are cut to its 100 ns.
#[derive(Default)]
pub(crate) struct Writer;

impl Writer {
    pub(crate) fn header(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"TIMESTAMP,ContextTokens,GeneratedTokens")
    }

    pub(crate) fn row(&self, out: &mut dyn Write, row: &TraceRow) -> io::Result<()> {
        let seconds = row.at.0 / 1_000_000_000;
        let (year, month, day) = stamp::date_of((FIRST_DAY + seconds / 86_400) as i64);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        let fraction = row.at.0 % 1_000_000_000 / 100;
        // The line's end comes before the next row: the originals have none after the last.
        write!(
            out,
            "\r\n{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{fraction:07},{},{}",
            row.prompt_tokens, row.output_tokens
        )
    }
}
