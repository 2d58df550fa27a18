//! Sweeps: many settings on many replicates, planned once, run in parts wherever there are machines, merged at the end.
//!
//! A folder holds all of a sweep: `manifest.json` and `scenario.toml` say what is run, `shards/` what has been run so far, `sweep.csv` and
//! `points.csv` what came of it. A **point** is a combination of values of the keys that vary, a **cell** a point on one replicate. What a cell
//! gives depends on the two files and its number alone, so it does not matter who runs it, when, or beside what. Who runs which part is for
//! those to say who have the machines (Slurm, Kubernetes, GNU parallel): herder only takes a share.

pub mod manifest;
pub mod merge;
pub mod page;
pub mod plots;
pub mod row;
pub mod run;
pub mod shard;
pub mod space;
pub mod text;

use std::path::Path;

use anyhow::Result;
use reports::html;
use reports::statistics::estimate::Terms;

use merge::Found;

/// Puts the shards of a folder together and writes what follows from them: rows, the page, plots. Points are ranked by the measure at `by`.
///
/// # Errors
/// Where the folder holds no complete sweep, or a file cannot be written.
pub fn report(folder: &Path, by: usize, confidence: f64) -> Result<Found> {
    let sweep = manifest::open(folder)?;
    let terms = Terms { confidence, seed: sweep.manifest.space.seed };
    let found = merge::merge(folder, &sweep, by, terms)?;
    html::write(&folder.join("report.html"), &page::page(&found))?;
    plots::write(folder, &found)?;
    Ok(found)
}
