//! Puts shards together: their rows in order of cells, a row of means for each point, and what stands out. Rows pass through one by one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use reports::statistics::estimate::{Estimate, Terms, estimate};
use serde::Serialize;
use traces::atomic::AtomicFile;

use super::manifest::Sweep;
use super::row::{self, LEADING};
use super::shard::{FOLDER, Shard, check_head, head};
use super::space::{Axis, Span};
use crate::compare::cells::Values;
use crate::compare::measures::{self, Measure, number, number_text};
use crate::tables::write_parquet;

/// Points that are told as the best.
const BEST: usize = 10;
/// Parts into which a range is cut to tell what it does.
const PARTS: usize = 5;

/// What a sweep found, by one measure.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Found {
    /// The scenario's name.
    pub scenario: String,
    /// Points of the sweep.
    pub points: u64,
    /// Replicates of each.
    pub replicates: u32,
    /// Cells that could not run.
    pub failed: u64,
    /// The measure's name in files.
    pub by: &'static str,
    /// How sure intervals are.
    pub confidence: f64,
    /// The best points, the best one first.
    pub best: Vec<Best>,
    /// What each key does by itself.
    pub effects: Vec<Effect>,
}

/// A point that is better than most.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Best {
    /// Its number.
    pub point: u64,
    /// Key and value of each key that varies.
    pub values: Vec<(String, String)>,
    /// Its mean.
    pub mean: f64,
    /// The mean with its interval; nothing for one replicate.
    pub estimate: Option<Estimate>,
}

/// What a key does: the means over all points that have a value of it, whatever their other values are.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Effect {
    /// The key.
    pub key: String,
    /// By value, or by part of a range.
    pub levels: Vec<Level>,
}

/// A value of a key.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Level {
    /// The value, or the part of the range.
    pub value: String,
    /// Points that have it and a bounded mean.
    pub points: u64,
    /// The mean of their means; nothing of no points.
    pub mean: Option<f64>,
}

/// Merges all shards of a sweep into `sweep.csv` and `points.csv` and tells what stands out by a measure.
///
/// # Errors
/// Where a shard is missing, or a file cannot be read or written.
pub fn merge(folder: &Path, sweep: &Sweep, by: usize, terms: Terms) -> Result<Found> {
    let mut shards = open(folder, sweep)?;
    let path = folder.join("sweep.csv");
    let told = || format!("cannot write {}", path.display());
    let mut rows = AtomicFile::create(&path).with_context(told)?;
    rows.write_all(&row::header(sweep)?).with_context(told)?;
    let mut told_points = PointRows::new(folder, sweep, by, terms)?;
    let mut replicates: Vec<Values> = Vec::new();
    let (mut line, len) = (Vec::new(), shards.len() as u64);
    for cell in 0..sweep.cells {
        let shard = &mut shards[(cell % len) as usize];
        line.clear();
        shard.reader.read_until(b'\n', &mut line)?;
        shard.lines += 1;
        let values =
            read(&line, cell, sweep).map_err(|wrong| anyhow!("{}:{}: {wrong}", shard.path, shard.lines))?;
        rows.write_all(&line).with_context(told)?;
        match values {
            Some(values) => replicates.push(values),
            None => told_points.found.failed += 1,
        }
        let (point, replicate) = sweep.place(cell);
        if replicate + 1 == sweep.manifest.replicates_len as usize {
            told_points.add(sweep, point, &replicates)?;
            replicates.clear();
        }
    }
    rows.commit().with_context(told)?;
    let found = told_points.finish()?;
    write_parquet(&path)?;
    write_parquet(&folder.join("points.csv"))?;
    Ok(found)
}

struct Open {
    path: String,
    lines: u64,
    reader: BufReader<File>,
}

/// The shards of a complete set; the one with fewest where there are several, since all hold the same cells.
fn open(folder: &Path, sweep: &Sweep) -> Result<Vec<Open>> {
    let mut sets: BTreeMap<u32, u32> = BTreeMap::new();
    for shard in Shard::found(folder)? {
        *sets.entry(shard.of).or_default() += u32::from(shard.whole(folder).exists());
    }
    let Some(of) = sets.iter().find(|(of, found)| of == found).map(|(of, _)| *of) else {
        let lacks = |of: &u32| {
            (1..=*of).map(|index| Shard { index, of: *of }).find(|shard| !shard.whole(folder).exists())
        };
        match sets.keys().find_map(lacks) {
            Some(shard) => bail!(
                "{} is not there; expected all {} shards. To run it: herder sweep run {} --shard {shard}",
                shard.whole(folder).display(),
                shard.of,
                folder.display()
            ),
            None => bail!(
                "{}: found no complete shard, expected the sweep to be run first: herder sweep run {}",
                folder.join(FOLDER).display(),
                folder.display()
            ),
        }
    };
    let open = |index| {
        let shard = Shard { index, of };
        let path = shard.whole(folder);
        let reader = check_head(&path, &head(&sweep.id, shard))?;
        Ok(Open { path: path.display().to_string(), lines: 1, reader })
    };
    (1..=of).map(open).collect()
}

