//! What a comparison leaves: `compare.csv` with a row for each run, `compare.json` with what was asked and all that was found, plots and a page. What
//! was asked and the rows are enough to make the rest again.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use reports::files::write_whole;
use reports::html;
use reports::machine::pretty_json;
use reports::statistics::estimate::Terms;
use serde::{Deserialize, Serialize};

use super::analysis::{Comparison, Rules, compare};
use super::arms::Arm;
use super::cells::{Replicates, Values};
use super::measures::{self, number, number_text};
use super::page::{About, page};
use super::plots;
use crate::tables::write_rows;

/// The name of the file with all that was found.
pub const COMPARISON: &str = "compare.json";
const ROWS: &str = "compare.csv";

/// What was asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The scenario's name.
    pub scenario: String,
    /// What the replicates are, in words.
    pub conditional: String,
    /// What tells replicates apart.
    pub replicates: Replicates,
    /// Measures that are told.
    pub told: Vec<String>,
    /// How sure intervals and verdicts are, below 1.
    pub confidence: f64,
    /// What keys draws of samples.
    pub seed: u64,
    /// The arm that others are compared with, by its place.
    pub baseline: usize,
    /// Replicates of the pilot, where their number followed from a precision.
    pub pilot: Option<usize>,
    /// The command that gives the same again.
    pub command: String,
}

/// What was asked, with the runs that answer it.
#[derive(Clone, PartialEq, Debug)]
pub struct Study {
    /// What was asked.
    pub asked: Asked,
    /// The arms.
    pub arms: Vec<Arm>,
    /// Measures of each arm, of each replicate.
    pub values: Vec<Vec<Values>>,
}

#[derive(Serialize)]
struct Written<'a> {
    asked: &'a Asked,
    #[serde(flatten)]
    found: &'a Comparison,
}

#[derive(Deserialize)]
struct Read {
    asked: Asked,
}

impl Study {
    /// What the runs say.
    #[must_use]
    pub fn compare(&self) -> Comparison {
        let Asked { confidence, seed, baseline, pilot, .. } = self.asked;
        let told: Vec<&str> = self.asked.told.iter().map(String::as_str).collect();
        let terms = Terms { confidence, seed };
        compare(&self.arms, &self.values, Rules { told: &told, terms, baseline, pilot })
    }

    /// Writes everything into a folder, which is made where it is not there.
    ///
    /// # Errors
    /// Where the folder or a file cannot be written.
    pub fn write(&self, folder: &Path, found: &Comparison) -> Result<()> {
        let asked = &self.asked;
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        write_rows(&folder.join(ROWS), &self.rows()?)?;
        write_whole(&folder.join(COMPARISON), pretty_json(&Written { asked, found }).as_bytes())?;
        let under = format!("{} · {} · {} %", asked.scenario, asked.conditional, asked.confidence * 100.0);
        plots::write(folder, found, &under)?;
        let about =
            About { scenario: &asked.scenario, conditional: &asked.conditional, command: &asked.command };
        html::write(&folder.join("report.html"), &page(found, about))?;
        Ok(())
    }

    fn rows(&self) -> Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let keys = self.arms.first().into_iter().flat_map(|arm| &arm.values).map(|(key, _)| key.as_str());
        let names = measures::ALL.iter().map(|measure| measure.key);
        writer.write_record(keys.chain(["replicate"]).chain(names))?;
        for (arm, runs) in self.arms.iter().zip(&self.values) {
            for (replicate, run) in runs.iter().enumerate() {
                let told = self.asked.replicates.name(replicate);
                let own = arm.values.iter().map(|(_, value)| value.clone());
                let measured = run.iter().map(|value| number_text(*value));
                writer.write_record(own.chain([told]).chain(measured))?;
            }
        }
        Ok(writer.into_inner().map_err(|error| error.into_error())?)
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// Where a file is missing, or with the place of what cannot be taken.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(COMPARISON);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let Read { asked } = serde_json::from_str(&text)
            .map_err(|error| anyhow!("{}:{}:{}: {error}", path.display(), error.line(), error.column()))?;
        let path = folder.join(ROWS);
        let mut reader =
            csv::Reader::from_path(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let header = reader.headers()?.clone();
        let Some(keys) = header.iter().position(|name| name == "replicate") else {
            bail!(
                "{}:1: found no column `replicate`, expected a file that `herder compare` wrote",
                path.display()
            );
        };
        // By name: a file of another version may have other measures.
        let columns: Vec<Option<usize>> =
            measures::ALL.iter().map(|measure| header.iter().position(|name| name == measure.key)).collect();
        let mut study = Self { asked, arms: Vec::new(), values: Vec::new() };
        for record in reader.records() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            let values = header.iter().zip(&record).take(keys);
            let arm = Arm::of(values.map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
            let column = |at: &Option<usize>| match at {
                None => Ok(None),
                Some(at) => number(&record[*at])
                    .map_err(|wrong| anyhow!("{}:{line}: column {}: {wrong}", path.display(), at + 1)),
            };
            let run = columns.iter().map(column).collect::<Result<Values>>()?;
            if study.arms.last() != Some(&arm) {
                study.arms.push(arm);
                study.values.push(Vec::new());
            }
            study.values.last_mut().expect("an arm was put there").push(run);
        }
        let even = study.values.windows(2).all(|pair| pair[0].len() == pair[1].len());
        if study.arms.len() < 2 || !even || study.asked.baseline >= study.arms.len() {
            bail!(
                "{}: found rows of {} arms, expected as many replicates of each of two or more",
                path.display(),
                study.arms.len()
            );
        }
        Ok(study)
    }
}
