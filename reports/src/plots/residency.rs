//! Which models are in memory where. A small fleet shows each host's memory; a large one, on how many hosts each
//! model is.

use control::ids::ModelId;

use super::axis::{Axis, Panel};
use super::figure::{Anchor, Area, At, Figure, Key, Pen, SMALL, Style, TEXT};
use super::font;
use super::palette::{Colour, FRAME, REST, SERIES};
use super::throughput::span;
use crate::metrics::MetricsSpec;
use crate::timeline::{Point, RESIDENCY_HOSTS_MAX, Timeline};

pub(super) fn figure(under: &str, spec: &MetricsSpec, timeline: &Timeline) -> Figure {
    let small = timeline.hosts_len() <= RESIDENCY_HOSTS_MAX;
    let what =
        if small { "Models in the memory of each host" } else { "Hosts that hold each model in memory" };
    let mut figure = Figure::new(what, under);
    let models = Models::of(timeline);
    let legend = Area { left: 30.0, top: 94.0, right: 1250.0, bottom: 160.0 };
    let height = figure.legend(&models.keys(spec, small), legend);
    let top = 94.0 + height + 4.0;
    let (from, to) = span(timeline.points());
    let x = Axis::time(from, to);
    if small {
        hosts(&mut figure, spec, timeline, &models, Band { top, x });
    } else {
        replicas(&mut figure, timeline, &models, Band { top, x });
    }
    figure
}

/// Where the legend ends, and the axis of time.
struct Band {
    top: f64,
    x: Axis,
}

/// Models by for how long and on how many hosts they were held, most first.
pub(crate) fn held_longest(timeline: &Timeline) -> Vec<ModelId> {
    let mut held: Vec<u64> = Vec::new();
    for point in timeline.points() {
        held.resize(held.len().max(point.replicas.len()), 0);
        held.iter_mut().zip(&point.replicas).for_each(|(held, replicas)| *held += u64::from(*replicas));
    }
    let mut ranked: Vec<u32> = (0..held.len() as u32).filter(|model| held[*model as usize] > 0).collect();
    ranked.sort_by_key(|model| (std::cmp::Reverse(held[*model as usize]), *model));
    ranked.into_iter().map(ModelId).collect()
}

/// Models by how long they were held, longest first.
struct Models {
    ranked: Vec<ModelId>,
}

impl Models {
    fn of(timeline: &Timeline) -> Self {
        Self { ranked: held_longest(timeline) }
    }

    /// Those with a colour of their own.
    fn shown(&self) -> &[ModelId] {
        &self.ranked[..self.ranked.len().min(SERIES.len())]
    }

    fn rank(&self, model: ModelId) -> usize {
        self.shown().iter().position(|shown| *shown == model).unwrap_or(SERIES.len())
    }

    fn colour(&self, model: ModelId) -> Colour {
        SERIES.get(self.rank(model)).copied().unwrap_or(REST)
    }

    fn keys(&self, spec: &MetricsSpec, filled: bool) -> Vec<Key> {
        let key = |label: String, colour| Key { label, pen: Pen::new(colour, 2.5), filled };
        let mut keys: Vec<Key> = self
            .shown()
            .iter()
            .zip(SERIES)
            .map(|(model, colour)| key(spec.model_name(*model), colour))
            .collect();
        for key in &mut keys {
            key.label = font::fit(&key.label, TEXT, false, 360.0);
        }
        let rest = self.ranked.len() - self.shown().len();
        if rest > 0 {
            keys.push(key(format!("{rest} more, added up"), REST));
        }
        keys
    }
}