/// The measures of a row, which must be that cell's; nothing where it could not run.
fn read(line: &[u8], cell: u64, sweep: &Sweep) -> Result<Option<Values>, String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line);
    let mut record = csv::StringRecord::new();
    let there = reader.read_record(&mut record).map_err(|error| error.to_string())?;
    if !there || record.get(0) != Some(&cell.to_string()) {
        let found = record.get(0).unwrap_or("the end of the file");
        return Err(format!("found {found}, expected cell {cell}"));
    }
    let error = LEADING.len() + sweep.manifest.space.axes.len();
    let expected = error + 1 + measures::ALL.len();
    if record.len() != expected {
        return Err(format!("found {} columns, expected {expected}", record.len()));
    }
    if !record[error].is_empty() {
        return Ok(None);
    }
    record.iter().skip(error + 1).map(number).collect::<Result<Values, String>>().map(Some)
}

/// What is told of points, while they pass.
struct PointRows {
    file: AtomicFile,
    by: Measure,
    at: usize,
    terms: Terms,
    found: Found,
    /// Sums of means by key and level.
    sums: Vec<Vec<f64>>,
}

impl PointRows {
    fn new(folder: &Path, sweep: &Sweep, by: usize, terms: Terms) -> Result<Self> {
        let path = folder.join("points.csv");
        let mut file =
            AtomicFile::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let axes = &sweep.manifest.space.axes;
        let names = measures::ALL.iter().flat_map(|measure| {
            let key = measure.key;
            [key.to_owned(), format!("{key}_low"), format!("{key}_high")]
        });
        let keys = axes.iter().map(|axis| axis.key.clone());
        let leading = ["point", "replicates"].map(str::to_owned);
        file.write_all(&row::line(leading.into_iter().chain(keys).chain(names))?)?;
        let effects: Vec<Effect> = axes.iter().map(effect).collect();
        Ok(Self {
            file,
            by: measures::ALL[by],
            at: by,
            terms,
            sums: effects.iter().map(|effect| vec![0.0; effect.levels.len()]).collect(),
            found: Found {
                scenario: sweep.manifest.scenario.clone(),
                points: sweep.manifest.space.points().unwrap_or(0),
                replicates: sweep.manifest.replicates_len,
                failed: 0,
                by: measures::ALL[by].key,
                confidence: terms.confidence,
                best: Vec::new(),
                effects,
            },
        })
    }

    /// Takes a point in, with the measures of its replicates that ran.
    fn add(&mut self, sweep: &Sweep, point: u64, replicates: &[Values]) -> Result<()> {
        let values = sweep.points.at(point);
        let column = |at: usize| -> Vec<f64> { replicates.iter().filter_map(|run| run[at]).collect() };
        let mut fields = vec![point.to_string(), replicates.len().to_string()];
        fields.extend(values.iter().map(|(_, value)| value.clone()));
        for at in 0..measures::ALL.len() {
            let column = column(at);
            // One replicate has a mean and no interval; an interval of one that has no bound has none either.
            let of = estimate(&column, self.terms);
            fields.push(number_text(mean(&column)));
            fields.push(number_text(of.map(|of| of.low)));
            fields.push(number_text(of.map(|of| of.high)));
        }
        self.file.write_all(&row::line(fields.into_iter())?)?;
        let column = column(self.at);
        if let Some(mean) = mean(&column) {
            self.rank(Best { point, values: values.clone(), mean, estimate: estimate(&column, self.terms) });
            if mean.is_finite() {
                self.take_effect(sweep, &values, mean);
            }
        }
        Ok(())
    }

    fn rank(&mut self, new: Best) {
        let better = |best: &Best| match self.by.more_is_better {
            true => best.mean >= new.mean,
            false => best.mean <= new.mean,
        };
        // The first of equal ones stays ahead.
        let place = self.found.best.partition_point(better);
        self.found.best.insert(place, new);
        self.found.best.truncate(BEST);
    }

    fn take_effect(&mut self, sweep: &Sweep, values: &[(String, String)], mean: f64) {
        for (at, ((_, value), axis)) in values.iter().zip(&sweep.manifest.space.axes).enumerate() {
            let level = level(axis, value);
            self.sums[at][level] += mean;
            self.found.effects[at].levels[level].points += 1;
        }
    }

    fn finish(mut self) -> Result<Found> {
        self.file.commit().context("cannot write points.csv")?;
        for (effect, sums) in self.found.effects.iter_mut().zip(&self.sums) {
            for (level, sum) in effect.levels.iter_mut().zip(sums) {
                level.mean = (level.points > 0).then(|| sum / level.points as f64);
            }
        }
        Ok(self.found)
    }
}

/// Infinite where one value is; nothing of none.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn effect(axis: &Axis) -> Effect {
    let level = |value: String| Level { value, points: 0, mean: None };
    let levels = match &axis.span {
        Span::Values(values) => values.iter().cloned().map(level).collect(),
        Span::Range(range) => range.parts(PARTS).into_iter().map(level).collect(),
    };
    Effect { key: axis.key.clone(), levels }
}

fn level(axis: &Axis, value: &str) -> usize {
    match &axis.span {
        Span::Values(values) => values.iter().position(|known| known == value).unwrap_or(0),
        Span::Range(range) => range.part(value.parse().unwrap_or(range.from), PARTS),
    }
}
