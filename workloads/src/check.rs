//! From the file as written to a workload that cannot be wrong.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use control::request::{HostOptions, KeepAlive};
use control::units::Nanos;
use traces::format::Format;
use traces::options::{ModelMix, Spread, TraceOptions, Window};
use traces::reader::ReadOptions;

use crate::arrivals::Arrivals;
use crate::config::{
    ArrivalsFile, ClosedLoopFile, KeepAliveFile, ModelsFile, OptionsFile, REQUESTS, SessionsFile, TenantFile,
    TraceFile, TraceFormat, WorkloadFile,
};
use crate::lengths::Lengths;
use crate::sample::zipf_weights;

mod lengths;
mod table;

/// Most requests of a workload.
pub const REQUESTS_MAX: u64 = 1_000_000_000_000;
/// Most users of a closed loop.
pub const USERS_MAX: u32 = 10_000_000;
/// Most tokens of a prompt or an answer.
pub const TOKENS_MAX: u32 = 16_777_216;
/// Most models, and most tenants.
pub const NAMES_MAX: usize = 100_000;
/// Longest span of time, in seconds: a hundred years.
pub const SECONDS_MAX: f64 = 3.156e9;
/// Highest rate.
pub const RATE_PER_SECOND_MAX: f64 = 1e9;

/// What is wrong with a workload.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// A value that makes no sense.
    #[error("{key}: found {found}, expected {expected}")]
    Value {
        /// Path of the key, from `workload`.
        key: String,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// A line of a file with lengths.
    #[error("{}:{line}:{column}: found {found}, expected {expected} ({key})", file.display())]
    Line {
        /// Path of the key that names the file.
        key: String,
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column in bytes, from 1.
        column: usize,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// A file that cannot be read.
    #[error("{}: {source} ({key})", file.display())]
    Io {
        /// Path of the key that names the file.
        key: String,
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl WorkloadError {
    pub(crate) fn value(key: impl Into<String>, found: impl Display, expected: impl Into<String>) -> Self {
        Self::Value { key: key.into(), found: found.to_string(), expected: expected.into() }
    }

    /// Path of the key at fault, such as `workload.arrivals.poisson.rate_per_second`.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Value { key, .. } | Self::Line { key, .. } | Self::Io { key, .. } => key,
        }
    }
}

/// A checked workload; [`Workload::source`] makes the jobs.
#[derive(Clone, Debug)]
pub struct Workload {
    /// What is asked when.
    pub(crate) demand: Demand,
    /// Models, most popular first, with their weights.
    pub(crate) models: Models,
    /// Who asks.
    pub(crate) tenants: Vec<Tenant>,
    /// Whether they were written; else there is one that stands for all.
    pub(crate) tenants_written: bool,
}

/// What is asked when.
#[derive(Clone, Debug)]
pub(crate) enum Demand {
    Generated { requests: u64, starts: Starts, sessions: Option<Sessions>, lengths: Lengths },
    Trace { requests: Option<u64>, file: PathBuf, options: Box<TraceOptions> },
}

/// What makes a request, or a session, start.
#[derive(Clone, Debug)]
pub(crate) enum Starts {
    Open(Arrivals),
    Users { users: u32, think_seconds: f64 },
}

#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    pub(crate) turns_mean: f64,
    pub(crate) think_seconds: f64,
    pub(crate) system_tokens: u32,
    pub(crate) systems: u32,
    pub(crate) prompt_tokens_max: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Models {
    pub(crate) names: Vec<String>,
    pub(crate) weights: Vec<f64>,
    /// How often the ranking moves on, in nanoseconds; never where absent.
    pub(crate) turn_nanos: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) share: f64,
    pub(crate) priority: i8,
    pub(crate) deadline: Option<Nanos>,
    pub(crate) patience: Option<Nanos>,
    pub(crate) num_predict: Option<u32>,
    pub(crate) options: HostOptions,
}

