//! Parquet beside each file of rows: the same rows with typed columns, for pandas, polars, DuckDB and their like. Built with the feature `frames` only,
//! since polars takes long to compile.
//!
//! Rows pass in groups, so a file larger than memory is no trouble. The same CSV gives the same bytes, with any number of threads.

use std::path::{Path, PathBuf};

use crate::tables::{Holds, Table};

#[cfg(feature = "frames")]
mod rows;

/// Whether this program can write Parquet.
pub const AVAILABLE: bool = cfg!(feature = "frames");

/// What a program that cannot write Parquet says where somebody may expect it.
pub const HINT: &str =
    "no Parquet: this herder was built without it (cargo build --release --features frames)";

/// A Parquet file could not be made of a CSV file.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A field is not what its column holds.
    #[error("{}:{line}: column {column} ({name}): found {found:?}, expected {expected}", path.display())]
    Field {
        /// The CSV file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// The column's name.
        name: String,
        /// What stands there.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The CSV file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The CSV file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The Parquet file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The Parquet file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Makes Parquet of those of the tables that the folder has.
///
/// # Errors
/// As [`write()`].
pub fn write_tables(folder: &Path, tables: &[Table]) -> Result<(), FrameError> {
    for table in tables {
        let csv = folder.join(table.file);
        if csv.is_file() {
            write(&csv, |name| table.holds(name))?;
        }
    }
    Ok(())
}

/// Makes `NAME.parquet` of `NAME.csv` in the same folder; `holds` says what a column holds, and nothing of one that should not be there. Without the
/// feature `frames` nothing is made, and a file that an earlier run left is removed, since the rows beside it are others now.
///
/// # Errors
/// Where one cannot be read or the other not written; what had the name before is left as it was.
pub fn write(csv: &Path, holds: impl Fn(&str) -> Option<Holds>) -> Result<(), FrameError> {
    let parquet = csv.with_extension("parquet");
    #[cfg(feature = "frames")]
    return rows::write(csv, &parquet, holds);
    #[cfg(not(feature = "frames"))]
    {
        let _there_are_no_types_to_give = holds;
        match std::fs::remove_file(&parquet) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(FrameError::Write { path: parquet, source: error.into() })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(all(test, feature = "frames"))]
mod tests;
