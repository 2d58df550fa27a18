//! How one component is measured at one scale: both forms in turns, five seeds each.
//!
//! For each seed both forms are built, and both do the same first operations, whose answers must agree: that is the
//! warm-up, too. Then each is timed for a while: samples of wall time by the monotonic clock, each at least a hundred
//! times the clock's resolution, so that short operations are timed in batches; CPU time of the process in a few rounds,
//! both forms in turns, of which the least counts: machines are shared, and other work only ever adds. Memory is the most that building and warm-up held at once, and allocations are
//! those of the timed operations, both by the program's counting allocator.

use std::hint::black_box;
use std::time::Duration;

use reports::machine::{Stopwatch, cpu_time};

use super::{Case, Component, FORMS, SEEDS, Subject, count};

/// How long things go on, for each seed and form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// The warm-up of the baseline; the optimised form does as many operations.
    pub warm_up: Duration,
    /// The timing, in [`ROUNDS`] rounds; a sample that is begun is ended, and there are [`SAMPLES_LEAST`] at least in a
    /// round.
    pub timed: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { warm_up: Duration::from_millis(5), timed: Duration::from_millis(20) }
    }
}

/// Rounds for each seed and form.
pub const ROUNDS: usize = 3;

/// Fewest samples in a round.
pub const SAMPLES_LEAST: usize = 2;

/// Most samples in a round; what they take is reserved before.
const SAMPLES_MAX: usize = 20_000;

/// A sample is at least so many times the clock's resolution.
const RESOLUTIONS: u128 = 100;

/// What was measured of one form at one scale.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Measured {
    /// Wall nanoseconds for one operation, by sample, over all seeds, ascending.
    pub samples: Vec<f64>,
    /// Operations in a sample.
    pub batch: u64,
    /// CPU nanoseconds for one operation, by seed: the least of the rounds.
    pub cpu_nanos: Vec<f64>,
    /// Counted comparisons (or what the component counts) for one operation, by seed; empty where nothing is counted.
    pub counted: Vec<f64>,
    /// Timed operations.
    pub operations: u64,
    /// Operations on which both forms were held to agree.
    pub checked: u64,
    /// Wall time of the timed operations.
    pub wall: Duration,
    /// CPU time of the timed operations.
    pub cpu: Duration,
    /// Allocations of the timed operations; `None` where the allocator does not count.
    pub allocations: Option<u64>,
    /// Most bytes that building and warm-up held at once, the largest over the seeds; `None` where the allocator does
    /// not count.
    pub memory_bytes: Option<u64>,
}

/// The least step of the clock that shows, in nanoseconds.
#[must_use]
pub fn clock_resolution_nanos() -> u128 {
    let watch = Stopwatch::start();
    let mut least = u128::MAX;
    for _ in 0..1_000 {
        let before = watch.wall();
        let mut after = watch.wall();
        while after == before {
            after = watch.wall();
        }
        least = least.min((after - before).as_nanos());
    }
    least
}

/// Measures both forms of a component at a scale.
///
/// # Panics
/// Where the forms answer differently: one of them is wrong.
#[must_use]
pub fn at_scale(component: &Component, scale: u64, budget: Budget) -> [Measured; 2] {
    let resolution = clock_resolution_nanos();
    let mut both = [Measured::default(), Measured::default()];
    for seed in SEEDS {
        let build = |form: usize, counting| {
            let scale = usize::try_from(scale).expect("a scale fits the memory");
            (component.build)(Case { implementation: FORMS[form], scale, seed, counting })
        };
        let (baseline, baseline_use) = used(|| {
            let mut subject = build(0, false);
            let warm = warm_up(&mut *subject, budget.warm_up);
            (subject, warm)
        });
        let warm = baseline.1;
        let (optimised, optimised_use) = used(|| {
            let mut subject = build(1, false);
            let watch = Stopwatch::start();
            let sum = subject.operate(warm.operations);
            (subject, Warm { sum, wall: watch.wall(), ..warm })
        });
        assert_eq!(
            baseline.1.sum, optimised.1.sum,
            "{} at {scale}, seed {seed}: the forms differ within {} operations",
            component.name, warm.operations
        );
        if component.counted.is_some() {
            for (form, measured) in both.iter_mut().enumerate() {
                let mut subject = build(form, true);
                let before = count::total();
                let sum = subject.operate(warm.operations);
                measured.counted.push((count::total() - before) as f64 / warm.operations as f64);
                assert_eq!(sum, warm.sum, "{} at {scale}: counting changes nothing", component.name);
            }
        }
        let mut subjects = [(baseline, baseline_use), (optimised, optimised_use)];
        for (measured, ((_, warm), memory)) in both.iter_mut().zip(&subjects) {
            if measured.batch == 0 {
                let each = warm.wall.as_nanos() / u128::from(warm.operations);
                measured.batch = (resolution * RESOLUTIONS).div_ceil(each.max(1)) as u64;
            }
            measured.checked += warm.operations;
            measured.memory_bytes = measured.memory_bytes.max(memory.map(|used| used.peak_bytes));
            measured.cpu_nanos.push(f64::INFINITY);
        }
        for round in 0..ROUNDS {
            // Who goes first changes: the second finds the caches as the first left them.
            let first = (round + seed as usize) % 2;
            for form in [first, 1 - first] {
                time(&mut *subjects[form].0.0, budget.timed / ROUNDS as u32, &mut both[form]);
            }
        }
    }
    for measured in &mut both {
        measured.samples.sort_by(f64::total_cmp);
    }
    both
}

