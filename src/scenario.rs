//! Scenario files: one TOML file says what arrives, where it runs and who decides.
//!
//! Each section belongs to the crate that reads it; here they are put together, options of the command line are
//! laid over them, and whatever is wrong is reported with its line. Two steps: [`ScenarioFile`] is what was written,
//! [`Scenario`] is what was checked.

pub mod builtin;
pub mod document;
pub mod error;
mod reader;
mod report;

use std::path::Path;

use control::config::{Config, ControlFile};
use serde::{Deserialize, Serialize};

use self::document::Document;
use self::error::{Report, ScenarioError, nearest};
pub use self::report::ReportFile;

/// A scenario as written; everything that was left out has its default.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// What the scenario is called; a file's name where absent.
    #[serde(default)]
    pub name: String,
    /// What it is for, in a sentence or two.
    #[serde(default)]
    pub description: String,
    /// The seed of every draw.
    #[serde(default = "first_seed")]
    pub seed: u64,
    /// Who decides.
    #[serde(default)]
    pub control: ControlFile,
    /// What is measured.
    #[serde(default)]
    pub report: ReportFile,
}

fn first_seed() -> u64 {
    1
}

/// A scenario that was checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What was written, with all defaults.
    pub file: ScenarioFile,
    /// `[control]`, checked.
    pub control: Config,
}

/// Where a scenario comes from and what is laid over it.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `key=value`, in the order given.
    pub sets: Vec<String>,
    /// Another seed.
    pub seed: Option<u64>,
}

/// Reads a scenario: a file, or a built-in by its name.
///
/// # Errors
/// Where it is not there, or something in it (or laid over it) is wrong.
pub fn load(name: &str, overrides: &Overrides) -> Result<Scenario, ScenarioError> {
    let mut document = open(name)?;
    for set in &overrides.sets {
        document.set("--set", set)?;
    }
    if let Some(seed) = overrides.seed {
        document.set("--seed", &format!("seed={seed}"))?;
    }
    let mut file: ScenarioFile = document.read()?;
    if file.name.is_empty() {
        file.name = Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    }
    check(file, &document).map_err(Into::into)
}

fn open(name: &str) -> Result<Document, ScenarioError> {
    let path = Path::new(name);
    let names_a_file = name.ends_with(".toml") || name.contains(std::path::MAIN_SEPARATOR) || path.is_file();
    if !names_a_file {
        if let Some(text) = builtin::text(name) {
            return Ok(Document::parse(&format!("built-in scenario {name}"), text)?);
        }
        let names = || builtin::ALL.iter().map(|(name, _)| *name);
        return Err(ScenarioError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, names()).map(|near| format!(", such as `{near}`")).unwrap_or_default(),
            builtin: names().collect::<Vec<_>>().join(", "),
        });
    }
    let unreadable = |reason| ScenarioError::Unreadable { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(Document::parse(name, &text)?)
}

fn check(file: ScenarioFile, document: &Document) -> Result<Scenario, Report> {
    let wrong = |key: String, found: String, expected: String| {
        document
            .report(&key, format!("`{key}` cannot be taken"))
            .label(format!("found {found}, expected {expected}"))
    };
    let control = file
        .control
        .check()
        .map_err(|error| wrong(format!("control.{}", error.key), error.found, error.expected))?;
    file.report.check().map_err(|(key, found, expected)| wrong(format!("report.{key}"), found, expected))?;
    Ok(Scenario { file, control })
}

impl Scenario {
    /// The scenario as a file in which every key is written: what a run keeps beside its results.
    ///
    /// # Errors
    /// Never for a scenario that was read from a file.
    pub fn resolved(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&self.file)
    }
}
