//! `herder run`: a scenario, or a trace on a scenario's fleet, from the first arrival to the last answer.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::Result;
use clap::ValueEnum;
use reports::text;

use super::progress::Progress;
use super::{Ending, interrupt, print, print_results};
use crate::run::{Plan, run};
use crate::scenario::{Overrides, load};

/// Run a scenario, or a production trace, on a simulated fleet and report what users would have felt
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder run                                     the built-in `default`: a small mixed fleet
  herder run chat --set workload.requests=5000   another scenario, more of it
  herder run mine.toml --seed 7 --out results    tables, plots, and the scenario as it ran
  herder run --trace azure.csv --window 0s..10m --set control.balancer=least-tokens
  herder run --trace mooncake.jsonl.gz --spread-ticks 3000 --rate 0.5 --rate-method thin
  herder run --out results --log && herder replay results/decisions
  herder run --json | jq .ttft_ms.p99

A key of --set is a path in the scenario file; its value is what TOML would make of it (number, true or false,
list, table), everything else is text: --set control.balancer=random --set fleet.hosts=16 --set 'workload.requests=1000'.
Print a scenario with every key written: herder scenario check NAME.")]
pub(super) struct Args {
    /// A scenario file, or the name of a built-in (see `herder scenario list`)
    #[arg(default_value = "default")]
    scenario: String,

    /// Seed of every draw; the scenario's own where absent
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,

    /// Lay a value over the scenario; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,

    /// A file with GPUs, models and profiles of your own
    #[arg(long, value_name = "FILE")]
    profiles: Option<PathBuf>,

    /// Write report.html, requests.csv, hosts.csv, timeline.csv, events.csv, summary.json, machine.json, scenario.resolved.toml and plots here
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// How hosts' batch loops are computed; the results are the same
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,

    /// How often what must hold is checked in full
    #[arg(long, value_enum, default_value_t)]
    checks: super::chaos::Checks,

    /// Threads for what can be done beside a run (plots), and for choosing among thousands of hosts; no result depends on this
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,

    /// Keep the decision log (the folder decisions) beside the results, for `herder replay`
    #[arg(long, requires = "out")]
    log: bool,

    /// Write the run as a trace that <https://ui.perfetto.dev> shows: hosts, requests with load, prefill and decode, queues, transfers, decisions
    #[arg(long, value_name = "FILE")]
    perfetto: Option<PathBuf>,

    /// Time the stages of each decision (admission, schedule, balance): where control's time goes
    #[arg(long)]
    profile: bool,

    /// Print one JSON object (summary.json and machine.json in one) instead of the summary
    #[arg(long)]
    json: bool,

    // Last, since its heading holds for whatever follows.
    #[command(flatten)]
    trace: super::trace::Options,
}

/// Engines of the batch loop.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Engine {
    /// Jump from one change of the batch to the next
    #[default]
    Coalesced,
    /// Execute every step: the slow reference
    Stepwise,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let overrides = Overrides {
        sets: args.sets.clone(),
        seed: args.seed,
        profiles: args.profiles.clone(),
        trace: args.trace.overrides(),
    };
    let plan = Plan {
        scenario: load(&args.scenario, &overrides)?,
        engine: match args.engine {
            Engine::Coalesced => sim_host::api::Engine::Coalesced,
            Engine::Stepwise => sim_host::api::Engine::Stepwise,
        },
        checks: args.checks.into(),
        threads: args.threads,
        out: args.out.clone(),
        log: args.log,
        perfetto: args.perfetto.clone(),
        profile: args.profile,
    };
    let stop = interrupt::flag()?;
    let mut progress = Progress::new();
    let ended = run(&plan, &mut |point| {
        progress.update(point);
        !stop.load(Ordering::Relaxed)
    });
    progress.finish();
    let done = ended?;
    if args.json {
        print(&done.json())?;
    } else {
        print(&text::render(&done.summary, Some(&done.machine), colour()))?;
        if let Some(folder) = &args.out {
            print("\n")?;
            print_results(folder)?;
        }
    }
    if done.stopped {
        let left = done.summary.requests.unfinished;
        let kept = if args.out.is_some() { "; the files hold all that happened until then" } else { "" };
        writeln!(io::stderr(), "stopped by Ctrl-C with {left} requests under way{kept}")?;
        return Ok(Ending::Interrupted);
    }
    Ok(Ending::Done)
}

/// Colour is for people: on a terminal, and where nobody objects (<https://no-color.org>).
fn colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
