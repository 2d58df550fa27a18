//! `events.csv`: a row for each event, in order of time.

use std::path::{Path, PathBuf};

use super::{RowFile, WriteError};
use crate::events::Event;
use crate::tables::EVENTS;

/// Writes `events.csv`.
#[derive(Debug)]
pub struct EventsCsv {
    file: RowFile,
}

impl EventsCsv {
    /// Begins `events.csv` in the folder `dir`, which must exist.
    ///
    /// # Errors
    /// Where no file can be created there.
    pub fn create(dir: &Path) -> Result<Self, WriteError> {
        Ok(Self { file: RowFile::create(dir, &EVENTS)? })
    }

    /// Appends an event.
    ///
    /// # Errors
    /// Where the disk takes no more; the file then ends after its last whole row.
    pub fn write(&mut self, event: &Event) -> Result<(), WriteError> {
        self.file.row(|row| {
            row.seconds(event.at.0).word(event.kind).text(&event.text);
        })
    }

    /// Writes what is buffered and gives the file its name, which is returned. Dropping does the same, without a word
    /// where it fails.
    ///
    /// # Errors
    /// Where the disk takes no more; whole rows are kept.
    pub fn finish(self) -> Result<PathBuf, WriteError> {
        self.file.finish()
    }
}
