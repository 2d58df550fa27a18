//! Many random simulated runs in which things break, with what must hold checked while they go on and after the faults are over
//! (swarm testing: Groce et al., ISSTA 2012; simulation with faults: FoundationDB, TigerBeetle). What is wrong is found by seed and
//! number, made small, and written down.

pub mod draw;
pub mod invariants;
pub mod shrink;
pub mod trial;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use control::units::Nanos;

use self::draw::Range;
use self::trial::{Counts, Kind, Ran, Terms, Violation};
use crate::scenario::{self, Scenario, ScenarioFile};

/// One run in so many is made twice, which must come to the same end.
pub const TWICE_EVERY: u64 = 50;

/// Which runs are made, and how.
#[derive(Clone)]
pub struct Hunt<'a> {
    /// What they are drawn from.
    pub range: Range,
    /// The first and the one after the last.
    pub runs: std::ops::Range<u64>,
    /// Threads; at least 1.
    pub threads: u32,
    /// How they are checked.
    pub terms: Terms<'a>,
}

/// What came of many runs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Runs in which everything held.
    pub runs: u64,
    /// Those of them that were made twice.
    pub repeated: u64,
    /// Of all runs together.
    pub counts: Counts,
    /// The longest that a request that was under way when all faults were over took from then on, and the run in which it did.
    pub recovery: (Nanos, u64),
}

/// A run in which something did not hold.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Its number.
    pub run: u64,
    /// What.
    pub violation: Violation,
    /// Its scenario, where one could be read.
    pub scenario: Option<Box<ScenarioFile>>,
}

/// What a hunt came to.
#[derive(Clone, Debug)]
pub struct Found {
    /// Of the runs before the first violation; of all where there is none.
    pub totals: Totals,
    /// The violation of the least number.
    pub failed: Option<Failed>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

impl Totals {
    /// Adds a run in which everything held.
    pub fn add(&mut self, run: u64, ran: &Ran) {
        self.runs += 1;
        self.repeated += u64::from(is_repeated(run));
        self.counts += &ran.counts;
        if ran.recovery > self.recovery.0 {
            self.recovery = (ran.recovery, run);
        }
    }
}

fn is_repeated(run: u64) -> bool {
    run.is_multiple_of(TWICE_EVERY)
}

/// The scenario of a run.
///
/// # Errors
/// Where what was drawn cannot be read.
pub fn drawn(range: &Range, run: u64) -> Result<Scenario, Violation> {
    let text = draw::scenario(range, run);
    scenario::parse(&format!("run {run}"), &text)
        .map_err(|error| Violation { kind: Kind::Scenario, what: error.to_string() })
}

/// Runs a scenario twice, which must come to the same end.
///
/// # Errors
/// What did not hold first.
pub fn twice(scenario: &Scenario, terms: Terms<'_>) -> Result<Ran, Violation> {
    let ran = trial::run(scenario, terms)?;
    let again = trial::run(scenario, terms)?;
    if again == ran {
        return Ok(ran);
    }
    let what = format!("the same scenario ends twice in different ways: {ran:?}, then {again:?}");
    Err(Violation { kind: Kind::Repetition, what })
}

/// Makes a run; one in [`TWICE_EVERY`] twice.
fn make(hunt: &Hunt<'_>, run: u64) -> Result<Ran, Failed> {
    let scenario = drawn(&hunt.range, run).map_err(|violation| Failed { run, violation, scenario: None })?;
    let made = trial::run(&scenario, hunt.terms).and_then(|ran| {
        if is_repeated(run) {
            let again = trial::run(&scenario, hunt.terms)?;
            if again != ran {
                let what = format!("the same scenario ends twice in different ways: {ran:?}, then {again:?}");
                return Err(Violation { kind: Kind::Repetition, what });
            }
        }
        Ok(ran)
    });
    made.map_err(|violation| Failed { run, violation, scenario: Some(Box::new(scenario.file)) })
}

/// What threads have done between them, put together in the order of the runs: the same for any number of them.
struct Gathered {
    totals: Totals,
    next: u64,
    ahead: BTreeMap<u64, Ran>,
    failed: Option<Failed>,
}

impl Gathered {
    fn take(&mut self, run: u64, made: Result<Ran, Failed>) {
        match made {
            Ok(ran) => {
                self.ahead.insert(run, ran);
            }
            Err(failed) if self.failed.as_ref().is_none_or(|first| failed.run < first.run) => {
                self.failed = Some(failed);
            }
            Err(_) => {}
        }
        while let Some(ran) = self.ahead.remove(&self.next) {
            self.totals.add(self.next, &ran);
            self.next += 1;
        }
    }
}

/// Makes runs until one fails, and then those before it. `watch` is told how many are done, and stops all by saying false.
///
/// # Errors
/// Where the system gives no threads.
pub fn hunt(
    hunt: &Hunt<'_>,
    watch: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Found, rayon::ThreadPoolBuildError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(hunt.threads as usize).build()?;
    let next = AtomicU64::new(hunt.runs.start);
    let end = AtomicU64::new(hunt.runs.end);
    let done = AtomicU64::new(0);
    let gathered = Mutex::new(Gathered {
        totals: Totals::default(),
        next: hunt.runs.start,
        ahead: BTreeMap::new(),
        failed: None,
    });
    pool.broadcast(|_| {
        while watch(done.load(Ordering::Relaxed)) {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= end.load(Ordering::Relaxed) {
                return;
            }
            let made = make(hunt, run);
            if made.is_err() {
                // Runs begin in order: those before it are done, or under way.
                end.fetch_min(run, Ordering::Relaxed);
            }
            done.fetch_add(1, Ordering::Relaxed);
            gathered.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take(run, made);
        }
    });
    let Gathered { totals, next, failed, .. } =
        gathered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let stopped = failed.is_none() && next < hunt.runs.end;
    Ok(Found { totals, failed, stopped })
}
