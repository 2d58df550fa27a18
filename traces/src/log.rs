//! Decision log files: how records are framed and kept. What they mean is for crate `control` to say; here a record
//! is a byte for its kind and a payload.
//!
//! A log is one file, or a folder of segments `000000.log`, `000001.log`, … A segment is
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `herdrlog` |
//! | 4 | format version, u32, little endian |
//! | … | records |
//!
//! and a record is
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the payload, u32, little endian |
//! | 1 | kind |
//! | 4 | CRC-32 (IEEE) of kind and payload, little endian |
//! | … | payload |
//!
//! A crash can tear the end of the last segment. A tail that is no whole record is cut there and told, if nothing
//! after it is a whole record; otherwise the file was damaged, and that is an error.

mod frame;
mod reader;
mod writer;

use std::io;
use std::path::PathBuf;

pub use reader::{LogReader, LogRecord, SegmentReader, Truncated, segment_files};
pub use writer::{LogWriter, Place, Rotation};

/// Format version of the segments written here. It rises whenever what a record holds changes: postcard names no fields, so that an
/// older record would be read as something else.
pub const FORMAT_VERSION: u32 = 3;

/// Why a log cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system says no.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is no segment.
    #[error("{}: byte 0: found {found}, expected a decision log (\"herdrlog\")", file.display())]
    Magic {
        /// The file.
        file: PathBuf,
        /// What it begins with.
        found: String,
    },
    /// A segment of another format.
    #[error("{}: byte 8: found format version {found}, expected {FORMAT_VERSION}: another version of herder wrote it", file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A damaged record that is not at the end of the log.
    #[error("{}: byte {offset}: found {found}, expected a record", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where the record begins.
        offset: u64,
        /// What is wrong with it.
        found: String,
    },
    /// A folder without segments, or with one missing.
    #[error("{}: found {found}, expected {expected}", folder.display())]
    Segments {
        /// The folder.
        folder: PathBuf,
        /// What is there.
        found: String,
        /// The segment that should be there.
        expected: String,
    },
    /// A payload too long to be written.
    #[error("found a payload of {bytes} bytes, expected at most {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

#[cfg(test)]
mod tests;
