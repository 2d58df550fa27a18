//! `herder compare`: settings side by side on the same replicates.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use reports::machine::pretty_json;
use reports::statistics::estimate::{Terms, differences};
use reports::statistics::precision::{PILOT, replicates_needed};

use super::progress::Counted;
use super::{Ending, Over, interrupt, print, print_results, trace};
use crate::compare::arms::{self, Vary};
use crate::compare::cells::{Grid, Replicates, Values};
use crate::compare::files::{Asked, Study};
use crate::compare::{measures, text};
use crate::scenario::load;

/// Compare settings on the same requests, over several seeds or parts of a trace, and say which differences are real
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder compare --vary control.balancer=random,least-load,model-affinity
  herder compare chat --vary control.scheduler=fifo,shortest-job --seeds 30 --out results
  herder compare --vary control.balancer=random,least-load --vary fleet.hosts=8,12 --baseline fleet.hosts=12
  herder compare autoscaling --vary control.scale.target_percent=50,70,90 --precision 2
  herder compare --trace azure.csv --vary control.balancer=random,least-load --seeds 6

Each combination of values is an arm. All arms run on the same replicates: seeds 1, 2, ... where the scenario makes up its
requests, parts of the trace that do not overlap where it replays one (what is found then holds for that trace). Differences
are taken pair by pair. With --precision the number of replicates follows from a pilot of ten, by Stein's two stages, so
that to look does not bias.")]
pub(super) struct Args {
    /// A scenario file, or the name of a built-in (see `herder scenario list`)
    #[arg(default_value = "default")]
    scenario: String,

    /// A key of the scenario and the values that it takes; several times: all combinations
    #[arg(long, value_name = "KEY=A,B,...", required = true, value_parser = Vary::parse)]
    vary: Vec<Vary>,

    /// How many replicates each arm has
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    seeds: u32,

    /// A value, or KEY=VALUE, of the arm that others are compared with; the first value of each key where not said
    #[arg(long, value_name = "VALUE")]
    baseline: Vec<String>,

    /// As many replicates as it takes until differences in --measure are known to so many percent of the baseline's mean
    #[arg(long, value_name = "PERCENT", conflicts_with = "seeds")]
    precision: Option<f64>,

    /// What --precision is about: a column of compare.csv
    #[arg(long, value_name = "NAME", default_value = "ttft_mean_ms", requires = "precision")]
    measure: String,

    /// Most replicates that --precision may ask for
    #[arg(long, value_name = "N", default_value_t = 1_000, requires = "precision", value_parser = clap::value_parser!(u32).range(PILOT as i64..=100_000))]
    seeds_max: u32,

    /// How sure intervals and verdicts are to be, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0)]
    confidence: f64,

    #[command(flatten)]
    over: Over,

    /// Write compare.csv (a row for each run), compare.json, plots and report.html here
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Runs at the same time; all cores where absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,

    /// Tell every measure, and correct for the differences in all of them
    #[arg(long)]
    all: bool,

    /// Print compare.json instead of the text
    #[arg(long)]
    json: bool,

