//! What a plan leaves: `plan.json`, `plan.csv`, plots, the page, and a scenario for each load with the best fleet in it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use reports::files::write_whole;
use reports::html;
use reports::machine::pretty_json;
use serde::{Deserialize, Serialize};

use super::capacity::Capacity;
use super::looked;
use super::page::page;
use super::plots;
use super::search::Answer;
use super::slo::Slo;
use crate::tables::write_rows;

/// The name of the file.
pub const PLAN: &str = "plan.json";
const ROWS: &str = "plan.csv";

/// Everything that was found.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The scenario's name.
    pub scenario: String,
    /// What was to be met, as on the command line.
    pub slos: Vec<String>,
    /// How sure that is, in percent.
    pub confidence: f64,
    /// What the replicates are, in words.
    pub replicates: String,
    /// Price of a kilowatt-hour in hundredths of a currency; energy costs nothing where absent.
    pub electricity_cents_per_kwh: Option<u32>,
    /// The command that gives the same again.
    pub command: String,
    /// How many runs it took.
    pub runs: u64,
    /// What was found for each load.
    pub fleets: Vec<Answer>,
    /// What each fleet can take.
    pub capacities: Vec<Capacity>,
}

impl Plan {
    /// What was to be met.
    ///
    /// # Errors
    /// Where an objective cannot be read.
    pub fn objectives(&self) -> Result<Vec<Slo>> {
        let read = |slo: &String| slo.parse().map_err(|error| anyhow!("slos: {error}"));
        self.slos.iter().map(read).collect()
    }
}

/// Writes `plan.json` and what is made of it into a folder, which is made where it is not there.
///
/// # Errors
/// Where a file cannot be written.
pub fn write(folder: &Path, plan: &Plan) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    write_whole(&folder.join(PLAN), pretty_json(plan).as_bytes())?;
    write_report(folder, plan)
}

/// Writes what is made of a plan: `plan.csv`, plots, the page.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_report(folder: &Path, plan: &Plan) -> Result<()> {
    let looked = plan.fleets.iter().flat_map(|answer| &answer.looked);
    let looked = looked.chain(plan.capacities.iter().flat_map(|found| &found.looked));
    write_rows(&folder.join(ROWS), &looked::rows(&plan.objectives()?, looked)?)?;
    plots::write(folder, plan)?;
    Ok(html::write(&folder.join("report.html"), &page(plan)?)?)
}

/// Reads the plan of a folder.
///
/// # Errors
/// Where there is none, or with the place of what cannot be taken.
pub fn read(folder: &Path) -> Result<Plan> {
    let path = folder.join(PLAN);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text)
        .map_err(|error| anyhow!("{}:{}:{}: {error}", path.display(), error.line(), error.column()))
}
