//! What tuning found, for people; and the section that `herder serve` takes.

use std::fmt::Write as _;

use reports::statistics::estimate::Estimate;

use super::halving::{Round, Tried, Tuned};
use crate::compare::text::{bounded, number};

/// Candidates of a round that are told.
const TOLD: usize = 5;

/// The whole text.
#[must_use]
pub fn render(tuned: &Tuned, scenario: &str, confidence: f64) -> String {
    let measure = tuned.measure();
    let mut text = format!("{scenario}: {}, {}\n", measure.label(), measure.direction());
    for round in &tuned.rounds {
        let _ =
            writeln!(text, "\n{} candidates on {} replicates each", round.candidates.len(), round.replicates);
        for Tried { candidate, mean } in round.candidates.iter().take(TOLD) {
            let mean = mean.map_or("–".to_owned(), |mean| bounded(mean, measure.unit));
            let _ = writeln!(text, "  {mean:>9}  {candidate}");
        }
    }
    text.push('\n');
    text.push_str(&gain(tuned, confidence));
    text
}

/// How many of a round go on to the next; the winner alone after the last.
#[must_use]
pub fn kept(rounds: &[Round], at: usize) -> usize {
    rounds.get(at + 1).map_or(1, |next| next.candidates.len())
}

/// A mean with its interval.
#[must_use]
pub fn told(estimate: Option<Estimate>, unit: &str) -> String {
    let Some(Estimate { mean, low, high, .. }) = estimate else { return "no bound".to_owned() };
    let [mean, low, high] = [mean, low, high].map(|value| number(value, unit));
    format!("{mean} ({low} to {high})")
}

/// The difference between the winner and the scenario as it was, also in percent of that; nothing where that won or there is no bound.
#[must_use]
pub fn difference(tuned: &Tuned) -> Option<String> {
    let gain = tuned.gain?;
    let percent = tuned.before.filter(|before| before.mean != 0.0).map_or(String::new(), |before| {
        let percent = |value: f64| value / before.mean.abs() * 100.0;
        format!(", {:+.1} % ({:+.1} to {:+.1})", percent(gain.mean), percent(gain.low), percent(gain.high))
    });
    Some(format!("{}{percent}", told(Some(gain), tuned.measure().unit)))
}

/// What can be said of the difference.
#[must_use]
pub fn said(tuned: &Tuned, gain: &Estimate) -> String {
    let said = if tuned.is_better { "better" } else { "no evidence that it is better" };
    let p = if gain.p_value < 0.001 { "p < 0.001".to_owned() } else { format!("p = {:.3}", gain.p_value) };
    format!("{said}, {p}")
}

/// What the winner gains, in a few lines.
#[must_use]
pub fn gain(tuned: &Tuned, confidence: f64) -> String {
    let unit = tuned.measure().unit;
    let mut text = format!("The best: {}\n", tuned.winner);
    let fresh = tuned.before.map_or(0, |before| before.replicates);
    let _ = writeln!(text, "On {fresh} fresh replicates, with {} % intervals:", confidence * 100.0);
    let _ = writeln!(text, "  as it is   {}", told(tuned.before, unit));
    if tuned.values.is_empty() {
        let _ = writeln!(text, "Nothing that was tried is better than the scenario as it is.");
        return text;
    }
    let _ = writeln!(text, "  the best   {}", told(tuned.after, unit));
    if let (Some(gain), Some(difference)) = (&tuned.gain, difference(tuned)) {
        let _ = writeln!(text, "  difference {difference}: {}", said(tuned, gain));
    }
    text
}
