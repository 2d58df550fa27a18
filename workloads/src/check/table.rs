//! Reads a text file of lengths: one row a line, numbers apart by a comma or blanks. A first line without a digit is
//! taken as a heading; empty lines and lines that open with `#` are left out.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::{TOKENS_MAX, WorkloadError};

/// Most rows that are read.
const ROWS_MAX: usize = 10_000_000;
/// Longest line in bytes.
const LINE_BYTES_MAX: u64 = 1_024;

/// Rows of `N` numbers, each 1 to [`TOKENS_MAX`]; at least one row.
pub(super) fn read<const N: usize>(key: &str, path: &Path) -> Result<Vec<[u32; N]>, WorkloadError> {
    let io = |source| WorkloadError::Io { key: key.to_owned(), file: path.to_owned(), source };
    let mut input = BufReader::new(File::open(path).map_err(io)?);
    let mut rows = Vec::new();
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        if input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(io)? == 0 {
            break;
        }
        number += 1;
        let wrong = |column: usize, found: String, expected: String| WorkloadError::Line {
            key: key.to_owned(),
            file: path.to_owned(),
            line: number,
            column,
            found,
            expected,
        };
        if line.len() as u64 == LINE_BYTES_MAX && line.last() != Some(&b'\n') {
            let found = format!("a line of more than {LINE_BYTES_MAX} bytes");
            return Err(wrong(1, found, format!("{N} numbers")));
        }
        let Ok(text) = std::str::from_utf8(&line) else {
            return Err(wrong(1, "bytes that are not UTF-8".into(), format!("{N} numbers")));
        };
        let trimmed = text.trim();
        let is_heading = number == 1 && !trimmed.bytes().any(|byte| byte.is_ascii_digit());
        if trimmed.is_empty() || trimmed.starts_with('#') || is_heading {
            continue;
        }
        if rows.len() == ROWS_MAX {
            return Err(wrong(1, "one more row".into(), format!("at most {ROWS_MAX} rows")));
        }
        rows.push(row(text).map_err(|(column, found)| {
            wrong(column, found, format!("{N} whole numbers from 1 to {TOKENS_MAX}"))
        })?);
    }
    if rows.is_empty() {
        let found = format!("{} without a row", path.display());
        return Err(WorkloadError::value(key, found, "a file with at least one row"));
    }
    Ok(rows)
}

/// The numbers of a line, or the column (from 1) of what is wrong, and what stands there.
fn row<const N: usize>(text: &str) -> Result<[u32; N], (usize, String)> {
    let mut numbers = [0; N];
    let mut len = 0;
    let mut column = 1;
    for part in text.split([',', ' ', '\t', '\r', '\n']) {
        if !part.is_empty() {
            let value = part.parse().ok().filter(|tokens| (1..=TOKENS_MAX).contains(tokens));
            let (Some(value), true) = (value, len < N) else {
                return Err((column, format!("{part:?}")));
            };
            numbers[len] = value;
            len += 1;
        }
        column += part.len() + 1;
    }
    if len < N {
        return Err((text.trim_end().len() + 1, format!("{len} of {N} numbers")));
    }
    Ok(numbers)
}
