//! `links.csv`, `layers.csv` and `transfers.csv`: what was moved over each link, of each model, and when.

use std::path::{Path, PathBuf};

use traces::traffic::Traffic;

use super::{RowFile, WriteError};
use crate::metrics::MetricsSpec;
use crate::summary::{layer_rows, link_rows};
use crate::tables::{LAYERS, LINKS, TRANSFERS};

/// Writes the three files in the folder `dir`, which must exist: a row for each link that carried something, for each model of which
/// something was moved, and for each stretch of time, whatever became of the transfers.
///
/// # Errors
/// Where a file cannot be created or the disk takes no more.
pub fn write_traffic(dir: &Path, traffic: &Traffic, spec: &MetricsSpec) -> Result<[PathBuf; 3], WriteError> {
    Ok([links(dir, traffic, spec)?, layers(dir, traffic, spec)?, transfers(dir, traffic)?])
}

fn links(dir: &Path, traffic: &Traffic, spec: &MetricsSpec) -> Result<PathBuf, WriteError> {
    let mut file = RowFile::create(dir, &LINKS)?;
    for link in link_rows(traffic, spec) {
        let used = link.used_share.map(|used| format!("{used:.6}")).unwrap_or_default();
        file.row(|row| {
            row.word(link.class).text(&link.name).integer(link.mbit_per_second).integer(link.bytes);
            row.word(&used);
        })?;
    }
    file.finish()
}

fn layers(dir: &Path, traffic: &Traffic, spec: &MetricsSpec) -> Result<PathBuf, WriteError> {
    let mut file = RowFile::create(dir, &LAYERS)?;
    for layer in layer_rows(traffic, spec) {
        file.row(|row| {
            row.text(&layer.model).integer(layer.transfers);
            row.integer(layer.weights_bytes).integer(layer.small_bytes);
        })?;
    }
    file.finish()
}

fn transfers(dir: &Path, traffic: &Traffic) -> Result<PathBuf, WriteError> {
    let mut file = RowFile::create(dir, &TRANSFERS)?;
    for (index, bin) in traffic.bins.iter().enumerate() {
        let mean = crate::number::ratio(bin.under_way_nanos, traffic.span(index).0.into(), 3);
        file.row(|row| {
            row.seconds(traffic.begin(index).0).seconds(traffic.begin(index + 1).0);
            bin.bytes.into_iter().for_each(|bytes| {
                row.integer(bytes);
            });
            row.word(&format!("{:.3}", mean.unwrap_or(0.0))).integer(bin.under_way_max);
        })?;
    }
    file.finish()
}
