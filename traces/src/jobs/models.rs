//! Which model of the fleet a row asks for.
//!
//! A row that names a model of the fleet gets it; other names take the fleet's models in turn, in order of
//! appearance. A row without a name draws one by Zipf's law (the model of rank k has weight k^-s), and the draw is
//! keyed so that locality survives: by the session; else by the prompt's first block that tells conversations apart
//! (blocks that most prompts open with, such as a common system prompt, do not: in Mooncake's traces all prompts
//! share the first block); else by the row. A task has its class in a model's place: all classes of a trace are there, after the fleet's
//! models, or alone where the trace has nothing but tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::error::TraceError;
use crate::format::Format;
use crate::keyed::{Purpose, bits2};
use crate::options::ModelMix;
use crate::row::TraceRow;

/// Largest exponent of Zipf's law.
const EXPONENT_MAX: f64 = 10.0;

/// Chooses models.
pub(super) struct Models {
    names: Vec<String>,
    /// How many of them are the fleet's; the others are classes of tasks.
    fleet_len: u32,
    /// Upper bound of each model's share of the 64-bit numbers; the last one is all of them.
    bounds: Vec<u64>,
    seed: u64,
    named: BTreeMap<Arc<str>, u32>,
    /// Names seen that the fleet lacks.
    foreign: u32,
    /// Blocks that most prompts open with.
    openers: BTreeSet<u64>,
}

impl Models {
    pub(super) fn new(
        mix: &ModelMix,
        classes: &[Arc<str>],
        format: Format,
        seed: u64,
    ) -> Result<Self, TraceError> {
        let wrong = |option, found: String, expected| Err(TraceError::Option { option, found, expected });
        if mix.names.is_empty() || u32::try_from(mix.names.len()).is_err() {
            return wrong("models", format!("{} names", mix.names.len()), "at least one model of the fleet");
        }
        if format == Format::Openb && classes.is_empty() {
            let expected = "a file with at least one task that ran (it is read twice)";
            return wrong("trace", "no class of tasks".to_owned(), expected);
        }
        let exponent = mix.zipf_exponent;
        if !(0.0..=EXPONENT_MAX).contains(&exponent) {
            return wrong("zipf_exponent", exponent.to_string(), "a number from 0 (all alike) to 10");
        }
        let mut total = 0.0;
        let models = if format == Format::Openb { &[] } else { mix.names.as_slice() };
        let sums: Vec<f64> = (1..=models.len())
            .map(|rank| {
                total += libm::pow(rank as f64, -exponent);
                total
            })
            .collect();
        // 2^64 times a share below 1 fits; the cast saturates where it is 1.
        let bounds = sums.iter().map(|sum| (sum / total * 18_446_744_073_709_551_616.0) as u64).collect();
        let mut named = BTreeMap::new();
        let names: Vec<String> =
            models.iter().cloned().chain(classes.iter().map(ToString::to_string)).collect();
        for (name, index) in names.iter().zip(0..) {
            named.entry(name.as_str().into()).or_insert(index);
        }
        let fleet_len = models.len() as u32;
        Ok(Self { names, fleet_len, bounds, seed, named, foreign: 0, openers: BTreeSet::new() })
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Learns from the first rows which blocks most prompts open with.
    pub(super) fn learn<'a>(&mut self, rows: impl Iterator<Item = &'a TraceRow>) {
        let mut prompts = 0u32;
        let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
        for blocks in rows.filter_map(|row| row.blocks.as_deref()) {
            prompts += 1;
            for block in blocks {
                *counts.entry(block.id).or_default() += 1;
            }
        }
        self.openers = counts
            .into_iter()
            .filter(|&(_, count)| count > prompts / 2 && count > 1)
            .map(|(id, _)| id)
            .collect();
    }

    /// The model of a row.
    pub(super) fn choose(&mut self, row: &TraceRow) -> u32 {
        if let Some(name) = &row.model {
            if let Some(&index) = self.named.get(name) {
                return index;
            }
            let index = self.foreign % self.fleet_len.max(1);
            self.foreign += 1;
            self.named.insert(Arc::clone(name), index);
            return index;
        }
        let root = || {
            let blocks = row.blocks.as_deref()?;
            blocks.iter().map(|block| block.id).find(|id| !self.openers.contains(id))
        };
        let (key, kind) = match (row.session, root()) {
            (Some(session), _) => (session.0, 1),
            (None, Some(root)) => (root, 2),
            (None, None) => (row.line, 3),
        };
        let drawn = bits2(self.seed, Purpose::Model, key, kind);
        let index = self.bounds.partition_point(|&bound| bound <= drawn);
        index.min(self.bounds.len().saturating_sub(1)) as u32
    }
}
