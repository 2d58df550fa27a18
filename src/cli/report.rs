//! `herder report`: makes the page and the plots of a folder again, from its data.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{Ending, print};
use crate::compare::files::{COMPARISON, Study};
use crate::compare::measures;
use crate::plan::folder::{self as plan, PLAN};
use crate::run::{Plan, run};
use crate::scenario::{Overrides, load};
use crate::sweep::{self, manifest::MANIFEST};
use crate::tables;
use crate::tune::folder::{self as tune, TUNED};

/// Make the report of a folder again from its data: of a run, a comparison, a sweep, a plan or tuning
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder report results                        report.html and the plots beside it
  herder report study --by ttft_p99_ms         a sweep, ranked by another measure

A comparison, a sweep, a plan and tuning are told anew from their data, without a run. A run is simulated again from its scenario.resolved.toml,
which gives the same bytes; where its digest is not that of summary.json, another version wrote it, and nothing is changed.")]
pub(super) struct Args {
    /// The folder that --out named
    #[arg(required_unless_present = "columns")]
    folder: Option<PathBuf>,

    /// Describe the columns of all files of rows instead (Markdown)
    #[arg(long, conflicts_with_all = ["folder", "by"])]
    columns: bool,

    /// For a sweep: the measure by which points are ranked
    #[arg(long, value_name = "NAME", default_value = "goodput_percent")]
    by: String,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let Some(folder) = args.folder.as_deref() else {
        print(&tables::describe())?;
        return Ok(Ending::Done);
    };
    let has = |name: &str| folder.join(name).is_file();
    let what = if has(COMPARISON) {
        let study = Study::read(folder)?;
        study.write(folder, &study.compare())?;
        "comparison"
    } else if has(PLAN) {
        plan::write_report(folder, &plan::read(folder)?)?;
        "plan"
    } else if has(TUNED) {
        tune::Study::read(folder)?.write_report(folder)?;
        "tuning"
    } else if has(MANIFEST) {
        let by = measures::named(&args.by).map_err(|error| anyhow::anyhow!("--by: {error}"))?;
        sweep::report(folder, by, 0.95)?;
        "sweep"
    } else if has("summary.json") {
        run_again(folder)?;
        "run"
    } else {
        bail!(
            "{}: found none of {COMPARISON}, {PLAN}, {TUNED}, {MANIFEST} and summary.json, expected a folder that --out named",
            folder.display()
        );
    };
    print(&format!("{}: report of the {what}\n", folder.join("report.html").display()))?;
    Ok(Ending::Done)
}

fn run_again(folder: &Path) -> Result<()> {
    let path = folder.join("summary.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let summary: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
    let resolved = folder.join("scenario.resolved.toml");
    let scenario = load(&resolved.to_string_lossy(), &Overrides::default())?;
    // First without files: what does not match is left as it is.
    let mut of = Plan {
        scenario,
        engine: sim_host::api::Engine::Coalesced,
        checks: sim::check::Checks::Sparse,
        threads: 1,
        out: None,
        log: false,
        perfetto: None,
        profile: false,
    };
    let found = run(&of, &mut |_| true)?.summary.digest;
    let written = summary["digest"].as_str().unwrap_or_default();
    if found != written {
        bail!(
            "{}: found the digest {written}, expected {found}, which is what this version of herder gives",
            path.display()
        );
    }
    // A decision log that is there is written again, too.
    of.log = folder.join("decisions").is_dir();
    of.out = Some(folder.to_owned());
    run(&of, &mut |_| true)?;
    Ok(())
}
