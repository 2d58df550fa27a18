//! `herder serve`: the gateway in front of Ollama hosts.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use live::{Gateway, ServeConfig};

use super::{Ending, print};

/// Serve Ollama's API in front of many hosts: the control plane decides, answers are relayed as they stream
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
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

The first line on standard output names the address, once it listens. Log lines go to standard error, JSON where that is no
terminal; HERDER_LOG=warn shows fewer. SIGHUP, or a change of the file, reads it again. Ctrl-C or SIGTERM lets running
answers finish, then ends it. `herder ctl` watches and changes what runs; docs/serving.md tells the rest.")]
pub(super) struct Args {
    /// The config file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let config = ServeConfig::read(&args.config)?;
    let hosts = config.hosts.len();
    let (set_log_level, log) = super::logging::start(config.log_format)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let summary = runtime.block_on(async {
        let gateway = Gateway::bind(config).await?.with_log_level(set_log_level);
        print(&format!("herder listens on http://{} in front of {hosts} hosts\n", gateway.address()))?;
        if let Some(admin) = gateway.admin_address() {
            print(&format!("operators: herder ctl --address {admin}, http://{admin}/metrics\n"))?;
        }
        let stopped = async {
            // Without a handler the signal ends the program, which is right as well.
            let _ = live::stop::signal().await;
        };
        anyhow::Ok(gateway.run(stopped).await?)
    })?;
    // What is left of the log goes before the last words.
    drop(log);
    let counters = summary.counters;
    let mut text = format!(
        "{} requests: {} finished, {} rejected, {} failed, {} cancelled\n",
        counters.arrived, counters.finished, counters.rejected, counters.failed, counters.cancelled
    );
    if summary.log_steps_lost > 0 {
        text.push_str(&format!(
            "{} steps are missing in the decision log: the disk was slow\n",
            summary.log_steps_lost
        ));
    }
    if summary.connections_cut_off > 0 {
        text.push_str(&format!("{} answers were cut off: they took too long\n", summary.connections_cut_off));
    }
    writeln!(io::stderr(), "{}", text.trim_end())?;
    Ok(Ending::Done)
}
