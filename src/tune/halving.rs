//! Successive halving over replicates, then the winner against the scenario as it was on fresh ones.

use std::sync::atomic::AtomicBool;

use anyhow::Result;
use reports::statistics::estimate::{Estimate, Terms, differences, estimate};
use serde::{Deserialize, Serialize};

use super::candidates::AS_IT_IS;
use crate::compare::arms::Arm;
use crate::compare::cells::{Grid, Replicates, Values};
use crate::compare::measures::{self, Measure, rounded};
use crate::scenario::Overrides;

/// One of so many stays.
const KEPT: usize = 3;
/// Replicates of the first round.
pub const FIRST: usize = 2;

/// What is tuned.
pub struct Tuning<'a> {
    /// The scenario by name or path.
    pub scenario: String,
    /// What is laid over it in every run.
    pub overrides: Overrides,
    /// What is tried; the scenario as it is among them.
    pub candidates: Vec<Arm>,
    /// The first seed.
    pub seed: u64,
    /// The objective, as an index into [`measures::ALL`].
    pub objective: usize,
    /// Fresh replicates on which the winner is measured; at least 2.
    pub fresh: usize,
    /// How sure intervals are.
    pub confidence: f64,
    /// Runs at the same time.
    pub threads: usize,
    /// Set to stop.
    pub stop: &'a AtomicBool,
}

/// A candidate in a round.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tried {
    /// Its name.
    pub candidate: String,
    /// Its mean over replicates; infinite, for the worse, where one has none or is without bound.
    #[serde(with = "crate::compare::bounded::one")]
    pub mean: Option<f64>,
}

/// A round.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Round {
    /// Replicates that each candidate has by its end.
    pub replicates: usize,
    /// Candidates, the best first.
    pub candidates: Vec<Tried>,
}

/// What came of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tuned {
    /// The objective's name in files.
    pub objective: String,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// What won.
    pub winner: String,
    /// What it lays over the scenario.
    pub values: Vec<(String, String)>,
    /// The scenario as it is, on fresh replicates; nothing where a replicate is without bound.
    pub before: Option<Estimate>,
    /// The winner there.
    pub after: Option<Estimate>,
    /// The difference, pair by pair; nothing where the scenario as it is won.
    pub gain: Option<Estimate>,
    /// Whether the winner is better with the stated confidence.
    pub is_better: bool,
    /// Runs that it took.
    pub runs: u64,
}

impl Tuned {
    /// Its measure.
    #[must_use]
    pub fn measure(&self) -> Measure {
        measures::find(&self.objective).map(|at| measures::ALL[at]).expect("it was found by its key")
    }
}

impl Tuning<'_> {
    /// How many runs it takes, rounds and confirmation.
    #[must_use]
    pub fn runs(&self) -> u64 {
        let (mut left, mut before, mut runs) = (self.candidates.len(), 0, 0);
        for replicates in rounds(left) {
            runs += left * (replicates - before);
            before = replicates;
            left = left.div_ceil(KEPT);
        }
        (runs + 2 * self.fresh) as u64
    }

    /// Searches, then confirms. `watch` is told how many runs are done. Nothing where it was stopped.
    ///
    /// # Errors
    /// Where a run fails.
    pub fn run(&self, watch: &(dyn Fn(u64) + Sync)) -> Result<Option<Tuned>> {
        let measure = measures::ALL[self.objective];
        let mut arms: Vec<(Arm, Vec<f64>)> =
            self.candidates.iter().map(|arm| (arm.clone(), Vec::new())).collect();
        let (mut told, mut before, mut runs) = (Vec::new(), 0, 0_u64);
        for replicates in rounds(arms.len()) {
            let names = arms.iter().map(|(arm, _)| arm.clone()).collect();
            let done = |done: u64| watch(runs + done);
            let Some(values) = self.grid(names).run_all(before..replicates, self.stop, &done)? else {
                return Ok(None);
            };
            runs += (arms.len() * (replicates - before)) as u64;
            before = replicates;
            for ((_, known), new) in arms.iter_mut().zip(&values) {
                known.extend(new.iter().map(|run| value(run, self.objective, measure)));
            }
            // Stable: of equal ones the one that was named first stays ahead, and the scenario as it is before all.
            arms.sort_by(|one, other| rank(&one.1, measure).total_cmp(&rank(&other.1, measure)));
            let tried = |(arm, values): &(Arm, Vec<f64>)| Tried {
                candidate: arm.name.clone(),
                mean: Some(rounded(mean(values))),
            };
            told.push(Round { replicates, candidates: arms.iter().map(tried).collect() });
            arms.truncate(arms.len().div_ceil(KEPT));
        }
        let winner = arms.swap_remove(0).0;
        let as_it_is = Arm { name: AS_IT_IS.to_owned(), values: Vec::new() };
        let is_new = winner.values != as_it_is.values;
        let arms = if is_new { vec![as_it_is, winner.clone()] } else { vec![as_it_is] };
        let done = |done: u64| watch(runs + done);
        let range = before..before + self.fresh;
        let Some(values) = self.grid(arms).run_all(range, self.stop, &done)? else { return Ok(None) };
        runs += (values.len() * self.fresh) as u64;
        let column = |at: usize| -> Vec<f64> {
            values[at].iter().map(|run| value(run, self.objective, measure)).collect()
        };
        let terms = Terms { confidence: self.confidence, seed: self.seed };
        let gain = is_new.then(|| estimate(&differences(&column(1), &column(0)), terms)).flatten();
        let is_better = gain.is_some_and(|gain| {
            gain.p_value <= 1.0 - self.confidence
                && (gain.mean > 0.0) == measure.more_is_better
                && gain.mean != 0.0
        });
        Ok(Some(Tuned {
            objective: measure.key.to_owned(),
            rounds: told,
            before: estimate(&column(0), terms).map(in_files),
            after: is_new.then(|| estimate(&column(1), terms)).flatten().map(in_files),
            winner: winner.name,
            values: winner.values,
            gain: gain.map(in_files),
            is_better,
            runs,
        }))
    }

    fn grid(&self, arms: Vec<Arm>) -> Grid {
        Grid {
            scenario: self.scenario.clone(),
            overrides: self.overrides.clone(),
            arms,
            replicates: Replicates::Seeds(self.seed),
            threads: self.threads,
        }
    }
}

/// Replicates by the end of each round, until at most so many are left that the next would have one.
fn rounds(candidates: usize) -> Vec<usize> {
    let (mut left, mut replicates, mut rounds) = (candidates, FIRST, Vec::new());
    while left > 1 {
        rounds.push(replicates);
        left = left.div_ceil(KEPT);
        replicates *= KEPT;
    }
    if rounds.is_empty() { vec![FIRST] } else { rounds }
}

/// The objective of a run; where it has none, as bad as can be.
fn value(run: &Values, at: usize, measure: Measure) -> f64 {
    run[at].unwrap_or(if measure.more_is_better { f64::NEG_INFINITY } else { f64::INFINITY })
}

/// As it goes into files.
fn in_files(of: Estimate) -> Estimate {
    Estimate { mean: rounded(of.mean), low: rounded(of.low), high: rounded(of.high), ..of }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Less is better.
fn rank(values: &[f64], measure: Measure) -> f64 {
    if measure.more_is_better { -mean(values) } else { mean(values) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_have_three_times_the_replicates_and_a_third_of_the_candidates() {
        assert_eq!(rounds(27), [2, 6, 18]);
        assert_eq!(rounds(28), [2, 6, 18, 54]);
        assert_eq!(rounds(2), [2]);
        assert_eq!(rounds(1), [2]);
    }
}
