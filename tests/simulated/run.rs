//! A scenario of this folder, run in the test's own process, with everything kept that was decided.

use std::path::PathBuf;

use control::door::Note;
use control::log::Record as LogRecord;
use control::units::Instant;
use herder::scenario::{Overrides, TraceOverride, load};
use sim::check::Checks;
use sim::simulation::{Progress, RunEnd, Setup, Simulation, Sink};
use sim_host::api::Engine;
use traces::record::{Record, Sample};

/// A run, as the command line would have it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The name of a scenario in this folder.
    pub(crate) scenario: &'static str,
    /// A trace in place of its arrivals.
    pub(crate) trace: Option<PathBuf>,
    /// Keys with other values.
    pub(crate) sets: Vec<String>,
    /// The seed of every draw.
    pub(crate) seed: u64,
    /// How often what must hold is checked on the way.
    pub(crate) checks: Checks,
}

impl Case {
    /// The scenario as it is written.
    pub(crate) fn new(scenario: &'static str) -> Self {
        Self { scenario, trace: None, sets: Vec::new(), seed: 1, checks: Checks::Sparse }
    }

    /// With a key that has another value.
    pub(crate) fn set(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.sets.push(format!("{key}={value}"));
        self
    }

    fn path(&self) -> String {
        format!("tests/simulated/{}.toml", self.scenario)
    }

    /// The line that repeats it.
    pub(crate) fn command(&self) -> String {
        let trace = self.trace.as_ref().map(|trace| format!(" --trace {}", trace.display()));
        let sets: String = self.sets.iter().map(|set| format!(" --set '{set}'")).collect();
        format!("herder run {} --seed {}{}{sets}", self.path(), self.seed, trace.unwrap_or_default())
    }

    /// Runs it.
    ///
    /// # Panics
    /// Where it cannot be run, or an invariant is broken; the line that repeats it is printed before.
    pub(crate) fn run(&self) -> Run {
        let _told = Told(self.command());
        let absolute = |trace: &PathBuf| std::path::absolute(trace).expect("a path");
        let overrides = Overrides {
            sets: self.sets.clone(),
            seed: Some(self.seed),
            profiles: None,
            trace: self.trace.as_ref().map(|trace| TraceOverride { file: absolute(trace), keys: Vec::new() }),
        };
        let scenario = load(&self.path(), &overrides).unwrap_or_else(|error| panic!("{error}"));
        let mut source = scenario.workload.source(self.seed).expect("a source of jobs");
        let fleet = scenario.fleet(source.models(), Engine::Coalesced).expect("a checked fleet");
        let setup = Setup {
            seed: self.seed,
            control: scenario.control.clone(),
            fleet,
            sample_every: None,
            changes: scenario.changes.clone(),
            checks: self.checks,
        };
        let mut kept = Kept::default();
        let end = Simulation::new(setup, &mut *source, &mut kept).run();
        Run { end: end.unwrap_or_else(|error| panic!("{error}")), records: kept.records, log: kept.log }
    }
}

/// Says how to repeat a run where a test fails in it.
pub(crate) struct Told(pub(crate) String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat it: {}", self.0);
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    /// Its end.
    pub(crate) end: RunEnd,
    /// Its requests, in order of their ends.
    pub(crate) records: Vec<Record>,
    /// Its decision log: encoded records.
    pub(crate) log: Vec<Vec<u8>>,
}

impl Run {
    /// The decision log, record by record.
    pub(crate) fn decisions(&self) -> impl Iterator<Item = LogRecord<'static>> {
        self.log.iter().map(|bytes| LogRecord::decode(bytes).expect("a record that was just encoded"))
    }
}

#[derive(Default)]
struct Kept {
    records: Vec<Record>,
    log: Vec<Vec<u8>>,
}

impl Sink for Kept {
    fn record(&mut self, record: &Record) {
        self.records.push(record.clone());
    }
    fn sample(&mut self, _: &Sample) {}
    fn note(&mut self, _: Instant, _: Note) {}
    fn progress(&mut self, _: &Progress) -> bool {
        true
    }
    fn log(&mut self, record: &LogRecord<'_>) -> Result<(), String> {
        self.log.push(record.encode(Vec::new()));
        Ok(())
    }
    fn wants_log(&self) -> bool {
        true
    }
}
