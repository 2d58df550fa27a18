//! Curves of a measure over another: a line for each thing with its points, whiskers of what is known of them, and bounds that are marked across.

use super::Plot;
use super::axis::{Axis, Panel, plain};
use super::figure::{Area, Figure, Key, Pen};
use super::palette::{Colour, INK, Look, PAPER, REST, SERIES};

/// What is drawn.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CurvesChart {
    /// Name of its files, without extension.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// Under what.
    pub under: String,
    /// What goes to the right, with its unit.
    pub x: String,
    /// What goes upwards, with its unit.
    pub y: String,
    /// The curves, in the order of the legend.
    pub curves: Vec<Curve>,
    /// Values that are marked across, with what they are.
    pub bounds: Vec<(String, f64)>,
}

/// A line with points.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Curve {
    /// Its name; no entry in the legend where it is empty.
    pub name: String,
    /// How it is drawn.
    pub look: Look,
    /// Its points in order of x.
    pub points: Vec<CurvePoint>,
}

/// A point of a curve.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CurvePoint {
    /// Where.
    pub at: (f64, f64),
    /// Lower and upper bound of its height, where they are known.
    pub known: Option<(f64, f64)>,
    /// Whether it is framed: one that was chosen, say.
    pub framed: bool,
}

/// From here on the axis upwards is logarithmic: the greatest height by the least.
const LOG_FROM: f64 = 20.0;

/// Draws it. The axis upwards is logarithmic where heights differ by more than a factor of 20 and all are above 0.
#[must_use]
pub fn curves(chart: &CurvesChart) -> Plot {
    Plot::of(&chart.name, &curves_figure(chart))
}

/// The colour of a look on paper.
pub(super) fn colour(look: Look) -> Colour {
    SERIES.get(look.colour).copied().unwrap_or(REST)
}

fn pen(look: Look, width: f64) -> Pen {
    let pen = Pen::new(colour(look), width);
    if look.dash == 0 { pen } else { pen.dashed() }
}

pub(super) fn curves_figure(chart: &CurvesChart) -> Figure {
    let mut figure = Figure::new(&chart.title, &chart.under);
    let named = chart.curves.iter().filter(|curve| !curve.name.is_empty());
    let mut keys: Vec<Key> = named
        .map(|curve| Key { label: curve.name.clone(), pen: pen(curve.look, 3.0), filled: false })
        .collect();
    let bound = Pen::new(INK, 1.5).dashed();
    keys.extend(chart.bounds.iter().map(|(name, _)| Key { label: name.clone(), pen: bound, filled: false }));
    let below = figure.legend(&keys, Area { left: 30.0, top: 94.0, right: 1250.0, bottom: 150.0 });
    let area = Area { left: 120.0, top: 94.0 + below + 14.0, right: 1220.0, bottom: 650.0 };
    let points = || chart.curves.iter().flat_map(|curve| &curve.points);
    if points().next().is_none() {
        figure.empty(area, "nothing to show");
        return figure;
    }
    let panel = Panel { area, x: across(chart), y: upwards(chart) };
    panel.draw(&mut figure);
    panel.x_labels(&mut figure);
    for (_, value) in &chart.bounds {
        let y = panel.y(*value);
        figure.line(vec![(area.left, y), (area.right, y)], bound);
    }
    for curve in &chart.curves {
        let line = curve.points.iter().map(|point| (panel.x(point.at.0), panel.y(point.at.1)));
        figure.line(line.collect(), pen(curve.look, 2.5));
    }
    for curve in &chart.curves {
        for point in &curve.points {
            let (x, y) = (panel.x(point.at.0), panel.y(point.at.1));
            if let Some((low, high)) = point.known {
                whisker(&mut figure, x, (panel.y(low), panel.y(high)), colour(curve.look));
            }
            if point.framed {
                // Not filled: one beside it stays to be seen.
                let (left, top, right, bottom) = (x - 9.0, y - 9.0, x + 9.0, y + 9.0);
                let corners = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
                figure.line(corners, Pen::new(INK, 1.5));
            }
            mark(&mut figure, (x, y), 4.5, curve.look);
        }
    }
    figure
}

/// A square; by its dash a filled one, a hollow one, one with a hole, a cross.
pub(super) fn mark(figure: &mut Figure, (x, y): (f64, f64), half: f64, look: Look) {
    let square = |figure: &mut Figure, half: f64, ink| {
        figure.rect((x - half, y - half), (x + half, y + half), ink);
    };
    let ink = colour(look);
    if look.dash == 3 {
        let pen = Pen::new(ink, half * 0.7);
        figure.line(vec![(x - half, y - half), (x + half, y + half)], pen);
        figure.line(vec![(x - half, y + half), (x + half, y - half)], pen);
        return;
    }
    square(figure, half, ink);
    if look.dash > 0 {
        square(figure, half * if look.dash == 1 { 0.6 } else { 0.25 }, PAPER);
    }
}

fn whisker(figure: &mut Figure, x: f64, (low, high): (f64, f64), ink: Colour) {
    let bar = Pen::new(ink, 1.5);
    figure.line(vec![(x, low), (x, high)], bar);
    for end in [low, high] {
        figure.line(vec![(x - 5.0, end), (x + 5.0, end)], bar);
    }
}

fn across(chart: &CurvesChart) -> Axis {
    let all = || chart.curves.iter().flat_map(|curve| &curve.points).map(|point| point.at.0);
    let (least, most) = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max));
    let room = (most - least) * 0.03;
    // What is counted from 0 stays there.
    let least = if least >= 0.0 { (least - room).max(0.0) } else { least - room };
    let mut axis = Axis::around(least, most + room, 8, &chart.x);
    if all().all(|x| x.fract() == 0.0) {
        axis.ticks.retain(|tick| tick.value.fract() == 0.0);
        axis.ticks.iter_mut().for_each(|tick| tick.label = plain(tick.value, 1.0));
    }
    axis
}

fn upwards(chart: &CurvesChart) -> Axis {
    let points = chart.curves.iter().flat_map(|curve| &curve.points);
    let heights: Vec<f64> = points.map(|point| point.at.1).collect();
    let with_bounds = || heights.iter().copied().chain(chart.bounds.iter().map(|bound| bound.1));
    let (least, most) = (with_bounds().fold(f64::MAX, f64::min), with_bounds().fold(f64::MIN, f64::max));
    if least > 0.0 && most > LOG_FROM * least {
        let label = format!("{} (log scale)", chart.y);
        return Axis::powers(least, most, &label);
    }
    // Whiskers count as far as they do not dwarf the points.
    let known = chart.curves.iter().flat_map(|curve| &curve.points).filter_map(|point| point.known);
    let span = (most - least).max(most.abs() * 1e-3);
    let (mut low, mut high) = (least, most);
    for (from, to) in known {
        low = low.min(from.max(least - span));
        high = high.max(to.min(most + span));
    }
    let low = if least >= 0.0 { low.max(0.0) } else { low };
    let room = (high - low) * 0.04;
    let from = if low >= 0.0 && low < 0.4 * high { 0.0 } else { low - room };
    Axis::around(from, high + room, 6, &chart.y)
}
