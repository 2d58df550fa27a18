//! Requests and tokens in a second, and how many requests wait or are under way, over time.

use super::axis::{Axis, Panel};
use super::figure::{Area, At, Figure, Key, Pen};
use super::palette::{REST, SERIES};
use crate::timeline::{Point, Timeline};

/// Steps of a rate over time, at most.
const BINS_MAX: usize = 160;

pub(super) fn figure(under: &str, timeline: &Timeline) -> Figure {
    let mut figure = Figure::new("Throughput and queue over time", under);
    let points = timeline.points();
    let (arrived, finished) = (rates(points, |point| point.arrived), rates(points, |point| point.finished));
    let tokens = rates(points, |point| point.output_tokens);
    let gauges = gauges(points);
    let gauge = |of: fn(&Gauge) -> f64| gauges.iter().map(|gauge| (gauge.at, of(gauge))).collect::<Vec<_>>();
    let (waiting, peak) = (gauge(|gauge| gauge.queued_mean), gauge(|gauge| gauge.queued_max));
    let in_flight = gauge(|gauge| gauge.in_flight);
    let thin = |colour| Pen::new(colour, 2.0);
    let rows = [
        (
            "requests/s",
            vec![("arrived", arrived, Pen::new(REST, 4.5)), ("finished", finished, thin(SERIES[0]))],
        ),
        ("tokens/s", vec![("output tokens generated", tokens, thin(SERIES[2]))]),
        (
            "requests",
            vec![
                ("queued, largest", peak, Pen::new(SERIES[5], 4.0)),
                ("queued, mean", waiting, thin(SERIES[1])),
                ("let out to hosts", in_flight, thin(SERIES[0])),
            ],
        ),
    ];
    stack(&mut figure, points, rows);
    figure
}

/// A line of a row: what it is, where it goes.
pub(super) type Line = (&'static str, Vec<At>, Pen);

/// Rows of lines over one time, each with its unit, from the top of the figure to its bottom.
pub(super) fn stack<const ROWS: usize>(
    figure: &mut Figure,
    points: &[Point],
    rows: [(&'static str, Vec<Line>); ROWS],
) {
    let (from, to) = span(points);
    let height = 570.0 / ROWS as f64;
    for (index, (unit, lines)) in rows.into_iter().enumerate() {
        let top = 118.0 + index as f64 * height;
        let max = lines.iter().flat_map(|(_, line, _)| line).map(|(_, value)| *value).fold(0.0, f64::max);
        let area = Area { left: 120.0, top, right: 1250.0, bottom: top + height - 48.0 };
        let panel = Panel {
            area,
            x: Axis::time(from, to),
            y: Axis::counts(if max > 0.0 { max } else { 1.0 }, 4, unit),
        };
        panel.draw(figure);
        if index + 1 == ROWS {
            panel.x_labels(figure);
        }
        if points.len() < 2 {
            figure.empty(area, "fewer than two samples");
        }
        let mut keys = Vec::new();
        for (label, line, pen) in lines {
            keys.push(Key { label: label.to_owned(), pen, filled: false });
            let at = line.into_iter().map(|(x, y)| (panel.x(x), panel.y(y))).collect();
            figure.line(at, pen);
        }
        figure.legend(&keys, Area { left: 120.0, top: top - 16.0, right: 1250.0, bottom: top });
    }
}

pub(crate) fn seconds(point: &Point) -> f64 {
    point.at.0 as f64 / 1e9
}

/// First and last time, in seconds.
pub(crate) fn span(points: &[Point]) -> (f64, f64) {
    points.first().zip(points.last()).map_or((0.0, 1.0), |(first, last)| (seconds(first), seconds(last)))
}

/// What a counter would have shown at a time between samples, if it had grown evenly.
pub(crate) fn between(points: &[Point], at: f64, counter: impl Fn(&Point) -> u64) -> f64 {
    let after = points.partition_point(|point| seconds(point) < at);
    let Some(next) = points.get(after) else {
        return points.last().map_or(0.0, |point| counter(point) as f64);
    };
    let Some(before) = after.checked_sub(1).map(|index| &points[index]) else { return counter(next) as f64 };
    let part = (at - seconds(before)) / (seconds(next) - seconds(before));
    counter(before) as f64 + (counter(next) as f64 - counter(before) as f64) * part
}

/// What waits and is under way, over some neighbouring samples.
pub(crate) struct Gauge {
    pub(crate) at: f64,
    pub(crate) queued_mean: f64,
    pub(crate) queued_max: f64,
    pub(crate) in_flight: f64,
}

pub(crate) fn gauges(points: &[Point]) -> Vec<Gauge> {
    let each = points.len().div_ceil(BINS_MAX).max(1);
    let gauge = |points: &[Point]| {
        let len = points.len() as f64;
        Some(Gauge {
            at: seconds(points.last()?),
            queued_mean: points.iter().map(|point| point.queued_mean).sum::<f64>() / len,
            queued_max: points.iter().map(|point| f64::from(point.queued_max)).fold(0.0, f64::max),
            in_flight: points.iter().map(|point| f64::from(point.in_flight)).sum::<f64>() / len,
        })
    };
    points.chunks(each).filter_map(gauge).collect()
}

/// A counter's growth in a second, as steps.
pub(crate) fn rates(points: &[Point], counter: impl Fn(&Point) -> u64) -> Vec<At> {
    let (from, to) = span(points);
    let bins = points.len().saturating_sub(1).min(BINS_MAX);
    let edge = |bin: usize| from + (to - from) * bin as f64 / bins as f64;
    let mut steps = Vec::with_capacity(bins * 2);
    for bin in 0..bins {
        let (start, end) = (edge(bin), edge(bin + 1));
        let grown = between(points, end, &counter) - between(points, start, &counter);
        let rate = grown.max(0.0) / (end - start);
        steps.push((start, rate));
        steps.push((end, rate));
    }
    steps
}
