//! Files beside a run: CSV with exact times, JSON. Each is written under a temporary name in the same folder and renamed
//! when whole. Names with commas, quotes or line breaks are quoted as in RFC 4180; a missing value is an empty
//! field; times are seconds with nine decimals, printed from integers.
//!
//! Left out: what is in the summary, and figures that a reader computes from rows (but for the three latencies). What the columns mean stands in
//! [`tables`](crate::tables); [`frames`](crate::frames) makes Parquet of the files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use control::units::{Instant, Nanos};

use crate::tables::Table;

pub use events::EventsCsv;
pub use hosts::write_hosts;
pub use perfetto::PerfettoJson;
pub use requests::RequestsCsv;
pub use residency::ResidencyCsv;
pub use timeline::TimelineCsv;
pub use traffic::write_traffic;

mod events;
mod hosts;
mod perfetto;
mod requests;
mod residency;
mod timeline;
mod traffic;

/// A file of a run could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}: {source}", path.display())]
pub struct WriteError {
    /// The file that was meant.
    pub path: PathBuf,
    /// What was tried.
    pub what: &'static str,
    /// What the system answered.
    pub source: io::Error,
}

pub(crate) fn failed(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> WriteError {
    move |source| WriteError { path: path.to_owned(), what, source }
}

/// Writes a whole file: a temporary name beside `path`, then a rename. Whoever reads `path` sees all or nothing of it.
///
/// # Errors
/// Where the folder does not exist or cannot be written; no temporary file is left then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    traces::atomic::write(path, bytes).map_err(failed(path, "cannot write"))
}

fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

/// A file of rows, written as they come. Only whole rows reach the file; it gets its name when it is finished or
/// dropped, so that a run that stops early leaves what is whole.
#[derive(Debug)]
struct RowFile {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    rows: String,
    whole_bytes: u64,
    open: bool,
}

const BUFFER_BYTES: usize = 1 << 16;

impl RowFile {
    /// Begins the file of a table in the folder `dir`, which must exist.
    fn create(dir: &Path, table: &Table) -> Result<Self, WriteError> {
        Self::create_with(dir, table, |_| true)
    }

    /// The same with those columns only that `with` wants.
    fn create_with(dir: &Path, table: &Table, with: impl Fn(&str) -> bool) -> Result<Self, WriteError> {
        Self::begin(dir.join(table.file), &table.header(with))
    }

    fn begin(path: PathBuf, first_line: &str) -> Result<Self, WriteError> {
        let temporary = temporary_name(&path);
        let file = File::create(&temporary).map_err(failed(&path, "cannot create"))?;
        let mut rows = String::with_capacity(BUFFER_BYTES + 1_024);
        rows.push_str(first_line);
        rows.push('\n');
        Ok(Self { path, temporary, file, rows, whole_bytes: 0, open: true })
    }

    /// Lets `row` append one row without its line feed.
    fn row(&mut self, row: impl FnOnce(&mut Row<'_>)) -> Result<(), WriteError> {
        let mut fields = Row { text: &mut self.rows, first: true };
        row(&mut fields);
        self.rows.push('\n');
        if self.rows.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let written = self.file.write_all(self.rows.as_bytes());
        if let Err(error) = written {
            // Part of a row may be in the file: cut it off; if even that fails, the error below says so all the same.
            let _the_first_error_is_told = self.file.set_len(self.whole_bytes);
            self.rows.clear();
            return Err(failed(&self.path, "cannot write")(error));
        }
        self.whole_bytes += self.rows.len() as u64;
        self.rows.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<PathBuf, WriteError> {
        self.close()?;
        Ok(self.path.clone())
    }

    fn close(&mut self) -> Result<(), WriteError> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        let flushed = self.flush();
        let named = fs::rename(&self.temporary, &self.path);
        flushed.and(named.map_err(failed(&self.path, "cannot give the file its name")))
    }
}

impl Drop for RowFile {
    fn drop(&mut self) {
        // Nobody is left to tell; whoever wants the error calls `finish`.
        let _ = self.close();
    }
}

/// The fields of a row, appended in order.
struct Row<'a> {
    text: &'a mut String,
    first: bool,
}

impl Row<'_> {
    fn separate(&mut self) -> &mut String {
        if !std::mem::take(&mut self.first) {
            self.text.push(',');
        }
        self.text
    }

    fn integer(&mut self, value: impl Into<u64>) -> &mut Self {
        push_integer(self.separate(), value.into());
        self
    }

    fn optional(&mut self, value: Option<u64>) -> &mut Self {
        let text = self.separate();
        if let Some(value) = value {
            push_integer(text, value);
        }
        self
    }

    fn signed(&mut self, value: i64) -> &mut Self {
        let text = self.separate();
        if value < 0 {
            text.push('-');
        }
        push_integer(text, value.unsigned_abs());
        self
    }

    fn seconds(&mut self, nanos: u64) -> &mut Self {
        push_seconds(self.separate(), nanos);
        self
    }

    fn instant(&mut self, at: Option<Instant>) -> &mut Self {
        self.span(at.map(|at| Nanos(at.0)))
    }

    fn span(&mut self, span: Option<Nanos>) -> &mut Self {
        let text = self.separate();
        if let Some(span) = span {
            push_seconds(text, span.0);
        }
        self
    }

    /// Text without a comma, quote or line break.
    fn word(&mut self, word: &str) -> &mut Self {
        self.separate().push_str(word);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        let to = self.separate();
        if text.contains([',', '"', '\n', '\r']) {
            to.push('"');
            to.push_str(&text.replace('"', "\"\""));
            to.push('"');
        } else {
            to.push_str(text);
        }
        self
    }
}

fn push_integer(text: &mut String, value: u64) {
    let mut digits = [b'0'; 20];
    push_digits(text, value, &mut digits, 1);
}

fn push_seconds(text: &mut String, nanos: u64) {
    let mut digits = [b'0'; 20];
    push_digits(text, nanos / 1_000_000_000, &mut digits, 1);
    text.push('.');
    push_digits(text, nanos % 1_000_000_000, &mut [b'0'; 20], 9);
}

/// Appends `value` in decimal with at least `width` digits; `digits` is all `'0'`.
fn push_digits(text: &mut String, mut value: u64, digits: &mut [u8; 20], width: usize) {
    let mut from = digits.len();
    while value > 0 {
        from -= 1;
        digits[from] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    let from = from.min(digits.len() - width);
    text.push_str(str::from_utf8(&digits[from..]).expect("digits are ASCII"));
}

#[cfg(test)]
mod tests;
