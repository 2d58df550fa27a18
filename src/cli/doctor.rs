//! `herder doctor`: what is wrong with a fleet, before clients find out.

use std::path::PathBuf;

use anyhow::{Context, Result};
use live::ServeConfig;
use live::doctor::{Finding, Grade, consult};

use super::{Ending, print};

/// Look at the hosts of a gateway's config: reachable, versions, memory, models, who can bypass the gateway
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder doctor --config gateway.toml
  herder doctor --config gateway.toml --json | jq '.[] | select(.grade != \"good\")'

Each host is asked a few questions that change nothing and load no model. The config is checked as herder serve checks it.
Exit code 1 where there is a problem: requests will fail, or what is declared is wrong. Warnings alone are no error.")]
pub(super) struct Args {
    /// The config file of the gateway
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print a JSON array of findings
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let config = ServeConfig::read(&args.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    let findings = runtime.block_on(consult(&config));
    if args.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&findings)?))?;
    } else {
        print(&table(&findings))?;
    }
    let problems = findings.iter().filter(|finding| finding.grade == Grade::Problem).count();
    match problems {
        0 => Ok(Ending::Done),
        1 => anyhow::bail!("1 problem"),
        more => anyhow::bail!("{more} problems"),
    }
}

fn table(findings: &[Finding]) -> String {
    let host = |finding: &Finding| finding.host.clone().unwrap_or_else(|| "fleet".to_owned());
    let width = findings.iter().map(|finding| host(finding).len()).max().unwrap_or(0);
    let line = |finding: &Finding| {
        let grade = match finding.grade {
            Grade::Good => "ok",
            Grade::Warning => "warning",
            Grade::Problem => "problem",
        };
        format!("{grade:7}  {:width$}  {}\n", host(finding), finding.text)
    };
    findings.iter().map(line).collect()
}
