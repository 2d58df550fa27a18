//! The plots of a run, as SVG and PNG: latency distributions, throughput and queue over time, utilisation of the hosts,
//! models in memory; and, apart from runs, how the time of an operation grows with scale. The same data give the same bytes.
//!
//! A plot is laid out once as a list of shapes and drawn by both of plotters' backends; the layout is ours, since
//! nothing may overlap whatever a run holds. Text is set in DejaVu Sans (in `fonts/`, with its licence), whose widths are
//! known here; an SVG names it with fall-backs that are no wider.

use std::path::{Path, PathBuf};

use crate::files::{WriteError, write_whole};
use crate::metrics::Metrics;
use crate::timeline::Timeline;
use figure::Figure;

mod axis;
mod busy;
mod figure;
mod font;
mod latency;
mod palette;
mod render;
mod residency;
mod scaling;
mod throughput;

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
    /// Seed.
    pub seed: u64,
}

impl PlotTitle {
    fn line(&self, hosts_len: usize) -> String {
        let Self { scenario, balancer, scheduler, seed } = self;
        let hosts = if hosts_len == 1 { "1 host".to_owned() } else { format!("{hosts_len} hosts") };
        format!("{scenario} · {hosts} · balancer {balancer} · scheduler {scheduler} · seed {seed}")
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

/// Draws the four plots of a run.
#[must_use]
pub fn draw(title: &PlotTitle, metrics: &Metrics, timeline: &Timeline) -> Vec<Plot> {
    let under = title.line(timeline.hosts_len());
    let plot = |name: &str, figure: &Figure| Plot {
        name: name.to_owned(),
        svg: render::svg(figure),
        png: render::png(figure),
    };
    vec![
        plot("latency", &latency::figure(&under, metrics)),
        plot("throughput", &throughput::figure(&under, timeline)),
        plot("hosts", &busy::figure(&under, metrics.spec(), timeline)),
        plot("residency", &residency::figure(&under, metrics.spec(), timeline)),
    ]
}

/// Draws the four plots and writes them to the folder `dir`, which must exist: `latency.svg`, `latency.png` and so on.
///
/// # Errors
/// Where a file cannot be written.
pub fn write(
    dir: &Path,
    title: &PlotTitle,
    metrics: &Metrics,
    timeline: &Timeline,
) -> Result<Vec<PathBuf>, WriteError> {
    let mut paths = Vec::new();
    for plot in draw(title, metrics, timeline) {
        paths.extend(plot.write(dir)?);
    }
    Ok(paths)
}

#[cfg(test)]
mod tests;
