//! What was moved between the registry and hosts over time, and how many transfers were under way.

use traces::traffic::{Link, Traffic};

use super::axis::{Axis, Panel};
use super::figure::{Area, At, Figure, Key, Pen};
use super::palette::{INK, REST, SERIES};

/// Where a panel stands.
struct Place {
    top: f64,
    last: bool,
}

/// A line with its name.
struct Line {
    label: String,
    points: Vec<At>,
    pen: Pen,
}

pub(super) fn figure(under: &str, traffic: &Traffic) -> Figure {
    let mut figure = Figure::new("Transfers of models over time", under);
    let place = |top, last| Place { top, last };
    let (unit, lines) = in_fitting_unit(rates(traffic));
    panel(&mut figure, traffic, unit, lines, place(118.0, false));
    panel(&mut figure, traffic, "transfers under way", under_way(traffic), place(410.0, true));
    figure
}

/// Rates in Mbit/s in a unit in which they have few digits.
fn in_fitting_unit(mut lines: Vec<Line>) -> (&'static str, Vec<Line>) {
    let (unit, mbit) = match largest(&lines) {
        ..20e3 => ("Mbit/s", 1.0),
        ..20e6 => ("Gbit/s", 1e3),
        _ => ("Tbit/s", 1e6),
    };
    for (_, rate) in lines.iter_mut().flat_map(|line| &mut line.points) {
        *rate /= mbit;
    }
    (unit, lines)
}

fn largest(lines: &[Line]) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value).fold(0.0, f64::max)
}

/// In Mbit/s.
fn rates(traffic: &Traffic) -> Vec<Line> {
    let ways = ["registry to hosts", "host to host", "hosts to the registry"];
    let all = |way: usize| traffic.bins.iter().map(|bin| bin.bytes[way]).sum::<u64>();
    let mut lines: Vec<Line> = Vec::new();
    // Out of the registry is always shown, and above the others; what does not happen otherwise is not.
    for (way, label) in ways.into_iter().enumerate().rev().filter(|(way, _)| *way == 0 || all(*way) > 0) {
        let mbit = |bin: usize| traffic.bins[bin].bytes[way] as f64 * 8e3 / traffic.span(bin).0.max(1) as f64;
        lines.push(Line {
            label: label.to_owned(),
            points: steps(traffic, mbit),
            pen: Pen::new(SERIES[way], 2.0),
        });
    }
    let most = largest(&lines);
    let registry = traffic.links.iter().find(|link| link.link == Link::RegistryOut);
    // A limit far above what was moved would make a flat line of that.
    if let Some(limit) = registry.map(|link| link.bytes_per_second as f64 / 125e3)
        && limit <= 2.0 * most
    {
        let to = seconds(traffic, traffic.bins.len());
        lines.push(Line {
            label: "what the registry sends at most".to_owned(),
            points: vec![(0.0, limit), (to, limit)],
            pen: Pen::new(INK, 1.5).dashed(),
        });
    }
    lines
}

fn under_way(traffic: &Traffic) -> Vec<Line> {
    let mean = |bin: usize| traffic.bins[bin].under_way_nanos as f64 / traffic.span(bin).0.max(1) as f64;
    let most = |bin: usize| f64::from(traffic.bins[bin].under_way_max);
    let line = |label: &str, points, pen| Line { label: label.to_owned(), points, pen };
    vec![
        line("most at once", steps(traffic, most), Pen::new(REST, 3.0)),
        line("mean", steps(traffic, mean), Pen::new(SERIES[0], 2.0)),
    ]
}

/// When a bin begins.
fn seconds(traffic: &Traffic, bin: usize) -> f64 {
    traffic.begin(bin).0 as f64 / 1e9
}

fn steps(traffic: &Traffic, value: impl Fn(usize) -> f64) -> Vec<At> {
    let step = |bin| [(seconds(traffic, bin), value(bin)), (seconds(traffic, bin + 1), value(bin))];
    (0..traffic.bins.len()).flat_map(step).collect()
}

fn panel(figure: &mut Figure, traffic: &Traffic, unit: &str, lines: Vec<Line>, place: Place) {
    let area = Area { left: 120.0, top: place.top, right: 1250.0, bottom: place.top + 235.0 };
    let max = largest(&lines);
    let panel = Panel {
        area,
        x: Axis::time(0.0, seconds(traffic, traffic.bins.len())),
        y: Axis::counts(if max > 0.0 { max } else { 1.0 }, 5, unit),
    };
    panel.draw(figure);
    if place.last {
        panel.x_labels(figure);
    }
    let keys: Vec<Key> =
        lines.iter().map(|line| Key { label: line.label.clone(), pen: line.pen, filled: false }).collect();
    for line in lines {
        let points = line.points.into_iter().map(|(x, y)| (panel.x(x), panel.y(y))).collect();
        figure.line(points, line.pen);
    }
    if max == 0.0 {
        figure.empty(area, "nothing was moved");
    }
    figure.legend(&keys, Area { left: 120.0, top: place.top - 16.0, right: 1250.0, bottom: place.top });
}
