//! The fleet over time, thinned so that its size does not grow with the run: what the plots over time draw.
//!
//! Samples are kept until there are [`POINTS_MAX`]; then every second one goes, and from then on only every second (fourth,
//! eighth …) of those offered is kept. Counters run from the start, so a kept pair tells exactly what happened between;
//! of the queue, mean and maximum since the last kept sample are kept.
//!
//! Left out: single hosts of a large fleet. Up to [`ROWS_MAX`] hosts have a row each, more share rows of neighbours;
//! what is loaded where is kept for fleets of up to [`RESIDENCY_HOSTS_MAX`] hosts, for others the number of replicas
//! of each model.

use control::ids::{HostId, ModelId};
use control::units::{Bytes, Instant};
use traces::record::Sample;

/// Samples kept at most.
pub const POINTS_MAX: usize = 512;
/// Rows of hosts kept at most.
pub const ROWS_MAX: usize = 64;
/// Fleets up to this size keep what is loaded on each host.
pub const RESIDENCY_HOSTS_MAX: usize = 16;

/// A kept sample; counters run from the start of the run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Point {
    /// When.
    pub at: Instant,
    /// Mean of the queue in control over the samples since the point before.
    pub queued_mean: f64,
    /// Largest queue in control in those samples.
    pub queued_max: u32,
    /// Requests let out to hosts.
    pub in_flight: u32,
    /// Requests arrived.
    pub arrived: u64,
    /// Requests finished.
    pub finished: u64,
    /// Hosts that were on, or were being provisioned.
    pub hosts_on: u32,
    /// Tokens generated.
    pub output_tokens: u64,
    /// Busy time of each row, summed over its hosts, in nanoseconds.
    pub busy_nanos: Vec<u64>,
    /// Hosts that hold each model, by model id.
    pub replicas: Vec<u32>,
    /// What each host holds, in small fleets.
    pub loaded: Vec<Vec<(ModelId, Bytes)>>,
}

/// The kept samples.
#[derive(Clone, Debug)]
pub struct Timeline {
    points: Vec<Point>,
    hosts_len: usize,
    stride: u64,
    offered: u64,
    queued_sum: u64,
    queued_max: u32,
    queued_count: u64,
    last: Option<Point>,
}

impl Timeline {
    /// A timeline of a fleet of `hosts_len` hosts.
    #[must_use]
    pub const fn new(hosts_len: usize) -> Self {
        Self {
            points: Vec::new(),
            hosts_len,
            stride: 1,
            offered: 0,
            queued_sum: 0,
            queued_max: 0,
            queued_count: 0,
            last: None,
        }
    }

    /// How many hosts the fleet has.
    #[must_use]
    pub const fn hosts_len(&self) -> usize {
        self.hosts_len
    }

    /// How many neighbouring hosts share a row; the last row may have fewer.
    #[must_use]
    pub fn hosts_per_row(&self) -> usize {
        self.hosts_len.div_ceil(ROWS_MAX).max(1)
    }

