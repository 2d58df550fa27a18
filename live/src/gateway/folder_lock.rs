//! Keeps a second gateway out of a folder: two that write to one would overwrite each other's state and mix their logs.
//!
//! The lock is the system's, on a file in the folder: it ends with the process, however that ends, and the file that stays
//! means nothing by itself.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another gateway has it.
    #[error(
        "{key}: found {}, with which another herder serves; expected a folder of its own for each",
        folder.display()
    )]
    InUse {
        /// The key of the config that names it.
        key: &'static str,
        /// The folder.
        folder: PathBuf,
    },
    /// The system refuses.
    #[error("{key}: {}: {source}", file.display())]
    System {
        /// The key of the config that names it.
        key: &'static str,
        /// The folder, or the file in it that is locked.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A folder that is ours as long as this lives.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Makes the folder where it is not there, and locks the file `name` in it. `key` is the one of the config that names
    /// the folder.
    pub(super) fn take(key: &'static str, folder: &Path, name: &str) -> Result<Self, FolderError> {
        let failed = |file: &Path, source| FolderError::System { key, file: file.to_owned(), source };
        fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
        let path = folder.join(name);
        let opened = File::options().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(|source| failed(&path, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FolderError::InUse { key, folder: folder.to_owned() });
            }
            // Some file systems know no locks; herder served from them before there were any.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!(folder = %folder.display(), "the folder cannot be locked: see that no other herder uses it");
            }
            Err(TryLockError::Error(source)) => return Err(failed(&path, source)),
        }
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_had_by_one_at_a_time_and_is_free_once_that_has_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("state");
        let take = || FolderLock::take("serve.state_dir", &folder, "state.lock");
        let first = take().expect("nobody has it");
        let error = take().expect_err("the first has it").to_string();
        assert!(
            error.starts_with("serve.state_dir: found ") && error.contains("another herder serves"),
            "{error}"
        );
        FolderLock::take("serve.log_dir", &folder, "log.lock").expect("one folder can be both");
        drop(first);
        take().expect("it is free again");
    }
}
