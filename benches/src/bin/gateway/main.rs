//! The gateway bench: what `herder serve` costs beside other proxies, all in front of the same stub.
//!
//! `benches/gateway.sh` starts the processes and calls this program three times: `free-ports` for those that cannot
//! name the port that they were given, `stub` for the hosts, `measure` for the load and the table. It runs on Linux,
//! since CPU time and memory of other processes are read there. Nothing but loopback is ever listened on or called.

mod http;
mod load;
mod measure;
mod process;
mod report;
mod streams;
mod stub;

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};
use clap::Parser;

/// Measures HTTP proxies in front of a stub of Ollama
#[derive(Parser, Debug)]
enum Command {
    /// Print ports of the loopback address that were free a moment ago, one a line
    FreePorts {
        /// How many
        count: usize,
    },
    /// Answer as Ollama does, at no cost worth naming, until the standard input ends
    Stub {
        /// How many hosts, each on a port of its own; the first line names their addresses
        #[arg(long, default_value_t = 4)]
        hosts: usize,
    },
    /// Measure, print a table and write the figures
    Measure(measure::Args),
    /// Put one kind of load on one target, for a profiler to watch
    Load(measure::LoadArgs),
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::FreePorts { count } => free_ports(count),
        Command::Stub { hosts } => on_one_thread(stub::run(hosts)),
        Command::Measure(args) => on_one_thread(measure::run(&args)),
        Command::Load(args) => on_one_thread(measure::load(&args)),
    }
}

fn free_ports(count: usize) -> Result<()> {
    // All are held until the last is found, so that none is named twice.
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<_, _>>()
        .context("no port is free")?;
    for listener in listeners {
        println!("{}", listener.local_addr()?.port());
    }
    Ok(())
}

/// One thread, so that stub and load take as little as they can of the processors that they share with the measured.
fn on_one_thread(task: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, task)
}
