//! The charts of a run's page: the same quantities as its plots, from the same functions.

use control::ids::ModelId;
use traces::traffic::Traffic;

use super::thin::thinned;
use super::{Axis, Band, Chart, Heat, Kind, Layer, Mark, Series, Unit};
use crate::histogram::Histogram;
use crate::metrics::Metrics;
use crate::plots::Drawn;
use crate::plots::palette::Look;
use crate::plots::residency::held_longest;
use crate::plots::throughput::{between, gauges, rates, seconds, span};
use crate::timeline::{Point, Timeline};

/// Points of a distribution that a page holds at most: more than a screen tells apart.
const CURVE_POINTS_MAX: usize = 400;
/// Columns of the map of hosts, and times of the models in memory.
const COLUMNS_MAX: usize = 120;
/// Models with an area of their own.
const MODELS_TOP: usize = 6;

/// How latencies are distributed: the share within a time, and the share beyond it.
pub(super) fn latencies(metrics: &Metrics) -> Vec<Chart> {
    let (latencies, spec) = (metrics.latencies(), metrics.spec());
    let series = [
        ("first token (TTFT)", &latencies.ttft),
        ("end to end", &latencies.e2e),
        ("per token (TPOT)", &latencies.tpot),
        ("queue wait", &latencies.queue),
    ];
    let objectives = [("TTFT objective", 0, spec.slo_ttft.0), ("TPOT objective", 2, spec.slo_tpot.0)];
    let least = series
        .iter()
        .filter_map(|(_, histogram)| histogram.quantile(10).filter(|nanos| *nanos > 0))
        .chain(objectives.map(|(.., nanos)| nanos))
        .fold(u64::MAX, u64::min);
    let draw = |share: fn(u64, u64) -> f64| {
        let line = |(index, (name, histogram)): (usize, (&str, &Histogram))| Series {
            name: name.to_owned(),
            look: Look::at(index),
            points: curve(histogram, least, share),
            steps: true,
            ..Series::default()
        };
        let mark = |(name, index, nanos): (&str, usize, u64)| Mark {
            name: name.to_owned(),
            at: nanos as f64 / 1e6,
            on_x: true,
            look: Look { dash: 1, ..Look::at(index) },
        };
        Kind::Lines(series.into_iter().enumerate().map(line).collect(), objectives.map(mark).into())
    };
    let time = || Axis::log("time, log scale", Unit::Millis);
    vec![
        Chart {
            title: "Latency of finished requests".to_owned(),
            about: "The share of requests within a time; further left is better.".to_owned(),
            x: time(),
            y: Axis::counts("requests within this time", Unit::Percent),
            kind: draw(|seen, count| seen as f64 * 100.0 / count as f64),
        },
        Chart {
            title: "The slowest requests".to_owned(),
            about: "The share of requests beyond a time: at 1 % stands the p99.".to_owned(),
            x: time(),
            y: Axis::log("requests beyond this time, log scale", Unit::Percent),
            kind: draw(|seen, count| (count - seen) as f64 * 100.0 / count as f64),
        },
    ]
}

/// In milliseconds; what is faster than `least` nanoseconds stands there. `share` is told how many were seen, and of how many.
fn curve(histogram: &Histogram, least: u64, share: fn(u64, u64) -> f64) -> Vec<(f64, f64)> {
    let (count, mut seen) = (histogram.count(), 0);
    if count == 0 {
        return Vec::new();
    }
    let first = histogram.buckets().next().map_or(least, |(low, ..)| low.max(least));
    let mut points = vec![(first as f64 / 1e6, share(0, count))];
    for (low, high, times) in histogram.buckets() {
        seen += times;
        points.push(((low + (high - low) / 2).max(least) as f64 / 1e6, share(seen, count)));
    }
    thinned(&points, CURVE_POINTS_MAX).into_iter().map(|index| points[index]).collect()
}

