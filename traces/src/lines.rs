//! Lines of a bounded length, and how they end.

use std::io::{BufRead, Read};

use serde::Serialize;

use crate::error::TraceError;
use crate::input::Input;
use crate::limits::LINE_BYTES_MAX;

/// The lines of an input. Blank ones are counted and left out.
pub(crate) struct Lines {
    input: Input,
    buffer: Vec<u8>,
    number: u64,
    endings: Endings,
}

/// How a file's lines end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Endings {
    /// Lines that end in a line feed alone.
    pub lf: u64,
    /// Lines that end in carriage return and line feed.
    pub crlf: u64,
    /// Lines without anything but blanks; left out.
    pub blank: u64,
    /// Whether the last line has no end.
    pub unfinished: bool,
    /// Whether the file opens with a byte-order mark.
    pub byte_order_mark: bool,
}

impl Lines {
    pub(crate) fn new(input: Input) -> Self {
        Self { input, buffer: Vec::with_capacity(256), number: 0, endings: Endings::default() }
    }

    pub(crate) const fn input(&self) -> &Input {
        &self.input
    }

    pub(crate) const fn endings(&self) -> Endings {
        self.endings
    }

    /// Number of the line read last, from 1.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The line read last, without its end.
    pub(crate) fn line(&self) -> &[u8] {
        &self.buffer
    }

    /// Reads on to the next line that is not blank; `false` at the end.
    pub(crate) fn advance(&mut self) -> Result<bool, TraceError> {
        loop {
            self.buffer.clear();
            let read =
                self.input.reader().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut self.buffer);
            match read {
                Ok(0) => return Ok(false),
                Ok(_) => self.number += 1,
                Err(source) => return Err(self.input.error(source, self.number)),
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                let file = self.input.file().to_owned();
                return Err(TraceError::LineTooLong { file, line: self.number, limit: LINE_BYTES_MAX });
            }
            if self.buffer.last() == Some(&b'\n') {
                self.buffer.pop();
                if self.buffer.last() == Some(&b'\r') {
                    self.buffer.pop();
                    self.endings.crlf += 1;
                } else {
                    self.endings.lf += 1;
                }
            } else {
                self.endings.unfinished = true;
            }
            if self.number == 1 && self.buffer.starts_with(b"\xef\xbb\xbf") {
                self.buffer.drain(..3);
                self.endings.byte_order_mark = true;
            }
            if self.buffer.trim_ascii().is_empty() {
                self.endings.blank += 1;
            } else {
                return Ok(true);
            }
        }
    }
}
