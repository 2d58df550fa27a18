//! splitwise-sim's traces:
//! `request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size`.
//!
//! `arrival_timestamp` is in seconds, sizes are tokens. Types of request but 2 (a generation) and batches of more than one
//! are refused, as that simulator does not run them either, or not as one request. `request_id` and `application_id` are not
//! read. Source: `generate_trace.py` and `request.py` of Mutinifni/splitwise-sim.

use std::io::{self, Write};

use crate::columns::{Columns, Field};
use crate::decimal;
use crate::error::Fault;
use crate::row::{RawRow, TraceRow};

const NAMES: [&str; 5] = ["arrival_timestamp", "prompt_size", "token_size", "request_type", "batch_size"];
const REQUIRED: usize = 3;

/// Reads rows.
pub(crate) struct Parser {
    columns: Columns<5>,
}

impl Parser {
    pub(crate) fn new(header: &[u8]) -> Result<Self, Fault> {
        Ok(Self { columns: Columns::find(header, NAMES, REQUIRED)? })
    }

    pub(crate) fn row(&mut self, line: &[u8]) -> Result<RawRow, Fault> {
        let [required @ .., kind, batch] = self.columns.fields(line)?;
        let [arrived, prompt, output] = required.map(|field| field.expect("the header has these columns"));
        demand(kind, 2, "2, the type of generations: no other is served")?;
        demand(batch, 1, "1: a batch is not one request")?;
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

fn demand(field: Option<Field<'_>>, value: i128, expected: &str) -> Result<(), Fault> {
    match field {
        Some(field) if decimal::whole(field.text.trim_ascii()) != Ok(value) => Err(field.fault(expected)),
        _ => Ok(()),
    }
}

/// Writes the format, to the nanosecond: one application, batches of one.
#[derive(Default)]
pub(crate) struct Writer {
    next_id: u64,
}

impl Writer {
    pub(crate) fn header(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(
            b"request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n",
        )
    }

    pub(crate) fn row(&mut self, out: &mut dyn Write, row: &TraceRow) -> io::Result<()> {
        let id = self.next_id;
        self.next_id += 1;
        let (seconds, nanos) = (row.at.0 / 1_000_000_000, row.at.0 % 1_000_000_000);
        write!(out, "{id},2,0,{seconds}.{nanos:09},1,{},{}", row.prompt_tokens, row.output_tokens)?;
        out.write_all(b"\n")
    }
}
