//! Rows of a trace in order of time, one at a time.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use control::units::Instant;
use serde::Serialize;

use crate::error::{BadRow, Fault, TraceError};
use crate::format::{Format, Parser};
use crate::input::Input;
use crate::limits::{BAD_ROWS_KEPT, LOOKAHEAD_ROWS};
use crate::lines::{Endings, Lines};
use crate::row::{RawRow, TraceRow};
use crate::stamp::Shape;

/// Longest span of a trace: 146 years, so that sums of two instants fit.
const SPAN_NANOS_MAX: i128 = i64::MAX as i128 / 2;

/// Ways of printing a stamp that are told apart; more are not counted.
const SHAPES_MAX: usize = 8;

/// How to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReadOptions {
    /// The format; found from the first line where absent.
    pub format: Option<Format>,
    /// Whether bad rows are left out and counted, instead of being an error.
    pub skip_bad: bool,
    /// Seed of the draws of a format whose rows are drawn; others do not look at it.
    pub seed: u64,
}

/// Rows that were left out because they are bad.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct BadRows {
    /// How many.
    pub rows: u64,
    /// The first few.
    pub first: Vec<BadRow>,
}

/// What a reader noticed on the way.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Noticed {
    /// Rows that came after a later one and were put in order.
    pub rows_out_of_order: u64,
    /// Ways in which stamps are printed, in order of appearance; empty where the format has one way only.
    pub stamp_shapes: Vec<String>,
    /// Rows whose answer's length is estimated: their clients left, or they were turned away.
    #[serde(skip_serializing_if = "is_zero")]
    pub answers_estimated: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The rows of a trace that is lines of text.
pub struct Reader {
    lines: Lines,
    format: Format,
    parser: Parser,
    /// Whether the line read last is a row yet to be parsed (the first line of a format without header).
    pending: bool,
    skip_bad: bool,
    /// Rows held back, in order of (time, line).
    held: VecDeque<(i128, RawRow, u64)>,
    /// Whether the input is at its end.
    ended: bool,
    /// Whether an error or the end was told.
    done: bool,
    base: Option<i128>,
    told: i128,
    bad: BadRows,
    rows_out_of_order: u64,
    shapes: Vec<Shape>,
}

impl Reader {
    /// Opens a file.
    ///
    /// # Errors
    /// Where it cannot be read, is empty, or does not begin as its format should.
    pub fn open(path: &Path, options: ReadOptions) -> Result<Self, TraceError> {
        Self::new(Input::open(path)?, options)
    }

    /// Reads an input.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn new(input: Input, options: ReadOptions) -> Result<Self, TraceError> {
        let mut lines = Lines::new(input);
        if !lines.advance()? {
            let fault = Fault::new(1, "an empty file", "a trace");
            return Err(TraceError::Bad(Box::new(fault.at(lines.input().file(), 1))));
        }
        let first = lines.line();
        let opened = match options.format {
            Some(format) => Ok(format),
            None => Format::detect(first),
        }
        .and_then(|format| Ok((format, format.parser(first)?)));
        let (format, parser) = opened
            .map_err(|fault| TraceError::Bad(Box::new(fault.at(lines.input().file(), lines.number()))))?;
        let pending = !parser.has_header();
        Ok(Self {
            lines,
            format,
            parser,
            pending,
            skip_bad: options.skip_bad,
            held: VecDeque::with_capacity(LOOKAHEAD_ROWS + 1),
            ended: false,
            done: false,
            base: None,
            told: i128::MIN,
            bad: BadRows::default(),
            rows_out_of_order: 0,
            shapes: Vec::new(),
        })
    }

    /// The format, given or found.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Reads all that is left; gives the names of the tasks' classes and tenants, where the format is one of tasks.
    pub(crate) fn into_names(mut self) -> Result<(Vec<Arc<str>>, Vec<String>), TraceError> {
        while self.next().transpose()?.is_some() {}
        Ok(match self.parser {
            Parser::Openb(parser) => parser.names(),
            _ => Default::default(),
        })
    }

    /// What the trace is called in messages.
    #[must_use]
    pub fn file(&self) -> &Path {
        self.lines.input().file()
    }

    /// `gzip` or `zstd`; `None` for plain text.
    #[must_use]
    pub const fn compression(&self) -> Option<&'static str> {
        self.lines.input().compression()
    }

    /// Bad rows left out so far.
    #[must_use]
    pub const fn bad(&self) -> &BadRows {
        &self.bad
    }

    /// How lines ended so far.
    #[must_use]
    pub const fn endings(&self) -> Endings {
        self.lines.endings()
    }

    /// What was noticed so far.
    #[must_use]
    pub fn noticed(&self) -> Noticed {
        let stamp_shapes = self.shapes.iter().map(Shape::describe).collect();
        Noticed { rows_out_of_order: self.rows_out_of_order, stamp_shapes, answers_estimated: 0 }
    }

    /// Reads until enough rows are held, or to the end.
    fn fill(&mut self) -> Result<(), TraceError> {
        while !self.ended && self.held.len() <= LOOKAHEAD_ROWS {
            if self.pending {
                self.pending = false;
            } else if !self.lines.advance()? {
                self.ended = true;
                break;
            }
            let line = self.lines.number();
            match self.parser.row(self.lines.line()).and_then(|row| self.hold(row, line)) {
                Ok(()) => {}
                Err(fault) => self.bad_row(fault, line)?,
            }
        }
        Ok(())
    }

    fn hold(&mut self, row: RawRow, line: u64) -> Result<(), Fault> {
        let at = row.at;
        if at < self.told {
            let back = (self.told - at) as f64 / 1e9;
            let found = format!("a stamp {back:.6} s before that of a row already passed on");
            let expected = format!("rows in order of time, or out of order by at most {LOOKAHEAD_ROWS} rows");
            return Err(Fault::new(row.column, found, expected));
        }
        if let Some(shape) = row.shape
            && self.shapes.len() < SHAPES_MAX
            && !self.shapes.contains(&shape)
        {
            self.shapes.push(shape);
        }
        if self.held.back().is_none_or(|&(last, ..)| last <= at) {
            self.held.push_back((at, row, line));
        } else {
            self.rows_out_of_order += 1;
            let place = self.held.partition_point(|&(other, ..)| other <= at);
            self.held.insert(place, (at, row, line));
        }
        Ok(())
    }

    fn bad_row(&mut self, fault: Fault, line: u64) -> Result<(), TraceError> {
        let bad = fault.at(self.lines.input().file(), line);
        if !self.skip_bad {
            return Err(TraceError::Bad(Box::new(bad)));
        }
        self.bad.rows += 1;
        if self.bad.first.len() < BAD_ROWS_KEPT {
            self.bad.first.push(bad);
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Option<TraceRow>, TraceError> {
        loop {
            self.fill()?;
            let Some((at, row, line)) = self.held.pop_front() else { return Ok(None) };
            let since = at - *self.base.get_or_insert(at);
            if since > SPAN_NANOS_MAX {
                let found = format!("a stamp {} s after the first", since / 1_000_000_000);
                self.bad_row(Fault::new(row.column, found, "a trace of at most 146 years"), line)?;
                continue;
            }
            self.told = at;
            return Ok(Some(TraceRow {
                line,
                at: Instant(since as u64),
                model: row.model,
                session: row.session,
                prompt_tokens: row.prompt_tokens,
                output_tokens: row.output_tokens,
                blocks: row.blocks,
                asked: row.asked,
            }));
        }
    }
}

impl Iterator for Reader {
    type Item = Result<TraceRow, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.read().transpose();
        self.done = !matches!(row, Some(Ok(_)));
        row
    }
}
