//! `herder sweep`: many settings on many replicates, on one machine or on many.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clap::Subcommand;
use reports::machine::pretty_json;

use super::progress::Counted;
use super::{Ending, Over, interrupt, print, print_results, trace};
use crate::compare::arms::Vary;
use crate::compare::cells::Replicates;
use crate::compare::measures;
use crate::scenario::load;
use crate::sweep::run::{Far, run};
use crate::sweep::shard::{Journal, Shard};
use crate::sweep::space::{Axis, Design, Space};
use crate::sweep::{manifest, report, text};

/// Run many settings: plan them once, run them in shares on one machine or a cluster, merge what came of it
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder sweep plan chat --vary control.balancer=random,least-load --vary fleet.hosts=3,4,5 --seeds 10 --out study
  herder sweep run study                       all of it; Ctrl-C or a crash loses nothing that was done
  herder sweep merge study --by ttft_p99_ms

  herder sweep plan chat --latin 200 --range control.scale.target_percent=40..95 --range 'network.latency_micros=100..100000:log' --out study

On several machines that share a folder, each runs a part:
  herder sweep run study --shard 2/4
  parallel herder sweep run study --threads 1 --shard {}/4 ::: 1 2 3 4
  sbatch --array=1-4 --wrap 'herder sweep run study'        the part is that of SLURM_ARRAY_TASK_ID

deploy/ has files for Slurm, Kubernetes and GNU parallel; docs/sweep.md tells the rest.")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Plan(Box<PlanArgs>),
    Run(RunArgs),
    /// Tell how far each share of a sweep is
    Status {
        /// The folder that `plan` made
        folder: PathBuf,
    },
    Merge(MergeArgs),
}

/// Write what a sweep runs into a folder: the scenario with every key, the points, the replicates
#[derive(clap::Args, Debug)]
struct PlanArgs {
    /// A scenario file, or the name of a built-in (see `herder scenario list`)
    #[arg(default_value = "default")]
    scenario: String,

    /// A key of the scenario and the values that it takes; several times: all combinations
    #[arg(long, value_name = "KEY=A,B,...", value_parser = Vary::parse)]
    vary: Vec<Vary>,

    /// A key and the numbers between which it lies, evenly or (:log) evenly by the logarithm; for --latin and --random
    #[arg(long, value_name = "KEY=FROM..TO[:log]", value_parser = Axis::range)]
    range: Vec<Axis>,

    /// So many points that cover each key evenly (a Latin hypercube), in place of all combinations
    #[arg(long, value_name = "N", conflicts_with = "random", value_parser = clap::value_parser!(u32).range(1..))]
    latin: Option<u32>,

    /// So many points drawn at random, in place of all combinations
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    random: Option<u32>,

    /// How many replicates each point has: seeds, or parts of a trace that do not overlap
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    seeds: u32,

    #[command(flatten)]
    over: Over,

    /// The folder of the sweep
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    // Last, since its heading holds for whatever follows.
    #[command(flatten)]
    trace: trace::Options,
}

/// Run a sweep, or a share of it; goes on where it was stopped
#[derive(clap::Args, Debug)]
struct RunArgs {
    /// The folder that `plan` made
    folder: PathBuf,

    /// The share to run, such as 2/4; where absent that of SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX, else all
    #[arg(long, value_name = "I/N", conflicts_with = "shards")]
    shard: Option<Shard>,

    /// How many shares there are, where only the environment tells which one this is
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    shards: Option<u32>,

    /// Cells at the same time; all cores where absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
}

/// Put all shares together: sweep.csv with a row for each cell, points.csv with means and intervals, and what stands out
#[derive(clap::Args, Debug)]
struct MergeArgs {
    /// The folder that `plan` made
    folder: PathBuf,

    /// The measure by which points are ranked: a column of sweep.csv
    #[arg(long, value_name = "NAME", default_value = "goodput_percent")]
    by: String,

    /// How sure intervals are to be, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0)]
    confidence: f64,

    /// Print one JSON object instead of the text
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    match &args.command {
        Command::Plan(args) => plan(args),
        Command::Run(args) => run_share(args),
        Command::Status { folder } => status(folder),
        Command::Merge(args) => merge_all(args),
    }
}

fn plan(args: &PlanArgs) -> Result<Ending> {
    let overrides = args.over.overrides(args.trace.overrides());
    let scenario = load(&args.scenario, &overrides)?;
    let design = match (args.latin, args.random) {
        (Some(points), _) => Design::Latin(points),
        (None, Some(points)) => Design::Random(points),
        (None, None) => Design::Grid,
    };
    let axes = args.vary.iter().map(Axis::values).chain(args.range.iter().cloned()).collect();
    let space = Space { axes, design, seed: scenario.file.seed };
    space.check().map_err(|error| anyhow!("--vary and --range: {error}"))?;
    let replicates = Replicates::of(&scenario, args.seeds as usize)?;
    let sweep = manifest::write(&args.out, &scenario, space, (replicates, args.seeds))?;
    let folder = args.out.display();
    print(&format!(
        "{}: {} cells ({} points, {} replicates each)\nTo run it:    herder sweep run {folder}\nin parts:     herder sweep run {folder} --shard 1/4\nthen:         herder sweep merge {folder}\none cell:     {}\n",
        sweep.manifest.scenario,
        sweep.cells,
        sweep.cells / u64::from(args.seeds),
        args.seeds,
        sweep.command(0)
    ))?;
    Ok(Ending::Done)
}

