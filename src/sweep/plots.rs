//! A sweep as pictures: what each key does to the measure, a curve where its values are numbers, else a row for each value.

use std::path::Path;

use reports::files::WriteError;
use reports::plots::palette::{Look, looks};
use reports::plots::{Curve, CurvePoint, CurvesChart, Plot, RowMark, RowsChart, curves, rows, write_all};

use super::merge::{Effect, Found};
use crate::compare::measures;
use crate::compare::text::number;

/// Writes them as SVG and PNG: `plots/1-control.balancer.svg` and so on, numbered as the keys are.
///
/// # Errors
/// Where a file cannot be written.
pub fn write(folder: &Path, found: &Found) -> Result<(), WriteError> {
    write_all(folder, found.effects.iter().zip(1..).map(|(effect, at)| plot(at, effect, found)))
}

/// The numbers of its levels, where they are numbers in order and enough for a curve.
pub(super) fn numbers(effect: &Effect) -> Option<Vec<f64>> {
    let numbers: Option<Vec<f64>> = effect.levels.iter().map(|level| level.value.parse().ok()).collect();
    numbers.filter(|numbers| numbers.len() > 2 && numbers.is_sorted())
}

fn plot(at: usize, effect: &Effect, found: &Found) -> Plot {
    let measure = measures::find(found.by).map(|at| measures::ALL[at]).expect("it was found by its key");
    // A key may have quotes and brackets in it, which are no names of files.
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '-' };
    let name = format!("{at}-{}", effect.key.chars().map(plain).collect::<String>());
    let title = format!("{} by {}", measure.name, effect.key);
    let points: u64 = effect.levels.iter().map(|level| level.points).sum();
    let under = format!(
        "{} · means of {points} points over {} replicates each, whatever their other values are",
        found.scenario, found.replicates
    );
    let told = format!("{}, {}", measure.label(), measure.direction());
    if let Some(numbers) = numbers(effect) {
        let point = |(x, level): (f64, &super::merge::Level)| {
            Some(CurvePoint { at: (x, level.mean?), ..CurvePoint::default() })
        };
        let points = numbers.into_iter().zip(&effect.levels).filter_map(point).collect();
        let curve = Curve { name: String::new(), look: Look::at(0), points };
        let x = effect.key.clone();
        return curves(&CurvesChart {
            name,
            title,
            under,
            x,
            y: told,
            curves: vec![curve],
            bounds: Vec::new(),
        });
    }
    let names: Vec<&str> = effect.levels.iter().map(|level| level.value.as_str()).collect();
    let row = |(level, look): (&super::merge::Level, Look)| RowMark {
        name: level.value.clone(),
        look,
        value: level.mean,
        known: None,
        told: level.mean.map_or("–".to_owned(), |mean| number(mean, measure.unit)),
    };
    let marks = effect.levels.iter().zip(looks(&names)).map(row).collect();
    rows(&RowsChart { name, title, under, x: told, rows: marks })
}
