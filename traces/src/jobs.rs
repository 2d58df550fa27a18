//! Jobs from a trace: a streaming pipeline over [`Rows`].

mod chain;
mod clamp;
mod models;
mod spread;

use std::collections::VecDeque;
use std::path::Path;

use control::ids::TenantId;
use control::request::{HostOptions, Kind};
use control::units::Instant;
use serde::Serialize;

use crate::error::TraceError;
use crate::input::Input;
use crate::job::Job;
use crate::keyed::{Purpose, bits};
use crate::limits::LOOKAHEAD_ROWS;
use crate::options::{CheckedRate, TraceOptions, Window};
use crate::reader::{BadRows, ReadOptions};
use crate::row::{Asked, Lasts, TraceRow};
use crate::rows::Rows;

use chain::Chains;
use models::Models;
use spread::Spreader;

/// Latest arrival: 146 years.
const ARRIVAL_NANOS_MAX: u128 = i64::MAX as u128 / 2;

/// What became of a trace's rows so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RowCounts {
    /// Rows read, bad ones left out.
    pub read: u64,
    /// Dropped, as they have no prompt or no answer.
    pub without_tokens: u64,
    /// Dropped, as they are tasks that never ran: nobody knows for how long they would have.
    #[serde(skip_serializing_if = "is_zero")]
    pub never_run: u64,
    /// Dropped, as they lie before the window. Rows after it are not read.
    pub before_window: u64,
    /// Dropped to lower the rate.
    pub thinned: u64,
    /// Kept, with prompt or answer cut to the context.
    pub cut: u64,
    /// Made into jobs.
    pub jobs: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The jobs of a trace in order of arrival, with ids from 0.
pub struct Jobs {
    reader: Rows,
    window: Window,
    rate: CheckedRate,
    spreader: Option<Spreader>,
    models: Models,
    chains: Chains,
    context: Option<u32>,
    seed: u64,
    counts: RowCounts,
    /// Rows read ahead to learn what prompts open with; only at the start.
    ahead: VecDeque<TraceRow>,
    learnt: bool,
    ended: bool,
    done: bool,
    tenants: Vec<String>,
}

impl Jobs {
    /// Opens a file.
    ///
    /// # Errors
    /// Where it cannot be read, does not begin as its format should, or an option makes no sense.
    pub fn open(path: &Path, options: &TraceOptions) -> Result<Self, TraceError> {
        let read = ReadOptions { seed: options.seed, ..options.read };
        Self::over(|| Rows::open(path, read), options)
    }

    /// Reads an input, which has no tasks.
    ///
    /// # Errors
    /// As [`Jobs::open`]; and where it has tasks, whose names take a pass over a file.
    pub fn new(input: Input, options: &TraceOptions) -> Result<Self, TraceError> {
        Self::over(|| Rows::new(input, options.read), options)
    }

    fn over(
        open: impl FnOnce() -> Result<Rows, TraceError>,
        options: &TraceOptions,
    ) -> Result<Self, TraceError> {
        let Window { start, end } = options.window;
        if end.is_some_and(|end| end <= start) {
            let found = format!("an end not after the start ({} s)", start.0 as f64 / 1e9);
            return Err(TraceError::Option { option: "window", found, expected: "start before end" });
        }
        if let Some(context @ 0..=1) = options.context_tokens_max {
            let expected = "at least 2 tokens, one for the prompt and one for the answer";
            return Err(TraceError::Option { option: "clamp_context", found: context.to_string(), expected });
        }
        let rate = options.rate.checked()?;
        let spreader = options.spread.map(|spread| Spreader::new(spread, options.seed)).transpose()?;
        let reader = open()?;
        let models = Models::new(&options.models, reader.classes(), reader.format(), options.seed)?;
        let tenants = match reader.tenants() {
            [] => vec!["trace".to_owned()],
            known => known.to_owned(),
        };
        Ok(Self {
            rate,
            spreader,
            models,
            reader,
            window: options.window,
            chains: Chains::new(),
            context: options.context_tokens_max,
            seed: options.seed,
            counts: RowCounts::default(),
            ahead: VecDeque::new(),
            learnt: false,
            ended: false,
            done: false,
            tenants,
        })
    }

    /// Names of the models that jobs index, most popular first.
    #[must_use]
    pub fn models(&self) -> &[String] {
        self.models.names()
    }

    /// Names of the tenants that jobs index: one, unless the trace knows them.
    #[must_use]
    pub fn tenants(&self) -> &[String] {
        &self.tenants
    }

    /// What became of the rows so far.
    #[must_use]
    pub const fn counts(&self) -> RowCounts {
        self.counts
    }

    /// Bad rows left out so far.
    #[must_use]
    pub const fn bad(&self) -> &BadRows {
        self.reader.bad()
    }

    /// The reader below.
    #[must_use]
    pub const fn reader(&self) -> &Rows {
        &self.reader
    }

