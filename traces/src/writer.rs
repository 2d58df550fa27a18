//! Writing traces: Azure 2023, Mooncake and vidur; gzip or zstd where the file's name ends in `.gz` or `.zst`.
//!
//! BurstGPT is not written: a row has lost its session's name.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use zstd::stream::write::Encoder;

use crate::atomic::AtomicFile;
use crate::error::TraceError;
use crate::format::Format;
use crate::row::TraceRow;
use crate::{azure, mooncake, vidur};

/// A trace being written; it appears under its name at [`TraceWriter::finish`].
pub struct TraceWriter {
    file: PathBuf,
    out: Out,
    writer: Writer,
}

enum Out {
    Plain(AtomicFile),
    Gzip(GzEncoder<AtomicFile>),
    Zstd(Encoder<'static, AtomicFile>),
}

enum Writer {
    Azure(azure::Writer),
    Mooncake(mooncake::Writer),
    Vidur(vidur::Writer),
}

impl TraceWriter {
    /// Begins a trace.
    ///
    /// # Errors
    /// Where the file cannot be written, or the format is one that is only read.
    pub fn create(path: &Path, format: Format) -> Result<Self, TraceError> {
        let writer = match format {
            Format::Azure => Writer::Azure(azure::Writer),
            Format::Mooncake => Writer::Mooncake(mooncake::Writer::default()),
            Format::Vidur => Writer::Vidur(vidur::Writer),
            Format::BurstGpt | Format::Decisions => {
                let expected = "azure, mooncake or vidur, the formats that are written";
                return Err(TraceError::Option { option: "format", found: format.to_string(), expected });
            }
        };
        let failed = |source| TraceError::Io { file: path.to_owned(), source };
        let file = AtomicFile::create(path).map_err(failed)?;
        let out = match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Out::Gzip(GzEncoder::new(file, Compression::default())),
            Some("zst") => Out::Zstd(Encoder::new(file, 0).map_err(failed)?),
            _ => Out::Plain(file),
        };
        let mut this = Self { file: path.to_owned(), out, writer };
        let out: &mut dyn Write = &mut this.out;
        match &this.writer {
            Writer::Azure(writer) => writer.header(out),
            Writer::Vidur(writer) => writer.header(out),
            Writer::Mooncake(_) => Ok(()),
        }
        .map_err(failed)?;
        Ok(this)
    }

    /// Appends a row. What the format cannot hold is left out: model, session, blocks but in Mooncake's, and in
    /// Azure's what is below 100 ns.
    ///
    /// # Errors
    /// Where the file cannot be written, or the row's blocks are none that the format can hold.
    pub fn append(&mut self, row: &TraceRow) -> Result<(), TraceError> {
        let out: &mut dyn Write = &mut self.out;
        match &mut self.writer {
            Writer::Azure(writer) => writer.row(out, row),
            Writer::Mooncake(writer) => writer.row(out, row),
            Writer::Vidur(writer) => writer.row(out, row),
        }
        .map_err(|source| TraceError::Io { file: self.file.clone(), source })
    }

    /// Ends the trace and gives it its name.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn finish(self) -> Result<(), TraceError> {
        let file = self.file;
        match self.out {
            Out::Plain(out) => Ok(out),
            Out::Gzip(out) => out.finish(),
            Out::Zstd(out) => out.finish(),
        }
        .and_then(AtomicFile::commit)
        .map_err(|source| TraceError::Io { file, source })
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
            Self::Zstd(out) => out.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(out) => out.flush(),
            Self::Zstd(out) => out.flush(),
        }
    }
}
