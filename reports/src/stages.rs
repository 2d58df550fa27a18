//! Times of control's stages: a [`Meter`] with a clock, and what it measured as rows. For those who ask where a decision's
//! time goes; it belongs to the machine, not to the run.

use std::time::Instant;

use control::door::{Meter, Stage};
use control::index::stage_times::StageTimes;
use control::units::Nanos;
use serde::Serialize;

use crate::number::ratio;

/// Samples that are kept one by one.
const RECENT: usize = 16;

/// Stages with their names, in the order of rows.
const STAGES: [(Stage, &str); 4] = [
    (Stage::Step, "step"),
    (Stage::Admission, "admission"),
    (Stage::Schedule, "schedule"),
    (Stage::Balance, "balance"),
];

/// Measures stages on the wall clock. Reading it costs some 50 ns a stage, which the times hold too.
#[derive(Clone, Debug)]
pub struct StageMeter {
    since: [Option<Instant>; STAGES.len()],
    times: [StageTimes; STAGES.len()],
}

impl Default for StageMeter {
    fn default() -> Self {
        Self { since: [None; STAGES.len()], times: std::array::from_fn(|_| StageTimes::new(RECENT)) }
    }
}

fn place(stage: Stage) -> usize {
    STAGES.iter().position(|known| known.0 == stage).expect("every stage has its row")
}

impl Meter for StageMeter {
    #[expect(
        clippy::disallowed_methods,
        reason = "wall time belongs to machine.json, and this is measured for it"
    )]
    fn enter(&mut self, stage: Stage) {
        self.since[place(stage)] = Some(Instant::now());
    }

    fn leave(&mut self, stage: Stage) {
        if let Some(since) = self.since[place(stage)].take() {
            self.times[place(stage)]
                .record(Nanos(u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)));
        }
    }
}

/// A stage's times, in nanoseconds. Quantiles are within 1/32 of the exact ones.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct StageRow {
    /// Which stage.
    pub stage: &'static str,
    /// How often it was passed.
    pub count: u64,
    /// Time in it in all.
    pub sum_ns: u64,
    /// Mean.
    pub mean_ns: f64,
    /// Least.
    pub min_ns: u64,
    /// Median.
    pub p50_ns: u64,
    /// 95th percentile.
    pub p95_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// Greatest.
    pub max_ns: u64,
    /// The last few, newest first.
    pub recent_ns: Vec<u64>,
}

impl StageMeter {
    /// A row for each stage that was passed.
    #[must_use]
    pub fn rows(&self) -> Vec<StageRow> {
        let passed = STAGES.iter().zip(&self.times).filter(|(_, times)| times.count() > 0);
        let row = |((_, stage), times): (&(Stage, &'static str), &StageTimes)| {
            let quantile = |per_mille| times.quantile(per_mille).map_or(0, |span| span.0);
            StageRow {
                stage,
                count: times.count(),
                sum_ns: u64::try_from(times.sum_nanos()).unwrap_or(u64::MAX),
                mean_ns: ratio(times.sum_nanos(), times.count().into(), 1).unwrap_or(0.0),
                min_ns: times.min().map_or(0, |span| span.0),
                p50_ns: quantile(500),
                p95_ns: quantile(950),
                p99_ns: quantile(990),
                max_ns: times.max().map_or(0, |span| span.0),
                recent_ns: times.recent(RECENT).map(|span| span.0).collect(),
            }
        };
        passed.map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_inside_others_are_counted_apart_and_what_was_not_entered_is_not() {
        let mut meter = StageMeter::default();
        for _ in 0..3 {
            meter.enter(Stage::Step);
            meter.enter(Stage::Balance);
            meter.leave(Stage::Balance);
            meter.leave(Stage::Step);
            meter.leave(Stage::Schedule);
        }
        let rows = meter.rows();
        assert_eq!(
            rows.iter().map(|row| (row.stage, row.count)).collect::<Vec<_>>(),
            [("step", 3), ("balance", 3)]
        );
        assert!(rows[0].sum_ns >= rows[1].sum_ns, "a step holds its stages");
        assert!(rows.iter().all(|row| row.min_ns <= row.p50_ns && row.p50_ns <= row.max_ns));
        assert_eq!(rows[0].recent_ns.len(), 3);
    }
}
