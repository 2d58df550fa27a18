//! What tuning found, for people; and the section that `herder serve` takes.

use std::fmt::Write as _;

use reports::statistics::estimate::Estimate;

use super::halving::Tuned;
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
        for (name, mean) in round.candidates.iter().take(TOLD) {
            let mean = bounded(*mean, measure.unit);
            let _ = writeln!(text, "  {mean:>9}  {name}");
        }
    }
    text.push('\n');
    text.push_str(&gain(tuned, confidence));
    text
}

/// What the winner gains, in a few lines.
#[must_use]
pub fn gain(tuned: &Tuned, confidence: f64) -> String {
    let measure = tuned.measure();
    let told = |estimate: &Option<Estimate>| match estimate {
        None => "no bound".to_owned(),
        Some(estimate) => {
            let [mean, low, high] =
                [estimate.mean, estimate.low, estimate.high].map(|value| number(value, measure.unit));
            format!("{mean} ({low} to {high})")
        }
    };
    let mut text = format!("The best: {}\n", tuned.winner);
    let fresh = tuned.before.map_or(0, |before| before.replicates);
    let _ = writeln!(text, "On {fresh} fresh replicates, with {} % intervals:", confidence * 100.0);
    let _ = writeln!(text, "  as it is   {}", told(&tuned.before));
    if tuned.values.is_empty() {
        let _ = writeln!(text, "Nothing that was tried is better than the scenario as it is.");
        return text;
    }
    let _ = writeln!(text, "  the best   {}", told(&tuned.after));
    if let Some(gain) = &tuned.gain {
        let percent = tuned.before.filter(|before| before.mean != 0.0).map_or(String::new(), |before| {
            let percent = |value: f64| value / before.mean.abs() * 100.0;
            format!(
                ", {:+.1} % ({:+.1} to {:+.1})",
                percent(gain.mean),
                percent(gain.low),
                percent(gain.high)
            )
        });
        let said = if tuned.is_better { "better" } else { "no evidence that it is better" };
        let p =
            if gain.p_value < 0.001 { "p < 0.001".to_owned() } else { format!("p = {:.3}", gain.p_value) };
        let _ = writeln!(text, "  difference {}{percent}: {said}, {p}", told(&Some(*gain)));
    }
    text
}
