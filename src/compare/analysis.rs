//! What the runs of a comparison say: means with intervals, differences from the baseline pair by pair, who is best at what.

use reports::plots::Said;
use reports::statistics::estimate::{Estimate, Terms, differences, estimate};
use reports::statistics::multiple::holm;
use reports::statistics::pareto::front;
use reports::statistics::precision::second_stage;
use reports::statistics::ranks::best_shares;
use serde::Serialize;

use super::arms::Arm;
use super::cells::Values;
use super::measures::{self, Measure};

/// On what terms it is told.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rules<'a> {
    /// Measures that are told, by their keys; verdicts are corrected for the differences in these.
    pub told: &'a [&'a str],
    /// How sure intervals and verdicts are, and what keys their draws.
    pub terms: Terms,
    /// The arm that others are compared with.
    pub baseline: usize,
    /// The replicates of the pilot, where their number followed from a precision.
    pub pilot: Option<usize>,
}

/// What came of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Comparison {
    /// The arm that others are compared with.
    pub baseline: String,
    /// How many replicates each arm has.
    pub replicates: usize,
    /// How sure each interval is, and all verdicts together.
    pub confidence: f64,
    /// How many differences the verdicts are corrected for (Holm).
    pub differences: usize,
    /// By measure, those that are told and that no run has left out.
    pub measures: Vec<Measured>,
    /// Arms that no other beats in both of two measures.
    pub fronts: Vec<Front>,
}

/// A measure of all arms.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Measured {
    /// Its name in files.
    pub key: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Whether more of it is better.
    pub more_is_better: bool,
    /// The arms, in their order.
    pub arms: Vec<Row>,
}

impl Measured {
    /// Its name with its unit.
    #[must_use]
    pub fn label(&self) -> String {
        self.measure().label()
    }

    /// Which way is better.
    #[must_use]
    pub fn direction(&self) -> &'static str {
        self.measure().direction()
    }

    fn measure(&self) -> &'static Measure {
        measures::find(self.key).map(|at| &measures::ALL[at]).expect("it has the key of a measure")
    }

    /// Whether no arm differs from the baseline in any replicate.
    #[must_use]
    pub fn is_same(&self) -> bool {
        let same =
            |row: &Row| row.difference.as_ref().is_none_or(|difference| difference.verdict == Verdict::Same);
        self.arms.iter().all(|row| row.unbounded == 0 && same(row))
    }
}

/// A measure of an arm.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Row {
    /// The arm.
    pub arm: String,
    /// Its mean over replicates; nothing where one of them is without bound, or there is one only.
    pub mean: Option<Estimate>,
    /// Replicates in which it is without bound: not all requests were answered.
    pub unbounded: usize,
    /// How it differs from the baseline; nothing for the baseline itself.
    pub difference: Option<Difference>,
    /// In which share of the samples drawn again from the replicates it would have been the best.
    pub best_share: f64,
}

/// A difference from the baseline on the same replicates.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Difference {
    /// In the measure's unit.
    pub estimate: Estimate,
    /// In percent of the baseline's mean, with the bounds of its interval; nothing where that is 0.
    pub percent: Option<[f64; 3]>,
    /// In deviations of a pair (Cohen's d).
    pub effect: Option<f64>,
    /// Its p-value, corrected for all differences (Holm).
    pub p_adjusted: f64,
    /// What can be said.
    pub verdict: Verdict,
}

/// What can be said of a difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The arm is better than the baseline.
    Better,
    /// It is worse.
    Worse,
    /// There is no evidence of a difference.
    NoEvidence,
    /// Every pair is the same.
    Same,
}

impl Verdict {
    /// How pictures show it.
    #[must_use]
    pub const fn shown(self) -> Said {
        match self {
            Self::Better => Said::Better,
            Self::Worse => Said::Worse,
            Self::NoEvidence | Self::Same => Said::Unclear,
        }
    }
}

/// Arms by two measures.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Front {
    /// The one.
    pub of: &'static str,
    /// The other.
    pub against: &'static str,
    /// Arms that no other beats in both.
    pub arms: Vec<String>,
}

