//! The record: what one form came to at one scale, beside the other form.

use control::index::Implementation;
use serde::Serialize;

use super::fit::{self, Compared, Complexity, Crossover, Estimate, Point, Verdict};
use super::measure::Measured;
use super::{Clock, Component, FORMS, SEEDS};

/// A component's measurement at one scale.
#[derive(Clone, PartialEq, Debug)]
pub struct AtScale {
    /// The scale.
    pub scale: u64,
    /// When it was measured, as `2026-01-31T12:00:00Z`.
    pub timestamp: String,
    /// Both forms, as in [`FORMS`].
    pub forms: [Measured; 2],
}

/// One row of `bench.csv`, one object of `bench.json`. Times are of one operation.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Record {
    /// Component, form and scale in one.
    pub name: String,
    /// The component.
    pub component: String,
    /// The form.
    pub implementation: Implementation,
    /// What this form is.
    pub form: &'static str,
    /// What one operation is.
    pub operation: &'static str,
    /// How many.
    pub scale: u64,
    /// Of what.
    pub scale_of: &'static str,
    /// By the time that decides.
    pub operations_per_second: f64,
    /// Mean wall time.
    pub mean_nanos: f64,
    /// Wall time, median of samples.
    pub p50_nanos: f64,
    /// Wall time, 95th percentile of samples.
    pub p95_nanos: f64,
    /// Wall time, 99th percentile of samples.
    pub p99_nanos: f64,
    /// Operations in a sample: percentiles are those of the means of so many.
    pub operations_per_sample: u64,
    /// CPU time, the mean over the seeds of the least of a seed's rounds.
    pub cpu_nanos: f64,
    /// The time that decides: CPU time, or wall time where a form has threads; likewise the mean of the least.
    pub time_nanos: f64,
    /// Which it is.
    pub time_of: &'static str,
    /// CPU time over wall time.
    pub cpu_use: f64,
    /// Most bytes held at once by building and warm-up.
    pub memory_bytes: Option<u64>,
    /// The same for each of the scale.
    pub memory_bytes_per_unit: Option<f64>,
    /// Bytes that live after building.
    pub live_bytes: Option<u64>,
    /// The same for each of the scale.
    pub live_bytes_per_unit: Option<f64>,
    /// Allocations of an operation.
    pub allocations_per_operation: Option<f64>,
    /// How cost is said to grow.
    pub complexity_claimed: Complexity,
    /// How it grew, over all scales; `None` with fewer than three. Times that hardly grow count as constant.
    pub complexity_measured: Option<Complexity>,
    /// What that was fitted to: what was counted, or the time that decides.
    pub complexity_basis: &'static str,
    /// Counted for one operation.
    pub counted_per_operation: Option<f64>,
    /// Slope of the logarithm of the time that decides over that of the scale.
    pub time_exponent: Option<f64>,
    /// Lower end of its 95 % interval.
    pub time_exponent_low: Option<f64>,
    /// Upper end.
    pub time_exponent_high: Option<f64>,
    /// The baseline's operations per second at this scale.
    pub baseline_operations_per_second: f64,
    /// Operations per second over the baseline's.
    pub improvement_factor: f64,
    /// The same, in percent more.
    pub improvement_percent: f64,
    /// By how many percent one form came apart from itself, at the most over the scales.
    pub noise_percent: f64,
    /// Fewer percent are no gain.
    pub gain_least_percent: f64,
    /// Whether the optimised form is faster here.
    pub verdict: Verdict,
    /// From what scale on the optimised form wins.
    pub crossover: Crossover,
    /// When this was measured.
    pub timestamp: String,
    /// Wall time of the timed operations.
    pub duration_seconds: f64,
    /// Timed operations, over all seeds.
    pub iterations: u64,
    /// Operations on which both forms were held to agree.
    pub checked_operations: u64,
    /// Seeds.
    pub seeds: usize,
    /// Half the 95 % interval of the time that decides over the seeds, as a share of it.
    pub tolerance: f64,
}

/// What holds of a component over all scales measured.
#[derive(Clone, PartialEq, Debug)]
pub struct Growth {
    /// The best curve, by form.
    pub complexity: [Option<Complexity>; 2],
    /// The slope of the time, by form.
    pub exponent: [Option<Estimate>; 2],
    /// From what scale on the optimised form wins.
    pub crossover: Crossover,
}

/// Times that grow by less than this power of the scale (twofold over a thousandfold) count as constant: that much
/// comes of caches, which hold less of a larger structure.
const EXPONENT_LEAST: f64 = 0.1;

