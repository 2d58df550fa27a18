//! What a comparison leaves: `compare.csv` with a row for each run, `compare.json` with all that was found.

use std::path::Path;

use anyhow::{Context, Result};
use reports::files::write_whole;
use reports::machine::pretty_json;

use super::analysis::Comparison;
use super::arms::Arm;
use super::cells::{Replicates, Values};
use super::measures;
use crate::sweep::row::number_text;

/// Writes both into a folder, which is made where it is not there.
///
/// # Errors
/// Where the folder or a file cannot be written.
pub fn write(
    folder: &Path,
    comparison: &Comparison,
    arms: &[Arm],
    values: &[Vec<Values>],
    replicates: Replicates,
) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    write_whole(&folder.join("compare.csv"), rows(arms, values, replicates)?.as_slice())?;
    write_whole(&folder.join("compare.json"), pretty_json(comparison).as_bytes())?;
    Ok(())
}

fn rows(arms: &[Arm], values: &[Vec<Values>], replicates: Replicates) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let keys = arms.first().into_iter().flat_map(|arm| &arm.values).map(|(key, _)| key.as_str());
    let names = measures::ALL.iter().map(|measure| measure.key);
    writer.write_record(keys.chain(["replicate"]).chain(names))?;
    for (arm, runs) in arms.iter().zip(values) {
        for (replicate, run) in runs.iter().enumerate() {
            let told = replicates.name(replicate);
            let own = arm.values.iter().map(|(_, value)| value.clone());
            let measured = run.iter().map(|value| number_text(*value));
            writer.write_record(own.chain([told]).chain(measured))?;
        }
    }
    Ok(writer.into_inner().map_err(|error| error.into_error())?)
}
