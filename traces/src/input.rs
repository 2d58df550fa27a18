//! A trace's bytes: a file or any reader; plain, gzip or zstd, told apart by their first bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use zstd::stream::read::Decoder;

use crate::error::TraceError;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 16;

/// Largest window that a zstd stream may ask for, as a power of two: 128 MiB, what `zstd --ultra -22` needs.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// An open trace.
pub struct Input {
    file: PathBuf,
    compression: Option<&'static str>,
    reader: Box<dyn BufRead + Send>,
}

impl Input {
    /// Opens a file.
    ///
    /// # Errors
    /// Where it cannot be opened or its first bytes cannot be read.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        let file = File::open(path).map_err(|source| TraceError::Io { file: path.to_owned(), source })?;
        Self::new(path, Box::new(file))
    }

    /// Reads from `reader`; `name` stands for it in messages.
    ///
    /// # Errors
    /// Where its first bytes cannot be read.
    pub fn new(name: &Path, mut reader: Box<dyn Read + Send>) -> Result<Self, TraceError> {
        let file = name.to_owned();
        let failed = |source| TraceError::Io { file: file.clone(), source };
        let mut head = [0; 4];
        let mut len = 0;
        while len < head.len() {
            match reader.read(&mut head[len..]) {
                Ok(0) => break,
                Ok(more) => len += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let whole = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(head).take(len as u64).chain(reader));
        let (compression, reader): (_, Box<dyn BufRead + Send>) = match &head[..len] {
            [0x1f, 0x8b, ..] => {
                (Some("gzip"), Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(whole))))
            }
            [0x28, 0xb5, 0x2f, 0xfd] => {
                let mut decoder = Decoder::with_buffer(whole).map_err(failed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(failed)?;
                (Some("zstd"), Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)))
            }
            _ => (None, Box::new(whole)),
        };
        Ok(Self { file, compression, reader })
    }

    /// What the trace is called in messages.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// `gzip` or `zstd`; `None` for plain text.
    #[must_use]
    pub const fn compression(&self) -> Option<&'static str> {
        self.compression
    }

    pub(crate) fn reader(&mut self) -> &mut (dyn BufRead + Send) {
        &mut *self.reader
    }

    /// An error of this input, as told after `line` lines.
    pub(crate) fn error(&self, source: io::Error, line: u64) -> TraceError {
        let file = self.file.clone();
        match self.compression {
            // Decompressors make their errors themselves; those of the file come from the system.
            Some(compression) if source.raw_os_error().is_none() => {
                TraceError::Compressed { file, line, compression, source }
            }
            _ => TraceError::Io { file, source },
        }
    }
}
