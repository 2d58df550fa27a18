//! `herder trace`: what a trace is like, making, converting and fetching one. Also the options with which `herder run`
//! reads one.

mod convert;
mod fetch;
mod fleet;
mod formats;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use control::units::{Instant, Nanos};
use traces::format::Format;
use traces::inspect::inspect;
use traces::job::Job;
use traces::reader::ReadOptions;
use traces::writer::TraceWriter;

use super::duration::{self, Window};
use super::{Ending, print};
use crate::scenario::{Overrides, TraceOverride, load};
use formats::{FormatArg, WriteFormat};

/// Describe a trace, make one, convert one, or fetch a public one
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder trace inspect azure.csv
  herder trace inspect BurstGPT_1.csv.gz --format burstgpt --skip-bad --json
  herder trace generate --format azure --requests 5000 --out azure.csv
  herder trace generate chat --set workload.requests=2000 --format mooncake --out chat.jsonl.zst
  herder trace convert azure.csv --to vidur --window ..10m --out first.csv
  herder trace fetch --list
  herder trace fetch azure-2023-conv --out azure.csv
  herder trace fleet nodes.csv --gpu G2=l40s --gpu T4=rtx-3090 --skip-unknown > fleet.toml
  herder trace fleet nodes.csv --tasks > fleet.toml")]
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
        /// Seed of ServeGen's requests
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
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
    /// Write a trace in another format, or a part of it; what that format cannot hold is told
    Convert(convert::Args),
    /// Download a public trace and check that it is the one
    Fetch(fetch::Args),
    /// Write the [fleet] of a scenario from a list of nodes (Alibaba's openb: sn,cpu_milli,memory_mib,gpu,model)
    Fleet(fleet::Args),
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

pub(super) fn main(args: &Args) -> Result<Ending> {
    match &args.command {
        Command::Inspect { file, format, skip_bad, json, seed } => {
            let inspection =
                inspect(file, ReadOptions { format: format.format(), skip_bad: *skip_bad, seed: *seed })?;
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
            let written = generate(&load(scenario, &overrides)?, format.format(), out)?;
            print(&format!("{written} requests in {}\n", out.display()))?;
        }
        Command::Convert(args) => convert::main(args)?,
        Command::Fetch(args) => fetch::main(args)?,
        Command::Fleet(args) => fleet::main(args)?,
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
        convert::refuse_task(&job, format)?;
        let from = *first.get_or_insert(job.arrival);
        rows += 1;
        let (id, arrival) = (job.id, job.arrival);
        let model = models.get(job.model as usize).cloned();
        let row = convert::row(Job { arrival: Instant(arrival.since(from).0), ..job }, rows, model);
        writer.append(&row).with_context(|| format!("request {rows} of the scenario"))?;
        if source.wants_feedback() {
            let answered = arrival.saturating_add(ANSWER);
            source.ended(id, answered, control::request::Outcome::Finished);
        }
    }
    let lost = writer.lost();
    writer.finish()?;
    convert::tell(&convert::losses(format, &lost))?;
    Ok(rows)
}