    /// The next row with tokens within the window, its time relative to the window.
    fn row_in_window(&mut self) -> Result<Option<TraceRow>, TraceError> {
        while !self.ended {
            let Some(row) = self.reader.next().transpose()? else {
                self.ended = true;
                break;
            };
            if self.window.end.is_some_and(|end| row.at.0 >= end.0) {
                self.ended = true;
                break;
            }
            self.counts.read += 1;
            if !row.has_work() {
                match row.task() {
                    Some(_) => self.counts.never_run += 1,
                    None => self.counts.without_tokens += 1,
                }
            } else if row.at.0 < self.window.start.0 {
                self.counts.before_window += 1;
            } else {
                return Ok(Some(TraceRow { at: Instant(row.at.0 - self.window.start.0), ..row }));
            }
        }
        Ok(None)
    }

    fn spread_row(&mut self) -> Result<Option<TraceRow>, TraceError> {
        let Some(mut spreader) = self.spreader.take() else { return self.row_in_window() };
        let outcome = loop {
            if let Some(row) = spreader.pop() {
                break Ok(Some(row));
            }
            match self.row_in_window() {
                Ok(Some(row)) => {
                    if let Err(error) = spreader.push(row, self.reader.file()) {
                        break Err(error);
                    }
                }
                Ok(None) => {
                    spreader.end();
                    break Ok(spreader.pop());
                }
                Err(error) => break Err(error),
            }
        };
        self.spreader = Some(spreader);
        outcome
    }

    fn rated_row(&mut self) -> Result<Option<TraceRow>, TraceError> {
        while let Some(row) = self.spread_row()? {
            match self.rate {
                CheckedRate::AsIs => return Ok(Some(row)),
                CheckedRate::CompressTime { millionths } => {
                    let at = u128::from(row.at.0) * 1_000_000 / u128::from(millionths);
                    if at > ARRIVAL_NANOS_MAX {
                        let found =
                            format!("a factor that puts line {} at {} s", row.line, at / 1_000_000_000);
                        let expected = "a trace of at most 146 years";
                        return Err(TraceError::Option { option: "compress_time", found, expected });
                    }
                    return Ok(Some(TraceRow { at: Instant(at as u64), ..row }));
                }
                CheckedRate::Thin { threshold } => {
                    if bits(self.seed, Purpose::Thin, row.line) < threshold {
                        return Ok(Some(row));
                    }
                    self.counts.thinned += 1;
                }
            }
        }
        Ok(None)
    }

    /// The next row, after what prompts open with has been learnt from the first ones.
    fn learnt_row(&mut self) -> Result<Option<TraceRow>, TraceError> {
        if !self.learnt {
            self.learnt = true;
            while self.ahead.len() < LOOKAHEAD_ROWS {
                let Some(row) = self.rated_row()? else { break };
                // Only prompts with blocks, and without a model's name, have something to tell.
                let nothing_to_learn = row.blocks.is_none();
                self.ahead.push_back(row);
                if nothing_to_learn {
                    break;
                }
            }
            self.models.learn(self.ahead.iter());
        }
        match self.ahead.pop_front() {
            Some(row) => Ok(Some(row)),
            None => self.rated_row(),
        }
    }

    fn job(&mut self) -> Result<Option<Job>, TraceError> {
        let Some(row) = self.learnt_row()? else { return Ok(None) };
        let model = self.models.choose(&row);
        let (mut blocks, mut answer_block) = (row.blocks, 0);
        if blocks.is_none()
            && let Some(session) = row.session
        {
            let turn = self.chains.turn(session.0, row.line, row.prompt_tokens, row.output_tokens);
            blocks = Some(turn.blocks);
            answer_block = turn.answer_block;
        }
        let (prompt_tokens, output_tokens) = match self.context.filter(|_| row.prompt_tokens > 0) {
            Some(context) => clamp::lengths(row.prompt_tokens, row.output_tokens, context),
            None => (row.prompt_tokens, row.output_tokens),
        };
        if prompt_tokens < row.prompt_tokens {
            blocks = blocks.map(|blocks| clamp::blocks(&blocks, prompt_tokens));
        }
        if (prompt_tokens, output_tokens) != (row.prompt_tokens, row.output_tokens) {
            self.counts.cut += 1;
            // The next turn holds the whole prompt and the whole answer, not what came of these.
            answer_block = 0;
        }
        let id = self.counts.jobs;
        self.counts.jobs += 1;
        let asked = row.asked.map_or_else(nothing_more, |asked| *asked);
        Ok(Some(Job {
            id,
            arrival: row.at,
            model,
            tenant: asked.tenant,
            session: row.session,
            kind: asked.kind,
            priority: asked.priority,
            deadline: asked.deadline.map(|deadline| row.at.saturating_add(deadline)),
            patience: asked.patience,
            prompt_tokens,
            blocks,
            answer_block,
            output_tokens,
            num_predict: asked.num_predict,
            options: asked.options,
            run_nanos: match asked.task {
                Some(Lasts::Nanos(nanos)) => Some(nanos),
                Some(Lasts::Unknown) | None => None,
            },
        }))
    }
}

/// What most traces leave open.
fn nothing_more() -> Asked {
    Asked {
        tenant: TenantId(0),
        kind: Kind::Completion,
        priority: 0,
        deadline: None,
        patience: None,
        num_predict: None,
        options: HostOptions::default(),
        task: None,
    }
}

impl Iterator for Jobs {
    type Item = Result<Job, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let job = self.job().transpose();
        self.done = !matches!(job, Some(Ok(_)));
        job
    }
}

#[cfg(test)]
mod tests;
