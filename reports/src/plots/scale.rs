//! How many hosts were on over time, and what there was for them to do.

use super::figure::{At, Figure, Pen};
use super::palette::{REST, SERIES};
use super::throughput::{gauges, seconds, stack};
use crate::timeline::{Point, Timeline};

pub(super) fn figure(under: &str, timeline: &Timeline) -> Figure {
    let mut figure = Figure::new("Hosts that are on, over time", under);
    let points = timeline.points();
    let all = timeline.hosts_len() as f64;
    let ends = points.first().into_iter().chain(points.last());
    let all: Vec<At> = ends.map(|point| (seconds(point), all)).collect();
    let gauges = gauges(points);
    let waiting = gauges.iter().map(|gauge| (gauge.at, gauge.queued_mean)).collect();
    let under_way = gauges.iter().map(|gauge| (gauge.at, gauge.in_flight)).collect();
    let thin = |colour| Pen::new(colour, 2.0);
    let hosts = vec![
        ("all there are", all, thin(REST)),
        ("on, or being provisioned", steps(points), thin(SERIES[0])),
    ];
    let requests =
        vec![("queued, mean", waiting, thin(SERIES[1])), ("let out to hosts", under_way, thin(SERIES[2]))];
    stack(&mut figure, points, [("hosts", hosts), ("requests", requests)]);
    figure
}

/// A number of hosts holds until the next sample tells another.
fn steps(points: &[Point]) -> Vec<At> {
    let mut steps: Vec<At> = Vec::new();
    for point in points {
        let (at, on) = (seconds(point), f64::from(point.hosts_on));
        match steps.last() {
            Some((_, before)) if *before == on => {}
            Some((_, before)) => steps.extend([(at, *before), (at, on)]),
            None => steps.push((at, on)),
        }
    }
    steps.extend(points.last().map(|point| (seconds(point), f64::from(point.hosts_on))));
    steps
}
