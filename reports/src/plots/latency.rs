//! How latencies are distributed: the share of requests within a time, and the tail on a logarithmic scale.

use super::axis::{Axis, Panel, Scale, Tick};
use super::figure::{Area, At, Figure, Key, Pen};
use super::palette::SERIES;
use crate::histogram::Histogram;
use crate::metrics::Metrics;

/// What is under this many seconds stands at the left edge.
const LEAST: f64 = 1e-5;

struct Series<'a> {
    label: &'static str,
    short: &'static str,
    histogram: &'a Histogram,
    objective: Option<u64>,
}

pub(super) fn figure(under: &str, metrics: &Metrics) -> Figure {
    let mut figure = Figure::new("Latency of finished requests", under);
    let (latencies, spec) = (metrics.latencies(), metrics.spec());
    let series = [
        ("first token (TTFT)", "TTFT", &latencies.ttft, Some(spec.slo_ttft.0)),
        ("end to end", "", &latencies.e2e, None),
        ("per token (TPOT)", "TPOT", &latencies.tpot, Some(spec.slo_tpot.0)),
        ("queue wait", "", &latencies.queue, None),
    ]
    .map(|(label, short, histogram, objective)| Series { label, short, histogram, objective });
    let pen = |index: usize| Pen::new(SERIES[index], 2.5);
    let mut keys = Vec::new();
    for (index, one) in series.iter().enumerate() {
        keys.push(Key { label: one.label.to_owned(), pen: pen(index), filled: false });
    }
    for (index, one) in series.iter().enumerate() {
        if let Some(objective) = one.objective {
            let label = format!("{} objective {}", one.short, short_span(objective));
            keys.push(Key { label, pen: Pen::new(SERIES[index], 1.5).dashed(), filled: false });
        }
    }
    let below = figure.legend(&keys, Area { left: 30.0, top: 94.0, right: 1250.0, bottom: 150.0 });
    let (left, right) = panels(&series, 94.0 + below + 10.0);
    for panel in [&left, &right] {
        panel.draw(&mut figure);
        panel.x_labels(&mut figure);
        if series.iter().all(|one| one.histogram.count() == 0) {
            figure.empty(panel.area, "no request finished after the warm-up");
            continue;
        }
        for (index, one) in series.iter().enumerate() {
            if let Some(objective) = one.objective {
                let x = panel.x(objective as f64 / 1e9);
                let mark = Pen::new(SERIES[index], 1.5).dashed();
                figure.line(vec![(x, panel.area.top), (x, panel.area.bottom)], mark);
            }
        }
    }
    for (index, one) in series.iter().enumerate().filter(|(_, one)| one.histogram.count() > 0) {
        figure.line(curve(&left, one.histogram, |within| within), pen(index));
        let mut tail = curve(&right, one.histogram, |within| 1.0 - within);
        let ends = tail.iter().position(|(_, y)| *y >= right.area.bottom).map_or(tail.len(), |last| last + 1);
        tail.truncate(ends);
        figure.line(tail, pen(index));
    }
    figure
}

fn panels(series: &[Series<'_>], top: f64) -> (Panel, Panel) {
    let seconds = |nanos: u64| nanos as f64 / 1e9;
    let values = |of: fn(&Histogram) -> Option<u64>| {
        series.iter().filter_map(move |one| of(one.histogram)).map(seconds)
    };
    let objectives = series.iter().filter_map(|one| one.objective).map(seconds);
    let from = values(|histogram| histogram.quantile(10).filter(|nanos| *nanos > 0))
        .chain(objectives.clone())
        .fold(f64::MAX, f64::min);
    let to = values(Histogram::max).chain(objectives).fold(0.0, f64::max);
    let x = Axis::latencies(from.max(LEAST), to.max(LEAST * 10.0));
    let most = series.iter().map(|one| one.histogram.count()).max().unwrap_or(0);
    let area = |left, right| Area { left, top, right, bottom: 650.0 };
    let left = Panel { area: area(104.0, 610.0), x: x.clone(), y: shares() };
    let right = Panel { area: area(744.0, 1250.0), x, y: tail(most) };
    (left, right)
}

fn shares() -> Axis {
    let ticks = (0..=5).map(|k| Tick { value: f64::from(k) / 5.0, label: format!("{} %", k * 20) });
    Axis {
        scale: Scale::Linear { from: 0.0, to: 1.0 },
        ticks: ticks.collect(),
        label: "requests within this time".to_owned(),
    }
}

/// From 100 % down to about one request in all of them, by powers of ten.
fn tail(count: u64) -> Axis {
    let powers = count.max(100).ilog10().min(6);
    let ticks = (0..=powers).map(|power| {
        let decimals = power.saturating_sub(2) as usize;
        let value = libm::pow(10.0, -f64::from(power));
        Tick { value, label: format!("{:.decimals$} %", value * 100.0) }
    });
    Axis {
        scale: Scale::Log { from: libm::pow(10.0, -f64::from(powers)), to: 1.0 },
        ticks: ticks.collect(),
        label: "requests beyond this time (log scale)".to_owned(),
    }
}

/// The distribution as steps, without those too small to see. Values left of the axis only raise where it begins.
fn curve(panel: &Panel, histogram: &Histogram, share: impl Fn(f64) -> f64) -> Vec<At> {
    const VISIBLE: f64 = 0.5;
    let count = histogram.count() as f64;
    let mut seen = 0;
    let mut points: Vec<At> = Vec::new();
    let mut last = (panel.area.left, panel.y(share(0.0)));
    for (low, high, times) in histogram.buckets() {
        seen += times;
        let x = panel.x((low + (high - low) / 2) as f64 / 1e9);
        let y = panel.y(share(seen as f64 / count));
        if x <= panel.area.left {
            last = (x, y);
        } else if x - last.0 >= VISIBLE || (y - last.1).abs() >= VISIBLE || seen == histogram.count() {
            if points.is_empty() {
                points.push(last);
            }
            points.extend([(x, last.1), (x, y)]);
            last = (x, y);
        }
    }
    points.dedup();
    points
}

fn short_span(nanos: u64) -> String {
    if nanos >= 1_000_000_000 {
        format!("{} s", nanos as f64 / 1e9)
    } else {
        format!("{} ms", nanos as f64 / 1e6)
    }
}
