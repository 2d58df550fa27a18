//! `herder tune`: searches strategies and parameters for an objective.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use control::config::ControlFile;
use reports::files::write_whole;
use reports::machine::pretty_json;
use serde::Serialize;

use super::progress::Counted;
use super::{Ending, Over, interrupt, print, print_results};
use crate::compare::arms::Vary;
use crate::compare::measures;
use crate::scenario::{Overrides, load};
use crate::sweep::space::Axis;
use crate::tune::candidates::{Keys, candidates};
use crate::tune::folder::Study;
use crate::tune::halving::Tuning;
use crate::tune::text;

/// Search strategies and parameters for an objective, confirm the winner on fresh seeds, and write its [control] section
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder tune chat
  herder tune chat --objective ttft_p99_all_ms --candidates 100 --out control.toml --report tuned
  herder tune mine.toml --only balancers --range control.balancer.prequal.probes=2..16
  herder tune autoscaling --only keys --range control.scale.target_percent=40..95 --range 'control.scale.window_seconds=60..1200:log'

All candidates run on two seeds, the better third of them on six, and so on (successive halving). The best of many is partly the luckiest, so
what is told of the winner comes from fresh seeds, pair by pair with the scenario as it is. The section that is written goes into the file of
`herder serve` as it is.")]
pub(super) struct Args {
    /// A scenario file, or the name of a built-in, that makes up its requests (see `herder scenario list`)
    #[arg(default_value = "default")]
    scenario: String,

    /// What is to be best: a measure of `herder compare`
    #[arg(long, value_name = "NAME", default_value = "goodput_percent")]
    objective: String,

    /// How many candidates are tried
    #[arg(long, value_name = "N", default_value_t = 81, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    candidates: u32,

    /// What is searched: schedulers, balancers, or only the keys of --vary and --range; all where absent
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_enum)]
    only: Vec<Searched>,

    /// A key of [control] and the values that it may take; several times
    #[arg(long, value_name = "KEY=A,B,...", value_parser = Vary::parse)]
    vary: Vec<Vary>,

    /// A key of [control] and the numbers between which it lies, evenly or (:log) evenly by the logarithm; several times
    #[arg(long, value_name = "KEY=FROM..TO[:log]", value_parser = Axis::range)]
    range: Vec<Axis>,

    /// Fresh seeds on which the winner is measured
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    fresh: u32,

    /// How sure its interval is to be, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0)]
    confidence: f64,

    #[command(flatten)]
    over: Over,

    /// Write the winning [control] section to this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write tune.json, tune.csv, a plot, report.html and control.toml, the winning section, into this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,

    /// Runs at the same time; all cores where absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,

    /// Print one JSON object instead of the text
    #[arg(long)]
    json: bool,
}

/// What is searched.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Searched {
    /// Every scheduler, with parameters
    Schedulers,
    /// Every balancer, with parameters
    Balancers,
    /// The keys of --vary and --range
    Keys,
}

#[derive(Serialize)]
struct Section<'a> {
    control: &'a ControlFile,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let objective = measures::named(&args.objective).map_err(|error| anyhow!("--objective: {error}"))?;
    if !(args.confidence > 0.0 && args.confidence < 100.0) {
        bail!("--confidence: found {}, expected more than 0 and less than 100", args.confidence);
    }
    let axes: Vec<Axis> = args.vary.iter().map(Axis::values).chain(args.range.iter().cloned()).collect();
    if let Some(axis) = axes.iter().find(|axis| !axis.key.starts_with("control.")) {
        bail!(
            "--vary and --range: found {}, expected keys of [control]: what is tuned is what goes live",
            axis.key
        );
    }
    if args.only == [Searched::Keys] && axes.is_empty() {
        bail!("--only keys: found no key, expected --vary or --range");
    }
    let searches = |what: Searched| args.only.is_empty() || args.only.contains(&what);
    let keys =
        Keys { schedulers: searches(Searched::Schedulers), balancers: searches(Searched::Balancers), axes };
    let overrides = args.over.overrides(None);
    let scenario = load(&args.scenario, &overrides)?;
    if scenario.workload.trace().is_some() {
        bail!(
            "found a scenario that replays a trace, expected one that makes up its requests: fresh seeds are what confirms a winner"
        );
    }
    let found = candidates(&keys, args.candidates as usize, scenario.file.seed);
    let (stop, progress) = (interrupt::flag()?, Counted::new("runs"));
    let threads = super::threads(args.threads);
    let tuning = Tuning {
        scenario: args.scenario.clone(),
        overrides: overrides.clone(),
        candidates: found,
        seed: scenario.file.seed,
        objective,
        fresh: args.fresh as usize,
        confidence: args.confidence / 100.0,
        threads,
        stop: &stop,
    };
    let of = tuning.runs();
    let tuned = tuning.run(&|done| progress.show(0, done, Some(of)))?;
    progress.finish();
    let Some(tuned) = tuned else {
        writeln!(io::stderr(), "stopped by Ctrl-C: nothing was written")?;
        return Ok(Ending::Interrupted);
    };
    // What is not surely better is not written: the scenario as it is stays.
    let sets = tuned.values.iter().filter(|_| tuned.is_better).map(|(key, value)| format!("{key}={value}"));
    let best = Overrides { sets: overrides.sets.iter().cloned().chain(sets).collect(), ..overrides };
    let control = load(&args.scenario, &best)?.file.control;
    let gain = text::gain(&tuned, tuning.confidence);
    let comment: String =
        format!("Tuned by `herder tune {}` for {}.\n{gain}", args.scenario, tuned.objective)
            .lines()
            .map(|line| format!("# {line}\n"))
            .collect();
    let section = format!("{comment}\n{}", toml::to_string(&Section { control: &control })?);
    if let Some(file) = &args.out {
        write_whole(file, section.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let study = Study {
        scenario: scenario.file.name.clone(),
        confidence: tuning.confidence,
        command: super::command(),
        tuned,
    };
    if let Some(folder) = &args.report {
        study.write(folder)?;
        write_whole(&folder.join("control.toml"), section.as_bytes())?;
    }
    let tuned = &study.tuned;
    if args.json {
        print(&pretty_json(tuned))?;
        return Ok(Ending::Done);
    }
    print(&text::render(tuned, &study.scenario, tuning.confidence))?;
    print(&format!("{} runs\n", tuned.runs))?;
    match &args.out {
        Some(file) => print(&format!("[control] is in {}\n", file.display()))?,
        None => print("--out FILE writes its [control] section.\n")?,
    }
    if let Some(folder) = &args.report {
        print_results(folder)?;
    }
    Ok(Ending::Done)
}
