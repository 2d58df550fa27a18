//! How one component is measured at one scale: both forms in turns, five seeds each.
//!
//! For each seed both forms are built, and both do the same first operations, whose answers must agree: that is the
//! warm-up, too. Then each is timed for a while: samples of wall time by the monotonic clock, each at least a hundred
//! times the clock's resolution, so that short operations are timed in batches; CPU time of the process in a few rounds,
//! both forms in turns, of which the least counts: machines are shared, and other work only ever adds. Where a form has threads, wall time takes its place. Memory is what
//! lives after building, and the most that building and warm-up held at once; allocations are those of the timed operations; all by the program's counting allocator, which
//! counts for the thread that measures.

use std::hint::black_box;
use std::time::Duration;

use reports::machine::{Stopwatch, cpu_time};

use super::{Case, Clock, Component, FORMS, SEEDS, Subject, count};

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
    /// Wall nanoseconds for one operation, likewise.
    pub wall_nanos: Vec<f64>,
    /// Which of the two decides.
    pub clock: Clock,
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
    /// Bytes that live after building, the most over the seeds; `None` where the allocator does not count.
    pub live_bytes: Option<u64>,
    /// Most bytes that building and warm-up held at once, the largest over the seeds; `None` where the allocator does
    /// not count.
    pub memory_bytes: Option<u64>,
}

impl Measured {
    /// Nanoseconds for one operation by the clock that decides, by seed.
    #[must_use]
    pub fn time_nanos(&self) -> &[f64] {
        match self.clock {
            Clock::Cpu => &self.cpu_nanos,
            Clock::Wall => &self.wall_nanos,
        }
    }
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
    let mut both = [(); 2].map(|()| Measured { clock: component.clock, ..Measured::default() });
    for seed in SEEDS {
        let build = |form: usize, counting| {
            let scale = usize::try_from(scale).expect("a scale fits the memory");
            (component.build)(Case { implementation: FORMS[form], scale, seed, counting })
        };
        let (mut baseline, baseline_built) = built(|| build(0, false));
        let (warm, baseline_use) = used(|| warm_up(&mut *baseline, budget.warm_up));
        let (mut optimised, optimised_built) = built(|| build(1, false));
        let (optimised_warm, optimised_use) = used(|| {
            let watch = Stopwatch::start();
            let sum = optimised.operate(warm.operations);
            Warm { sum, wall: watch.wall(), ..warm }
        });
        assert_eq!(
            warm.sum, optimised_warm.sum,
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
        let warmed = [(warm, baseline_built, baseline_use), (optimised_warm, optimised_built, optimised_use)];
        for (measured, (warm, built, used)) in both.iter_mut().zip(warmed) {
            if measured.batch == 0 {
                let each = warm.wall.as_nanos() / u128::from(warm.operations);
                measured.batch = (resolution * RESOLUTIONS).div_ceil(each.max(1)) as u64;
            }
            measured.checked += warm.operations;
            measured.live_bytes = measured.live_bytes.max(built.map(|built| built.live_bytes));
            let most =
                built.zip(used).map(|(built, used)| built.peak_bytes.max(built.live_bytes + used.peak_bytes));
            measured.memory_bytes = measured.memory_bytes.max(most);
            measured.cpu_nanos.push(f64::INFINITY);
            measured.wall_nanos.push(f64::INFINITY);
        }
        let mut subjects = [baseline, optimised];
        for round in 0..ROUNDS {
            // Who goes first changes: the second finds the caches as the first left them.
            let first = (round + seed as usize) % 2;
            for form in [first, 1 - first] {
                time(&mut *subjects[form], budget.timed / ROUNDS as u32, &mut both[form]);
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
    for (nanos, took) in [(&mut measured.cpu_nanos, cpu), (&mut measured.wall_nanos, wall)] {
        let least = nanos.last_mut().expect("the seed has begun");
        *least = least.min((took.as_nanos() as f64 / operations as f64).max(f64::MIN_POSITIVE));
    }
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

/// What building took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Built {
    peak_bytes: u64,
    live_bytes: u64,
}

/// More than the counting itself takes for a moment.
const COUNTING_BYTES: u64 = 1 << 16;

/// Builds. The allocator tells peaks alone: what lives shows by a block on top of it that is larger than the peak of
/// building, and whose size is known. Nothing is written into the block, so it takes no memory.
fn built<T>(build: impl FnOnce() -> T) -> (T, Option<Built>) {
    let ((done, building, block), all) = used(|| {
        let (done, building) = used(build);
        let block = building.map_or(0, |building| building.peak_bytes + COUNTING_BYTES);
        black_box(Vec::<u8>::with_capacity(block as usize));
        (done, building, block)
    });
    let built = building.zip(all).map(|(building, all)| Built {
        peak_bytes: building.peak_bytes,
        live_bytes: all.peak_bytes.saturating_sub(block),
    });
    (done, built)
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
            clock: Clock::Cpu,
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
            assert_eq!((form.cpu_nanos.len(), form.wall_nanos.len()), (SEEDS.len(), SEEDS.len()));
            assert_eq!(form.counted, vec![3.0; SEEDS.len()]);
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