/// How far one form came apart from itself, by clock: less than that of an improvement is none.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Noise {
    /// A factor, at least 1.
    cpu: f64,
    /// The same.
    wall: f64,
}

impl Noise {
    /// Where none was measured.
    pub const NONE: Self = Self { cpu: 1.0, wall: 1.0 };

    /// The most over the scales at which one form was measured against itself.
    #[must_use]
    pub fn of(same: &[AtScale]) -> Self {
        let most = |of: fn(&Measured) -> &Vec<f64>| {
            let apart = |at: &AtScale| fit::apart(of(&at.forms[0]), of(&at.forms[1]));
            same.iter().map(apart).fold(1.0, f64::max)
        };
        Self { cpu: most(|measured| &measured.cpu_nanos), wall: most(|measured| &measured.wall_nanos) }
    }

    fn factor(self, clock: Clock) -> f64 {
        match clock {
            Clock::Cpu => self.cpu,
            Clock::Wall => self.wall,
        }
    }

    fn gain_least(self, clock: Clock) -> f64 {
        self.factor(clock).max(fit::GAIN_LEAST)
    }
}

/// Compares both forms at each scale and over them.
#[must_use]
pub fn growth(scales: &[AtScale], noise: Noise) -> Growth {
    let points = |form: usize, of: fn(&Measured) -> &[f64]| -> Vec<Point> {
        let of = |at: &AtScale| {
            let n = at.scale as f64;
            of(&at.forms[form]).iter().map(|&y| Point { n, y }).collect::<Vec<_>>()
        };
        scales.iter().flat_map(of).collect()
    };
    let exponent = |form: usize| fit::exponent(&points(form, Measured::time_nanos));
    let complexity = |form: usize| {
        let counted = points(form, |measured| &measured.counted);
        if !counted.is_empty() {
            return fit::complexity(&counted);
        }
        let best = fit::complexity(&points(form, Measured::time_nanos))?;
        let flat = exponent(form).is_some_and(|estimate| estimate.value < EXPONENT_LEAST);
        Some(if flat { Complexity::Constant } else { best })
    };
    let compared: Vec<Compared> = scales.iter().map(|at| compare(at, noise)).collect();
    Growth {
        complexity: [complexity(0), complexity(1)],
        exponent: [exponent(0), exponent(1)],
        crossover: fit::crossover(&compared),
    }
}

fn compare(at: &AtScale, noise: Noise) -> Compared {
    let gain_least = noise.gain_least(at.forms[0].clock);
    let [baseline, optimised] = at.forms.each_ref().map(Measured::time_nanos);
    let factor = fit::mean(baseline).value / fit::mean(optimised).value;
    Compared { scale: at.scale, verdict: fit::verdict(baseline, optimised, gain_least), factor }
}

/// The records of a component: at each scale the baseline, then the optimised form.
#[must_use]
pub fn records(component: &Component, scales: &[AtScale], noise: Noise) -> Vec<Record> {
    let growth = growth(scales, noise);
    let mut records = Vec::new();
    for at in scales {
        for form in 0..FORMS.len() {
            records.push(record(component, at, &growth, noise, form));
        }
    }
    records
}

