//! Writing traces: Azure 2023, Mooncake, vidur, Qwen-Bailian, splitwise-sim and LLMServingSim; gzip or zstd where the
//! file's name ends in `.gz` or `.zst`.
//!
//! BurstGPT is not written: a row has lost its session's name. What a format cannot hold is left out and counted.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use zstd::stream::write::Encoder;

use crate::atomic::AtomicFile;
use crate::error::TraceError;
use crate::format::Format;
use crate::row::TraceRow;
use crate::{azure, llmservingsim, mooncake, qwen_bailian, recut, splitwise_sim, vidur};

/// A trace being written; it appears under its name at [`TraceWriter::finish`].
pub struct TraceWriter {
    file: PathBuf,
    out: Out,
    writer: Writer,
    format: Format,
    lost: Lost,
}

/// What a format could not hold, in rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lost {
    /// Rows whose model is not written.
    pub models: u64,
    /// Rows whose session is not written.
    pub sessions: u64,
    /// Rows whose prefix blocks are not written.
    pub blocks: u64,
    /// Rows whose prefix blocks were cut anew into the format's size: what prompts share is known to its multiples only.
    pub recut: u64,
    /// Rows that arrived between two instants that the format can tell.
    pub rounded: u64,
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
    QwenBailian(qwen_bailian::Writer),
    SplitwiseSim(splitwise_sim::Writer),
    LlmServingSim(llmservingsim::Writer),
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
            Format::QwenBailian => Writer::QwenBailian(qwen_bailian::Writer::default()),
            Format::SplitwiseSim => Writer::SplitwiseSim(splitwise_sim::Writer::default()),
            Format::LlmServingSim => Writer::LlmServingSim(llmservingsim::Writer),
            Format::BurstGpt | Format::Openb | Format::ServeGen | Format::Decisions => {
                let expected = "azure, mooncake, vidur, qwen-bailian, splitwise-sim or llmservingsim, the formats \
                                that are written";
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
        let mut this = Self { file: path.to_owned(), out, writer, format, lost: Lost::default() };
        let out: &mut dyn Write = &mut this.out;
        match &this.writer {
            Writer::Azure(writer) => writer.header(out),
            Writer::Vidur(writer) => writer.header(out),
            Writer::SplitwiseSim(writer) => writer.header(out),
            Writer::Mooncake(_) | Writer::QwenBailian(_) | Writer::LlmServingSim(_) => Ok(()),
        }
        .map_err(failed)?;
        Ok(this)
    }

    /// Appends a row. What the format cannot hold is left out ([`TraceWriter::lost`]): models, in most formats sessions
    /// and blocks, and in Azure's what is below 100 ns.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn append(&mut self, row: &TraceRow) -> Result<(), TraceError> {
        self.lost.count(self.format, row);
        let out: &mut dyn Write = &mut self.out;
        match &mut self.writer {
            Writer::Azure(writer) => writer.row(out, row),
            Writer::Mooncake(writer) => writer.row(out, row),
            Writer::Vidur(writer) => writer.row(out, row),
            Writer::QwenBailian(writer) => writer.row(out, row),
            Writer::SplitwiseSim(writer) => writer.row(out, row),
            Writer::LlmServingSim(writer) => writer.row(out, row),
        }
        .map_err(|source| TraceError::Io { file: self.file.clone(), source })
    }

    /// What was left out so far.
    #[must_use]
    pub const fn lost(&self) -> Lost {
        self.lost
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

impl Lost {
    fn count(&mut self, format: Format, row: &TraceRow) {
        let block_tokens = match format {
            Format::Mooncake => Some(mooncake::BLOCK_TOKENS),
            Format::QwenBailian => Some(qwen_bailian::BLOCK_TOKENS),
            _ => None,
        };
        self.models += u64::from(row.model.is_some());
        self.sessions += u64::from(row.session.is_some() && format != Format::QwenBailian);
        if let Some(blocks) = &row.blocks {
            match block_tokens {
                None => self.blocks += 1,
                Some(tokens) => self.recut += u64::from(!recut::fits(blocks, tokens)),
            }
        }
        self.rounded += u64::from(format == Format::Azure && !row.at.0.is_multiple_of(100));
    }

    /// In words, one line a loss; nothing where nothing was lost.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let of = |rows: u64, what: &str| (rows > 0).then(|| format!("{what} ({rows} rows)"));
        [
            of(self.models, "models are not written"),
            of(self.sessions, "sessions are not written"),
            of(self.blocks, "prefix blocks are not written"),
            of(self.recut, "prefix blocks are cut to another size, at whose multiples prompts part"),
            of(self.rounded, "times are cut to 100 ns"),
        ]
        .into_iter()
        .flatten()
        .collect()
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
