//! `herder trace`: what a trace is like, and making one. Also the options with which `herder run` reads one.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use control::units::{Instant, Nanos};
use traces::format::Format;
use traces::inspect::inspect;
use traces::reader::ReadOptions;
use traces::row::TraceRow;
use traces::writer::TraceWriter;

use super::duration::{self, Window};
use super::{Ending, print};
use crate::scenario::{Overrides, TraceOverride, load};

/// Describe a trace, or make one
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder trace inspect azure.csv
  herder trace inspect BurstGPT_1.csv.gz --format burstgpt --skip-bad --json
  herder trace generate --format azure --requests 5000 --out azure.csv
  herder trace generate chat --set workload.requests=2000 --format mooncake --out chat.jsonl.zst")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Describe a trace in one pass: rows, span, rate, burstiness, lengths, models, sessions, quirks
    Inspect {
        /// The trace: plain, gzip or zstd
        file: PathBuf,
        /// Its format
        #[arg(long, value_enum, default_value_t)]
        format: FormatArg,
        /// Leave bad rows out and count them
        #[arg(long)]
        skip_bad: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write the arrivals and lengths of a scenario as a trace; users who wait for answers are answered at once
    Generate {
        /// A scenario file or a built-in's name: what `workload` says is written
        #[arg(default_value = "azure-conv")]
        scenario: String,
        /// Format of the trace
        #[arg(long, value_enum)]
        format: WriteFormat,
        /// How many requests
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        requests: Option<u64>,
        /// The file to write; gzip or zstd where its name ends in .gz or .zst
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Seed of every draw
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
        seed: Option<u64>,
        /// Lay a value over the scenario; may be given several times
        #[arg(long = "set", value_name = "KEY=VALUE")]
        sets: Vec<String>,
    },
}

/// Formats that are read.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum FormatArg {
    /// Found from the first line
    #[default]
    Auto,
    /// Azure LLM inference traces of 2023 and 2024
    Azure,
    /// BurstGPT, both layouts
    Burstgpt,
    /// Mooncake's JSON lines
    Mooncake,
    /// vidur's processed traces
    Vidur,
    /// herder's decision logs: arrivals, and the lengths that came of them
    Decisions,
}

/// Formats that are written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum WriteFormat {
    /// Azure LLM inference traces of 2023
    Azure,
    /// Mooncake's JSON lines
    Mooncake,
    /// vidur's processed traces
    Vidur,
}

/// Ways to change the rate of a trace.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
enum RateMethod {
    /// Divide all times by the factor: denser above 1, bursts become sharper
    #[default]
    Compress,
    /// Keep each row with this probability (at most 1): the span stays, bursts become milder
    Thin,
}

/// A trace in place of a scenario's arrivals, at its own rate.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Trace")]
pub(super) struct Source {
    /// Replay this trace in place of the scenario's arrivals
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Its format
    #[arg(long, value_enum, default_value_t, requires = "trace")]
    format: FormatArg,
    /// The part of it that is replayed, from its first row: 10m..70m, ..1h, 30m..
    #[arg(long, value_name = "START..END", value_parser = duration::window, requires = "trace")]
    window: Option<Window>,
    /// Spread rows with one coarse stamp evenly over a tick of this many milliseconds
    #[arg(long, value_name = "MILLIS", requires = "trace", value_parser = clap::value_parser!(u64).range(1..))]
    spread_ticks: Option<u64>,
    /// Cut prompt and answer to this many tokens together
    #[arg(long, value_name = "TOKENS", requires = "trace", value_parser = clap::value_parser!(u32).range(2..))]
    clamp_context: Option<u32>,
    /// Leave bad rows out and count them, instead of stopping at the first
    #[arg(long, requires = "trace")]
    skip_bad: bool,
}

