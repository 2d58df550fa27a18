//! The part of a sweep that one process runs, and the file in which it keeps what it has run.
//!
//! Cells are appended to a journal as they end, each with a checksum: whatever ends the process, what stands there whole is kept, and a line that
//! was being written is cut off. When all cells are there they are put in order, under a name of their own.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use traces::atomic::AtomicFile;

/// The folder of shards.
pub const FOLDER: &str = "shards";

/// Hexadecimal digits of a line's checksum.
const CHECK_DIGITS: usize = 8;

/// One of so many equal parts: every `of`-th cell, from the `index`-th on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    /// Which one, from 1.
    pub index: u32,
    /// Of how many; at least 1.
    pub of: u32,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { index: 1, of: 1 };

    /// Those of which a folder has files, in order.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn found(folder: &Path) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder.join(FOLDER)).into_iter().flatten() {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let stem = name.strip_suffix(".csv").or_else(|| name.strip_suffix(".journal"));
            found.extend(stem.and_then(|stem| stem.replacen("-of-", "/", 1).parse::<Self>().ok()));
        }
        found.sort_unstable_by_key(|shard| (shard.of, shard.index));
        found.dedup();
        Ok(found)
    }

    /// Its cells.
    pub fn cells(self, cells: u64) -> impl Iterator<Item = u64> {
        (u64::from(self.index) - 1..cells).step_by(self.of as usize)
    }

    fn journal(self, folder: &Path) -> PathBuf {
        folder.join(FOLDER).join(format!("{}-of-{}.journal", self.index, self.of))
    }

    /// Where its cells are in order, once all are there.
    #[must_use]
    pub fn whole(self, folder: &Path) -> PathBuf {
        folder.join(FOLDER).join(format!("{}-of-{}.csv", self.index, self.of))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err(format!("found {text:?}, expected I/N, such as 2/4, with I from 1 to N")),
        }
    }
}

/// What stands at the head of a shard's files.
pub(crate) fn head(id: &str, shard: Shard) -> String {
    format!("# herder sweep {id} shard {shard}\n")
}

/// Cell, place and length of a line without its checksum.
type Line = (u64, u64, u32);

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    shard: Shard,
    head: String,
    file: File,
    lines: Vec<Line>,
    len: u64,
}

impl Journal {
    /// Opens a shard's journal, or begins one; a line that is not whole is cut off. Nothing where the shard is complete already.
    ///
    /// # Errors
    /// Where it belongs to another sweep, another process writes it, or it cannot be read.
    pub fn open(folder: &Path, id: &str, shard: Shard) -> Result<Option<Self>> {
        let head = head(id, shard);
        let whole = shard.whole(folder);
        if whole.exists() {
            check_head(&whole, &head)?;
            return Ok(None);
        }
        let path = shard.journal(folder);
        let told = || format!("cannot open {}", path.display());
        fs::create_dir_all(folder.join(FOLDER)).with_context(told)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(told)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("{}: another process runs shard {shard}; expected each to have its own", path.display())
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(told),
        }
        let (lines, len) = read(&file, &path, &head)?;
        file.set_len(len).with_context(told)?;
        file.seek(SeekFrom::Start(len)).with_context(told)?;
        let mut journal = Self { folder: folder.to_owned(), shard, head, file, lines, len };
        if len == 0 {
            let head = journal.head.clone();
            journal.put(head.as_bytes())?;
        }
        Ok(Some(journal))
    }

    /// How many cells a shard's journal has, whoever writes it; nothing where the shard has none, since it is complete.
    ///
    /// # Errors
    /// Where it belongs to another sweep or cannot be read.
    pub fn done_in(folder: &Path, id: &str, shard: Shard) -> Result<Option<usize>> {
        let path = shard.journal(folder);
        if shard.whole(folder).exists() {
            return Ok(None);
        }
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Some(read(&file, &path, &head(id, shard))?.0.len()))
    }

    /// The cells that are there.
    pub fn done(&self) -> impl Iterator<Item = u64> {
        self.lines.iter().map(|(cell, ..)| *cell)
    }

    /// Adds a cell.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn add(&mut self, cell: u64, row: &[u8]) -> Result<()> {
        let mut line = check(row).into_bytes();
        line.push(b' ');
        let place = self.len + line.len() as u64;
        line.extend_from_slice(row);
        self.put(&line)?;
        self.lines.push((cell, place, row.len() as u32));
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        // One call a line, without a buffer: what was written outlives the process.
        self.file
            .write_all(bytes)
            .with_context(|| format!("cannot write shard {} of the sweep", self.shard))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Puts all cells in order under the shard's name, and removes the journal.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub fn finish(mut self) -> Result<()> {
        let (path, journal) = (self.shard.whole(&self.folder), self.shard.journal(&self.folder));
        let told = || format!("cannot write {}", path.display());
        self.lines.sort_unstable();
        let mut whole = AtomicFile::create(&path).with_context(told)?;
        whole.write_all(self.head.as_bytes()).with_context(told)?;
        let mut row = Vec::new();
        for (_, place, len) in &self.lines {
            row.resize(*len as usize, 0);
            self.file.seek(SeekFrom::Start(*place)).with_context(told)?;
            self.file.read_exact(&mut row).with_context(told)?;
            whole.write_all(&row).with_context(told)?;
        }
        whole.commit().with_context(told)?;
        fs::remove_file(&journal).with_context(|| format!("cannot remove {}", journal.display()))
    }
}

