//! What must outlive a restart, as small JSON files in a folder of its own: what operators changed, and what keys have
//! used. Each is written beside its place, forced to the disk, and renamed over what was there: so there is always
//! a whole one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A file of the state that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refuses.
    #[error("state: {}: {source}", file.display())]
    System {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not hold what was written there.
    #[error("state: {}: {source}; remove the file to go on without what it held", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where it is wrong.
        source: serde_json::Error,
    },
}

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct StateFolder(PathBuf);

impl StateFolder {
    /// Makes it where it is not there.
    pub(super) fn open(folder: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(folder)
            .map_err(|source| StateError::System { file: folder.to_owned(), source })?;
        Ok(Self(folder.to_owned()))
    }

    /// What was written under a name; `None` where nothing was.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let file = self.0.join(name);
        let bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::System { file, source }),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| StateError::Damaged { file, source })
    }

    /// Writes it; on the disk when this returns. Blocks.
    pub(super) fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StateError> {
        let file = self.0.join(name);
        let failed = |source| StateError::System { file: file.clone(), source };
        let bytes = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
        let beside = self.0.join(format!("{name}.tmp"));
        let mut new = File::create(&beside).map_err(failed)?;
        new.write_all(&bytes).and_then(|()| new.sync_all()).map_err(failed)?;
        fs::rename(&beside, &file).map_err(failed)?;
        // The new name is on the disk once the folder is.
        File::open(&self.0).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_damage_is_told_by_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateFolder::open(&folder.path().join("state")).expect("a folder");
        assert_eq!(state.read::<Vec<u32>>("a.json").expect("readable"), None);
        state.write("a.json", &[1, 2]).expect("written");
        state.write("a.json", &[3]).expect("written");
        assert_eq!(state.read("a.json").expect("readable"), Some(vec![3]));
        fs::write(folder.path().join("state/a.json"), "[3").expect("written");
        let error = state.read::<Vec<u32>>("a.json").expect_err("damaged").to_string();
        assert!(error.contains("a.json: EOF while parsing a list at line 1"), "{error}");
    }
}