impl WorkloadFile {
    /// Checks every value and reads the files with lengths (a trace is read only when jobs are made of it). Relative
    /// paths start from `base`.
    ///
    /// # Errors
    /// On the first value that makes no sense, with its key, and on files that cannot be read.
    pub fn check(&self, base: &Path) -> Result<Workload, WorkloadError> {
        let tenants = tenants(self.tenants.as_deref(), &self.options)?;
        let models = models(&self.models)?;
        let demand = match &self.arrivals {
            ArrivalsFile::Trace(trace) => self.trace(trace, base)?,
            arrivals => {
                let requests = self.requests.unwrap_or(REQUESTS);
                if !(1..=REQUESTS_MAX).contains(&requests) {
                    let expected = format!("1 to {REQUESTS_MAX}");
                    return Err(WorkloadError::value("workload.requests", requests, expected));
                }
                let starts = match arrivals {
                    ArrivalsFile::ClosedLoop(file) => closed_loop(file)?,
                    open => {
                        let arrivals = Arrivals::check(open)?;
                        arrivals.check_span(requests)?;
                        Starts::Open(arrivals)
                    }
                };
                let sessions = self.sessions.as_ref().map(sessions).transpose()?;
                let lengths = lengths::check(self, base)?;
                Demand::Generated { requests, starts, sessions, lengths }
            }
        };
        // A resolved file has the one tenant in writing.
        let one = [TenantFile::default()];
        let tenants_written = self.tenants.as_ref().is_some_and(|tenants| tenants[..] != one);
        Ok(Workload { demand, models, tenants, tenants_written })
    }

    fn trace(&self, trace: &TraceFile, base: &Path) -> Result<Demand, WorkloadError> {
        let given = [
            ("workload.sessions", self.sessions.is_some()),
            ("workload.prompt", self.prompt.is_some()),
            ("workload.output", self.output.is_some()),
            ("workload.pairs", self.pairs.is_some()),
        ];
        if let Some((key, _)) = given.iter().find(|(_, given)| *given) {
            let expected = "nothing: with workload.arrivals.trace, lengths and sessions come from the trace";
            return Err(WorkloadError::value(*key, "a table", expected));
        }
        if trace.file.as_os_str().is_empty() {
            return Err(WorkloadError::value("workload.arrivals.trace.file", "no path", "a trace's path"));
        }
        if self.requests == Some(0) {
            return Err(WorkloadError::value("workload.requests", 0, "at least 1"));
        }
        let models = match &self.models {
            ModelsFile::Zipf(zipf) => {
                if let Some(turn) = zipf.turn_seconds {
                    let expected = "none: rows of a trace keep their models";
                    return Err(WorkloadError::value("workload.models.zipf.turn_seconds", turn, expected));
                }
                ModelMix { names: zipf.all_names(), zipf_exponent: zipf.exponent }
            }
            ModelsFile::Weighted(list) if list.len() == 1 => {
                ModelMix { names: vec![list[0].name.clone()], zipf_exponent: 0.0 }
            }
            ModelsFile::Weighted(list) => {
                let found = format!("{} models with weights", list.len());
                let expected = "workload.models.zipf: rows of a trace get their models by rank";
                return Err(WorkloadError::value("workload.models.weighted", found, expected));
            }
        };
        let key = |name: &str| format!("workload.arrivals.trace.{name}");
        let start = span(&key("start_seconds"), trace.start_seconds)?;
        let end = trace.end_seconds.map(|end| span(&key("end_seconds"), end)).transpose()?;
        let spread = trace.spread.as_ref().map(|spread| Spread {
            tick: Nanos(spread.tick_millis.saturating_mul(1_000_000)),
            by: spread.by,
        });
        let format = match trace.format {
            TraceFormat::Auto => None,
            TraceFormat::Azure => Some(Format::Azure),
            TraceFormat::BurstGpt => Some(Format::BurstGpt),
            TraceFormat::Mooncake => Some(Format::Mooncake),
            TraceFormat::Vidur => Some(Format::Vidur),
            TraceFormat::QwenBailian => Some(Format::QwenBailian),
            TraceFormat::SplitwiseSim => Some(Format::SplitwiseSim),
            TraceFormat::LlmServingSim => Some(Format::LlmServingSim),
            TraceFormat::Openb => Some(Format::Openb),
            TraceFormat::ServeGen => Some(Format::ServeGen),
            TraceFormat::Decisions => Some(Format::Decisions),
        };
        let options = TraceOptions {
            read: ReadOptions { format, skip_bad: trace.skip_bad, ..ReadOptions::default() },
            window: Window { start, end },
            rate: trace.rate,
            spread,
            context_tokens_max: trace.context_tokens_max,
            models,
            seed: 0,
        };
        let file = base.join(&trace.file);
        Ok(Demand::Trace { requests: self.requests, file, options: Box::new(options) })
    }
}

