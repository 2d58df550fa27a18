//! What `herder bench --out` writes: `bench.csv`, `bench.json`, and a plot of each component. Each file is whole.

use std::path::Path;

use anyhow::{Context, Result};
use reports::files::write_whole;
use reports::machine::pretty_json;
use reports::plots::{ScalingChart, ScalingCurve, ScalingPoint, scaling};

use super::fit::{self, Crossover};
use super::record::{AtScale, Noise, Record, growth};
use super::{Component, SEEDS};

/// Writes both tables.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_tables(folder: &Path, records: &[Record]) -> Result<()> {
    write_whole(&folder.join("bench.csv"), &csv(records)?)?;
    write_whole(&folder.join("bench.json"), pretty_json(&records).as_bytes())?;
    Ok(())
}

fn csv(records: &[Record]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.serialize(record).context("a record is a row")?;
    }
    writer.into_inner().map_err(|error| anyhow::anyhow!("cannot write rows: {error}"))
}

/// Draws a component and writes it as SVG and PNG, under its name with `-` for `/`.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_plot(folder: &Path, component: &Component, scales: &[AtScale], noise: Noise) -> Result<()> {
    scaling(&chart(component, scales, noise)).write(folder)?;
    Ok(())
}

fn chart(component: &Component, scales: &[AtScale], noise: Noise) -> ScalingChart {
    let curve = |form: usize| {
        let point = |at: &AtScale| {
            let time = fit::mean(at.forms[form].time_nanos());
            // An interval that reaches down to nothing has no place on a logarithmic axis.
            let low = time.low.max(time.value / 10.0);
            ScalingPoint {
                scale: at.scale as f64,
                seconds: time.value / 1e9,
                low: low / 1e9,
                high: time.high / 1e9,
            }
        };
        let name = if form == 0 { "baseline" } else { "optimised" };
        ScalingCurve {
            label: format!("{name}: {}", component.forms[form]),
            points: scales.iter().map(point).collect(),
        }
    };
    let wins = growth(scales, noise).crossover;
    let crossover = match wins {
        Crossover::At(scale) => Some(scale as f64),
        Crossover::Always | Crossover::Never => None,
    };
    let said = match wins {
        Crossover::Always => "the optimised form wins at every scale".to_owned(),
        Crossover::Never => "the optimised form does not win at the largest scale".to_owned(),
        Crossover::At(scale) => format!("the optimised form wins from about {scale}"),
    };
    ScalingChart {
        name: component.name.replace('/', "-"),
        title: format!("{}: {} to {}", component.name, component.clock.name(), component.operation),
        under: format!("mean of {} seeds with its 95 % interval · {said}", SEEDS.len()),
        scale: component.scale.to_owned(),
        curves: vec![curve(0), curve(1)],
        crossover,
    }
}

#[cfg(test)]
mod tests;