/// Requests and tokens in a second, and what waits; hosts that are on, where they come and go.
pub(super) fn over_time(run: &Drawn<'_>) -> Vec<Chart> {
    let points = run.timeline.points();
    if points.len() < 2 {
        return Vec::new();
    }
    let line = |name: &str, look, points| Series { name: name.to_owned(), look, points, ..Series::default() };
    let stepped = |name: &str, look, edges: Vec<(f64, f64)>| Series {
        steps: true,
        ..line(name, look, every_edge(&edges))
    };
    let chart = |title: &str, unit: &str, series: Vec<Series>| Chart {
        title: title.to_owned(),
        about: String::new(),
        x: Axis::time(),
        y: Axis::counts("", Unit::Number(unit.to_owned())),
        kind: Kind::Lines(series, Vec::new()),
    };
    let gauges = gauges(points);
    let queue = Series {
        band: gauges.iter().map(|gauge| Band { low: gauge.queued_mean, high: gauge.queued_max }).collect(),
        ..line(
            "queued, mean up to the largest",
            Look::at(1),
            gauges.iter().map(|gauge| (gauge.at, gauge.queued_mean)).collect(),
        )
    };
    let in_flight = gauges.iter().map(|gauge| (gauge.at, gauge.in_flight)).collect();
    let mut charts = vec![
        chart(
            "Requests in a second",
            "requests/s",
            vec![
                stepped("arrived", Look::REST, rates(points, |point| point.arrived)),
                stepped("finished", Look::at(0), rates(points, |point| point.finished)),
            ],
        ),
        chart("Queue", "requests", vec![queue, line("let out to hosts", Look::at(0), in_flight)]),
        chart(
            "Output tokens in a second",
            "tokens/s",
            vec![stepped("generated", Look::at(2), rates(points, |point| point.output_tokens))],
        ),
    ];
    if run.scaled {
        let on = points.iter().map(|point| (seconds(point), f64::from(point.hosts_on))).collect();
        let on = Series { steps: true, ..line("on, or being provisioned", Look::at(0), on) };
        charts.push(chart("Hosts that are on", "hosts", vec![on]));
    }
    charts
}

/// Pairs of points at the two ends of a step, as one point where it begins, and the last.
fn every_edge(pairs: &[(f64, f64)]) -> Vec<(f64, f64)> {
    pairs.iter().step_by(2).chain(pairs.last()).copied().collect()
}

/// How busy hosts were.
pub(super) fn hosts(run: &Drawn<'_>) -> Vec<Chart> {
    let timeline = run.timeline;
    let points = timeline.points();
    if points.len() < 2 || timeline.rows_len() == 0 {
        return Vec::new();
    }
    let cells = busy_cells(timeline);
    let neighbours = match timeline.hosts_per_row() {
        1 => String::new(),
        many => format!(" {many} neighbours share a row, under the first one's name."),
    };
    let heat = Chart {
        title: "How busy each host was".to_owned(),
        about: format!("The share of the time in which it computed; darker is busier.{neighbours}"),
        x: Axis::time(),
        y: Axis::counts("busy", Unit::Percent),
        kind: Kind::Heat(Heat {
            rows: (0..timeline.rows_len())
                .map(|row| run.metrics.spec().host_name(timeline.row_hosts(row).0))
                .collect(),
            span: span(points),
            cells: cells.clone(),
            most: 100.0,
        }),
    };
    vec![fleet_busy(timeline, &cells), heat]
}

/// Percent of the time in which the hosts of each row computed, in columns of equal width.
fn busy_cells(timeline: &Timeline) -> Vec<Vec<f64>> {
    let points = timeline.points();
    let (from, to) = span(points);
    let columns = points.len().saturating_sub(1).min(COLUMNS_MAX);
    let edge = |column: usize| from + (to - from) * column as f64 / columns as f64;
    let cell = |row: usize, column: usize| {
        let counter = |at| between(points, at, |point: &Point| point.busy_nanos[row]);
        let (start, end) = (edge(column), edge(column + 1));
        let share =
            (counter(end) - counter(start)) / ((end - start) * timeline.row_hosts_len(row) as f64 * 1e9);
        if share.is_finite() { share.clamp(0.0, 1.0) * 100.0 } else { 0.0 }
    };
    (0..timeline.rows_len()).map(|row| (0..columns).map(|column| cell(row, column)).collect()).collect()
}

