//! `herder plan`: the cheapest fleet that meets an objective, and what load a fleet can take.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use reports::files::write_whole;
use reports::machine::{Stopwatch, pretty_json};

use super::progress::{Counted, span};
use super::{Ending, Over, interrupt, print, print_results, trace};
use crate::compare::arms::Vary;
use crate::compare::cells::Replicates;
use crate::plan::candidates::{Choices, Kind, Mix};
use crate::plan::capacity::capacity;
use crate::plan::folder::{self, Plan};
use crate::plan::judge::Judge;
use crate::plan::load::{Load, Scale};
use crate::plan::price::{Asked, Rank};
use crate::plan::search::cheapest;
use crate::plan::slo::Slo;
use crate::plan::text::{self, Basis};
use crate::scenario::load;

/// Find the cheapest fleet that meets an objective for a load, or the greatest load that a fleet can take
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder plan chat --users 60,120,240
  herder plan chat --slo 'ttft_p95_all_ms<=500' --slo 'goodput_percent>=99' --gpu rtx-4090=40 --gpu a100-80gb=150
  herder plan --trace azure.csv --rate 10 --gpu rtx-4090=40 --num-parallel 2,4,8
  herder plan chat --vary control.balancer=least-tokens,prefix-affinity --out capacity
  herder plan chat --gpu rtx-4090=40 --gpu a100-80gb=110 --mix rtx-4090:3+a100-80gb:1 --electricity 30
  herder plan chat --users 60 --gpu rtx-4090 --gpu l4 --rank watts
  herder plan chat --max-load                  what these four hosts can take

A fleet meets an objective where the mean over replicates is within it with the stated confidence (one-sided). Measures that end in _all count
requests that were not answered as infinitely late. The fewest hosts are found by bisection, kind by kind; what was chosen is run
again on fresh seeds, so that it is not the luckiest. An hour costs the prices of the hosts and, where a price of electricity is known, what the
fleet draws on average. Without any price the fewest hosts win.")]
pub(super) struct Args {
    /// A scenario file, or the name of a built-in (see `herder scenario list`)
    #[arg(default_value = "default")]
    scenario: String,

    /// What is to be met, by a measure of `herder compare`; may be given several times
    #[arg(long, value_name = "MEASURE<=NUMBER", default_values = ["ttft_p95_all_ms<=1000", "tpot_p95_all_ms<=60"], value_parser = str::parse::<Slo>)]
    slo: Vec<Slo>,

    /// Requests (or sessions) a second on average for which to plan; the scenario's own rate where absent
    #[arg(
        long = "rate",
        id = "plan_rate",
        value_name = "N,...",
        value_delimiter = ',',
        conflicts_with = "users"
    )]
    rates: Vec<f64>,

    /// Numbers of users for which to plan, where a scenario has users who wait for their answers
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    users: Vec<u32>,

    /// The greatest load that the scenario's fleet takes, in place of the fleet that a load needs
    #[arg(long, conflicts_with_all = ["plan_rate", "users"])]
    max_load: bool,

    /// How many hosts a fleet may have
    #[arg(long, value_name = "LEAST..MOST", default_value = "1..64", value_parser = hosts)]
    hosts: (u32, u32),

    /// A GPU for fleets of their own, with the price of an hour of a host in hundredths of a currency; several times
    #[arg(long, value_name = "GPU[=CENTS]", value_parser = Kind::parse)]
    gpu: Vec<Kind>,

    /// A fleet of several of the GPUs, by hosts of each in a round, such as rtx-4090:3+a100-80gb:1; several times
    #[arg(long, value_name = "GPU:HOSTS+...", value_parser = Mix::parse)]
    mix: Vec<Mix>,

    /// What a kilowatt-hour costs, in hundredths of a currency; 0: nothing; as in the scenario where absent
    #[arg(long, value_name = "CENTS_PER_KWH", value_parser = clap::value_parser!(u32).range(..=100_000))]
    electricity: Option<u32>,

    /// What the best fleet has least of; cost where a price is known, else hosts
    #[arg(long, value_name = "WHAT", value_enum, conflicts_with = "max_load")]
    rank: Option<Rank>,

    /// Slots of each host (OLLAMA_NUM_PARALLEL) to choose from
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1024))]
    num_parallel: Vec<u32>,

    /// Another key of the scenario and the values to choose from; several times: all combinations
    #[arg(long, value_name = "KEY=A,B,...", value_parser = Vary::parse)]
    vary: Vec<Vary>,

    /// How many replicates each verdict rests on
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    seeds: u32,

    /// How sure a verdict is to be, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0)]
    confidence: f64,

    #[command(flatten)]
    over: Over,

    /// Write plan.json, plan.csv, plots, report.html and, for each load, the scenario with the best fleet here
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Runs at the same time; all cores where absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,

    /// Print plan.json instead of the text
    #[arg(long)]
    json: bool,

    // Last, since its heading holds for whatever follows.
    #[command(flatten)]
    trace: trace::Source,
}

