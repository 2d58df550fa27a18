//! The plots of a run, as SVG and PNG: latency distributions, throughput and queue over time, utilisation of the hosts,
//! models in memory, replicas and transfers; and, apart from runs, comparisons, curves and rows of measures, and how the time of an operation grows
//! with scale. The same data give the same bytes.
//!
//! A plot is laid out once as a list of shapes and drawn by both of plotters' backends; the layout is ours, since
//! nothing may overlap whatever a run holds. Text is set in DejaVu Sans (in `fonts/`, with its licence), whose widths are
//! known here; an SVG names it with fall-backs that are no wider.

use std::fs;
use std::path::{Path, PathBuf};

use traces::traffic::Traffic;

use crate::files::{WriteError, failed, write_whole};
use crate::metrics::Metrics;
use crate::timeline::Timeline;
use figure::Figure;

mod axis;
mod busy;
mod compared;
mod curves;
mod figure;
mod font;
mod latency;
pub mod palette;
mod render;
mod replicas;
pub(crate) mod residency;
mod rows;
mod scale;
mod scaling;
pub(crate) mod throughput;
mod transfers;

pub use compared::{
    DifferencesChart, Mark, MeasureColumn, ParetoChart, ParetoPoint, Said, differences, pareto,
};
pub use curves::{Curve, CurvePoint, CurvesChart, curves};
pub use rows::{RowMark, RowsChart, rows};
pub use scaling::{ScalingChart, ScalingCurve, ScalingPoint, scaling};

/// Under what a run was made, for the second line of each title.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlotTitle {
    /// Scenario, and trace where there is one.
    pub scenario: String,
    /// Balancer.
    pub balancer: String,
    /// Scheduler.
    pub scheduler: String,
    /// Strategy of placement, where there is one.
    pub placement: Option<String>,
    /// Seed.
    pub seed: u64,
}

impl PlotTitle {
    pub(crate) fn line(&self, hosts_len: usize) -> String {
        let Self { scenario, balancer, scheduler, placement, seed } = self;
        let placement = placement.as_ref().map(|name| format!(" · placement {name}")).unwrap_or_default();
        let hosts = if hosts_len == 1 { "1 host".to_owned() } else { format!("{hosts_len} hosts") };
        format!("{scenario} · {hosts} · balancer {balancer} · scheduler {scheduler}{placement} · seed {seed}")
    }
}

/// A drawn plot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plot {
    /// Name of its files, without extension.
    pub name: String,
    /// As SVG.
    pub svg: String,
    /// As PNG, 1,280 × 720 pixels.
    pub png: Vec<u8>,
}

impl Plot {
    fn of(name: &str, figure: &Figure) -> Self {
        Self { name: name.to_owned(), svg: render::svg(figure), png: render::png(figure) }
    }

    /// Writes both files to the folder `dir`, which must exist.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<[PathBuf; 2], WriteError> {
        let paths = ["svg", "png"].map(|extension| dir.join(format!("{}.{extension}", self.name)));
        write_whole(&paths[0], self.svg.as_bytes())?;
        write_whole(&paths[1], &self.png)?;
        Ok(paths)
    }
}

/// What a run's plots show.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    /// Under what it was made.
    pub title: &'a PlotTitle,
    /// What its requests add up to.
    pub metrics: &'a Metrics,
    /// The fleet over time.
    pub timeline: &'a Timeline,
    /// Whether models come and go by a plan or from a registry: then there is a plot of replicas.
    pub placed: bool,
    /// Whether hosts stand by: then there is a plot of how many were on.
    pub scaled: bool,
    /// What was moved, where anything could be: then there is a plot of transfers.
    pub traffic: Option<&'a Traffic>,
}

/// Draws the plots of a run: `latency`, `throughput`, `hosts`, `residency`; `scale`, `replicas` and `transfers` where there is something to say.
#[must_use]
pub fn draw(run: &Drawn<'_>) -> Vec<Plot> {
    figures(run).into_iter().map(|(name, figure)| Plot::of(name, &figure)).collect()
}

fn figures(run: &Drawn<'_>) -> Vec<(&'static str, Figure)> {
    let Drawn { title, metrics, timeline, placed, scaled, traffic } = *run;
    let under = title.line(timeline.hosts_len());
    let mut figures = vec![
        ("latency", latency::figure(&under, metrics)),
        ("throughput", throughput::figure(&under, timeline)),
        ("hosts", busy::figure(&under, metrics.spec(), timeline)),
        ("residency", residency::figure(&under, metrics.spec(), timeline)),
    ];
    if scaled {
        figures.push(("scale", scale::figure(&under, timeline)));
    }
    if placed {
        figures.push(("replicas", replicas::figure(&under, metrics.spec(), timeline)));
    }
    figures.extend(traffic.map(|traffic| ("transfers", transfers::figure(&under, traffic))));
    figures
}

/// Writes plots to the folder `plots` in `dir`, which must exist; where there are none, that folder is not made.
///
/// # Errors
/// Where the folder or a file cannot be written.
pub fn write_all(dir: &Path, plots: impl IntoIterator<Item = Plot>) -> Result<(), WriteError> {
    let folder = dir.join("plots");
    for plot in plots {
        fs::create_dir_all(&folder).map_err(failed(&folder, "cannot create"))?;
        plot.write(&folder)?;
    }
    Ok(())
}

/// Draws the plots and writes them to the folder `dir`, which must exist: `latency.svg`, `latency.png` and so on.
///
/// # Errors
/// Where a file cannot be written.
pub fn write(dir: &Path, run: &Drawn<'_>) -> Result<Vec<PathBuf>, WriteError> {
    let mut paths = Vec::new();
    for plot in draw(run) {
        paths.extend(plot.write(dir)?);
    }
    Ok(paths)
}

#[cfg(test)]
mod tests;
