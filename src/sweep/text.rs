//! What a sweep found, for people.

use std::fmt::Write as _;

use super::merge::{Best, Found};
use crate::compare::measures::{self, Measure};
use crate::compare::text::{bounded, number};

/// The whole text.
#[must_use]
pub fn render(found: &Found) -> String {
    let measure = measures::find(found.by).map(|at| measures::ALL[at]).expect("it was found by its key");
    let mut text =
        format!("{}: {} points, {} replicates each\n\n", found.scenario, found.points, found.replicates);
    if found.failed > 0 {
        let _ =
            writeln!(text, "{} cells could not run: see the column `error` of sweep.csv.\n", found.failed);
    }
    let better = if measure.more_is_better { "more is better" } else { "less is better" };
    let _ = writeln!(
        text,
        "The best by {}, {better}, with {} % intervals:",
        measure.label(),
        found.confidence * 100.0
    );
    found.best.iter().for_each(|best| line(&mut text, best, measure));
    let _ =
        writeln!(text, "\nWhat each key does by itself, as the mean of all points that have a value of it:");
    for effect in &found.effects {
        let _ = writeln!(text, "  {}", effect.key);
        let width = effect.levels.iter().map(|level| level.value.chars().count()).max().unwrap_or(0);
        for level in &effect.levels {
            let mean = level.mean.map_or("–".to_owned(), |mean| number(mean, measure.unit));
            let _ = writeln!(text, "    {:<width$}  {mean:>8}  ({} points)", level.value, level.points);
        }
    }
    let _ = writeln!(
        text,
        "\nThe best of many is best by chance, too: confirm it on other seeds, as `herder tune` does, or compare it with\n`herder compare`."
    );
    text
}

fn line(text: &mut String, best: &Best, measure: Measure) {
    let values: Vec<String> = best.values.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mean = bounded(best.mean, measure.unit);
    let interval = best.estimate.map_or(String::new(), |estimate| {
        format!("{} to {}", number(estimate.low, measure.unit), number(estimate.high, measure.unit))
    });
    let _ = writeln!(text, "  {mean:>8}  {interval:<20}  {}", values.join(" "));
}