fn run_share(args: &RunArgs) -> Result<Ending> {
    let sweep = manifest::open(&args.folder)?;
    let (shard, by) = share(args, &|name| std::env::var(name).ok())?;
    if let Some(by) = by {
        writeln!(io::stderr(), "shard {shard}, by {by}")?;
    }
    let threads = super::threads(args.threads);
    let stop = interrupt::flag()?;
    let progress = Counted::new("cells");
    let watch = |far: Far| progress.show(far.before, far.ran, Some(far.of));
    let far = run((&args.folder, &sweep), shard, threads, &stop, &watch)?;
    progress.finish();
    let Far { before, ran, failed, of } = far;
    if before + ran < of {
        writeln!(
            io::stderr(),
            "stopped by Ctrl-C: {} of {of} cells are done and kept; the same command goes on",
            before + ran
        )?;
        return Ok(Ending::Interrupted);
    }
    print(&format!("shard {shard}: {of} cells done ({before} before)\n"))?;
    if failed > 0 {
        bail!("{failed} cells could not run; their rows say why (column `error`)");
    }
    Ok(Ending::Done)
}

/// The share that is to be run, and what said so where it was the environment.
fn share(
    args: &RunArgs,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(Shard, Option<&'static str>)> {
    if let Some(shard) = args.shard {
        return Ok((shard, None));
    }
    let number = |name: &'static str| -> Result<Option<u32>> {
        let Some(text) = environment(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| anyhow!("{name}: found {text:?}, expected a number"))
    };
    let of = |index: u32, of: u32, name: &'static str| match (1..=of).contains(&index) {
        true => Ok((Shard { index, of }, Some(name))),
        false => Err(anyhow!("{name}: found share {index}, expected one of {of}")),
    };
    if let Some(task) = number("SLURM_ARRAY_TASK_ID")? {
        let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(1);
        let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
        let Some(count) =
            args.shards.map_or_else(|| number("SLURM_ARRAY_TASK_COUNT"), |shards| Ok(Some(shards)))?
        else {
            bail!("SLURM_ARRAY_TASK_ID is set and SLURM_ARRAY_TASK_COUNT is not; expected --shards N");
        };
        return of(task.saturating_sub(first) / step + 1, count, "SLURM_ARRAY_TASK_ID");
    }
    if let Some(index) = number("JOB_COMPLETION_INDEX")? {
        let Some(shards) = args.shards else {
            bail!("JOB_COMPLETION_INDEX is set: expected --shards N with the job's number of completions");
        };
        return of(index.saturating_add(1), shards, "JOB_COMPLETION_INDEX");
    }
    match args.shards {
        None => Ok((Shard::WHOLE, None)),
        Some(_) => bail!(
            "--shards: found neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX, expected --shard I/N"
        ),
    }
}

fn status(folder: &std::path::Path) -> Result<Ending> {
    let sweep = manifest::open(folder)?;
    let mut rows = Vec::new();
    for shard in Shard::found(folder)? {
        let of = shard.cells(sweep.cells).count();
        let done = Journal::done_in(folder, &sweep.id, shard)?.unwrap_or(of);
        let state = if done == of && shard.whole(folder).exists() { "complete" } else { "not complete" };
        rows.push(vec![shard.to_string(), done.to_string(), of.to_string(), state.to_owned()]);
    }
    let told = if rows.is_empty() {
        "nothing has been run yet\n".to_owned()
    } else {
        super::table(&["shard", "done", "cells", ""], &rows)
    };
    print(&format!("{}: {} cells\n{told}", sweep.manifest.scenario, sweep.cells))?;
    Ok(Ending::Done)
}

fn merge_all(args: &MergeArgs) -> Result<Ending> {
    let by = measures::named(&args.by).map_err(|error| anyhow!("--by: {error}"))?;
    if !(args.confidence > 0.0 && args.confidence < 100.0) {
        bail!("--confidence: found {}, expected more than 0 and less than 100", args.confidence);
    }
    let found = report(&args.folder, by, args.confidence / 100.0)?;
    if args.json {
        print(&pretty_json(&found))?;
    } else {
        print(&text::render(&found))?;
        print_results(&args.folder)?;
    }
    Ok(Ending::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(shards: Option<u32>, environment: &[(&str, &str)]) -> Result<String, String> {
        let args = RunArgs { folder: PathBuf::new(), shard: None, shards, threads: None };
        let look = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        share(&args, &look).map(|(shard, _)| shard.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn share_is_what_slurm_or_kubernetes_say() {
        assert_eq!(found(None, &[]), Ok("1/1".into()));
        let array =
            [("SLURM_ARRAY_TASK_ID", "7"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_COUNT", "4")];
        let stepped = [array[0], array[1], array[2], ("SLURM_ARRAY_TASK_STEP", "3")];
        assert_eq!(found(None, &stepped), Ok("3/4".into()));
        assert_eq!(found(None, &array), Err("SLURM_ARRAY_TASK_ID: found share 7, expected one of 4".into()));
        assert_eq!(found(Some(8), &array), Ok("7/8".into()));
        assert_eq!(
            found(None, &array[..1]),
            Err("SLURM_ARRAY_TASK_ID is set and SLURM_ARRAY_TASK_COUNT is not; expected --shards N".into())
        );
        let index = [("JOB_COMPLETION_INDEX", "0")];
        assert_eq!(found(Some(3), &index), Ok("1/3".into()));
        assert!(
            found(None, &index)
                .unwrap_err()
                .ends_with("expected --shards N with the job's number of completions")
        );
        assert!(found(Some(3), &[]).unwrap_err().ends_with("expected --shard I/N"));
        assert_eq!(
            found(Some(3), &[("JOB_COMPLETION_INDEX", "x")]),
            Err("JOB_COMPLETION_INDEX: found \"x\", expected a number".into())
        );
    }
}
