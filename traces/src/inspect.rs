//! What a trace is like, in one streaming pass.

mod measure;
mod text;

use std::path::Path;

use serde::Serialize;

use crate::error::TraceError;
use crate::format::Format;
use crate::input::Input;
use crate::lines::Endings;
use crate::reader::{BadRows, Noticed, ReadOptions};
use crate::row::Lasts;
use crate::rows::Rows;

use measure::{Arrivals, Blocks, Distinct, Tokens};

/// A description of a trace. Figures are over all rows, those without tokens included, but where they say otherwise.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Inspection {
    /// The file, as it was named.
    pub file: String,
    /// Its format.
    pub format: Format,
    /// `gzip` or `zstd`; `None` for plain text.
    pub compression: Option<&'static str>,
    /// Good rows.
    pub rows: u64,
    /// Rows without a prompt or without an answer, tasks left out; dropped when replayed.
    pub rows_without_tokens: u64,
    /// Bad rows that were left out.
    pub bad: BadRows,
    /// When requests arrive.
    pub arrivals: ArrivalFigures,
    /// Tokens of prompts, over the rows with tokens; `None` where there are none.
    pub prompt_tokens: Option<TokenFigures>,
    /// Tokens of answers, over the rows with tokens; `None` where there are none.
    pub output_tokens: Option<TokenFigures>,
    /// Tasks, where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<TaskFigures>,
    /// Names of models, most rows first (names with equally many in order of the alphabet); empty where the format
    /// has none.
    pub models: Vec<ModelRows>,
    /// Distinct sessions; `None` where the format has none, or there are too many to count.
    pub sessions: Option<u64>,
    /// Rows of a format with sessions that belong to none.
    pub rows_without_session: u64,
    /// Prefix blocks, where the format has them.
    pub blocks: Option<BlockFigures>,
    /// How lines end.
    pub endings: Endings,
    /// What the reader noticed.
    pub noticed: Noticed,
    /// What a reader of the figures should know, in words.
    pub quirks: Vec<String>,
}

/// Figures on arrivals.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct ArrivalFigures {
    /// From the first row to the last, in seconds.
    pub span_seconds: f64,
    /// Rows per second of the span; `None` where the span is zero.
    pub rate_per_second: Option<f64>,
    /// Coefficient of variation of the times between arrivals (population standard deviation / mean): 1 for a Poisson
    /// process; `None` for fewer than three rows or a span of zero.
    pub interarrival_cv: Option<f64>,
    /// Variance / mean of the numbers of rows in each second since the first row (population variance, the last
    /// second perhaps partial): 1 for a Poisson process; `None` without rows.
    pub dispersion_1s: Option<f64>,
    /// Most rows in one of those seconds.
    pub peak_rows_1s: u64,
    /// Longest time between arrivals, in seconds.
    pub gap_seconds_max: f64,
    /// Distinct stamps.
    pub stamps: u64,
    /// Rows with the stamp of the row before.
    pub repeated_stamps: u64,
    /// Most rows with one stamp.
    pub rows_per_stamp_max: u64,
    /// Shortest time between distinct stamps, in seconds.
    pub tick_seconds_min: Option<f64>,
}

/// Figures on tokens. Quantiles are exact below 131,072 tokens, and within 0.1 % above: the smallest value that at
/// least this share of the rows does not exceed.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct TokenFigures {
    /// Mean.
    pub mean: f64,
    /// Half of the rows have at most this.
    pub p50: u32,
    /// 90 % of the rows have at most this.
    pub p90: u32,
    /// 99 % of the rows have at most this.
    pub p99: u32,
    /// Largest.
    pub max: u32,
    /// Sum.
    pub sum: u64,
}

/// Figures on tasks.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct TaskFigures {
    /// Tasks that ran.
    pub ran: u64,
    /// Tasks that never ran; dropped when replayed.
    pub never_run: u64,
    /// How long tasks ran, in whole seconds, rounded up; `None` where none did.
    pub run_seconds: Option<TokenFigures>,
}

/// Rows of a model.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ModelRows {
    /// The model's name.
    pub model: String,
    /// Its rows.
    pub rows: u64,
}

/// Figures on prefix blocks.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct BlockFigures {
    /// Blocks of all prompts.
    pub blocks: u64,
    /// Distinct blocks; `None` where there are too many to count.
    pub distinct: Option<u64>,
    /// Share of the blocks that lie in the part of their prompt that earlier prompts began with: the hit rate of a
    /// prefix cache without bounds; `None` where there are too many distinct blocks.
    pub prefix_hit_share: Option<f64>,
}

/// Describes a file.
///
/// # Errors
/// Where it cannot be read, or holds bad rows that are not to be skipped.
pub fn inspect(path: &Path, options: ReadOptions) -> Result<Inspection, TraceError> {
    described(Rows::open(path, options)?)
}

/// Describes an input.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_input(input: Input, options: ReadOptions) -> Result<Inspection, TraceError> {
    described(Rows::new(input, options)?)
}

fn described(mut reader: Rows) -> Result<Inspection, TraceError> {
    let mut arrivals = Arrivals::default();
    let (mut prompt, mut output) = (Tokens::default(), Tokens::default());
    let mut sessions = Distinct::default();
    let (mut rows, mut rows_without_tokens, mut rows_without_session) = (0, 0, 0);
    let mut models = std::collections::BTreeMap::<std::sync::Arc<str>, u64>::new();
    let mut blocks = Blocks::default();
    let (mut tasks, mut seconds) = (TaskFigures::default(), Tokens::default());
    while let Some(row) = reader.next().transpose()? {
        rows += 1;
        arrivals.add(row.at.0);
        match row.task() {
            Some(Lasts::Nanos(nanos)) => {
                tasks.ran += 1;
                seconds.add(u32::try_from(nanos.get().div_ceil(1_000_000_000)).unwrap_or(u32::MAX));
            }
            Some(Lasts::Unknown) => tasks.never_run += 1,
            None => {}
        }
        let is_task = row.task().is_some();
        if let Some(model) = row.model {
            *models.entry(model).or_default() += 1;
        }
        match row.session {
            Some(session) => {
                sessions.insert(session.0);
            }
            None => rows_without_session += 1,
        }
        if let Some(chain) = &row.blocks {
            blocks.add(chain);
        }
        if row.prompt_tokens > 0 && row.output_tokens > 0 {
            prompt.add(row.prompt_tokens);
            output.add(row.output_tokens);
        } else if !is_task {
            rows_without_tokens += 1;
        }
    }
    let has_sessions = rows_without_session < rows;
    let mut models: Vec<ModelRows> =
        models.into_iter().map(|(model, rows)| ModelRows { model: model.to_string(), rows }).collect();
    models.sort_by_key(|model| std::cmp::Reverse(model.rows));
    let mut inspection = Inspection {
        file: reader.file().display().to_string(),
        format: reader.format(),
        compression: reader.compression(),
        rows,
        rows_without_tokens,
        bad: reader.bad().clone(),
        arrivals: arrivals.figures(),
        prompt_tokens: prompt.figures(),
        output_tokens: output.figures(),
        tasks: (tasks != TaskFigures::default())
            .then(|| TaskFigures { run_seconds: seconds.figures(), ..tasks }),
        models,
        sessions: sessions.len().filter(|_| has_sessions),
        rows_without_session: if has_sessions { rows_without_session } else { 0 },
        blocks: blocks.figures(),
        endings: reader.endings(),
        noticed: reader.noticed(),
        quirks: Vec::new(),
    };
    inspection.quirks = text::quirks(&inspection);
    Ok(inspection)
}

#[cfg(test)]
mod tests;