fn hosts(text: &str) -> Result<(u32, u32), String> {
    let ends =
        text.split_once("..").and_then(|(least, most)| Some((least.parse().ok()?, most.parse().ok()?)));
    match ends {
        Some((least, most)) if 1 <= least && least <= most => Ok((least, most)),
        _ => Err(format!("found {text:?}, expected LEAST..MOST, such as 1..64, with LEAST from 1 to MOST")),
    }
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    if !(args.confidence > 50.0 && args.confidence < 100.0) {
        bail!("--confidence: found {}, expected more than 50 and less than 100", args.confidence);
    }
    if let Some(rate) = args.rates.iter().find(|rate| !(rate.is_finite() && **rate > 0.0)) {
        bail!("--rate: found {rate}, expected a number above 0");
    }
    let twice = |(at, slo): (usize, &Slo)| args.slo[..at].iter().any(|other| other.measure == slo.measure);
    if let Some((_, slo)) = args.slo.iter().enumerate().find(|(at, slo)| twice((*at, slo))) {
        bail!("--slo: found {} twice, expected one bound of each measure", slo.measure().key);
    }
    let mut overrides = args.over.overrides(args.trace.overrides());
    // In every run, so that what they say of costs is the same.
    let priced = args.electricity.filter(|cents| *cents > 0);
    overrides.sets.extend(priced.map(|cents| format!("report.electricity_cents_per_kwh={cents}")));
    let scenario = load(&args.scenario, &overrides)?;
    let scale = Scale::of(&scenario)?;
    let loads: Vec<Load> = match (args.rates.is_empty(), args.users.is_empty()) {
        (false, _) => args.rates.iter().copied().map(Load::PerSecond).collect(),
        (_, false) => args.users.iter().copied().map(Load::Users).collect(),
        _ => vec![scale.own],
    };
    loads.iter().try_for_each(|load| scale.sets(*load).map(drop))?;
    let choices = Choices {
        kinds: args.gpu.clone(),
        mixes: args.mix.clone(),
        num_parallel: args.num_parallel.clone(),
        vary: args.vary.clone(),
    };
    let candidates = choices.candidates(&scenario.file.fleet.group)?;
    let cents_per_kwh =
        scenario.file.report.electricity_cents_per_kwh.filter(|_| args.electricity != Some(0));
    let asked = Asked { hosts: args.hosts, rank: args.rank, cents_per_kwh };
    let replicates = Replicates::of(&scenario, args.seeds as usize)?;
    let stop = interrupt::flag()?;
    let (progress, stopwatch) = (Counted::new("runs"), Stopwatch::start());
    let watch = |runs: u64| progress.show(0, runs, None);
    let threads = super::threads(args.threads);
    let judge = Judge::new(
        (args.scenario.clone(), overrides),
        (replicates, args.seeds as usize),
        args.slo.clone(),
        (args.confidence / 100.0, scenario.file.seed),
        threads,
        (&stop, &watch),
    );
    let basis = Basis {
        scenario: scenario.file.name.clone(),
        slos: args.slo.clone(),
        confidence: args.confidence,
        replicates: match replicates {
            Replicates::Seeds(_) => format!("{} seeds", args.seeds),
            Replicates::Windows { .. } => format!("{} parts of one trace", args.seeds),
        },
    };
    let mut plan = Plan {
        scenario: basis.scenario.clone(),
        slos: basis.slos.iter().map(ToString::to_string).collect(),
        confidence: basis.confidence,
        replicates: basis.replicates.clone(),
        electricity_cents_per_kwh: cents_per_kwh,
        command: super::command(),
        runs: 0,
        fleets: Vec::new(),
        capacities: Vec::new(),
    };
    let mut told = Vec::new();
    let finished = if args.max_load {
        candidates.iter().try_fold(true, |go_on, candidate| -> Result<bool> {
            let Some(found) = capacity(&judge, &scale, candidate, cents_per_kwh)?.filter(|_| go_on) else {
                return Ok(false);
            };
            told.push(text::capacity(&basis, &found));
            plan.capacities.push(found);
            Ok(true)
        })?
    } else {
        loads.iter().try_fold(true, |go_on, load| -> Result<bool> {
            if !go_on {
                return Ok(false);
            }
            let Some(answer) = cheapest(&judge, (&scale, *load), &candidates, &asked)? else {
                return Ok(false);
            };
            told.push(text::answer(&basis, &answer));
            plan.fleets.push(answer);
            Ok(true)
        })?
    };
    progress.finish();
    if !finished {
        writeln!(io::stderr(), "stopped by Ctrl-C: nothing was written")?;
        return Ok(Ending::Interrupted);
    }
    plan.runs = judge.runs();
    if let Some(folder) = &args.out {
        write(folder, &plan, &judge, &scale)?;
    }
    if args.json {
        print(&pretty_json(&plan))?;
        return Ok(Ending::Done);
    }
    print(&told.join("\n"))?;
    print(&format!("\n{} runs in {}\n", plan.runs, span(stopwatch.wall().as_secs())))?;
    if let Some(folder) = &args.out {
        print_results(folder)?;
    }
    let unmet = plan.fleets.iter().any(|answer| answer.fleets.is_empty())
        || plan.capacities.iter().any(|found| found.load.is_none());
    Ok(if unmet { Ending::Unmet } else { Ending::Done })
}

fn write(out: &std::path::Path, plan: &Plan, judge: &Judge<'_>, scale: &Scale) -> Result<()> {
    folder::write(out, plan)?;
    for answer in &plan.fleets {
        let Some(fleet) = answer.fleets.first() else { continue };
        let sets: Vec<String> = fleet.sets.iter().cloned().chain(scale.sets(answer.load)?).collect();
        let name = format!("fleet for {}.toml", answer.load).replace(' ', "-");
        let scenario = judge.scenario_of(&sets, 0)?;
        let resolved = scenario.resolved().map_err(|error| anyhow!("{name}: {error}"))?;
        write_whole(&out.join(name), resolved.as_bytes())?;
    }
    Ok(())
}
