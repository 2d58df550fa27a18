//! Appending to a log.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::frame::{FRAME_BYTES, HEADER_BYTES, MAGIC, frame};
use super::reader::{SegmentReader, segments};
use super::{FORMAT_VERSION, LogError};
use crate::limits::LOG_RECORD_BYTES_MAX;

/// When a new segment begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rotation {
    /// Before a record that would take the segment beyond this many bytes (unless it is the segment's first).
    AtBytes(u64),
    /// When the caller says so ([`LogWriter::rotate`]), for instance to open each segment with a snapshot.
    ByCaller,
}

/// Where a record was put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Number of the segment.
    pub segment: u32,
    /// Byte at which the record begins.
    pub offset: u64,
}

/// A log being written. Bytes are buffered: they are the system's after [`LogWriter::flush`], and on the disk after
/// [`LogWriter::sync`]; which of them, and how often, is the caller's choice. Dropping it flushes, but hides errors.
#[derive(Debug)]
pub struct LogWriter {
    folder: PathBuf,
    rotation: Rotation,
    segment: u32,
    file: BufWriter<File>,
    bytes: u64,
}

impl LogWriter {
    /// Opens a log in a folder, which is made if absent. A new segment begins after those that are there; a torn tail
    /// of the last one is cut off first, unless it is of another format version.
    ///
    /// # Errors
    /// Where the folder cannot be written, or holds a damaged log.
    pub fn open(folder: &Path, rotation: Rotation) -> Result<Self, LogError> {
        fs::create_dir_all(folder).map_err(|source| LogError::Io { file: folder.to_owned(), source })?;
        let known = segments(folder)?;
        let segment = match known.last() {
            None => 0,
            Some((number, file)) => {
                repair(file)?;
                number + 1
            }
        };
        let (file, bytes) = begin(folder, segment)?;
        Ok(Self { folder: folder.to_owned(), rotation, segment, file, bytes })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// Where the payload is too long, or the file cannot be written.
    pub fn append(&mut self, kind: u8, payload: &[u8]) -> Result<Place, LogError> {
        if payload.len() > LOG_RECORD_BYTES_MAX {
            return Err(LogError::TooLong { bytes: payload.len(), limit: LOG_RECORD_BYTES_MAX });
        }
        let length = (FRAME_BYTES + payload.len()) as u64;
        if let Rotation::AtBytes(limit) = self.rotation
            && self.bytes > HEADER_BYTES as u64
            && self.bytes + length > limit
        {
            self.rotate()?;
        }
        let place = Place { segment: self.segment, offset: self.bytes };
        let written = self.file.write_all(&frame(kind, payload)).and_then(|()| self.file.write_all(payload));
        written.map_err(|source| self.failed(source))?;
        self.bytes += length;
        Ok(place)
    }

    /// Bytes of the segment so far.
    #[must_use]
    pub const fn segment_bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the segment, on the disk, and begins the next.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn rotate(&mut self) -> Result<(), LogError> {
        self.sync()?;
        let next = self.segment + 1;
        let (file, bytes) = begin(&self.folder, next)?;
        self.segment = next;
        self.file = file;
        self.bytes = bytes;
        Ok(())
    }

    /// Removes the oldest segments while all together have more than `bytes_max`; never the one being written. Gives their
    /// number.
    ///
    /// # Errors
    /// Where the folder cannot be read, or a file not be removed.
    pub fn retain(&mut self, bytes_max: u64) -> Result<u32, LogError> {
        let mut known = Vec::new();
        for (number, file) in segments(&self.folder)? {
            let size =
                fs::metadata(&file).map_err(|source| LogError::Io { file: file.clone(), source })?.len();
            known.push((number, file, size));
        }
        let mut bytes: u64 = known.iter().map(|known| known.2).sum();
        let mut removed = 0;
        for (number, file, size) in known {
            if bytes <= bytes_max || number == self.segment {
                break;
            }
            fs::remove_file(&file).map_err(|source| LogError::Io { file, source })?;
            bytes -= size;
            removed += 1;
        }
        Ok(removed)
    }

    /// Hands what is buffered to the system: it survives a crash of the program.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn flush(&mut self) -> Result<(), LogError> {
        self.file.flush().map_err(|source| self.failed(source))
    }

    /// Brings what was appended to the disk: it survives a crash of the machine.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.flush()?;
        self.file.get_ref().sync_data().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: std::io::Error) -> LogError {
        LogError::Io { file: self.folder.join(name(self.segment)), source }
    }
}

/// The file name of a segment.
pub(super) fn name(segment: u32) -> String {
    format!("{segment:06}.log")
}

fn begin(folder: &Path, segment: u32) -> Result<(BufWriter<File>, u64), LogError> {
    let path = folder.join(name(segment));
    let failed = |source| LogError::Io { file: path.clone(), source };
    let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
    let mut file = BufWriter::new(file);
    file.write_all(&MAGIC).map_err(failed)?;
    file.write_all(&FORMAT_VERSION.to_le_bytes()).map_err(failed)?;
    // Names in a folder are its own to keep: without this a crash could lose the segment with all its records.
    File::open(folder)
        .and_then(|opened| opened.sync_all())
        .map_err(|source| LogError::Io { file: folder.to_owned(), source })?;
    Ok((file, HEADER_BYTES as u64))
}

/// Cuts a torn tail off a segment; one torn within its header becomes an empty segment.
fn repair(path: &Path) -> Result<(), LogError> {
    let mut reader = match SegmentReader::open(path) {
        // Another version of the program wrote it: it stays as it is.
        Err(LogError::Version { .. }) => return Ok(()),
        reader => reader?,
    };
    while reader.next().transpose()?.is_some() {}
    let Some(torn) = reader.truncated() else { return Ok(()) };
    let failed = |source| LogError::Io { file: path.to_owned(), source };
    let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    file.set_len(torn.offset).map_err(failed)?;
    if torn.offset < HEADER_BYTES as u64 {
        file.write_all(&MAGIC).map_err(failed)?;
        file.write_all(&FORMAT_VERSION.to_le_bytes()).map_err(failed)?;
    }
    file.sync_all().map_err(failed)
}
