//! `herder chaos`: random simulated runs in which things break, until something does not hold.

mod text;

use std::io::{self, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use sim::faults::FaultKind;

use super::progress::{Progress, span};
use super::{Ending, interrupt, print};
use crate::chaos::draw::Range;
use crate::chaos::shrink::{Shrunk, concrete, shrink, written};
use crate::chaos::trial::Terms;
use crate::chaos::{Failed, Found, Hunt, TWICE_EVERY, Totals, drawn, hunt, twice};
use crate::scenario::{Overrides, load};

/// Run many random scenarios in which things break, and check what must hold
#[derive(clap::Args, Debug)]
#[command(after_help = after_help())]
pub(super) struct Args {
    /// A scenario to check in place of random ones: one that an earlier `herder chaos` wrote, or any other
    scenario: Option<String>,

    /// How many runs
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    runs: u64,

    /// Seed of all runs: the same seed and number give the same run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,

    /// Make the run of this number only
    #[arg(long, value_name = "N", conflicts_with = "runs")]
    run: Option<u64>,

    /// Print the scenario of --run as a file would have it, and do not run it
    #[arg(long, requires = "run", conflicts_with = "json")]
    show: bool,

    /// Threads; as many as there are cores where absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,

    /// Kinds of faults that may come, separated by commas; all where absent
    #[arg(long, value_name = "KIND,KIND…", value_delimiter = ',', value_parser = kind)]
    kinds: Vec<FaultKind>,

    /// Events that runs have on average, at least: how large they are
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    events_min: u64,

    /// How often what must hold is checked in full
    #[arg(long, value_enum, default_value_t)]
    checks: Checks,

    /// Fail where a kind of fault that may come was felt less often in all runs together
    #[arg(long, value_name = "N", default_value_t = 0)]
    felt_min: u64,

    /// Where the scenario is written in which something does not hold
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,

    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// How often what must hold is checked in full.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Checks {
    /// So often that it costs a few percent
    #[default]
    Sparse,
    /// After each step: slow
    Always,
}

impl From<Checks> for sim::check::Checks {
    fn from(checks: Checks) -> Self {
        match checks {
            Checks::Sparse => Self::Sparse,
            Checks::Always => Self::Always,
        }
    }
}

fn kind(name: &str) -> Result<FaultKind, String> {
    let found = FaultKind::ALL.into_iter().find(|kind| kind.name() == name);
    found.ok_or_else(|| format!("one of {}", kinds()))
}

fn kinds() -> String {
    FaultKind::ALL.map(FaultKind::name).join(", ")
}

fn after_help() -> String {
    format!(
        "\
Examples:
  herder chaos                                   200 runs: half a minute
  herder chaos --runs 2000 --seed 1              what each change of herder must pass
  herder chaos --runs 1000000 --seed 7           overnight
  herder chaos --kinds crash,partition           only these faults
  herder chaos --seed 1 --run 17                 one of them again
  herder chaos --run 17 --show > mine.toml       its scenario, each fault with its time
  herder chaos chaos-1-17.toml                   what an earlier one wrote, under the same checks
  herder chaos --json | jq '.faults[] | {{kind, felt}}'

Each run is a fleet of 2 to 8 hosts with models, load, strategies and faults of its own. About half of the kinds of faults come in a
run, and all are over before its last requests arrive. Checked are the simulator's own invariants, the decision log, actions on hosts,
that one run in {TWICE_EVERY} ends the same when it is made twice, and that after the faults requests end in time
(docs/reliability.md says what that is). The first violation ends it with exit code 4: it is made small, written to a scenario
file, and the command that repeats it is printed.

Kinds of faults:
  {}",
        kinds(),
    )
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    if let Some(run) = args.run.filter(|_| args.show) {
        let scenario = drawn(&range(args), run).map_err(|violation| anyhow!(violation.what))?;
        print(&written(&concrete(&scenario.file)))?;
        return Ok(Ending::Done);
    }
    let stop = interrupt::flag()?;
    let progress = Mutex::new(Progress::new());
    let locked = || progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let terms = Terms { checks: args.checks.into(), rule: None };
    let found = match &args.scenario {
        Some(name) => check_one(name, terms)?,
        None => {
            let runs = args.run.map_or(0..args.runs, |run| run..run + 1);
            let total = runs.end - runs.start;
            let threads = args.threads.unwrap_or_else(cores);
            hunt(&Hunt { range: range(args), runs, threads, terms }, &|done| {
                locked().show(done, Some(total), |elapsed| {
                    let left = elapsed.as_secs_f64() * (total - done) as f64 / done.max(1) as f64;
                    format!("{done} of {total} runs, about {} left", span(left.round() as u64))
                });
                !stop.load(Ordering::Relaxed)
            })?
        }
    };
    locked().finish();
    if args.json {
        print(&text::json(&found))?;
    } else if found.totals.runs > 0 {
        print(&text::totals(&found.totals))?;
    }
    let Some(failed) = &found.failed else {
        if found.stopped {
            writeln!(io::stderr(), "stopped by Ctrl-C after {} of {} runs", found.totals.runs, args.runs)?;
            return Ok(Ending::Interrupted);
        }
        return felt_enough(&found.totals, args);
    };
    tell(failed, args)?;
    if let (Some(scenario), None) = (&failed.scenario, &args.scenario) {
        let shrunk = shrink(scenario, failed.violation.clone(), terms, &mut |runs| {
            locked().show(0, None, |_| format!("making it small: {runs} runs"));
            !stop.load(Ordering::Relaxed)
        });
        locked().finish();
        let path = args.out.join(format!("chaos-{}-{}.toml", args.seed, failed.run));
        keep(&path, &shrunk, args)?;
    }
    Ok(Ending::Violated)
}

fn range(args: &Args) -> Range {
    Range { seed: args.seed, kinds: args.kinds.clone(), events_min: args.events_min }
}

fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, NonZero::get) as u32
}