/// What the values say: of each arm, of each replicate.
#[must_use]
pub fn compare(arms: &[Arm], values: &[Vec<Values>], rules: Rules<'_>) -> Comparison {
    let has = |at: &usize| {
        rules.told.contains(&measures::ALL[*at].key)
            && values.iter().flatten().all(|values| values[*at].is_some())
    };
    let kept: Vec<usize> = (0..measures::ALL.len()).filter(has).collect();
    let mut measured: Vec<Measured> = kept.iter().map(|at| measure(arms, values, *at, rules)).collect();
    let p_values: Vec<f64> =
        judged(&mut measured).map(|(_, difference)| difference.estimate.p_value).collect();
    let adjusted = holm(&p_values);
    let level = 1.0 - rules.terms.confidence;
    for (found, p_adjusted) in judged(&mut measured).zip(adjusted) {
        let (more_is_better, difference) = found;
        difference.p_adjusted = p_adjusted;
        difference.verdict = verdict(difference, more_is_better, level);
    }
    let has_cost = measured.iter().any(|measured| measured.key == "cost");
    let dear = if has_cost { "cost" } else { "gpu_busy_percent" };
    let fronts = [("ttft_p99_ms", dear), ("goodput_percent", dear), ("goodput_percent", "energy_kwh")];
    Comparison {
        baseline: arms[rules.baseline].name.clone(),
        replicates: values.first().map_or(0, Vec::len),
        confidence: rules.terms.confidence,
        differences: p_values.len(),
        fronts: fronts.into_iter().filter_map(|(of, against)| pareto(&measured, of, against)).collect(),
        measures: measured,
    }
}

/// All differences, each with whether more of its measure is better.
fn judged(measured: &mut [Measured]) -> impl Iterator<Item = (bool, &mut Difference)> {
    measured.iter_mut().flat_map(|measured| {
        let more_is_better = measured.more_is_better;
        let rows = measured.arms.iter_mut().filter_map(|row| row.difference.as_mut());
        rows.map(move |difference| (more_is_better, difference))
    })
}

fn verdict(difference: &Difference, more_is_better: bool, level: f64) -> Verdict {
    let Estimate { mean, deviation, .. } = difference.estimate;
    if mean == 0.0 && deviation == 0.0 {
        Verdict::Same
    } else if difference.p_adjusted > level {
        Verdict::NoEvidence
    } else if (mean > 0.0) == more_is_better {
        Verdict::Better
    } else {
        Verdict::Worse
    }
}

fn measure(arms: &[Arm], values: &[Vec<Values>], at: usize, rules: Rules<'_>) -> Measured {
    let Measure { key, name, unit, more_is_better, .. } = measures::ALL[at];
    let of = |arm: &Vec<Values>| -> Vec<f64> { arm.iter().filter_map(|values| values[at]).collect() };
    let columns: Vec<Vec<f64>> = values.iter().map(of).collect();
    let best = best_shares(&columns, more_is_better, rules.terms.seed);
    let rows = arms.iter().zip(&columns).enumerate().map(|(index, (arm, column))| Row {
        arm: arm.name.clone(),
        mean: estimate(column, rules.terms),
        unbounded: column.iter().filter(|value| value.is_infinite()).count(),
        difference: (index != rules.baseline)
            .then(|| difference_from(&columns[rules.baseline], column, rules))
            .flatten(),
        best_share: best[index],
    });
    Measured { key, name, unit, more_is_better, arms: rows.collect() }
}

fn difference_from(baseline: &[f64], column: &[f64], rules: Rules<'_>) -> Option<Difference> {
    let pairs = differences(column, baseline);
    let estimate = match rules.pilot {
        None => estimate(&pairs, rules.terms),
        Some(pilot) => second_stage(&pairs, pilot, rules.terms),
    }?;
    let whole = baseline.iter().sum::<f64>() / baseline.len() as f64;
    let percent = |value: f64| value / whole.abs() * 100.0;
    Some(Difference {
        estimate,
        percent: (whole != 0.0)
            .then(|| [percent(estimate.mean), percent(estimate.low), percent(estimate.high)]),
        effect: estimate.effect(),
        p_adjusted: estimate.p_value,
        verdict: Verdict::NoEvidence,
    })
}

/// The front of two measures; nothing where one is missing, or all arms are on it because there is one only.
fn pareto(measured: &[Measured], of: &'static str, against: &'static str) -> Option<Front> {
    let find = |key: &str| measured.iter().find(|measured| measured.key == key);
    let (first, second) = (find(of)?, find(against)?);
    let value = |measured: &Measured, at: usize| {
        let mean = measured.arms[at].mean.map_or(f64::INFINITY, |mean| mean.mean);
        if measured.more_is_better { -mean } else { mean }
    };
    let points: Vec<(f64, f64)> =
        (0..first.arms.len()).map(|at| (value(first, at), value(second, at))).collect();
    let on: Vec<String> = front(&points)
        .iter()
        .zip(&first.arms)
        .filter(|(on, _)| **on)
        .map(|(_, row)| row.arm.clone())
        .collect();
    (points.len() > 1).then_some(Front { of: first.name, against: second.name, arms: on })
}