/// Mean of all hosts, between the least and the most busy row.
fn fleet_busy(timeline: &Timeline, cells: &[Vec<f64>]) -> Chart {
    let columns = cells.first().map_or(0, Vec::len);
    let (from, to) = span(timeline.points());
    let middle = |column: usize| from + (to - from) * (column as f64 + 0.5) / columns as f64;
    let of = |column: usize| cells.iter().map(move |row| row[column]);
    let mean = |column: usize| {
        let sum: f64 =
            of(column).enumerate().map(|(row, busy)| busy * timeline.row_hosts_len(row) as f64).sum();
        sum / timeline.hosts_len() as f64
    };
    let band =
        |column: usize| Band { low: of(column).fold(100.0, f64::min), high: of(column).fold(0.0, f64::max) };
    Chart {
        title: "GPU busy".to_owned(),
        about: "Mean of all hosts; the band goes from the least busy to the busiest.".to_owned(),
        x: Axis::time(),
        y: Axis::counts("of the time", Unit::Percent),
        kind: Kind::Lines(
            vec![Series {
                name: "mean of all hosts".to_owned(),
                look: Look::at(0),
                points: (0..columns).map(|column| (middle(column), mean(column))).collect(),
                band: (0..columns).map(band).collect(),
                steps: false,
            }],
            Vec::new(),
        ),
    }
}

/// On how many hosts models were in memory.
pub(super) fn models(run: &Drawn<'_>) -> Vec<Chart> {
    let points = run.timeline.points();
    let ranked = held_longest(run.timeline);
    if points.len() < 2 || ranked.is_empty() {
        return Vec::new();
    }
    let own = if ranked.len() <= MODELS_TOP + 1 { ranked.len() } else { MODELS_TOP };
    let (own, others) = ranked.split_at(own);
    // Neighbouring samples together: loads that come and go within them would only be noise.
    let chunks: Vec<&[Point]> = points.chunks(points.len().div_ceil(COLUMNS_MAX)).collect();
    let heights = |of: &[ModelId]| chunks.iter().map(|chunk| replicas_mean(chunk, of)).collect();
    let named = |(index, model): (usize, &ModelId)| Layer {
        name: run.metrics.spec().model_name(*model),
        look: Look::at(index),
        heights: heights(&[*model]),
    };
    let mut layers: Vec<Layer> = own.iter().enumerate().map(named).collect();
    if !others.is_empty() {
        let name = format!("{} others", others.len());
        layers.push(Layer { name, look: Look::REST, heights: heights(others) });
    }
    let times = chunks.iter().filter_map(|chunk| chunk.last()).map(seconds).collect();
    vec![Chart {
        title: "Models in memory".to_owned(),
        about: "On how many hosts each model was loaded or loading, on top of each other.".to_owned(),
        x: Axis::time(),
        y: Axis::counts("", Unit::Number("replicas".to_owned())),
        kind: Kind::Stacked(times, layers),
    }]
}

/// Hosts that held these models, all of them added up, on average over the samples.
fn replicas_mean(points: &[Point], models: &[ModelId]) -> f64 {
    let held = points.iter().flat_map(|point| models.iter().map(|model| replicas(point, *model)));
    held.sum::<f64>() / points.len() as f64
}

fn replicas(point: &Point, model: ModelId) -> f64 {
    f64::from(point.replicas.get(model.index()).copied().unwrap_or(0))
}

/// What was moved over time.
pub(super) fn transfers(traffic: &Traffic) -> Vec<Chart> {
    let ways = ["registry to hosts", "host to host", "hosts to the registry"];
    let starts = |bin: usize| traffic.bin.0 as f64 * bin as f64 / 1e9;
    let series = |(way, name): (usize, &str)| {
        let rate = |bin: usize| traffic.bins[bin].bytes[way] as f64 * 8.0 / traffic.span(bin).0.max(1) as f64;
        let mut points: Vec<(f64, f64)> =
            (0..traffic.bins.len()).map(|bin| (starts(bin), rate(bin))).collect();
        points.extend(points.last().map(|(_, rate)| (traffic.until.0 as f64 / 1e9, *rate)));
        let moved = traffic.bins.iter().any(|bin| bin.bytes[way] > 0);
        (way == 0 || moved).then(|| Series {
            name: name.to_owned(),
            look: Look::at(way),
            points,
            steps: true,
            ..Series::default()
        })
    };
    vec![Chart {
        title: "Transfers of models".to_owned(),
        about: String::new(),
        x: Axis::time(),
        y: Axis::counts("", Unit::Number("Gbit/s".to_owned())),
        kind: Kind::Lines(ways.into_iter().enumerate().filter_map(series).collect(), Vec::new()),
    }]
}
