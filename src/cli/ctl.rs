//! `herder ctl`: the operator's hand on a running gateway, over its admin API.

mod assign;
mod client;
pub(super) mod tables;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::Ending;
pub(super) use client::{Client, Gateway, percent_encoded};

/// Watch and change a running gateway: hosts, queue, strategies, flags, experiments
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder ctl status
  herder ctl hosts
  herder ctl hosts drain gpu-1
  herder ctl decisions --limit 20
  herder ctl strategy set balancer=least-tokens scheduler=shortest-job
  herder ctl rollback

The gateway must have an operator's side: [serve.admin] listen = \"127.0.0.1:11435\" in its config. The key is read from
the variable HERDER_ADMIN_KEY; `herder key new NAME --role operate` makes one. Every change stands in the decision log.")]
pub(super) struct Args {
    #[command(flatten)]
    gateway: Gateway,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// How the gateway is: what decides, requests, log
    Status,
    /// List hosts, or add, drain, undrain, remove one
    Hosts {
        #[command(subcommand)]
        command: Option<Hosts>,
    },
    /// Models with the hosts that hold them
    Models,
    /// Requests that wait
    Queue,
    /// The last requests: where each went, why there, how long it took
    Decisions {
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Show what decides, or set keys of [control] as a new config
    Strategy {
        #[command(subcommand)]
        command: Strategy,
    },
    /// Flags: a balancer for a share of the requests
    Flags {
        #[command(subcommand)]
        command: Option<Entries>,
    },
    /// Experiments: balancers side by side
    Experiments {
        #[command(subcommand)]
        command: Option<Entries>,
    },
    /// Back to the [control] before the last change
    Rollback,
    /// Nothing changes by itself any more (selection, roll-backs, learned limits)
    Freeze,
    /// What changes by itself may do so again
    Unfreeze,
    /// Set the level of the gateway's log lines
    LogLevel {
        /// error, warn, info, debug, trace or off, or such by target: info,herder::request=off
        level: String,
    },
    /// Read the config file again
    Reload,
}

#[derive(Subcommand, Debug)]
enum Hosts {
    /// Add a host: it is asked what it holds, then gets requests
    #[command(
        after_help = "Example:\n  herder ctl hosts add gpu-3 http://10.0.0.3:11434 slots=4 memory_gib=24"
    )]
    Add {
        /// A name of its own
        name: String,
        /// http://HOST:PORT
        url: String,
        /// Other keys of [[serve.hosts]]
        #[arg(value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Give it no new requests; what runs there runs to its end
    Drain {
        /// The host
        name: String,
    },
    /// Give it requests again
    Undrain {
        /// The host
        name: String,
    },
    /// Drain it, and forget it once nothing runs there
    Remove {
        /// The host
        name: String,
    },
}

#[derive(Subcommand, Debug)]
enum Strategy {
    /// [control] in force, and what could stand there
    Show,
    /// Set keys of [control]; all of it is checked, then takes effect at once
    #[command(after_help = "\
Examples:
  herder ctl strategy set balancer=least-tokens
  herder ctl strategy set balancer.prequal.probes=5 queue_requests_max=1_000
  herder ctl strategy set aging_millis=null        back to the default

A value is what TOML would make of it, as after --set of herder run, or JSON; everything else is text.")]
    Set {
        /// Keys of [control] with their values, tables as a whole
        #[arg(value_name = "KEY=VALUE", required = true)]
        set: Vec<String>,
    },
}

#[derive(Subcommand, Debug)]
enum Entries {
    /// Add one, or replace the one of this name
    #[command(after_help = "\
Examples:
  herder ctl flags set canary balancer=least-tokens share_permille=50 unit=session
  herder ctl experiments set trial 'arms=[{\"name\": \"b\", \"balancer\": \"prequal\", \"share_permille\": 500}]'")]
    Set {
        /// Its name
        name: String,
        /// Its keys with their values
        #[arg(value_name = "KEY=VALUE", required = true)]
        set: Vec<String>,
    },
    /// Take one out
    Remove {
        /// Its name
        name: String,
    },
}

/// An answer, and how it is shown to people.
type Shown = (Value, fn(&Value) -> String);

pub(super) fn main(args: &Args) -> Result<Ending> {
    let client = args.gateway.client()?;
    let (answer, table): Shown = match &args.command {
        Command::Status => (client.get("status")?, tables::status),
        Command::Hosts { command: None } => (client.get("hosts")?, tables::hosts),
        Command::Hosts { command: Some(command) } => (hosts(&client, command)?, tables::changed),
        Command::Models => (client.get("models")?, tables::models),
        Command::Queue => (client.get("queue")?, tables::queue),
        Command::Decisions { limit } => (client.get(&format!("decisions?limit={limit}"))?, tables::decisions),
        Command::Strategy { command: Strategy::Show } => (client.get("config")?, tables::config),
        Command::Strategy { command: Strategy::Set { set } } => {
            (client.post("strategy", &Value::Object(assign::read(set)?))?, tables::changed)
        }
        Command::Flags { command } => entries(&client, "flags", command.as_ref())?,
        Command::Experiments { command } => entries(&client, "experiments", command.as_ref())?,
        Command::Rollback => (client.post("rollback", &json!({}))?, tables::changed),
        Command::Freeze => (client.post("freeze", &json!({}))?, tables::changed),
        Command::Unfreeze => (client.post("unfreeze", &json!({}))?, tables::changed),
        Command::LogLevel { level } => {
            (client.post("log-level", &json!({ "level": level }))?, tables::changed)
        }
        Command::Reload => (client.post("reload", &json!({}))?, tables::changed),
    };
    args.gateway.show(&answer, table)?;
    Ok(Ending::Done)
}

fn hosts(client: &Client, command: &Hosts) -> Result<Value> {
    match command {
        Hosts::Add { name, url, set } => {
            let mut host = assign::read(set)?;
            host.insert("name".into(), json!(name));
            host.insert("url".into(), json!(url));
            client.post("hosts", &Value::Object(host))
        }
        Hosts::Drain { name } => client.post(&format!("hosts/{}/drain", percent_encoded(name)), &json!({})),
        Hosts::Undrain { name } => {
            client.post(&format!("hosts/{}/undrain", percent_encoded(name)), &json!({}))
        }
        Hosts::Remove { name } => client.delete(&format!("hosts/{}", percent_encoded(name))),
    }
}

fn entries(client: &Client, table: &str, command: Option<&Entries>) -> Result<Shown> {
    let mut entry = match command {
        None => return Ok((client.get("experiments")?, tables::experiments)),
        Some(Entries::Set { set, .. }) => assign::read(set)?,
        Some(Entries::Remove { .. }) => Map::from_iter([("remove".to_owned(), json!(true))]),
    };
    if let Some(Entries::Set { name, .. } | Entries::Remove { name }) = command {
        entry.insert("name".into(), json!(name));
    }
    Ok((client.post(table, &Value::Object(entry))?, tables::changed))
}
