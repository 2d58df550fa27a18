//! The fits: one file for each kind of measurement, and what they share.

#[path = "fits/a100.rs"]
mod a100;
#[path = "fits/aiconfigurator.rs"]
mod aiconfigurator;
#[path = "fits/attention.rs"]
mod attention;
#[path = "fits/cpu.rs"]
mod cpu;
#[path = "fits/derive.rs"]
mod derive;
#[path = "fits/kernels.rs"]
mod kernels;
#[path = "fits/llama_cpp.rs"]
mod llama_cpp;
#[path = "fits/llmservingsim.rs"]
mod llmservingsim;
#[path = "fits/output.rs"]
mod output;
#[path = "fits/solve.rs"]
mod solve;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{env, fs};

pub(crate) use self::output::Fitted;

/// Where the measurements are; a relative path counts from the repository's root.
pub(crate) fn data_folder() -> PathBuf {
    let named = env::var_os("HERDER_DATA").unwrap_or_else(|| "../shared/data".into());
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(named)
}

/// All measured profiles.
pub(crate) fn all(data: &Path) -> Vec<Fitted> {
    let mut fits = llama_cpp::fits(data);
    fits.extend(cpu::fits(data));
    let (vllm, overhead_seconds) = llmservingsim::fits(data);
    fits.extend(vllm);
    fits.extend(a100::fits(data, overhead_seconds));
    fits.extend(aiconfigurator::fits(data, overhead_seconds));
    fits
}

/// A CSV file's rows, each a map by heading; gzip where the name says so.
pub(crate) fn csv_rows(path: &Path) -> Vec<csv::StringRecord> {
    let text = read(path);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap_or_else(|error| panic!("{}: {error}", path.display()))).collect()
}

/// A table read by name of column.
pub(crate) struct Table {
    path: PathBuf,
    headings: csv::StringRecord,
    rows: Vec<csv::StringRecord>,
}

impl Table {
    pub(crate) fn open(path: &Path) -> Self {
        let mut rows = csv_rows(path);
        let headings = rows.remove(0);
        Self { path: path.to_owned(), headings, rows }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|row| Row { table: self, row })
    }
}

/// A row of a [`Table`].
pub(crate) struct Row<'a> {
    table: &'a Table,
    row: &'a csv::StringRecord,
}

impl Row<'_> {
    pub(crate) fn text(&self, name: &str) -> &str {
        let index = self.table.headings.iter().position(|heading| heading == name);
        let index = index.unwrap_or_else(|| panic!("{}: no column {name}", self.table.path.display()));
        &self.row[index]
    }

    /// Nothing where there is no such column.
    pub(crate) fn maybe(&self, name: &str) -> Option<&str> {
        let index = self.table.headings.iter().position(|heading| heading == name)?;
        Some(&self.row[index])
    }

    pub(crate) fn number(&self, name: &str) -> f64 {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| panic!("{}: {name} is {text:?}", self.table.path.display()))
    }

    pub(crate) fn count(&self, name: &str) -> u32 {
        self.number(name) as u32
    }
}

fn read(path: &Path) -> String {
    let fail = |error: std::io::Error| -> ! { panic!("{}: {error}", path.display()) };
    if path.extension().is_some_and(|extension| extension == "gz") {
        let file = File::open(path).unwrap_or_else(|error| fail(error));
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap_or_else(|error| fail(error));
        text
    } else {
        fs::read_to_string(path).unwrap_or_else(|error| fail(error))
    }
}