/// A scenario of the user's as the only run.
fn check_one(name: &str, terms: Terms<'_>) -> Result<Found> {
    let scenario = load(name, &Overrides::default())?;
    let (mut totals, mut failed) = (Totals::default(), None);
    match twice(&scenario, terms) {
        Ok(ran) => totals.add(0, &ran),
        Err(violation) => failed = Some(Failed { run: 0, violation, scenario: None }),
    }
    Ok(Found { totals, failed, stopped: false })
}

/// Whether each kind was felt as often as was asked for.
fn felt_enough(totals: &Totals, args: &Args) -> Result<Ending> {
    let may_come = |kind: &FaultKind| args.kinds.is_empty() || args.kinds.contains(kind);
    let mut ending = Ending::Done;
    for kind in FaultKind::ALL.into_iter().filter(may_come) {
        let felt = totals.counts.faults.felt[kind as usize];
        if felt < args.felt_min {
            writeln!(io::stderr(), "{} was felt {felt} times, less than {}", kind.name(), args.felt_min)?;
            ending = Ending::Violated;
        }
    }
    Ok(ending)
}

fn tell(failed: &Failed, args: &Args) -> io::Result<()> {
    let Failed { run, violation, .. } = failed;
    writeln!(io::stderr(), "run {run}: {}: {}", violation.kind.name(), violation.what)?;
    if args.scenario.is_some() {
        return Ok(());
    }
    let kinds: Vec<&str> = args.kinds.iter().map(|kind| kind.name()).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" --kinds {}", kinds.join(",")) };
    writeln!(
        io::stderr(),
        "to repeat it: herder chaos --seed {} --run {run} --events-min {}{kinds}",
        args.seed,
        args.events_min
    )
}

/// Writes the small scenario down, and says how to repeat it.
fn keep(path: &Path, shrunk: &Shrunk, args: &Args) -> Result<()> {
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    let text = format!(
        "# herder {}: {}: {}\n{}",
        env!("CARGO_PKG_VERSION"),
        shrunk.violation.kind.name(),
        shrunk.violation.what.lines().next().unwrap_or_default(),
        written(&shrunk.scenario),
    );
    traces::atomic::write(path, text.as_bytes())
        .map_err(|error| anyhow!("cannot write {}: {error}", path.display()))?;
    let size = |size: &crate::chaos::shrink::Size| {
        format!(
            "{} faults, {} requests, {} hosts, {} lines",
            size.faults, size.requests, size.hosts, size.lines
        )
    };
    writeln!(
        io::stderr(),
        "made small in {} runs: from {} to {}\nit is in {} (herder {})\nto repeat that: herder chaos {} --checks {}",
        shrunk.runs,
        size(&shrunk.before),
        size(&shrunk.after),
        path.display(),
        env!("CARGO_PKG_VERSION"),
        path.display(),
        if args.checks == Checks::Always { "always" } else { "sparse" },
    )?;
    Ok(())
}