impl Source {
    /// The trace as it is laid over a scenario, if there is one.
    pub(super) fn overrides(&self) -> Option<TraceOverride> {
        let file = self.trace.clone()?;
        // Paths of a command line start where the program runs, those in a scenario file at that file.
        let file = std::path::absolute(&file).unwrap_or(file);
        let mut keys = Vec::new();
        if let Some(format) = self.format.format() {
            keys.push(("--format", format!("format={}", format.name())));
        }
        if let Some(window) = self.window {
            keys.push(("--window", format!("start_seconds={:?}", seconds(window.from))));
            if window.until != Instant::MAX {
                keys.push(("--window", format!("end_seconds={:?}", seconds(window.until))));
            }
        }
        if let Some(tick) = self.spread_ticks {
            keys.push(("--spread-ticks", format!("spread={{ tick_millis = {tick} }}")));
        }
        if let Some(tokens) = self.clamp_context {
            keys.push(("--clamp-context", format!("context_tokens_max={tokens}")));
        }
        if self.skip_bad {
            keys.push(("--skip-bad", "skip_bad=true".to_owned()));
        }
        Some(TraceOverride { file, keys })
    }
}

/// The options with which a run reads a trace.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Trace")]
pub(super) struct Options {
    #[command(flatten)]
    source: Source,
    /// Change its rate by this factor
    #[arg(long, value_name = "FACTOR", requires = "trace")]
    rate: Option<f64>,
    /// How the rate is changed
    #[arg(long, value_enum, default_value_t, requires = "rate")]
    rate_method: RateMethod,
}

impl Options {
    /// The trace as it is laid over a scenario, if there is one.
    pub(super) fn overrides(&self) -> Option<TraceOverride> {
        let mut trace = self.source.overrides()?;
        if let Some(rate) = self.rate {
            let method = match self.rate_method {
                RateMethod::Compress => "compress_time",
                RateMethod::Thin => "thin",
            };
            trace.keys.push(("--rate", format!("rate={{ {method} = {rate:?} }}")));
        }
        Some(trace)
    }
}

fn seconds(at: Instant) -> f64 {
    at.0 as f64 / 1e9
}

impl FormatArg {
    fn format(self) -> Option<Format> {
        match self {
            Self::Auto => None,
            Self::Azure => Some(Format::Azure),
            Self::Burstgpt => Some(Format::BurstGpt),
            Self::Mooncake => Some(Format::Mooncake),
            Self::Vidur => Some(Format::Vidur),
            Self::Decisions => Some(Format::Decisions),
        }
    }
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    match &args.command {
        Command::Inspect { file, format, skip_bad, json } => {
            let inspection = inspect(file, ReadOptions { format: format.format(), skip_bad: *skip_bad })?;
            if *json {
                print(&format!("{}\n", serde_json::to_string_pretty(&inspection)?))?;
            } else {
                print(&inspection.to_string())?;
            }
        }
        Command::Generate { scenario, format, requests, out, seed, sets } => {
            let mut sets = sets.clone();
            sets.extend(requests.map(|requests| format!("workload.requests={requests}")));
            let overrides = Overrides { sets, seed: *seed, ..Overrides::default() };
            let format = match format {
                WriteFormat::Azure => Format::Azure,
                WriteFormat::Mooncake => Format::Mooncake,
                WriteFormat::Vidur => Format::Vidur,
            };
            let written = generate(&load(scenario, &overrides)?, format, out)?;
            print(&format!("{written} requests in {}\n", out.display()))?;
        }
    }
    Ok(Ending::Done)
}

/// How long an answer takes where nothing is simulated: what a user who waits for it sees.
const ANSWER: Nanos = Nanos::from_secs(5);

fn generate(scenario: &crate::scenario::Scenario, format: Format, out: &std::path::Path) -> Result<u64> {
    let mut source = scenario.workload.source(scenario.file.seed)?;
    let mut writer = TraceWriter::create(out, format)?;
    let models: Vec<std::sync::Arc<str>> = source.models().iter().map(|name| name.as_str().into()).collect();
    let mut rows = 0;
    let mut first = None;
    while source.next_arrival()?.is_some() {
        let Some(job) = source.take()? else { break };
        let from = *first.get_or_insert(job.arrival);
        rows += 1;
        let row = TraceRow {
            line: rows,
            at: Instant(job.arrival.since(from).0),
            model: models.get(job.model as usize).cloned(),
            session: job.session,
            prompt_tokens: job.prompt_tokens,
            output_tokens: job.output_tokens,
            blocks: job.blocks,
            asked: None,
        };
        writer.append(&row).with_context(|| format!("request {rows} of the scenario"))?;
        if source.wants_feedback() {
            let answered = job.arrival.saturating_add(ANSWER);
            source.ended(job.id, answered, control::request::Outcome::Finished);
        }
    }
    writer.finish()?;
    Ok(rows)
}