fn hosts(figure: &mut Figure, spec: &MetricsSpec, timeline: &Timeline, models: &Models, band: Band) {
    let points = timeline.points();
    let largest: Vec<u64> = (0..timeline.hosts_len())
        .map(|host| points.iter().map(|point| held_bytes(point, host)).max().unwrap_or(0))
        .collect();
    let labels: Vec<String> = (0..timeline.hosts_len())
        .map(|host| {
            let name = spec.host_name(timeline.row_hosts(host).0);
            format!(
                "{}, {:.0} GiB",
                font::fit(&name, SMALL, false, 150.0),
                largest[host] as f64 / f64::from(1 << 30)
            )
        })
        .collect();
    let widest = labels.iter().map(|label| font::width(label, SMALL, false)).fold(0.0, f64::max);
    let area = Area { left: 66.0 + widest, top: band.top, right: 1250.0, bottom: 650.0 };
    let panel = Panel { area, x: band.x, y: Axis::counts(1.0, 1, "") };
    let height = area.height() / timeline.hosts_len().max(1) as f64;
    for (host, label) in labels.iter().enumerate() {
        let bottom = area.top + height * (host + 1) as f64;
        figure.text((area.left - 8.0, bottom - height / 2.0), label, Style::new(SMALL, Anchor::End));
        let unit = (height - 6.0).max(1.0) / largest[host].max(1) as f64;
        let mut index = 0;
        for run in points.chunk_by(|a, b| a.loaded.get(host) == b.loaded.get(host)) {
            let end = points.get(index + run.len()).or(points.last()).expect("a run has a point");
            let (left, right) = (panel.x(run[0].at.0 as f64 / 1e9), panel.x(end.at.0 as f64 / 1e9));
            let mut base = bottom - 3.0;
            let mut loaded = run[0].loaded.get(host).cloned().unwrap_or_default();
            loaded.sort_by_key(|(model, _)| (models.rank(*model), *model));
            for (model, bytes) in loaded {
                let top = base - unit * bytes.0 as f64;
                figure.rect((left, top), ((right + 0.5).min(area.right), base), models.colour(model));
                base = top;
            }
            index += run.len();
        }
        if host + 1 < labels.len() {
            figure.line(vec![(area.left, bottom), (area.right, bottom)], Pen::new(FRAME, 0.5));
        }
    }
    panel.x_labels(figure);
    figure.frame(area, FRAME);
    let at = (26.0, f64::midpoint(area.top, area.bottom));
    figure.text(at, "host, largest memory in use", Style::new(TEXT, Anchor::Middle).upwards());
    if models.ranked.is_empty() {
        figure.empty(area, "no model was loaded at any sample");
    }
}

fn held_bytes(point: &Point, host: usize) -> u64 {
    point.loaded.get(host).map_or(0, |loaded| loaded.iter().map(|(_, bytes)| bytes.0).sum())
}

fn replicas(figure: &mut Figure, timeline: &Timeline, models: &Models, band: Band) {
    let points = timeline.points();
    let area = Area { left: 110.0, top: band.top + 6.0, right: 1250.0, bottom: 650.0 };
    let held = |point: &Point, of: &dyn Fn(usize) -> bool| -> f64 {
        let counted = point.replicas.iter().enumerate().filter(|(model, _)| of(*model));
        counted.map(|(_, replicas)| f64::from(*replicas)).sum()
    };
    let line = |of: &dyn Fn(usize) -> bool| -> Vec<At> {
        points.iter().map(|point| (point.at.0 as f64 / 1e9, held(point, of))).collect()
    };
    let mut lines: Vec<(Vec<At>, Colour)> = Vec::new();
    if models.ranked.len() > models.shown().len() {
        lines.push((line(&|model| models.rank(ModelId(model as u32)) == SERIES.len()), REST));
    }
    for model in models.shown().iter().rev() {
        lines.push((line(&|other| other == model.index()), models.colour(*model)));
    }
    let max = lines.iter().flat_map(|(line, _)| line).map(|(_, held)| *held).fold(1.0, f64::max);
    let panel = Panel { area, x: band.x, y: Axis::counts(max, 6, "hosts that hold the model") };
    panel.draw(figure);
    panel.x_labels(figure);
    for (line, colour) in lines {
        let steps = steps(line.into_iter().map(|(x, y)| (panel.x(x), panel.y(y))));
        figure.line(steps, Pen::new(colour, 2.0));
    }
    if models.ranked.is_empty() {
        figure.empty(area, "no model was loaded at any sample");
    }
}

/// Each value holds until the next.
fn steps(points: impl Iterator<Item = At>) -> Vec<At> {
    let mut steps: Vec<At> = Vec::new();
    for (x, y) in points {
        if let Some((_, last)) = steps.last().copied() {
            steps.push((x, last));
        }
        steps.push((x, y));
    }
    steps.dedup();
    steps
}
