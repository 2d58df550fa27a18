//! How busy each host was over time, as a heat map. Neighbours of a large fleet share a row.

use super::axis::{Axis, Panel};
use super::figure::{Anchor, Area, Figure, SMALL, Style, TEXT};
use super::font;
use super::palette::{FRAME, HEAT_STEPS, heat};
use super::throughput::{between, span};
use crate::metrics::MetricsSpec;
use crate::timeline::Timeline;

/// Columns at most.
const COLUMNS_MAX: usize = 120;

pub(super) fn figure(under: &str, spec: &MetricsSpec, timeline: &Timeline) -> Figure {
    let mut figure = Figure::new("How busy each host was: share of the time in which it computed", under);
    let names: Vec<String> = (0..timeline.rows_len())
        .map(|row| font::fit(&spec.host_name(timeline.row_hosts(row).0), SMALL, false, 190.0))
        .collect();
    let widest = names.iter().map(|name| font::width(name, SMALL, false)).fold(0.0, f64::max);
    let area = Area { left: 66.0 + widest, top: 96.0, right: 1150.0, bottom: 650.0 };
    let (from, to) = span(timeline.points());
    let panel = Panel { area, x: Axis::time(from, to), y: Axis::counts(1.0, 1, "") };
    cells(&mut figure, timeline, area);
    panel.x_labels(&mut figure);
    rows(&mut figure, &names, timeline.hosts_per_row(), area);
    figure.frame(area, FRAME);
    if timeline.points().len() < 2 || timeline.hosts_len() == 0 {
        figure.empty(area, "fewer than two samples, or no host");
    }
    let labels = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share: f64| (share, format!("{:.0} %", share * 100.0)));
    bar(&mut figure, &Bar { heading: "", labels: &labels });
    figure
}

fn cells(figure: &mut Figure, timeline: &Timeline, area: Area) {
    let points = timeline.points();
    let (from, to) = span(points);
    let columns = points.len().saturating_sub(1).min(COLUMNS_MAX);
    let edge = |column: usize| from + (to - from) * column as f64 / columns as f64;
    let x = |column: usize| area.left + area.width() * column as f64 / columns as f64;
    let height = area.height() / timeline.rows_len().max(1) as f64;
    for row in 0..timeline.rows_len() {
        let hosts = timeline.row_hosts_len(row) as f64;
        let counter = |at| between(points, at, |point| point.busy_nanos[row]);
        let steps: Vec<u32> = (0..columns)
            .map(|column| {
                let (start, end) = (edge(column), edge(column + 1));
                let share = (counter(end) - counter(start)) / ((end - start) * hosts * 1e9);
                (share.clamp(0.0, 1.0) * f64::from(HEAT_STEPS)).round() as u32
            })
            .collect();
        let top = area.top + height * row as f64;
        let mut column = 0;
        for run in steps.chunk_by(|a, b| a == b) {
            // A little wider and higher than its cell: the next ones cover what is too much, so that no seam shows.
            let right = (x(column + run.len()) + 1.0).min(area.right);
            let to = (right, (top + height + 1.0).min(area.bottom));
            figure.rect((x(column), top), to, heat(run[0]));
            column += run.len();
        }
    }
}

fn rows(figure: &mut Figure, names: &[String], hosts_per_row: usize, area: Area) {
    let height = area.height() / names.len().max(1) as f64;
    let every = (15.0 / height).ceil().max(1.0) as usize;
    for (row, name) in names.iter().enumerate().step_by(every) {
        let y = area.top + height * (row as f64 + 0.5);
        figure.text((area.left - 8.0, y), name, Style::new(SMALL, Anchor::End));
    }
    let label = match hosts_per_row {
        1 => "host".to_owned(),
        many => format!("host, {many} in a row; the first is named"),
    };
    let at = (26.0, f64::midpoint(area.top, area.bottom));
    figure.text(at, &label, Style::new(TEXT, Anchor::Middle).upwards());
}

/// What stands beside the bar that tells colours.
pub(super) struct Bar<'a> {
    /// Above it.
    pub(super) heading: &'a str,
    /// At each share of its height.
    pub(super) labels: &'a [(f64, String)],
}

pub(super) fn bar(figure: &mut Figure, Bar { heading, labels }: &Bar<'_>) {
    let area = Area { left: 1180.0, top: 96.0, right: 1200.0, bottom: 396.0 };
    let height = area.height() / f64::from(HEAT_STEPS + 1);
    for step in (0..=HEAT_STEPS).rev() {
        let bottom = area.bottom - height * f64::from(step);
        figure.rect(
            (area.left, (bottom - height).max(area.top)),
            (area.right, (bottom + 1.0).min(area.bottom)),
            heat(step),
        );
    }
    figure.frame(area, FRAME);
    if !heading.is_empty() {
        figure.text((area.left, area.top - 18.0), heading, Style::new(SMALL, Anchor::Start));
    }
    for (share, label) in *labels {
        let y = area.bottom - share * area.height();
        figure.text((area.right + 7.0, y), label, Style::new(SMALL, Anchor::Start));
    }
}
