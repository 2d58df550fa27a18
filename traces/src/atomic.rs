//! Files that appear whole or not at all: written beside their place, then renamed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Temporary names tried before giving up.
const ATTEMPTS_MAX: u32 = 100;

/// A file under a temporary name beside its target. Without [`AtomicFile::commit`] it is removed.
#[derive(Debug)]
pub struct AtomicFile {
    target: PathBuf,
    temporary: PathBuf,
    /// `None` once committed.
    writer: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Begins a file that will be at `target`.
    ///
    /// # Errors
    /// Where `target` names no file, or its folder cannot be written.
    pub fn create(target: &Path) -> io::Result<Self> {
        let no_file = || io::Error::new(io::ErrorKind::InvalidInput, "expected the path of a file");
        let name = target.file_name().ok_or_else(no_file)?;
        let mut attempt = 0;
        loop {
            let mut temporary_name = OsString::from(".");
            temporary_name.push(name);
            temporary_name.push(format!(".{}-{attempt}.tmp", std::process::id()));
            let temporary = target.with_file_name(temporary_name);
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(file) => {
                    let writer = Some(BufWriter::new(file));
                    return Ok(Self { target: target.to_owned(), temporary, writer });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS_MAX => {
                    attempt += 1
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes what is buffered and gives the file its name, replacing what had it.
    ///
    /// # Errors
    /// Where writing or renaming fails; the target is then as it was.
    pub fn commit(mut self) -> io::Result<()> {
        let writer = self.writer.take().expect("a file is committed once");
        let outcome = writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&self.temporary, &self.target));
        if outcome.is_err() {
            // What matters is the first error; a temporary file that stays is harmless.
            let _ = fs::remove_file(&self.temporary);
        }
        outcome
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.as_mut().expect("a committed file is gone").write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().expect("a committed file is gone").flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.writer.is_some() {
            // Nobody hears of an error here, and a temporary file that stays is harmless.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Writes a whole file at once.
///
/// # Errors
/// As [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn write(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(target)?;
    file.write_all(bytes)?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder is there");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_at_its_commit_and_replaces_the_old_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a.csv");
        write(&target, b"old").expect("it is written");
        let mut file = AtomicFile::create(&target).expect("it is created");
        file.write_all(b"new").expect("it is written");
        file.flush().expect("it is flushed");
        assert_eq!(fs::read(&target).expect("it is there"), b"old");
        file.commit().expect("it is renamed");
        assert_eq!(fs::read(&target).expect("it is there"), b"new");
        assert_eq!(names(folder.path()), ["a.csv"]);
    }

    #[test]
    fn a_file_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = AtomicFile::create(&folder.path().join("a")).expect("it is created");
        let second = AtomicFile::create(&folder.path().join("a")).expect("under another temporary name");
        assert_eq!(names(folder.path()).len(), 2);
        drop((first, second));
        assert_eq!(names(folder.path()), Vec::<String>::new());
        assert!(AtomicFile::create(&folder.path().join("no/such/folder")).is_err());
        assert!(AtomicFile::create(Path::new("/")).is_err());
    }
}
