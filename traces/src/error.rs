//! What can be wrong with a trace.

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

/// Longest piece of a bad line that is repeated in a message, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A place in a trace that does not hold what it should.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BadRow {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Column in bytes, from 1.
    pub column: u64,
    /// What stands there.
    pub found: String,
    /// What should stand there.
    pub expected: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, found, expected } = self;
        write!(f, "{file}:{line}:{column}: found {found}, expected {expected}")
    }
}

/// Why a trace cannot be read on, or written.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened, read or written.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Compressed data that is damaged or cut off.
    #[error("{}: after line {line}: found broken {compression} data ({source}), expected a whole {compression} stream", file.display())]
    Compressed {
        /// The file.
        file: PathBuf,
        /// Lines that could be read before.
        line: u64,
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A row that is not what its format demands.
    #[error("{0}")]
    Bad(Box<BadRow>),
    /// A line beyond the limit; never skipped, since nothing tells whether it ends.
    #[error("{}:{line}: found a line of more than {limit} bytes, expected rows of a trace", file.display())]
    LineTooLong {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// More rows at one stamp than can be spread.
    #[error("{}:{line}: found more than {limit} rows with one stamp, expected fewer where ticks are spread", file.display())]
    TickTooFull {
        /// The file.
        file: PathBuf,
        /// Line of the row that is one too many.
        line: u64,
        /// The limit.
        limit: usize,
    },
    /// A decision log that cannot be read.
    #[error(transparent)]
    Log(#[from] crate::log::LogError),
    /// An option that makes no sense.
    #[error("{option}: found {found}, expected {expected}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// What was given.
        found: String,
        /// What would do.
        expected: &'static str,
    },
}

/// What is wrong within a line, before file and line are known.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Column in bytes, from 1.
    pub(crate) column: usize,
    pub(crate) found: String,
    pub(crate) expected: String,
}

impl Fault {
    pub(crate) fn new(column: usize, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { column, found: found.into(), expected: expected.into() }
    }

    pub(crate) fn at(self, file: &std::path::Path, line: u64) -> BadRow {
        BadRow {
            file: file.display().to_string(),
            line,
            column: self.column as u64,
            found: self.found,
            expected: self.expected,
        }
    }
}

/// Bytes of a file as they may stand in a message: quoted, escaped, cut.
pub(crate) fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing".to_owned();
    }
    // Enough bytes for the characters shown, whatever their width; the rest need not be decoded.
    let head = &bytes[..bytes.len().min(SHOWN_CHARS_MAX * 4)];
    let text = String::from_utf8_lossy(head);
    if text.chars().count() > SHOWN_CHARS_MAX || head.len() < bytes.len() {
        let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
        format!("{cut:?}… ({} bytes)", bytes.len())
    } else {
        format!("{text:?}")
    }
}
