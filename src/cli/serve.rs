//! `herder serve`: the gateway in front of Ollama hosts.

mod demo;
#[cfg(unix)]
mod files;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ArgGroup;
use live::{Gateway, ServeConfig, ServeSummary, SetLogLevel};

use tokio::runtime::{Builder, Runtime};

use super::{Ending, print};

/// The demonstration's hosts and load need as little as its gateway.
const DEMO_THREADS: usize = 2;

/// Serve Ollama's API in front of many hosts: the control plane decides, answers are relayed as they stream
#[derive(clap::Args, Debug)]
#[command(group(ArgGroup::new("hosts").args(["config", "demo"]).required(true)))]
#[command(after_help = "\
Examples:
  herder serve --demo                          three emulated hosts, a gateway and some load: needs no GPU
  herder serve --config gateway.toml
  curl http://127.0.0.1:11434/api/chat -d '{\"model\": \"llama3.2:3b\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}'

A config names the hosts and, in the words of a scenario file, how to decide:
  [serve]
  listen = \"127.0.0.1:11434\"
  log_dir = \"decisions\"
  [[serve.hosts]]
  name = \"first\"
  url = \"http://127.0.0.1:11501\"
  slots = 4
  [serve.admin]
  listen = \"127.0.0.1:11435\"
  [control]
  balancer = \"model-affinity\"

The first line on standard output names the address, once it serves. Log lines go to standard error, JSON where that is no
terminal; HERDER_LOG=warn shows fewer. SIGHUP, or a change of the file, reads it again. Ctrl-C or SIGTERM lets running
answers finish, then ends it. `herder ctl` watches and changes what runs; docs/serving.md tells the rest.")]
pub(super) struct Args {
    /// The config file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Start three emulated hosts and some load, too, and show what happens
    #[arg(long)]
    demo: bool,
    /// Load of the demonstration in requests per second; 0 for none
    #[arg(long, value_name = "N", default_value_t = 2.0, requires = "demo", conflicts_with = "config")]
    demo_load: f64,
    /// Where the demonstration's gateway listens; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:0",
        requires = "demo",
        conflicts_with = "config"
    )]
    demo_listen: SocketAddr,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let summary = match &args.config {
        Some(file) => {
            let config = ServeConfig::read(file)?;
            let runtime = threads(config.threads())?;
            let (set_log_level, log) = super::logging::start(config.log_format)?;
            #[cfg(unix)]
            files::allow_open(config.connections_max);
            let summary = runtime.block_on(serve(config, set_log_level))?;
            // What is left of the log goes before the last words.
            drop(log);
            summary
        }
        None => threads(DEMO_THREADS)?.block_on(demo::run(args.demo_listen, args.demo_load))?,
    };
    writeln!(io::stderr(), "{}", closing(&summary))?;
    Ok(Ending::Done)
}

fn threads(threads: usize) -> Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().context("cannot start threads")
}

async fn serve(config: ServeConfig, set_log_level: SetLogLevel) -> Result<ServeSummary> {
    // Before anybody is told that it runs: from then on it ends in order.
    let stopped = live::stop::signal();
    let hosts = config.hosts.len();
    let gateway = Gateway::bind(config).await?.with_log_level(set_log_level);
    print(&format!("herder listens on http://{} in front of {hosts} hosts\n", gateway.address()))?;
    if let Some(admin) = gateway.admin_address() {
        print(&format!(
            "dashboard: http://{admin}/\noperators: herder ctl --address {admin}, http://{admin}/metrics\n"
        ))?;
    }
    Ok(gateway.run(stopped).await?)
}

/// What is said at the end.
fn closing(summary: &ServeSummary) -> String {
    let counters = summary.counters;
    let mut text = format!(
        "{} requests: {} finished, {} rejected, {} failed, {} cancelled",
        counters.arrived, counters.finished, counters.rejected, counters.failed, counters.cancelled
    );
    if summary.log_steps_lost > 0 {
        text.push_str(&format!(
            "\n{} steps are missing in the decision log: the disk was slow",
            summary.log_steps_lost
        ));
    }
    if summary.connections_cut_off > 0 {
        text.push_str(&format!("\n{} answers were cut off: they took too long", summary.connections_cut_off));
    }
    text
}
