//! What tuning leaves in a folder: `tune.json` with all that was found, and made of it `tune.csv` with a row for each candidate of each round, a plot
//! of what the winner gains, and a page.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use reports::files::write_whole;
use reports::html;
use reports::machine::pretty_json;
use reports::plots::palette::{Look, looks};
use reports::plots::{RowMark, RowsChart, rows, write_all};
use reports::statistics::estimate::Estimate;
use serde::{Deserialize, Serialize};

use super::candidates::AS_IT_IS;
use super::halving::{Tried, Tuned};
use super::page::page;
use super::text::{difference, kept, told};
use crate::compare::measures::number_text;
use crate::tables::write_rows;

/// The name of the file with all that was found.
pub const TUNED: &str = "tune.json";
const ROWS: &str = "tune.csv";

/// What was asked and what was found.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// The scenario's name.
    pub scenario: String,
    /// How sure intervals are, below 1.
    pub confidence: f64,
    /// The command that gives the same again.
    pub command: String,
    /// What was found.
    pub tuned: Tuned,
}

impl Study {
    /// Writes everything into a folder, which is made where it is not there.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        write_whole(&folder.join(TUNED), pretty_json(self).as_bytes())?;
        self.write_report(folder)
    }

    /// Writes what is made of `tune.json`: rows, plot, page.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn write_report(&self, folder: &Path) -> Result<()> {
        write_rows(&folder.join(ROWS), &self.rows()?)?;
        write_all(folder, [rows(&self.gain())])?;
        Ok(html::write(&folder.join("report.html"), &page(self))?)
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// Where it is not there, or with the place of what cannot be taken.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(TUNED);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let study: Self = serde_json::from_str(&text)
            .map_err(|error| anyhow!("{}:{}:{}: {error}", path.display(), error.line(), error.column()))?;
        crate::compare::measures::named(&study.tuned.objective)
            .map_err(|error| anyhow!("{}: objective: {error}", path.display()))?;
        Ok(study)
    }

    /// Whose fresh replicates are told: the scenario as it is, and the winner where it is another.
    pub(super) fn fresh(&self) -> Vec<(&str, Option<Estimate>)> {
        let tuned = &self.tuned;
        let winner = (!tuned.values.is_empty()).then_some((tuned.winner.as_str(), tuned.after));
        std::iter::once((AS_IT_IS, tuned.before)).chain(winner).collect()
    }

    fn rows(&self) -> Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = ["round", "seeds", "replicates", "place", "candidate", "mean", "low", "high", "kept"];
        writer.write_record(header)?;
        let rounds = &self.tuned.rounds;
        for (round, of) in rounds.iter().enumerate() {
            let kept = kept(rounds, round);
            for (place, Tried { candidate, mean }) in of.candidates.iter().enumerate() {
                let leading = [(round + 1).to_string(), "searched".into(), of.replicates.to_string()];
                let own = [(place + 1).to_string(), candidate.clone(), number_text(*mean)];
                let last = [String::new(), String::new(), (place < kept).to_string()];
                writer.write_record(leading.into_iter().chain(own).chain(last))?;
            }
        }
        for (place, (candidate, of)) in self.fresh().into_iter().enumerate() {
            let number = |value: fn(Estimate) -> f64| number_text(of.map(value));
            let replicates = of.map_or(String::new(), |of| of.replicates.to_string());
            let leading = [(rounds.len() + 1).to_string(), "fresh".into(), replicates];
            let own = [(place + 1).to_string(), candidate.to_owned(), number(|of| of.mean)];
            let last = [number(|of| of.low), number(|of| of.high), String::new()];
            writer.write_record(leading.into_iter().chain(own).chain(last))?;
        }
        Ok(writer.into_inner().map_err(|error| error.into_error())?)
    }

    /// The scenario as it is beside the winner, on fresh replicates.
    fn gain(&self) -> RowsChart {
        let measure = self.tuned.measure();
        let fresh = self.fresh();
        let names: Vec<&str> = fresh.iter().map(|(name, _)| *name).collect();
        let row = |((name, of), look): (&(&str, Option<Estimate>), Look)| RowMark {
            name: (*name).to_owned(),
            // Grey is what others are compared with.
            look: if *name == AS_IT_IS { Look::REST } else { look },
            value: of.map(|of| of.mean),
            known: of.map(|of| (of.low, of.high)),
            told: told(*of, measure.unit),
        };
        let replicates = self.tuned.before.map_or(0, |before| before.replicates);
        RowsChart {
            name: "gain".to_owned(),
            title: match difference(&self.tuned) {
                Some(said) if measure.unit.is_empty() => format!("What the best gains: {said}"),
                Some(said) => format!("What the best gains [{}]: {said}", measure.unit),
                None => "Nothing that was tried is better than the scenario as it is".to_owned(),
            },
            under: format!(
                "{} · {replicates} fresh replicates, {} % intervals",
                self.scenario,
                self.confidence * 100.0
            ),
            x: format!("{}, {}", measure.label(), measure.direction()),
            rows: fresh.iter().zip(looks(&names)).map(row).collect(),
        }
    }
}
