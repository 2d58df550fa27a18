//! What a plan leaves: `plan.json`, the page, and a scenario for each load with the cheapest fleet in it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use reports::files::write_whole;
use reports::html;
use reports::machine::pretty_json;
use serde::{Deserialize, Serialize};

use super::page::page;
use super::search::{Answer, Capacity};

/// The name of the file.
pub const PLAN: &str = "plan.json";

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
    /// The command that gives the same again.
    pub command: String,
    /// How many runs it took.
    pub runs: u64,
    /// What was found for each load.
    pub fleets: Vec<Answer>,
    /// What each fleet can take.
    pub capacities: Vec<Capacity>,
}

/// Writes `plan.json` and the page into a folder, which is made where it is not there.
///
/// # Errors
/// Where a file cannot be written.
pub fn write(folder: &Path, plan: &Plan) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    write_whole(&folder.join(PLAN), pretty_json(plan).as_bytes())?;
    write_page(folder, plan)
}

/// Writes the page.
///
/// # Errors
/// Where it cannot be written.
pub fn write_page(folder: &Path, plan: &Plan) -> Result<()> {
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
