//! How the time of an operation grows with scale: one curve a form, both axes logarithmic, and where one form starts to
//! win over the other.

use super::axis::{Axis, Panel, Scale, Tick};
use super::figure::{Anchor, Area, Figure, Key, Pen, SMALL, Style};
use super::palette::{PAPER, SERIES, SOFT_INK};
use super::{Plot, font};

/// What is drawn.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ScalingChart {
    /// Name of its files, without extension.
    pub name: String,
    /// What is measured.
    pub title: String,
    /// Under what.
    pub under: String,
    /// What the scale counts.
    pub scale: String,
    /// The forms.
    pub curves: Vec<ScalingCurve>,
    /// The scale from which on the last form wins, where it begins to.
    pub crossover: Option<f64>,
}

/// Times of one form.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ScalingCurve {
    /// Its name.
    pub label: String,
    /// By scale, ascending.
    pub points: Vec<ScalingPoint>,
}

/// The time of an operation at a scale, all above 0, in seconds.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ScalingPoint {
    /// The scale.
    pub scale: f64,
    /// The middle of three: what is joined by the curve.
    pub seconds: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
}

/// Draws it.
#[must_use]
pub fn scaling(chart: &ScalingChart) -> Plot {
    Plot::of(&chart.name, &figure(chart))
}

pub(super) fn figure(chart: &ScalingChart) -> Figure {
    let mut figure = Figure::new(&chart.title, &chart.under);
    let pen = |index: usize| Pen::new(SERIES[index % SERIES.len()], 2.5);
    let keys: Vec<Key> = chart
        .curves
        .iter()
        .enumerate()
        .map(|(index, curve)| Key { label: curve.label.clone(), pen: pen(index), filled: false })
        .collect();
    let below = figure.legend(&keys, Area { left: 30.0, top: 94.0, right: 1250.0, bottom: 150.0 });
    let points = || chart.curves.iter().flat_map(|curve| &curve.points);
    let area = Area { left: 110.0, top: 94.0 + below + 24.0, right: 1220.0, bottom: 650.0 };
    let ends = |of: fn(&ScalingPoint) -> f64, start: f64, pick: fn(f64, f64) -> f64| {
        points().map(of).fold(start, pick)
    };
    let mut times = Axis::latencies(
        ends(|p| p.low, f64::MAX, f64::min).clamp(1e-10, 1.0),
        ends(|p| p.high, 1e-9, f64::max),
    );
    "time of an operation (log scale)".clone_into(&mut times.label);
    let panel = Panel { area, x: scales(chart), y: times };
    panel.draw(&mut figure);
    panel.x_labels(&mut figure);
    if points().next().is_none() {
        figure.empty(area, "nothing was measured");
        return figure;
    }
    if let Some(crossover) = chart.crossover {
        mark(&mut figure, &panel, crossover);
    }
    for (index, curve) in chart.curves.iter().enumerate() {
        let line = curve.points.iter().map(|point| (panel.x(point.scale), panel.y(point.seconds)));
        figure.line(line.collect(), pen(index));
        for point in &curve.points {
            let (x, y) = (panel.x(point.scale), panel.y(point.seconds));
            figure.rect((x - 4.5, y - 4.5), (x + 4.5, y + 4.5), pen(index).colour);
            let bar = Pen::new(pen(index).colour, 1.5);
            let (low, high) = (panel.y(point.low), panel.y(point.high));
            figure.line(vec![(x, low), (x, high)], bar);
            for end in [low, high] {
                figure.line(vec![(x - 6.0, end), (x + 6.0, end)], bar);
            }
        }
    }
    figure
}

/// A dashed line where one form starts to win, with the scale beside it.
fn mark(figure: &mut Figure, panel: &Panel, crossover: f64) {
    let (x, area) = (panel.x(crossover), panel.area);
    figure.line(vec![(x, area.top), (x, area.bottom)], Pen::new(SOFT_INK, 1.5).dashed());
    let text = format!("wins from about {}", grouped(crossover.round() as u64));
    let width = font::width(&text, SMALL, false);
    // To the right of the line, or to its left where there is no room.
    let left = if x + width + 16.0 < area.right { x + 8.0 } else { x - width - 8.0 };
    figure.rect((left - 3.0, area.top + 6.0), (left + width + 3.0, area.top + 26.0), PAPER);
    figure.text((left, area.top + 16.0), &text, Style::new(SMALL, Anchor::Start).colour(SOFT_INK));
}

/// Scales with a tick at each power of ten, and a little room at both ends.
fn scales(chart: &ScalingChart) -> Axis {
    let all = || chart.curves.iter().flat_map(|curve| &curve.points).map(|point| point.scale);
    let least = all().fold(f64::MAX, f64::min).clamp(1.0, 1e12);
    let most = all().fold(least, f64::max);
    let (from, to) = (least / 1.25, (most * 1.25).max(least * 2.0));
    let power = |exponent: i32| libm::pow(10.0, f64::from(exponent));
    let first = libm::ceil(libm::log10(from) - 1e-9) as i32;
    let last = libm::floor(libm::log10(to) + 1e-9) as i32;
    let ticks = (first..=last).map(|exponent| {
        let value = power(exponent);
        Tick { value, label: grouped(value.round() as u64) }
    });
    Axis {
        scale: Scale::Log { from, to },
        ticks: ticks.collect(),
        label: format!("{} (log scale)", chart.scale),
    }
}

fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