fn record(component: &Component, at: &AtScale, growth: &Growth, noise: Noise, form: usize) -> Record {
    let measured = &at.forms[form];
    let time = fit::mean(measured.time_nanos());
    let baseline = fit::mean(at.forms[0].time_nanos()).value;
    let factor = baseline / time.value;
    let per_unit = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / at.scale as f64);
    let implementation = FORMS[form];
    let form_name = if form == 0 { "baseline" } else { "optimised" };
    let exponent = growth.exponent[form];
    Record {
        name: format!("{}/{form_name}/{}", component.name, at.scale),
        component: component.name.clone(),
        implementation,
        form: component.forms[form],
        operation: component.operation,
        scale: at.scale,
        scale_of: component.scale,
        operations_per_second: 1e9 / time.value,
        mean_nanos: measured.wall.as_nanos() as f64 / measured.operations as f64,
        p50_nanos: percentile(&measured.samples, 50),
        p95_nanos: percentile(&measured.samples, 95),
        p99_nanos: percentile(&measured.samples, 99),
        operations_per_sample: measured.batch,
        cpu_nanos: fit::mean(&measured.cpu_nanos).value,
        time_nanos: time.value,
        time_of: measured.clock.name(),
        cpu_use: measured.cpu.as_secs_f64() / measured.wall.as_secs_f64(),
        memory_bytes: measured.memory_bytes,
        memory_bytes_per_unit: per_unit(measured.memory_bytes),
        live_bytes: measured.live_bytes,
        live_bytes_per_unit: per_unit(measured.live_bytes),
        allocations_per_operation: measured
            .allocations
            .map(|count| count as f64 / measured.operations as f64),
        complexity_claimed: component.claimed[form],
        complexity_measured: growth.complexity[form],
        complexity_basis: component.counted.unwrap_or(measured.clock.name()),
        counted_per_operation: component.counted.map(|_| fit::mean(&measured.counted).value),
        time_exponent: exponent.map(|estimate| estimate.value),
        time_exponent_low: exponent.map(|estimate| estimate.low),
        time_exponent_high: exponent.map(|estimate| estimate.high),
        baseline_operations_per_second: 1e9 / baseline,
        improvement_factor: factor,
        improvement_percent: (factor - 1.0) * 100.0,
        noise_percent: (noise.factor(measured.clock) - 1.0) * 100.0,
        gain_least_percent: (noise.gain_least(measured.clock) - 1.0) * 100.0,
        verdict: compare(at, noise).verdict,
        crossover: growth.crossover,
        timestamp: at.timestamp.clone(),
        duration_seconds: measured.wall.as_secs_f64(),
        iterations: measured.operations,
        checked_operations: measured.checked,
        seeds: SEEDS.len(),
        tolerance: (time.high - time.value) / time.value,
    }
}

/// By nearest rank, of values that ascend; there is at least one.
fn percentile(sorted: &[f64], percent: u64) -> f64 {
    sorted[reports::histogram::rank(sorted.len() as u64, percent * 10) as usize - 1]
}

/// Now, in UTC to the second.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "a measurement says when it was made; nothing is decided by it"
)]
pub fn timestamp() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    stamp(since.map_or(0, |since| since.as_secs()))
}

fn stamp(seconds: u64) -> String {
    let (year, month, day) = traces::stamp::date_of((seconds / 86_400) as i64);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(times: [(u64, f64); 3]) -> Vec<AtScale> {
        let at = |(scale, nanos): (u64, f64)| {
            let form = || Measured { cpu_nanos: vec![nanos, nanos * 1.001], ..Measured::default() };
            AtScale { scale, timestamp: String::new(), forms: [form(), form()] }
        };
        times.map(at).into()
    }

    #[test]
    fn times_that_caches_explain_are_constant() {
        let flat = growth(&timed([(10, 100.0), (1_000, 101.0), (10_000, 150.0)]), Noise::NONE);
        assert_eq!(flat.complexity, [Some(Complexity::Constant); 2]);
        let steep = growth(&timed([(10, 100.0), (1_000, 1_090.0), (10_000, 10_090.0)]), Noise::NONE);
        assert_eq!(steep.complexity, [Some(Complexity::Linear); 2]);
        assert_eq!(steep.crossover, Crossover::Never, "both are as fast");
    }

    #[test]
    fn an_improvement_within_the_noise_is_none() {
        let at = |baseline: f64, optimised: f64| {
            let form = |nanos: f64| Measured {
                cpu_nanos: vec![nanos; 3],
                wall_nanos: vec![100.0; 3],
                ..Measured::default()
            };
            AtScale { scale: 10, timestamp: String::new(), forms: [form(baseline), form(optimised)] }
        };
        let noise = Noise::of(&[at(100.0, 98.0), at(100.0, 112.0)]);
        assert!((noise.cpu - 1.12).abs() < 1e-9 && noise.wall == 1.0, "{noise:?}");
        let wins = |noise| growth(&[at(110.0, 100.0)], noise).crossover == Crossover::Always;
        assert!(wins(Noise::NONE) && !wins(noise), "10 % are more than 5 %, and less than 12 %");
        let threads = |mut at: AtScale| {
            at.forms.iter_mut().for_each(|form| form.clock = Clock::Wall);
            at
        };
        assert_eq!(
            growth(&[threads(at(110.0, 100.0))], Noise::NONE).crossover,
            Crossover::Never,
            "by wall time"
        );
    }

    #[test]
    fn stamps_are_of_the_calendar() {
        assert_eq!(stamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(stamp(1_709_210_096), "2024-02-29T12:34:56Z");
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([50, 95, 99].map(|percent| percentile(&values, percent)), [100.0, 190.0, 198.0]);
        assert_eq!(percentile(&[7.0], 99), 7.0);
    }
}