fn closed_loop(file: &ClosedLoopFile) -> Result<Starts, WorkloadError> {
    let key = |name: &str| format!("workload.arrivals.closed_loop.{name}");
    if !(1..=USERS_MAX).contains(&file.users) {
        return Err(WorkloadError::value(key("users"), file.users, format!("1 to {USERS_MAX}")));
    }
    span(&key("think_time_mean_seconds"), file.think_time_mean_seconds)?;
    Ok(Starts::Users { users: file.users, think_seconds: file.think_time_mean_seconds })
}

fn sessions(file: &SessionsFile) -> Result<Sessions, WorkloadError> {
    let key = |name: &str| format!("workload.sessions.{name}");
    range(&key("turns_mean"), file.turns_mean, 1.0, 10_000.0)?;
    span(&key("think_time_mean_seconds"), file.think_time_mean_seconds)?;
    let tokens =
        [("system_prompt_tokens", file.system_prompt_tokens), ("prompt_tokens_max", file.prompt_tokens_max)];
    for (name, tokens) in tokens {
        if tokens > TOKENS_MAX {
            return Err(WorkloadError::value(key(name), tokens, format!("at most {TOKENS_MAX}")));
        }
    }
    if file.system_prompts == 0 {
        let expected = "at least 1 (for none, system_prompt_tokens = 0)";
        return Err(WorkloadError::value(key("system_prompts"), 0, expected));
    }
    Ok(Sessions {
        turns_mean: file.turns_mean,
        think_seconds: file.think_time_mean_seconds,
        system_tokens: file.system_prompt_tokens,
        systems: file.system_prompts,
        prompt_tokens_max: file.prompt_tokens_max,
    })
}

fn models(file: &ModelsFile) -> Result<Models, WorkloadError> {
    let mut turn_nanos = None;
    let (key, named): (_, Vec<(String, f64)>) = match file {
        ModelsFile::Weighted(list) => {
            let key = "workload.models.weighted";
            for (at, model) in list.iter().enumerate() {
                range(&format!("{key}.{at}.weight"), model.weight, 0.0, 1e12)?;
            }
            let mut list: Vec<_> = list.iter().map(|model| (model.name.clone(), model.weight)).collect();
            list.sort_by(|a, b| b.1.total_cmp(&a.1));
            (key, list)
        }
        ModelsFile::Zipf(zipf) => {
            range("workload.models.zipf.exponent", zipf.exponent, 0.0, 10.0)?;
            if let Some(turn) = zipf.turn_seconds {
                turn_nanos = Some(span("workload.models.zipf.turn_seconds", turn)?.0.max(1));
            }
            let names = zipf.all_names();
            let weights = zipf_weights(names.len(), zipf.exponent);
            ("workload.models.zipf.names", names.into_iter().zip(weights).collect())
        }
    };
    let (names, weights): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    check_names(key, &names)?;
    check_sum(key, &weights)?;
    Ok(Models { names, weights, turn_nanos })
}