/// The whole lines of a journal, and how far they go.
fn read(file: &File, path: &Path, head: &str) -> Result<(Vec<Line>, u64)> {
    let mut reader = BufReader::new(file);
    let told = || format!("cannot read {}", path.display());
    let mut line = Vec::new();
    let first = reader.read_until(b'\n', &mut line).with_context(told)?;
    if line != head.as_bytes() {
        if head.as_bytes().starts_with(&line) {
            // Ended while its head was being written, or new.
            return Ok((Vec::new(), 0));
        }
        return Err(foreign(path, &line, head));
    }
    let (mut lines, mut len) = (Vec::new(), first as u64);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).with_context(told)?;
        let Some((cell, row_len)) = whole(&line) else { return Ok((lines, len)) };
        lines.push((cell, len + (CHECK_DIGITS + 1) as u64, row_len));
        len += read as u64;
    }
}

/// The cell of a line of a journal and its length without the checksum, where the line is whole.
fn whole(line: &[u8]) -> Option<(u64, u32)> {
    let (sum, row) = line.split_at_checked(CHECK_DIGITS)?;
    let row = row.strip_prefix(b" ")?;
    let cell = std::str::from_utf8(row.split(|byte| *byte == b',').next()?).ok()?.parse().ok()?;
    (row.ends_with(b"\n") && sum == check(row).as_bytes()).then_some((cell, row.len() as u32))
}

fn check(row: &[u8]) -> String {
    blake3::hash(row).to_hex()[..CHECK_DIGITS].to_owned()
}

/// Checks that a file's first line is a shard's head.
pub(crate) fn check_head(path: &Path, head: &str) -> Result<BufReader<File>> {
    let told = || format!("cannot read {}", path.display());
    let mut reader = BufReader::new(File::open(path).with_context(told)?);
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).with_context(told)?;
    if line == head.as_bytes() { Ok(reader) } else { Err(foreign(path, &line, head)) }
}

fn foreign(path: &Path, line: &[u8], head: &str) -> anyhow::Error {
    let found = String::from_utf8_lossy(&line[..line.len().min(80)]).trim_end().to_owned();
    anyhow!(
        "{}:1:1: found {found:?}, expected {:?}: it belongs to another sweep",
        path.display(),
        head.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_take_turns_and_together_are_all() {
        let of = |text: &str| text.parse::<Shard>().unwrap().cells(10).collect::<Vec<_>>();
        assert_eq!(of("1/3"), [0, 3, 6, 9]);
        assert_eq!(of("3/3"), [2, 5, 8]);
        assert_eq!(Shard::WHOLE.cells(3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(Shard { index: 12, of: 12 }.cells(10).count(), 0);
        for wrong in ["", "1", "0/3", "4/3", "1/0", "a/b", "-1/3"] {
            let expected = format!("found {wrong:?}, expected I/N, such as 2/4, with I from 1 to N");
            assert_eq!(wrong.parse::<Shard>(), Err(expected));
        }
    }

    /// Whatever length of the journal reached the disk, what is whole in it is kept and the rest can be added again.
    #[test]
    fn journal_cut_anywhere_loses_only_the_line_that_was_being_written() {
        let shard = Shard { index: 2, of: 4 };
        let rows: Vec<(u64, String)> =
            (0..5).map(|at| (9 - at, format!("{},\"x,y\",{at}.5\n", 9 - at))).collect();
        let write = |folder: &Path, from: usize| {
            let mut journal = Journal::open(folder, "0123", shard).unwrap().unwrap();
            assert_eq!(
                journal.done().collect::<Vec<_>>(),
                rows[..from].iter().map(|row| row.0).collect::<Vec<_>>()
            );
            rows[from..].iter().for_each(|(cell, row)| journal.add(*cell, row.as_bytes()).unwrap());
            journal
        };
        let folder = tempfile::tempdir().unwrap();
        drop(write(folder.path(), 0));
        let path = shard.journal(folder.path());
        let bytes = fs::read(&path).unwrap();
        let mut ends: Vec<usize> =
            (0..bytes.len()).filter(|at| bytes[*at] == b'\n').map(|at| at + 1).collect();
        ends.remove(0);
        for cut in 0..=bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let kept = ends.iter().filter(|end| **end <= cut).count();
            drop(write(folder.path(), kept));
            assert_eq!(fs::read(&path).unwrap(), bytes, "cut at {cut}");
        }
        let mut damaged = bytes.clone();
        damaged[ends[1] + 12] ^= 1;
        fs::write(&path, damaged).unwrap();
        write(folder.path(), 2).finish().unwrap();
        assert!(!path.exists());
        let whole = fs::read_to_string(shard.whole(folder.path())).unwrap();
        let sorted: String = rows.iter().rev().map(|row| row.1.as_str()).collect();
        assert_eq!(whole, format!("# herder sweep 0123 shard 2/4\n{sorted}"));
        assert!(Journal::open(folder.path(), "0123", shard).unwrap().is_none(), "it is complete");
    }

    #[test]
    fn journal_of_another_sweep_or_process_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = Journal::open(folder.path(), "aaaa", Shard::WHOLE).unwrap().unwrap();
        let busy = Journal::open(folder.path(), "aaaa", Shard::WHOLE).unwrap_err().to_string();
        assert!(busy.contains("another process runs shard 1/1"), "{busy}");
        drop(first);
        let other = Journal::open(folder.path(), "bbbb", Shard::WHOLE).unwrap_err().to_string();
        assert!(other.contains(":1:1: found \"# herder sweep aaaa shard 1/1\""), "{other}");
    }
}
