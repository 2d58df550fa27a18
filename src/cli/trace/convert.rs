//! `herder trace convert`: a trace in another format, or a part of it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use control::units::{Instant, Nanos};
use traces::format::Format;
use traces::job::Job;
use traces::jobs::Jobs;
use traces::options::{ModelMix, Rate, Spread, SpreadBy, TraceOptions, Window as Part};
use traces::reader::ReadOptions;
use traces::row::TraceRow;
use traces::writer::{Lost, TraceWriter};

use super::formats::{FormatArg, WriteFormat};
use super::{RateMethod, duration};
use crate::cli::print;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The trace: plain, gzip or zstd; a decision log; a folder of ServeGen's clients
    file: PathBuf,
    /// Its format
    #[arg(long, value_enum, default_value_t)]
    format: FormatArg,
    /// Format of what is written
    #[arg(long, value_enum, default_value = "mooncake")]
    to: WriteFormat,
    /// The file to write; gzip or zstd where its name ends in .gz or .zst
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The part of it that is written, from its first row: 10m..70m, ..1h, 30m..
    #[arg(long, value_name = "START..END", value_parser = duration::window)]
    window: Option<duration::Window>,
    /// Change its rate by this factor
    #[arg(long, value_name = "FACTOR")]
    rate: Option<f64>,
    /// How the rate is changed
    #[arg(long, value_enum, default_value_t, requires = "rate")]
    rate_method: RateMethod,
    /// Spread rows with one coarse stamp evenly over a tick of this many milliseconds
    #[arg(long, value_name = "MILLIS", value_parser = clap::value_parser!(u64).range(1..))]
    spread_ticks: Option<u64>,
    /// Cut prompt and answer to this many tokens together
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(2..))]
    clamp_context: Option<u32>,
    /// Leave bad rows out and count them, instead of stopping at the first
    #[arg(long)]
    skip_bad: bool,
    /// Seed of every draw: thinned rows, ServeGen's requests
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl Args {
    fn options(&self) -> TraceOptions {
        let rate = match (self.rate, self.rate_method) {
            (None, _) => Rate::AsIs,
            (Some(factor), RateMethod::Compress) => Rate::CompressTime(factor),
            (Some(share), RateMethod::Thin) => Rate::Thin(share),
        };
        let window = self.window.map_or_else(Part::default, |window| Part {
            start: Nanos(window.from.0),
            end: (window.until != Instant::MAX).then_some(Nanos(window.until.0)),
        });
        let spread = self
            .spread_ticks
            .map(|millis| Spread { tick: Nanos(millis.saturating_mul(1_000_000)), by: SpreadBy::Evenly });
        TraceOptions {
            read: ReadOptions { format: self.format.format(), skip_bad: self.skip_bad, seed: self.seed },
            window,
            rate,
            spread,
            context_tokens_max: self.clamp_context,
            // No format that is written names models, so one name will do.
            models: ModelMix { names: vec!["any".to_owned()], zipf_exponent: 0.0 },
            seed: self.seed,
        }
    }
}

pub(super) fn main(args: &Args) -> Result<()> {
    let mut jobs = Jobs::open(&args.file, &args.options())?;
    let to = args.to.format();
    let mut writer = TraceWriter::create(&args.out, to)?;
    let from = jobs.reader().format();
    let model: Option<Arc<str>> = matches!(from, Format::BurstGpt | Format::Decisions).then(|| "any".into());
    while let Some(job) = jobs.next().transpose()? {
        let line = job.id + 1;
        refuse_task(&job, to)?;
        writer.append(&row(job, line, model.clone())).with_context(|| format!("request {line}"))?;
    }
    let lost = writer.lost();
    writer.finish()?;
    let counts = jobs.counts();
    let mut notes = Vec::new();
    let mut note = |rows: u64, what: &str| {
        if rows > 0 {
            notes.push(format!("left out: {rows} {what}"));
        }
    };
    note(counts.without_tokens, "rows without a prompt or without an answer");
    note(jobs.bad().rows, "bad rows");
    notes.extend(losses(to, &lost));
    if from == Format::Decisions {
        notes.push(format!("lost in {to}: tenants, kinds, priorities, deadlines, patience and options"));
    }
    tell(&notes)?;
    print(&format!("{} requests in {}\n", counts.jobs, args.out.display()))?;
    Ok(())
}

/// What a format could not hold, in lines.
pub(super) fn losses(format: Format, lost: &Lost) -> Vec<String> {
    lost.lines().into_iter().map(|line| format!("lost in {format}: {line}")).collect()
}

/// Writes lines to standard error.
pub(super) fn tell(lines: &[String]) -> io::Result<()> {
    let mut errors = io::stderr().lock();
    lines.iter().try_for_each(|line| writeln!(errors, "{line}"))
}

/// Tasks are read only.
pub(super) fn refuse_task(job: &Job, to: Format) -> Result<()> {
    match job.run_nanos {
        Some(_) => bail!("found tasks, expected requests to models: {to} has no place for what tasks demand"),
        None => Ok(()),
    }
}

/// What a job was, as a trace tells it.
pub(super) fn row(job: Job, line: u64, model: Option<Arc<str>>) -> TraceRow {
    TraceRow {
        line,
        at: job.arrival,
        model,
        session: job.session,
        prompt_tokens: job.prompt_tokens,
        output_tokens: job.output_tokens,
        blocks: job.blocks,
        asked: None,
    }
}
