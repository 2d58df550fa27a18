//! Reading a log, record by record.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::frame::{FRAME_BYTES, Frame, HEADER_BYTES, MAGIC, checksum, holds_a_record};
use super::writer::name;
use super::{FORMAT_VERSION, LogError};
use crate::error::shown;

/// A record of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRecord {
    /// Number of the segment, from 0; that of the first one in a folder is in its name.
    pub segment: u32,
    /// Byte of the segment at which the record begins.
    pub offset: u64,
    /// Kind, as the writer gave it.
    pub kind: u8,
    /// Payload.
    pub payload: Vec<u8>,
}

/// A torn tail was left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Truncated {
    /// Number of the segment.
    pub segment: u32,
    /// Length of what could be read; 0 where the header itself is torn.
    pub offset: u64,
    /// Bytes left out after it.
    pub bytes: u64,
}

/// The records of one segment.
pub struct SegmentReader<R = BufReader<File>> {
    file: PathBuf,
    segment: u32,
    reader: R,
    /// Where the next record begins.
    offset: u64,
    truncated: Option<Truncated>,
    done: bool,
}

impl SegmentReader {
    /// Opens a file.
    ///
    /// # Errors
    /// Where it cannot be read, is no segment, or of another version.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        Self::numbered(path, 0)
    }

    fn numbered(path: &Path, segment: u32) -> Result<Self, LogError> {
        let file = File::open(path).map_err(|source| LogError::Io { file: path.to_owned(), source })?;
        Self::new(path, segment, BufReader::new(file))
    }
}

impl<R: Read> SegmentReader<R> {
    /// Reads a segment from `reader`; `file` stands for it in messages.
    ///
    /// # Errors
    /// As [`SegmentReader::open`].
    pub fn new(file: &Path, segment: u32, mut reader: R) -> Result<Self, LogError> {
        let mut header = [0; HEADER_BYTES];
        let len = fill(&mut reader, &mut header)
            .map_err(|source| LogError::Io { file: file.to_owned(), source })?;
        let magic = len.min(MAGIC.len());
        if header[..magic] != MAGIC[..magic] {
            return Err(LogError::Magic { file: file.to_owned(), found: shown(&header[..magic]) });
        }
        let torn = len < HEADER_BYTES;
        let version = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        if !torn && version != FORMAT_VERSION {
            return Err(LogError::Version { file: file.to_owned(), found: version });
        }
        Ok(Self {
            file: file.to_owned(),
            segment,
            reader,
            offset: HEADER_BYTES as u64,
            truncated: torn.then_some(Truncated { segment, offset: 0, bytes: len as u64 }),
            done: torn,
        })
    }

    /// The torn tail that was left out, once the last record has been read.
    #[must_use]
    pub const fn truncated(&self) -> Option<Truncated> {
        self.truncated
    }

    fn read(&mut self) -> Result<Option<LogRecord>, LogError> {
        let mut head = [0; FRAME_BYTES];
        let len = fill(&mut self.reader, &mut head).map_err(|source| self.failed(source))?;
        if len == 0 {
            return Ok(None);
        }
        if len < FRAME_BYTES {
            return self.tail(&head[..len], Vec::new(), "a record cut off");
        }
        let frame = Frame::parse(&head);
        if frame.too_long() {
            let found = format!("a record of {} bytes", frame.payload_len);
            return self.tail(&head, Vec::new(), &found);
        }
        let mut payload = Vec::new();
        let read = self.reader.by_ref().take(frame.payload_len as u64).read_to_end(&mut payload);
        read.map_err(|source| self.failed(source))?;
        if payload.len() < frame.payload_len {
            return self.tail(&head, payload, "a record cut off");
        }
        let computed = checksum(frame.kind, &payload);
        if computed != frame.checksum {
            let found = format!("checksum {:08x} instead of {computed:08x}", frame.checksum);
            return self.tail(&head, payload, &found);
        }
        let offset = self.offset;
        self.offset += (FRAME_BYTES + payload.len()) as u64;
        Ok(Some(LogRecord { segment: self.segment, offset, kind: frame.kind, payload }))
    }

