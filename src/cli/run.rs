//! `herder run`: a scenario, or a trace on a scenario's fleet, from the first arrival to the last answer.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

use super::{Ending, print};
use crate::scenario::Overrides;

/// Run a scenario, or a production trace, on a simulated fleet and report what users would have felt
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder run                                     the built-in `default`: a small mixed fleet
  herder run chat --set workload.requests=5000   another scenario, more of it
  herder run mine.toml --seed 7 --out results    tables, plots, and the scenario as it ran
  herder run --trace azure.csv --window 0s..10m --set control.balancer=least-tokens
  herder run --trace mooncake.jsonl.gz --spread-ticks 3000 --rate 0.5 --rate-method thin
  herder run --out results --log && herder replay results/decisions.log
  herder run --json | jq .ttft_ms.p99

A key of --set is a path in the scenario file; its value is what TOML would make of it (number, true or false,
list, table), everything else is text: --set control.balancer=random --set fleet.hosts=16 --set 'workload.requests=1000'.
Print a scenario with every key written: herder scenario check NAME.")]
pub(super) struct Args {
    /// A scenario file, or the name of a built-in (see `herder scenario list`)
    #[arg(default_value = "default")]
    scenario: String,

    #[command(flatten)]
    trace: super::trace::Options,

    /// Seed of every draw; the scenario's own where absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,

    /// Lay a value over the scenario; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,

    /// Write requests.csv, hosts.csv, timeline.csv, summary.json, machine.json, scenario.resolved.toml and plots here
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// How hosts' batch loops are computed; the results are the same
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,

    /// Threads for what can be done beside a run (plots); a run itself is one thread, and no result depends on this
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,

    /// Write the decision log (decisions.log) beside the results, for `herder replay`
    #[arg(long, requires = "out")]
    log: bool,

    /// Print one JSON object (summary.json and machine.json in one) instead of the summary
    #[arg(long)]
    json: bool,
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