    /// How many hosts a row has.
    #[must_use]
    pub fn row_hosts_len(&self, row: usize) -> usize {
        let per_row = self.hosts_per_row();
        per_row.min(self.hosts_len.saturating_sub(row * per_row))
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows_len(&self) -> usize {
        self.hosts_len.div_ceil(self.hosts_per_row())
    }

    /// The kept samples in order of time.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Offers a sample; they come in order of time.
    pub fn push(&mut self, sample: &Sample) {
        self.queued_sum += u64::from(sample.queued);
        self.queued_max = self.queued_max.max(sample.queued);
        self.queued_count += 1;
        if self.offered.is_multiple_of(self.stride) {
            let point = self.point(sample);
            self.points.push(point);
            (self.queued_sum, self.queued_max, self.queued_count) = (0, 0, 0);
            self.last = None;
            if self.points.len() > POINTS_MAX {
                self.thin();
            }
        } else {
            self.last = Some(self.point(sample));
        }
        self.offered += 1;
    }

    /// Keeps the last sample offered, so that the timeline reaches the end of the run. To be called once, at the end.
    pub fn finish(&mut self) {
        self.points.extend(self.last.take());
    }

    fn thin(&mut self) {
        self.stride *= 2;
        let mut thinned: Vec<Point> = Vec::with_capacity(POINTS_MAX);
        let mut carried: Option<Point> = None;
        for (index, mut point) in self.points.drain(..).enumerate() {
            if index % 2 == 1 {
                carried = Some(point);
                continue;
            }
            if let Some(dropped) = carried.take() {
                point.queued_max = point.queued_max.max(dropped.queued_max);
                point.queued_mean = f64::midpoint(point.queued_mean, dropped.queued_mean);
            }
            thinned.push(point);
        }
        if let Some(dropped) = carried {
            (self.queued_sum, self.queued_max) = (dropped.queued_mean as u64, dropped.queued_max);
            self.queued_count = 1;
        }
        self.points = thinned;
    }

    fn point(&self, sample: &Sample) -> Point {
        let per_row = self.hosts_per_row();
        let mut point = Point {
            at: sample.at,
            queued_mean: self.queued_sum as f64 / self.queued_count as f64,
            queued_max: self.queued_max,
            in_flight: sample.in_flight,
            arrived: sample.arrived,
            finished: sample.finished,
            hosts_on: sample.hosts_on,
            busy_nanos: vec![0; self.rows_len()],
            ..Point::default()
        };
        for host in &sample.hosts {
            point.output_tokens += host.output_tokens;
            if let Some(busy) = point.busy_nanos.get_mut(host.host.index() / per_row) {
                *busy += host.busy_nanos;
            }
            for (model, _) in &host.loaded {
                if model.index() >= point.replicas.len() {
                    point.replicas.resize(model.index() + 1, 0);
                }
                point.replicas[model.index()] += 1;
            }
        }
        if self.hosts_len <= RESIDENCY_HOSTS_MAX {
            point.loaded = vec![Vec::new(); self.hosts_len];
            for host in &sample.hosts {
                if let Some(loaded) = point.loaded.get_mut(host.host.index()) {
                    loaded.clone_from(&host.loaded);
                }
            }
        }
        point
    }

    /// The busy share of each row between the point before `index` and that point, 0 to 1; empty for the first.
    #[must_use]
    pub fn busy_shares(&self, index: usize) -> Vec<f64> {
        let Some((before, point)) =
            index.checked_sub(1).and_then(|i| self.points.get(i).zip(self.points.get(index)))
        else {
            return Vec::new();
        };
        let span = point.at.since(before.at).0 as f64;
        let rows = before.busy_nanos.iter().zip(&point.busy_nanos).enumerate();
        rows.map(|(row, (from, to))| {
            let share = to.saturating_sub(*from) as f64 / (span * self.row_hosts_len(row) as f64);
            if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
        })
        .collect()
    }

    /// The first and last host of a row.
    #[must_use]
    pub fn row_hosts(&self, row: usize) -> (HostId, HostId) {
        let first = row * self.hosts_per_row();
        let last = (first + self.row_hosts_len(row)).saturating_sub(1);
        (HostId(first as u32), HostId(last as u32))
    }
}

#[cfg(test)]
mod tests {
    use traces::record::HostSample;

    use super::*;

    fn sample(second: u64, queued: u32, hosts: u32) -> Sample {
        let host =
            |id| HostSample { host: HostId(id), busy_nanos: second * 500_000_000, ..HostSample::default() };
        Sample {
            at: Instant(second * 1_000_000_000),
            queued,
            arrived: second * 3,
            hosts: (0..hosts).map(host).collect(),
            ..Sample::default()
        }
    }

    #[test]
    fn any_number_of_samples_stays_bounded_and_reaches_the_end() {
        let mut timeline = Timeline::new(2);
        for second in 0..10_000 {
            timeline.push(&sample(second, u32::from(second == 4_321) * 77, 2));
        }
        timeline.finish();
        let points = timeline.points();
        assert!(points.len() <= POINTS_MAX + 1 && points.len() > POINTS_MAX / 2 - 1, "{}", points.len());
        assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert_eq!(points.last().unwrap().arrived, 9_999 * 3);
        assert_eq!(points.iter().map(|point| point.queued_max).max(), Some(77), "no peak is lost");
        assert!((timeline.busy_shares(5)[1] - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_large_fleet_shares_rows_without_losing_a_host() {
        for hosts in [1_usize, 63, 64, 65, 100, 128, 1_000, 10_000] {
            let timeline = Timeline::new(hosts);
            assert!(timeline.rows_len() <= ROWS_MAX);
            assert_eq!((0..timeline.rows_len()).map(|row| timeline.row_hosts_len(row)).sum::<usize>(), hosts);
        }
    }

    #[test]
    fn an_empty_timeline_has_no_shares() {
        assert_eq!(Timeline::new(0).busy_shares(0), Vec::<f64>::new());
        assert_eq!(Timeline::new(3).busy_shares(1), Vec::<f64>::new());
    }
}
