//! On how many hosts each model was in memory over time, as a heat map: a row for each of the models held longest, one for the
//! mean of all others.

use control::ids::ModelId;

use super::axis::{Axis, Panel, plain};
use super::busy::{Bar, bar};
use super::figure::{Anchor, Area, Figure, Pen, SMALL, Style, TEXT};
use super::font;
use super::palette::{FRAME, HEAT_STEPS, PAPER, heat};
use super::residency::held_longest;
use super::throughput::span;
use crate::metrics::MetricsSpec;
use crate::timeline::{Point, Timeline};

/// Columns at most.
const COLUMNS_MAX: usize = 120;
/// Models with a row of their own.
const ROWS_MAX: usize = 24;

pub(super) fn figure(under: &str, spec: &MetricsSpec, timeline: &Timeline) -> Figure {
    let mut figure = Figure::new("Replicas over time: hosts that hold each model in memory", under);
    let rows = Rows::of(timeline);
    let names: Vec<String> =
        rows.names(spec).iter().map(|name| font::fit(name, SMALL, false, 230.0)).collect();
    let widest = names.iter().map(|name| font::width(name, SMALL, false)).fold(0.0, f64::max);
    let area = Area { left: 66.0 + widest, top: 96.0, right: 1150.0, bottom: 650.0 };
    let points = timeline.points();
    let (from, to) = span(points);
    let panel = Panel { area, x: Axis::time(from, to), y: Axis::counts(1.0, 1, "") };
    let cells: Vec<Vec<f64>> = (0..names.len()).map(|row| rows.cells(points, row)).collect();
    let most = cells.iter().flatten().copied().fold(1.0, f64::max);
    let height = area.height() / names.len().max(1) as f64;
    for (index, (name, cells)) in names.iter().zip(&cells).enumerate() {
        let top = area.top + height * index as f64;
        draw_row(&mut figure, cells, most, Area { top, bottom: top + height, ..area });
        figure.text((area.left - 8.0, top + height / 2.0), name, Style::new(SMALL, Anchor::End));
    }
    panel.x_labels(&mut figure);
    figure.frame(area, FRAME);
    let at = (26.0, f64::midpoint(area.top, area.bottom));
    figure.text(at, "model, longest in memory first", Style::new(TEXT, Anchor::Middle).upwards());
    if names.is_empty() || points.len() < 2 {
        figure.empty(area, "fewer than two samples, or no model in memory at any");
    }
    let labels = labels(most);
    bar(&mut figure, &Bar { heading: "hosts", labels: &labels });
    figure
}

/// The models that have rows.
struct Rows {
    ranked: Vec<ModelId>,
}

impl Rows {
    fn of(timeline: &Timeline) -> Self {
        Self { ranked: held_longest(timeline) }
    }

    /// Those with a row of their own: a row for "1 more" would take the place of that one.
    fn own(&self) -> &[ModelId] {
        if self.ranked.len() <= ROWS_MAX + 1 { &self.ranked } else { &self.ranked[..ROWS_MAX] }
    }

    fn names(&self, spec: &MetricsSpec) -> Vec<String> {
        let mut names: Vec<String> = self.own().iter().map(|model| spec.model_name(*model)).collect();
        let rest = self.ranked.len() - names.len();
        if rest > 0 {
            names.push(format!("{rest} more, mean of them"));
        }
        names
    }

    /// The mean number of hosts in each column.
    fn cells(&self, points: &[Point], row: usize) -> Vec<f64> {
        let models = self.own().get(row..=row).unwrap_or(&self.ranked[self.own().len()..]);
        let held = |point: &Point| {
            let of = |model: &ModelId| f64::from(point.replicas.get(model.index()).copied().unwrap_or(0));
            models.iter().map(of).sum::<f64>() / models.len() as f64
        };
        let each = points.len().div_ceil(COLUMNS_MAX).max(1);
        let mean = |points: &[Point]| points.iter().map(held).sum::<f64>() / points.len() as f64;
        points.chunks(each).map(mean).collect()
    }
}

/// Colours go by the square root: few hosts are told apart where a model stands on hundreds.
fn share(held: f64, most: f64) -> f64 {
    libm::sqrt((held / most).min(1.0))
}

/// Round numbers of hosts up to the most that there are, at their places beside the bar, none too near to another.
fn labels(most: f64) -> Vec<(f64, String)> {
    const APART: f64 = 0.06;
    let top = (1.0, plain(most, if most.fract() > 0.0 { 0.1 } else { 1.0 }));
    let mut labels = vec![(0.0, "0".to_owned()), top];
    let powers = (0..7).rev().map(|power| libm::pow(10.0, f64::from(power)));
    let round = powers.flat_map(|power| [5.0 * power, 2.0 * power, power]);
    for hosts in round.filter(|hosts| *hosts < most) {
        let at = share(hosts, most);
        if labels.iter().all(|(other, _)| (other - at).abs() >= APART) {
            labels.push((at, plain(hosts, 1.0)));
        }
    }
    labels
}

fn draw_row(figure: &mut Figure, cells: &[f64], most: f64, area: Area) {
    let steps: Vec<u32> =
        cells.iter().map(|held| (share(*held, most) * f64::from(HEAT_STEPS)).round() as u32).collect();
    let x = |column: usize| area.left + area.width() * column as f64 / cells.len() as f64;
    let mut column = 0;
    for run in steps.chunk_by(|a, b| a == b) {
        // A little wider than its cell, as in the map of hosts; rows stand apart.
        let right = (x(column + run.len()) + 1.0).min(area.right);
        figure.rect((x(column), area.top), (right, area.bottom), heat(run[0]));
        column += run.len();
    }
    figure.line(vec![(area.left, area.bottom), (area.right, area.bottom)], Pen::new(PAPER, 2.0));
}
