//! Runs of a comparison: each arm on each replicate, on as many threads as there are. What a run gives depends on its arm and its replicate
//! alone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result, anyhow};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sim::check::Checks;
use sim_host::api::Engine;
use traces::inspect::inspect;
use traces::reader::ReadOptions;
use workloads::config::ArrivalsFile;

use super::arms::Arm;
use super::measures;
use crate::run::{Plan, run};
use crate::scenario::{Overrides, Scenario, load};

/// What tells replicates apart.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replicates {
    /// The seed: this one, the next, and so on.
    Seeds(u64),
    /// The part of a trace: so many of the same length, one after the other, from and to these seconds.
    Windows {
        /// Where the first begins.
        from: f64,
        /// Where the last ends.
        to: f64,
        /// How many there are.
        count: usize,
    },
}

impl Replicates {
    /// Those of a scenario: seeds, or parts of its trace.
    ///
    /// # Errors
    /// Where the trace cannot be read.
    pub fn of(scenario: &Scenario, count: usize) -> Result<Self> {
        let ArrivalsFile::Trace(trace) = &scenario.file.workload.arrivals else {
            return Ok(Self::Seeds(scenario.file.seed));
        };
        let (from, to) = match trace.end_seconds {
            Some(to) => (trace.start_seconds, to),
            None => {
                let options = scenario.workload.trace().map(|(_, options)| options.read).unwrap_or_default();
                let read = ReadOptions { seed: scenario.file.seed, ..options };
                // The last row belongs to the last window.
                (trace.start_seconds, inspect(&trace.file, read)?.arrivals.span_seconds + 1e-6)
            }
        };
        Ok(Self::Windows { from, to, count })
    }

    /// What a replicate is called.
    #[must_use]
    pub fn name(self, replicate: usize) -> String {
        match self {
            Self::Seeds(first) => format!("seed {}", seed(first, replicate)),
            Self::Windows { .. } => format!("window {}", replicate + 1),
        }
    }

    /// What a replicate lays over the scenario.
    pub(crate) fn lay_over(self, replicate: usize, overrides: &mut Overrides) {
        match self {
            Self::Seeds(first) => overrides.seed = Some(seed(first, replicate)),
            Self::Windows { from, to, count } => {
                let edge = |at: usize| from + (to - from) * at as f64 / count as f64;
                for (key, at) in [("start_seconds", replicate), ("end_seconds", replicate + 1)] {
                    overrides.sets.push(format!("workload.arrivals.trace.{key}={:?}", edge(at)));
                }
            }
        }
    }
}

/// The seed of a replicate; after the last that a scenario can have comes 0.
fn seed(first: u64, replicate: usize) -> u64 {
    first.wrapping_add(replicate as u64) & i64::MAX as u64
}

/// What is run.
pub struct Grid {
    /// The scenario by name or path.
    pub scenario: String,
    /// What is laid over it in every arm.
    pub overrides: Overrides,
    /// The arms.
    pub arms: Vec<Arm>,
    /// What tells replicates apart.
    pub replicates: Replicates,
    /// Runs at the same time.
    pub threads: usize,
}

/// The measures of a run, in the order of [`measures::ALL`].
pub type Values = Vec<Option<f64>>;

/// Threads for runs.
///
/// # Errors
/// Where the system gives none.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| anyhow!("cannot start {threads} threads: {error}"))
}

/// Runs a scenario, on one thread and without files. Nothing where it was stopped.
///
/// # Errors
/// Where it cannot run.
pub fn measured(scenario: Scenario, stop: &AtomicBool) -> Result<Option<Values>> {
    let plan = Plan {
        scenario,
        engine: Engine::Coalesced,
        checks: Checks::Sparse,
        threads: 1,
        out: None,
        log: false,
        perfetto: None,
        profile: false,
    };
    let done = run(&plan, &mut |_| !stop.load(Ordering::Relaxed))?;
    Ok((!done.stopped).then(|| measures::ALL.iter().map(|measure| (measure.of)(&done.summary)).collect()))
}

impl Grid {
    /// The scenario of an arm on a replicate.
    ///
    /// # Errors
    /// Where a value cannot be laid over the scenario, or it cannot be taken.
    pub fn scenario(&self, arm: usize, replicate: usize) -> Result<Scenario> {
        let mut overrides = self.overrides.clone();
        overrides.sets.extend(self.arms[arm].sets());
        self.replicates.lay_over(replicate, &mut overrides);
        load(&self.scenario, &overrides).with_context(|| format!("arm {}", self.arms[arm].name))
    }

    /// The command that repeats a run.
    #[must_use]
    pub fn command(&self, arm: usize, replicate: usize) -> String {
        let mut overrides = Overrides { sets: self.overrides.sets.clone(), ..Overrides::default() };
        overrides.sets.extend(self.arms[arm].sets());
        self.replicates.lay_over(replicate, &mut overrides);
        let trace = self.overrides.trace.as_ref().map(|trace| {
            let keys = trace.keys.iter().map(|(_, key)| format!("workload.arrivals.trace.{key}"));
            overrides.sets.splice(0..0, keys);
            format!(" --trace {}", trace.file.display())
        });
        let trace = trace.unwrap_or_default();
        let seed = overrides.seed.map(|seed| format!(" --seed {seed}")).unwrap_or_default();
        let sets: String = overrides.sets.iter().map(|set| format!(" --set '{set}'")).collect();
        format!("herder run {}{trace}{seed}{sets}", self.scenario)
    }

    /// Runs all arms on these replicates; the values by arm, then replicate. `watch` is told how many runs are done. `None` where it was stopped.
    ///
    /// # Errors
    /// The first run that fails.
    pub fn run_all(
        &self,
        replicates: std::ops::Range<usize>,
        stop: &AtomicBool,
        watch: &(dyn Fn(u64) + Sync),
    ) -> Result<Option<Vec<Vec<Values>>>> {
        let done = AtomicU64::new(0);
        let pool = pool(self.threads)?;
        // Replicates outside: where it is stopped or fails early, all arms have come as far.
        let cells: Vec<(usize, usize)> = replicates
            .clone()
            .flat_map(|replicate| (0..self.arms.len()).map(move |arm| (arm, replicate)))
            .collect();
        let ran: Result<Vec<Option<Values>>> = pool.install(|| {
            let each = cells.par_iter().map(|(arm, replicate)| {
                let values = if stop.load(Ordering::Relaxed) {
                    None
                } else {
                    measured(self.scenario(*arm, *replicate)?, stop)?
                };
                watch(done.fetch_add(1, Ordering::Relaxed) + 1);
                Ok(values)
            });
            each.collect()
        });
        let Some(values) = ran?.into_iter().collect::<Option<Vec<Values>>>() else { return Ok(None) };
        let mut by_arm = vec![Vec::with_capacity(replicates.len()); self.arms.len()];
        for ((arm, _), values) in cells.into_iter().zip(values) {
            by_arm[arm].push(values);
        }
        Ok(Some(by_arm))
    }
}
