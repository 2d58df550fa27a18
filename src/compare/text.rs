//! A comparison for people: what differs, by how much, how sure that is, and what cannot be said.

use std::fmt::Write as _;

use reports::statistics::estimate::Estimate;

use super::analysis::{Comparison, Difference, Measured, Row, Verdict};
use super::measures;

/// The whole text.
#[must_use]
pub fn render(comparison: &Comparison) -> String {
    let mut text = String::new();
    let (same, told): (Vec<&Measured>, Vec<&Measured>) =
        comparison.measures.iter().partition(|measured| measured.is_same());
    told.iter().for_each(|measured| block(&mut text, measured, comparison));
    if !same.is_empty() {
        let names: Vec<&str> = same.iter().map(|measured| measured.name).collect();
        let _ = writeln!(text, "The same in every replicate: {}.", names.join(", "));
    }
    let is_left =
        |measure: &&measures::Measure| comparison.measures.iter().all(|told| told.key != measure.key);
    let left: Vec<&str> = measures::ALL.iter().filter(is_left).map(|measure| measure.name).collect();
    if !left.is_empty() {
        let _ = writeln!(text, "More with --all: {}.", left.join(", "));
    }
    for front in &comparison.fronts {
        let _ = writeln!(
            text,
            "Beaten by none in both {} and {}: {}.",
            front.of,
            front.against,
            front.arms.join(", ")
        );
    }
    let percent = comparison.confidence * 100.0;
    let _ = writeln!(
        text,
        "\n{} replicates of each arm. Each interval holds the true value with {percent} % confidence by itself; \"better\" and \"worse\" are corrected for\nall {} differences (Holm), \
         so that none of them is by chance with {percent} % confidence. p is the corrected one, d the difference in\ndeviations of a pair, \"best\" the share of samples drawn again from \
         the replicates in which an arm comes first.",
        comparison.replicates, comparison.differences
    );
    text
}

fn block(text: &mut String, measured: &Measured, comparison: &Comparison) {
    let _ = writeln!(text, "{}, {}", measured.label(), measured.direction());
    let rows: Vec<[String; 6]> =
        measured.arms.iter().map(|row| cells(row, measured.unit, comparison)).collect();
    let head =
        ["", "mean", "interval", &format!("against {}", comparison.baseline), "", "best"].map(str::to_owned);
    let width = |at: usize| rows.iter().chain([&head]).map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for row in std::iter::once(&head).chain(&rows) {
        let mut line = format!("  {:<width$}", row[0], width = widths[0]);
        for at in 1..head.len() {
            // Numbers stand to the right, words to the left.
            let cell = match at {
                1 | 5 => format!("  {:>width$}", row[at], width = widths[at]),
                _ => format!("  {:<width$}", row[at], width = widths[at]),
            };
            line.push_str(&cell);
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.push('\n');
}

/// A row of the table: arm, mean, interval, difference, what is said of it, how often it is the best.
#[must_use]
pub fn cells(row: &Row, unit: &str, comparison: &Comparison) -> [String; 6] {
    let mean = |of: fn(Estimate) -> f64| row.mean.map(|mean| number(of(mean), unit)).unwrap_or_default();
    let interval = match (row.mean, row.unbounded) {
        (Some(mean), _) => format!("{} to {}", number(mean.low, unit), number(mean.high, unit)),
        (None, 0) => String::new(),
        (None, unbounded) => format!("without bound in {unbounded} of {}", comparison.replicates),
    };
    let (against, said) = match &row.difference {
        Some(difference) => (against(difference, unit), said(difference)),
        None if row.arm == comparison.baseline => ("baseline".to_owned(), String::new()),
        None => (String::new(), "not to be compared".to_owned()),
    };
    let best = format!("{:.0} %", row.best_share * 100.0);
    [row.arm.clone(), mean(|mean| mean.mean), interval, against, said, best]
}

fn against(difference: &Difference, unit: &str) -> String {
    match difference.percent {
        Some([mean, low, high]) => format!("{mean:+.1} % ({low:+.1} to {high:+.1})"),
        None => {
            let Estimate { mean, low, high, .. } = difference.estimate;
            format!("{} ({} to {})", number(mean, unit), number(low, unit), number(high, unit))
        }
    }
}

/// What can be said of a difference, with its p-value and effect.
#[must_use]
pub fn said(difference: &Difference) -> String {
    let p = match difference.p_adjusted {
        ..0.001 => "p < 0.001".to_owned(),
        p => format!("p = {p:.3}"),
    };
    let effect = difference.effect.map(|effect| format!(", d = {effect:+.1}")).unwrap_or_default();
    match difference.verdict {
        Verdict::Same => "the same".to_owned(),
        Verdict::NoEvidence => format!("no evidence of a difference, {p}"),
        Verdict::Better => format!("better, {p}{effect}"),
        Verdict::Worse => format!("worse, {p}{effect}"),
    }
}

/// A number of a measure, in words where it has no bound.
#[must_use]
pub fn bounded(value: f64, unit: &str) -> String {
    if value.is_finite() { number(value, unit) } else { "no bound".to_owned() }
}

/// Three digits that count, or all before the point; one after it for percent.
#[must_use]
pub fn number(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        _ if unit == "%" => 1,
        100.0.. => 0,
        10.0..100.0 => 1,
        1.0..10.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if text.trim_start_matches('-').chars().all(|letter| matches!(letter, '0' | '.')) {
        "0".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_count() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0001, "0"),
            (0.1234, "0.123"),
            (-4.567, "-4.57"),
            (45.67, "45.7"),
            (12_345.6, "12346"),
        ] {
            assert_eq!(number(value, "ms"), text);
        }
        assert_eq!((number(99.98, "%"), number(0.04, "%")), ("100.0".to_owned(), "0".to_owned()));
    }
}