    // Last, since its heading holds for whatever follows.
    #[command(flatten)]
    trace: trace::Options,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let between = |name: &str, value: f64, least: f64, most: f64| match value > least && value < most {
        true => Ok(()),
        false => bail!("--{name}: found {value}, expected more than {least} and less than {most}"),
    };
    between("confidence", args.confidence, 0.0, 100.0)?;
    args.precision.map_or(Ok(()), |precision| between("precision", precision, 0.0, 1_000.0))?;
    let precise = measures::named(&args.measure).map_err(|error| anyhow::anyhow!("--measure: {error}"))?;
    let arms = arms::product(&args.vary);
    if arms.len() < 2 {
        bail!("--vary: found one value, expected two or more to compare");
    }
    let baseline =
        arms::baseline(&arms, &args.baseline).map_err(|error| anyhow::anyhow!("--baseline: {error}"))?;
    let overrides = args.over.overrides(args.trace.overrides());
    let scenario = load(&args.scenario, &overrides)?;
    let wanted = if args.precision.is_some() { PILOT } else { args.seeds as usize };
    let replicates = Replicates::of(&scenario, wanted)?;
    if args.precision.is_some() && matches!(replicates, Replicates::Windows { .. }) {
        bail!(
            "--precision: found a trace, expected a scenario that makes up its requests: a trace has only so many parts"
        );
    }
    let threads = super::threads(args.threads);
    let grid = Grid { scenario: args.scenario.clone(), overrides, arms, replicates, threads };
    // Whatever an arm has wrong is told before anything runs.
    for arm in 0..grid.arms.len() {
        let scenario = grid.scenario(arm, 0)?;
        let source = scenario.workload.source(scenario.file.seed)?;
        scenario.fleet(source.models(), sim_host::api::Engine::Coalesced)?;
    }
    let terms = Terms { confidence: args.confidence / 100.0, seed: scenario.file.seed };
    let Some((values, pilot)) = run(args, &grid, (baseline, precise), terms, wanted)? else {
        writeln!(io::stderr(), "stopped by Ctrl-C: nothing was written")?;
        return Ok(Ending::Interrupted);
    };
    let told: Vec<&str> = match args.all {
        true => measures::ALL.iter().map(|measure| measure.key).collect(),
        false => {
            measures::MAIN.iter().copied().chain(args.precision.map(|_| args.measure.as_str())).collect()
        }
    };
    let count = values.first().map_or(0, Vec::len);
    let conditional = match replicates {
        Replicates::Seeds(first) => format!("seeds {first} to {}", first + count as u64 - 1),
        Replicates::Windows { count, .. } => {
            format!("{count} parts of one trace: what follows holds for that trace")
        }
    };
    let name = scenario.file.name.clone();
    let study = Study {
        asked: Asked {
            scenario: name.clone(),
            conditional: conditional.clone(),
            replicates,
            told: told.iter().map(ToString::to_string).collect(),
            confidence: terms.confidence,
            seed: terms.seed,
            baseline,
            pilot,
            command: super::command(),
        },
        arms: grid.arms.clone(),
        values,
    };
    let comparison = study.compare();
    if let Some(folder) = &args.out {
        study.write(folder, &comparison)?;
    }
    if args.json {
        print(&pretty_json(&comparison))?;
        return Ok(Ending::Done);
    }
    print(&format!("{name}: {} arms, {conditional}\n\n{}", grid.arms.len(), text::render(&comparison)))?;
    print(&format!("\nTo repeat the first run of the baseline: {}\n", grid.command(baseline, 0)))?;
    if let Some(folder) = &args.out {
        print_results(folder)?;
    }
    Ok(Ending::Done)
}

/// Values by arm and replicate, and how many replicates the pilot had, where there was one. `None` where it was stopped.
type Ran = Option<(Vec<Vec<Values>>, Option<usize>)>;

fn run(
    args: &Args,
    grid: &Grid,
    (baseline, precise): (usize, usize),
    terms: Terms,
    wanted: usize,
) -> Result<Ran> {
    let stop = interrupt::flag()?;
    let progress = Counted::new("runs");
    let runs = |replicates: std::ops::Range<usize>| -> Result<Option<Vec<Vec<Values>>>> {
        let of = (replicates.len() * grid.arms.len()) as u64;
        let ran = grid.run_all(replicates, &stop, &|done| progress.show(0, done, Some(of)));
        progress.finish();
        ran
    };
    let Some(mut values) = runs(0..wanted)? else { return Ok(None) };
    let Some(precision) = args.precision else { return Ok(Some((values, None))) };
    let column =
        |arm: usize| -> Vec<f64> { values[arm].iter().map(|run| run[precise].unwrap_or(f64::NAN)).collect() };
    let theirs = column(baseline);
    let half_width = theirs.iter().sum::<f64>() / theirs.len() as f64 * precision / 100.0;
    let needed = (0..grid.arms.len()).filter(|arm| *arm != baseline).map(|arm| {
        let pairs = differences(&column(arm), &theirs);
        replicates_needed(&pairs, half_width.abs(), terms.confidence)
    });
    let Some(needed) = needed.collect::<Option<Vec<usize>>>() else {
        let measure = measures::ALL[precise].name;
        bail!(
            "--precision: {measure} of the pilot is without bound or zero in some arm: name another with --measure"
        );
    };
    let needed = needed.into_iter().max().unwrap_or(PILOT);
    let most = args.seeds_max as usize;
    if needed > most {
        let told = format!(
            "--precision {precision} asks for {needed} replicates; --seeds-max allows {most}, so intervals are wider"
        );
        writeln!(io::stderr(), "{told}")?;
    }
    let Some(more) = runs(PILOT..needed.min(most).max(PILOT))? else { return Ok(None) };
    values.iter_mut().zip(more).for_each(|(all, more)| all.extend(more));
    Ok(Some((values, Some(PILOT))))
}
