//! A comparison as pictures: differences with their intervals, and which arms no other beats in two measures.

use std::path::Path;

use anyhow::Result;
use reports::plots::{
    DifferencesChart, Mark, MeasureColumn, ParetoChart, ParetoPoint, Said, differences, pareto,
};

use super::analysis::{Comparison, Front, Measured, Row};

/// Measures that have a column.
const COLUMNS: [&str; 6] =
    ["ttft_mean_ms", "ttft_p99_ms", "tpot_p50_ms", "e2e_p99_ms", "goodput_percent", "cost"];

/// Writes `differences` and, where two measures tell the arms apart, `pareto`, as SVG and PNG.
///
/// # Errors
/// Where a file cannot be written.
pub fn write(folder: &Path, comparison: &Comparison, under: &str) -> Result<()> {
    differences(&chart(comparison, under)).write(folder)?;
    if let Some(front) = comparison.fronts.first() {
        pareto(&front_chart(comparison, front, under)).write(folder)?;
    }
    Ok(())
}

fn chart(comparison: &Comparison, under: &str) -> DifferencesChart {
    let shown = comparison.measures.iter().filter(|measured| COLUMNS.contains(&measured.key));
    let measures: Vec<MeasureColumn> = shown.filter(|measured| !measured.is_same()).map(column).collect();
    let arms = comparison.measures.first().map(|measured| &measured.arms[..]).unwrap_or_default();
    DifferencesChart {
        title: format!("Differences from {}", comparison.baseline),
        under: under.to_owned(),
        arms: arms.iter().map(|row| row.arm.clone()).collect(),
        measures,
    }
}

fn column(measured: &Measured) -> MeasureColumn {
    MeasureColumn {
        name: measured.name.to_owned(),
        direction: measured.direction().to_owned(),
        marks: measured.arms.iter().map(mark).collect(),
    }
}

fn mark(row: &Row) -> Mark {
    match (&row.difference, row.unbounded) {
        (Some(difference), _) => Mark { percent: difference.percent, said: difference.verdict.shown() },
        (None, 0) => Mark::default(),
        (None, _) => Mark { percent: None, said: Said::Unclear },
    }
}

fn front_chart(comparison: &Comparison, front: &Front, under: &str) -> ParetoChart {
    let find = |name: &str| comparison.measures.iter().find(|measured| measured.name == name);
    let label = |measured: &Measured| format!("{}, {}", measured.label(), measured.direction());
    let (Some(y), Some(x)) = (find(front.of), find(front.against)) else { return ParetoChart::default() };
    let points = x.arms.iter().zip(&y.arms).filter_map(|(right, up)| {
        let at = (right.mean?.mean, up.mean?.mean);
        Some(ParetoPoint { name: right.arm.clone(), at, on_front: front.arms.contains(&right.arm) })
    });
    ParetoChart { under: under.to_owned(), x: label(x), y: label(y), points: points.collect() }
}
