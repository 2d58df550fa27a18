//! `herder bench`: the baseline form of each data structure beside the optimised one, measured here and now.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};

use super::progress::{Progress, span};
use super::{Ending, interrupt, print};
use crate::bench::measure::{Budget, at_scale};
use crate::bench::record::{AtScale, Noise, Record, records, timestamp};
use crate::bench::{self, Component, SCALES, files};

mod text;

/// Measure the baseline form of each data structure against the optimised one
#[derive(clap::Args, Debug)]
#[command(after_help = after_help())]
pub(super) struct Args {
    /// What to measure, by name or by group; everything where absent
    #[arg(value_name = "COMPONENT")]
    components: Vec<String>,

    /// Scales, separated by commas; three or more tell how cost grows
    #[arg(long, value_name = "N,N…", value_delimiter = ',', default_values_t = SCALES, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    scales: Vec<u64>,

    /// Print a JSON array of records instead of tables
    #[arg(long)]
    json: bool,

    /// Write bench.csv, bench.json and a plot of each component (SVG and PNG) here
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn after_help() -> String {
    format!(
        "\
Examples:
  herder bench                                   everything: some minutes
  herder bench priority-queue                    one component
  herder bench decision --scales 8,100,1000      a group: every balancer, by number of hosts
  herder bench decision/prequal event-queue      some
  herder bench --out bench                       tables and plots
  herder bench host-set --json | jq '.[] | {{name, cpu_nanos, verdict}}'

Components:
  {}

Both forms do the same operations, and their answers must agree. Times are CPU time over five fixed seeds: other
programs disturb it less than wall time, which percentiles are of. (Of threads it is wall time.) One form is measured
against itself first, as `{}`: what comes of that is noise. A gain is one of at least 5 %, and of more than the noise,
that chance does not explain (95 %); all else is no gain.",
        bench::SAME,
        bench::names().join(", "),
    )
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let asked = bench::select(&args.components)?;
    let is_control = |component: &Component| component.name == bench::SAME;
    let shows_control = asked.iter().any(is_control);
    let mut components = bench::select(&[bench::SAME.into()])?;
    components.extend(asked.into_iter().filter(|component| !is_control(component)));
    let mut scales = args.scales.clone();
    scales.sort_unstable();
    scales.dedup();
    if let Some(folder) = &args.out {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let stop = interrupt::flag()?;
    let mut progress = Progress::new();
    let total = (components.len() * scales.len()) as u64;
    let mut all: Vec<Record> = Vec::new();
    let mut done = 0;
    let mut noise = Noise::NONE;
    for component in &components {
        let mut measured: Vec<AtScale> = Vec::new();
        for &scale in &scales {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            progress.show(done, Some(total), |elapsed| line(component, scale, done, total, elapsed));
            let forms = at_scale(component, scale, Budget::default());
            measured.push(AtScale { scale, timestamp: timestamp(), forms });
            done += 1;
        }
        if measured.is_empty() {
            break;
        }
        if is_control(component) {
            noise = Noise::of(&measured);
            if !shows_control {
                continue;
            }
        }
        let rows = records(component, &measured, noise);
        if !args.json {
            progress.above(|| print(&text::block(component, &rows)))?;
        }
        all.extend(rows);
        if let Some(folder) = &args.out {
            files::write_tables(folder, &all)?;
            files::write_plot(folder, component, &measured, noise)?;
        }
    }
    progress.finish();
    if args.json {
        print(&reports::machine::pretty_json(&all))?;
    } else if let Some(folder) = &args.out {
        print(&format!("results in {}\n", folder.display()))?;
    }
    if done < total {
        let kept = if args.out.is_some() { "; the files hold what was measured until then" } else { "" };
        writeln!(io::stderr(), "stopped by Ctrl-C after {done} of {total} measurements{kept}")?;
        return Ok(Ending::Interrupted);
    }
    Ok(Ending::Done)
}

/// How far it is. What is left is taken to go on as it did.
fn line(component: &Component, scale: u64, done: u64, total: u64, elapsed: Duration) -> String {
    let mut line = format!("{} at {scale} {}, {done} of {total}", component.name, component.scale);
    if done > 0 {
        let left = elapsed.as_secs_f64() * (total - done) as f64 / done as f64;
        line.push_str(&format!(", about {} left", span(left.round() as u64)));
    }
    line
}