    /// What is no record: a torn tail, unless a whole record follows, be it in what was taken for the payload (then
    /// the length is damaged) or after it.
    fn tail(&mut self, head: &[u8], payload: Vec<u8>, found: &str) -> Result<Option<LogRecord>, LogError> {
        let mut bytes = [head, &payload].concat();
        let window = 2 * crate::limits::LOG_RECORD_BYTES_MAX + 2 * FRAME_BYTES;
        let left = (window - bytes.len().min(window)) as u64;
        let read = self.reader.by_ref().take(left).read_to_end(&mut bytes);
        read.map_err(|source| self.failed(source))?;
        // No crash tears more than the records that were under way; and a disk that never got them reads as zeros.
        let zeros = bytes.iter().all(|&byte| byte == 0);
        if bytes.len() >= window || !zeros && holds_a_record(&bytes[1.min(bytes.len())..]) {
            let (file, found) = (self.file.clone(), format!("{found}, with whole records after it"));
            return Err(LogError::Damaged { file, offset: self.offset, found });
        }
        let bytes = bytes.len() as u64;
        self.truncated = Some(Truncated { segment: self.segment, offset: self.offset, bytes });
        Ok(None)
    }

    fn failed(&self, source: std::io::Error) -> LogError {
        LogError::Io { file: self.file.clone(), source }
    }
}

impl<R: Read> Iterator for SegmentReader<R> {
    type Item = Result<LogRecord, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let record = self.read().transpose();
        self.done = !matches!(record, Some(Ok(_)));
        record
    }
}

/// The records of a log: a file, or all segments of a folder in order.
pub struct LogReader {
    /// Segments to come, the next one last.
    rest: Vec<(u32, PathBuf)>,
    segment: SegmentReader,
    truncated: Option<Truncated>,
    done: bool,
}

impl LogReader {
    /// Opens a log.
    ///
    /// # Errors
    /// Where it cannot be read, is no log, of another version, or lacks a segment.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let mut rest = if path.is_dir() { segments(path)? } else { vec![(0, path.to_owned())] };
        rest.reverse();
        let Some((number, file)) = rest.pop() else {
            let (folder, found) = (path.to_owned(), "no segment".to_owned());
            return Err(LogError::Segments { folder, found, expected: name(0) });
        };
        let segment = SegmentReader::numbered(&file, number)?;
        Ok(Self { rest, segment, truncated: None, done: false })
    }

    /// The torn tail that was left out, once the last record has been read.
    #[must_use]
    pub const fn truncated(&self) -> Option<Truncated> {
        self.truncated
    }

    fn read(&mut self) -> Result<Option<LogRecord>, LogError> {
        loop {
            if let Some(record) = self.segment.next().transpose()? {
                return Ok(Some(record));
            }
            let torn = self.segment.truncated();
            let Some((number, file)) = self.rest.pop() else {
                self.truncated = torn;
                return Ok(None);
            };
            if let Some(Truncated { offset, .. }) = torn {
                let found = "a record cut off, with another segment after it".to_owned();
                return Err(LogError::Damaged { file: self.segment.file.clone(), offset, found });
            }
            self.segment = SegmentReader::numbered(&file, number)?;
        }
    }
}

impl Iterator for LogReader {
    type Item = Result<LogRecord, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let record = self.read().transpose();
        self.done = !matches!(record, Some(Ok(_)));
        record
    }
}

/// The files of a log in a folder, the oldest first.
///
/// # Errors
/// Where the folder cannot be read, or lacks a segment in between.
pub fn segment_files(folder: &Path) -> Result<Vec<PathBuf>, LogError> {
    Ok(segments(folder)?.into_iter().map(|(_, file)| file).collect())
}

/// The segments of a folder by number. Old ones may have been removed; none may be missing in between.
pub(super) fn segments(folder: &Path) -> Result<Vec<(u32, PathBuf)>, LogError> {
    let failed = |source| LogError::Io { file: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let stem = path.extension().filter(|&extension| extension == "log").and_then(|_| path.file_stem());
        let number = stem.and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) = number.filter(|&number| path.ends_with(name(number))) {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    for pair in found.windows(2) {
        if pair[0].0 + 1 != pair[1].0 {
            let (folder, found) =
                (folder.to_owned(), format!("{} after {}", name(pair[1].0), name(pair[0].0)));
            return Err(LogError::Segments { folder, found, expected: name(pair[0].0 + 1) });
        }
    }
    Ok(found)
}

/// Reads until `bytes` is full or the end is reached.
fn fill(reader: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<usize> {
    let mut len = 0;
    while len < bytes.len() {
        match reader.read(&mut bytes[len..]) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}