fn tenants(files: Option<&[TenantFile]>, common: &OptionsFile) -> Result<Vec<Tenant>, WorkloadError> {
    let key = "workload.tenants";
    let one = [TenantFile::default()];
    let files = files.unwrap_or(&one);
    check_options("workload.options", common)?;
    let mut tenants = Vec::with_capacity(files.len());
    for (at, file) in files.iter().enumerate() {
        let path = format!("{key}.{at}");
        range(&format!("{path}.share"), file.share, 0.0, 1e12)?;
        check_options(&format!("{path}.options"), &file.options)?;
        let seconds = |name: &str, value: Option<f64>| {
            value.map(|value| span(&format!("{path}.{name}"), value)).transpose()
        };
        let keep_alive = file.options.keep_alive.as_ref().or(common.keep_alive.as_ref());
        tenants.push(Tenant {
            name: file.name.clone(),
            share: file.share,
            priority: file.priority,
            deadline: seconds("deadline_seconds", file.deadline_seconds)?,
            patience: seconds("patience_seconds", file.patience_seconds)?,
            num_predict: file.options.num_predict.or(common.num_predict),
            options: HostOptions {
                num_ctx: file.options.num_ctx.or(common.num_ctx),
                keep_alive: keep_alive.map(|keep| match keep {
                    KeepAliveFile::Seconds(seconds) => KeepAlive::For(nanos(*seconds)),
                    KeepAliveFile::Forever => KeepAlive::Forever,
                }),
                ..HostOptions::default()
            },
        });
    }
    let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    check_names(key, &names)?;
    check_sum(key, &tenants.iter().map(|tenant| tenant.share).collect::<Vec<_>>())?;
    Ok(tenants)
}

fn check_options(key: &str, file: &OptionsFile) -> Result<(), WorkloadError> {
    for (name, tokens) in [("num_ctx", file.num_ctx), ("num_predict", file.num_predict)] {
        if let Some(tokens) = tokens.filter(|tokens| !(1..=TOKENS_MAX).contains(tokens)) {
            return Err(WorkloadError::value(format!("{key}.{name}"), tokens, format!("1 to {TOKENS_MAX}")));
        }
    }
    if let Some(KeepAliveFile::Seconds(seconds)) = file.keep_alive {
        span(&format!("{key}.keep_alive.seconds"), seconds)?;
    }
    Ok(())
}

fn check_names(key: &str, names: &[String]) -> Result<(), WorkloadError> {
    if names.is_empty() || names.len() > NAMES_MAX {
        let found = format!("{} names", names.len());
        return Err(WorkloadError::value(key, found, format!("1 to {NAMES_MAX}")));
    }
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    if sorted[0].is_empty() {
        return Err(WorkloadError::value(key, "an empty name", "a name for each"));
    }
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(WorkloadError::value(key, format!("{:?} twice", pair[0]), "each name once")),
        None => Ok(()),
    }
}

fn check_sum(key: &str, weights: &[f64]) -> Result<(), WorkloadError> {
    if weights.iter().sum::<f64>() > 0.0 {
        return Ok(());
    }
    Err(WorkloadError::value(key, "nothing but zeros", "at least one weight or share above 0"))
}

/// Checks `low` ≤ `value` ≤ `high`.
pub(crate) fn range(key: &str, value: f64, low: f64, high: f64) -> Result<f64, WorkloadError> {
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    Err(WorkloadError::value(key, value, format!("a number from {low} to {high}")))
}

/// Checks 0 < `value` ≤ `high`.
pub(crate) fn positive(key: &str, value: f64, high: f64) -> Result<f64, WorkloadError> {
    if value > 0.0 && value <= high {
        return Ok(value);
    }
    Err(WorkloadError::value(key, value, format!("a number above 0, at most {high}")))
}

/// Checks a span of time in seconds, 0 to a hundred years.
fn span(key: &str, seconds: f64) -> Result<Nanos, WorkloadError> {
    range(key, seconds, 0.0, SECONDS_MAX).map(nanos)
}

/// Seconds, at least 0, as whole nanoseconds, to the nearest.
#[inline]
pub(crate) fn nanos(seconds: f64) -> Nanos {
    Nanos((seconds * 1e9 + 0.5) as u64)
}

/// Shared rows of a table of lengths.
pub(crate) type Rows<T> = Arc<[T]>;

#[cfg(test)]
pub(crate) use lengths::check as lengths_for_tests;

#[cfg(test)]
mod tests;