/// What a warm-up did.
#[derive(Clone, Copy)]
struct Warm {
    operations: u64,
    sum: u64,
    wall: Duration,
}

/// Doubles the operations until the time is up.
fn warm_up(subject: &mut dyn Subject, budget: Duration) -> Warm {
    let watch = Stopwatch::start();
    let mut warm = Warm { operations: 0, sum: 0, wall: Duration::ZERO };
    while warm.wall < budget {
        let more = warm.operations.max(1);
        warm.sum = warm.sum.wrapping_add(subject.operate(more));
        warm.operations += more;
        warm.wall = watch.wall();
    }
    warm
}

fn time(subject: &mut dyn Subject, budget: Duration, measured: &mut Measured) {
    let mut samples = Vec::with_capacity(SAMPLES_MAX);
    let batch = measured.batch;
    let ((wall, cpu), memory) = used(|| {
        let cpu_before = cpu_time();
        let watch = Stopwatch::start();
        let mut before = Duration::ZERO;
        while samples.len() < SAMPLES_LEAST || before < budget && samples.len() < SAMPLES_MAX {
            black_box(subject.operate(batch));
            let now = watch.wall();
            samples.push((now - before).as_nanos() as f64 / batch as f64);
            before = now;
        }
        (before, cpu_time() - cpu_before)
    });
    let operations = samples.len() as u64 * batch;
    measured.samples.extend_from_slice(&samples);
    measured.operations += operations;
    let least = measured.cpu_nanos.last_mut().expect("the seed has begun");
    *least = least.min((cpu.as_nanos() as f64 / operations as f64).max(f64::MIN_POSITIVE));
    measured.wall += wall;
    measured.cpu += cpu;
    measured.allocations = memory.map(|used| measured.allocations.unwrap_or(0) + used.allocations);
}

/// What some work took of the allocator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Used {
    allocations: u64,
    peak_bytes: u64,
}

/// Does the work; what it took is `None` where the program has no counting allocator (tests of the library).
fn used<T>(work: impl FnOnce() -> T) -> (T, Option<Used>) {
    let session = alloc_tracker::Session::new().no_stdout().no_file();
    let probe = session.operation("probe");
    {
        let _span = probe.measure_thread().iterations(1);
        black_box(Box::new(0_u8));
    }
    let operation = session.operation("work");
    let done = {
        let _span = operation.measure_thread().iterations(1);
        work()
    };
    let report = session.to_report();
    let find = |name: &str| report.operations().find(|(known, _)| *known == name).map(|(_, found)| found);
    let counts = find("probe").is_some_and(|probe| probe.total_allocations_count() > 0);
    let used = find("work").filter(|_| counts).map(|work| Used {
        allocations: work.total_allocations_count(),
        peak_bytes: work.peak_outstanding_bytes().unwrap_or(0.0) as u64,
    });
    (done, used)
}

#[cfg(test)]
mod tests {
    use control::draw::mix;
    use control::index::Implementation;

    use super::super::fit::Complexity;
    use super::*;

    /// Answers a mix of the operation's number, or one more in a form that is wrong.
    struct Numbers {
        next: u64,
        wrong: u64,
    }

    impl Subject for Numbers {
        fn operate(&mut self, operations: u64) -> u64 {
            let from = self.next;
            self.next += operations;
            count::add(3 * operations);
            (from..self.next).fold(0, |sum, number| sum.wrapping_add(mix(number)).wrapping_add(self.wrong))
        }
    }

    fn component(wrong: u64) -> Component {
        Component {
            name: "numbers".into(),
            forms: ["counted", "counted as well"],
            operation: "count",
            scale: "nothing",
            claimed: [Complexity::Constant; 2],
            counted: Some("numbers"),
            build: Box::new(move |case| {
                let wrong = if case.implementation == Implementation::Optimised { wrong } else { 0 };
                Box::new(Numbers { next: 0, wrong })
            }),
        }
    }

    fn short() -> Budget {
        Budget { warm_up: Duration::from_micros(50), timed: Duration::from_micros(50) }
    }

    #[test]
    fn both_forms_have_every_seed_and_as_many_checked_operations() {
        let [baseline, optimised] = at_scale(&component(0), 10, short());
        assert_eq!(baseline.checked, optimised.checked);
        for form in [baseline, optimised] {
            assert_eq!((form.cpu_nanos.len(), form.counted), (SEEDS.len(), vec![3.0; SEEDS.len()]));
            assert!(form.samples.len() >= SAMPLES_LEAST * ROUNDS * SEEDS.len() && form.batch > 1);
            assert_eq!(form.operations, form.samples.len() as u64 * form.batch);
            assert!(form.samples.is_sorted());
        }
    }

    #[test]
    #[should_panic(expected = "the forms differ")]
    fn forms_that_answer_differently_are_refused() {
        let _ = at_scale(&component(1), 10, short());
    }
}
