//! Whether a fleet meets its objectives: runs replicates of it, and says with what confidence.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Result, anyhow};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::slo::{Slo, Standing};
use crate::compare::cells::{Replicates, Values, measured, pool};
use crate::compare::measures;
use crate::compare::text::bounded;
use crate::scenario::{Overrides, Scenario, load};

/// Replicates after which a fleet that is far from its objectives is given up.
const FIRST: usize = 2;

/// What runs and judges.
pub struct Judge<'a> {
    /// The scenario by name or path.
    pub scenario: String,
    /// What is laid over it in every run.
    pub overrides: Overrides,
    /// What tells replicates apart.
    pub replicates: Replicates,
    /// How many a verdict rests on; at least 2.
    pub len: usize,
    /// What is to be met.
    pub slos: Vec<Slo>,
    /// How sure that is to be.
    pub confidence: f64,
    /// Keys what is drawn again from replicates.
    pub seed: u64,
    /// Runs at the same time.
    pub threads: usize,
    /// Set to stop.
    pub stop: &'a AtomicBool,
    /// Told how many runs are done.
    pub watch: &'a (dyn Fn(u64) + Sync),
    done: AtomicU64,
    known: Mutex<BTreeMap<(Vec<String>, bool), Judged>>,
}

/// What is known of a fleet.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Judged {
    /// How it stands to each objective.
    pub standings: Vec<Standing>,
    /// Whether it meets all.
    pub meets: bool,
    /// Replicates that were run: fewer where the first were far off.
    pub replicates: usize,
    /// The means of all measures, in their order; infinite where a replicate is without bound, nothing where one has none.
    #[serde(with = "crate::compare::bounded::all")]
    pub means: Values,
}

impl Judged {
    /// What the whole fleet draws, mean over the time of a run and over replicates, in watts; nothing where that is not known of a GPU.
    #[must_use]
    pub fn watts(&self) -> Option<f64> {
        measures::find("watts_mean").and_then(|at| self.means[at])
    }

    /// The mean of a measure in words.
    #[must_use]
    pub fn told(&self, at: usize) -> String {
        self.means[at].map_or("–".to_owned(), |mean| bounded(mean, measures::ALL[at].unit))
    }
}

/// Which replicates a verdict rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// Those that are searched with.
    Searched,
    /// Others, on which no choice rests.
    Fresh,
}

impl<'a> Judge<'a> {
    /// One that has not run anything.
    #[must_use]
    pub fn new(
        (scenario, overrides): (String, Overrides),
        (replicates, len): (Replicates, usize),
        slos: Vec<Slo>,
        (confidence, seed): (f64, u64),
        threads: usize,
        (stop, watch): (&'a AtomicBool, &'a (dyn Fn(u64) + Sync)),
    ) -> Self {
        let (done, known) = (AtomicU64::new(0), Mutex::new(BTreeMap::new()));
        Self {
            scenario,
            overrides,
            replicates,
            len,
            slos,
            confidence,
            seed,
            threads,
            stop,
            watch,
            done,
            known,
        }
    }

    /// How many runs it took so far.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Whether there are replicates that are not searched with: a trace has only so many parts.
    #[must_use]
    pub fn has_fresh(&self) -> bool {
        matches!(self.replicates, Replicates::Seeds(_))
    }

    /// The scenario with these values laid over it, on a replicate.
    ///
    /// # Errors
    /// Where a value cannot be taken.
    pub fn scenario_of(&self, sets: &[String], replicate: usize) -> Result<Scenario> {
        let mut overrides = self.overrides.clone();
        overrides.sets.extend_from_slice(sets);
        self.replicates.lay_over(replicate, &mut overrides);
        Ok(load(&self.scenario, &overrides)?)
    }

    /// Judges the scenario with these values laid over it. Nothing where it was stopped.
    ///
    /// # Errors
    /// Where a run fails.
    pub fn judge(&self, sets: &[String], which: Which) -> Result<Option<Judged>> {
        let key = (sets.to_vec(), which == Which::Fresh);
        let broken = || anyhow!("another thread broke off");
        if let Some(known) = self.known.lock().map_err(|_| broken())?.get(&key) {
            return Ok(Some(known.clone()));
        }
        let from = if which == Which::Fresh { self.len } else { 0 };
        let first = FIRST.min(self.len);
        let Some(mut values) = self.run(sets, from..from + first)? else { return Ok(None) };
        let is_far = |slo: &Slo| values.iter().all(|run| slo.is_far_from(run[slo.measure]));
        if !self.slos.iter().any(is_far) {
            let Some(more) = self.run(sets, from + first..from + self.len)? else { return Ok(None) };
            values.extend(more);
        }
        let whole = values.len() == self.len;
        let column = |at: usize| -> Vec<Option<f64>> { values.iter().map(|run| run[at]).collect() };
        let stand = |slo: &Slo| slo.stand(&column(slo.measure), self.confidence, self.seed);
        let standings: Vec<Standing> = self.slos.iter().map(stand).collect();
        let mean = |at: usize| {
            let column: Option<Vec<f64>> = column(at).into_iter().collect();
            column.map(|column| column.iter().sum::<f64>() / column.len() as f64)
        };
        let judged = Judged {
            meets: whole && standings.iter().all(|standing| standing.meets),
            standings,
            replicates: values.len(),
            means: (0..values[0].len()).map(mean).collect(),
        };
        self.known.lock().map_err(|_| broken())?.insert(key, judged.clone());
        Ok(Some(judged))
    }

    /// Runs replicates; the measures of each. Nothing where it was stopped.
    fn run(&self, sets: &[String], replicates: Range<usize>) -> Result<Option<Vec<Values>>> {
        let ran: Result<Vec<Option<Values>>> = pool(self.threads)?.install(|| {
            let each = replicates.into_par_iter().map(|replicate| {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                let values = measured(self.scenario_of(sets, replicate)?, self.stop)?;
                (self.watch)(self.done.fetch_add(1, Ordering::Relaxed) + 1);
                Ok(values)
            });
            each.collect()
        });
        Ok(ran?.into_iter().collect())
    }
}
