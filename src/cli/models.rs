//! `herder models`: where models are in a running gateway's fleet, what placement and sync would do about it, and whether they may.

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use super::ctl::client::Client;
use super::{Ending, print, table};

/// Where models are, what placement and sync would do, and whether they may
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder models status
  herder models plan                 what would be done; changes nothing
  herder models apply                from now on it is done
  herder models apply --off          from now on it is only shown
  herder models conflicts

The gateway must have an operator's side and the sections [control.placement] or [control.sync], see docs/placement.md. The key is
read from the variable HERDER_ADMIN_KEY.")]
pub(super) struct Args {
    /// Where the operator's side of the gateway listens
    #[arg(long, global = true, value_name = "HOST:PORT", default_value = "127.0.0.1:11435")]
    address: String,
    /// The key, where HERDER_ADMIN_KEY is not set: others on this machine can see it in the list of processes
    #[arg(long, global = true, value_name = "KEY")]
    key: Option<String>,
    /// Print the gateway's answer as JSON instead of a table
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Names that are kept the same: good copies, the right content, who has another
    Status,
    /// The plan in force, what is missing, and what would be done next; changes nothing
    Plan,
    /// Let placement and sync act, as far as the config has them
    Apply {
        /// Only show from now on what would be done
        #[arg(long)]
        off: bool,
    },
    /// Names of which not all have the same content
    Conflicts,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let key = args.key.clone().or_else(|| std::env::var("HERDER_ADMIN_KEY").ok());
    let client = Client::new(&args.address, key)?;
    let (answer, text) = match &args.command {
        Command::Apply { off } => {
            let answer = apply(&client, !off)?;
            let text = match answer["changed"].as_str() {
                Some(changed) => format!("{changed}\n"),
                None => format!("{answer}\n"),
            };
            (answer, text)
        }
        command => {
            let answer = client.get("placement")?;
            let text = match command {
                Command::Plan => plan(&answer),
                Command::Conflicts => conflicts(&answer),
                _ => status(&answer),
            };
            (answer, text)
        }
    };
    print(&if args.json { format!("{}\n", serde_json::to_string_pretty(&answer)?) } else { text })?;
    Ok(Ending::Done)
}

/// Sets `act` in the sections that the config in force has.
fn apply(client: &Client, act: bool) -> Result<Value> {
    let config = client.get("config")?;
    let mut set = serde_json::Map::new();
    for section in ["placement", "sync"] {
        let mut table = config["control"][section].clone();
        if table.is_object() {
            table["act"] = json!(act);
            set.insert(section.to_owned(), table);
        }
    }
    if set.is_empty() {
        bail!(
            "the gateway's [control] has neither a section placement nor sync, so there is nothing to apply"
        );
    }
    client.post("strategy", &Value::Object(set))
}

fn status(answer: &Value) -> String {
    let rows = |item: &Value| {
        vec![
            text(&item["model"]),
            text(&item["state"]),
            text(&item["good_copies"]),
            short(&item["right"]["digest"]),
            text(&item["right"]["origin"]),
            item["conflict"]["kind"].as_str().unwrap_or("").to_owned(),
        ]
    };
    let contents = list(&answer["contents"], rows);
    if contents.is_empty() {
        return "no names are kept the same: [control.sync] is absent, or manages none that a host has\n"
            .to_owned();
    }
    table(&["model", "state", "good copies", "right content", "of", "differs"], &contents)
}

fn plan(answer: &Value) -> String {
    let Some(strategy) = answer["strategy"].as_str() else {
        return "nothing is placed: [control.placement] is absent\n".to_owned();
    };
    let acts = if answer["act"].as_bool() == Some(true) { "acts" } else { "only shown: act = false" };
    let mut said = format!("placement by {strategy}, {acts}\n\n");
    let replicas = list(&answer["plan"]["replicas"], |item| {
        let loaded = if item["loaded"].as_bool() == Some(true) { "in memory" } else { "missing" };
        vec![text(&item["host"]), text(&item["model"]), loaded.to_owned(), text(&item["why"])]
    });
    said.push_str(&table(&["host", "model", "is", "why"], &replicas));
    let unmet = list(&answer["plan"]["unmet"], |item| {
        vec![text(&item["model"]), text(&item["missing"]), text(&item["pinned"]), text(&item["why"])]
    });
    let next = |item: &Value| vec![text(&item["deed"]), text(&item["model"]), text(&item["host"])];
    for (heading, columns, rows) in [
        ("demands that are not met", ["model", "replicas missing", "pinned to", "why"].as_slice(), unmet),
        ("under way", &["deed", "model", "host"], list(&answer["under_way"], next)),
        ("would be done", &["deed", "model", "host"], list(&answer["proposed"], next)),
    ] {
        if !rows.is_empty() {
            said.push_str(&format!("\n{heading}\n{}", table(columns, &rows)));
        }
    }
    said
}

fn conflicts(answer: &Value) -> String {
    let mut rows = Vec::new();
    for item in answer["contents"].as_array().into_iter().flatten() {
        if item["conflict"].is_null() {
            continue;
        }
        for held in item["held"].as_array().into_iter().flatten() {
            let right = if held["right"].as_bool() == Some(true) { "right" } else { "" };
            let by: Vec<String> = held["by"].as_array().into_iter().flatten().map(text).collect();
            rows.push(vec![
                text(&item["model"]),
                text(&item["conflict"]["kind"]),
                format!("{} s", text(&item["conflict"]["seconds"])),
                short(&held["digest"]),
                right.to_owned(),
                by.join(", "),
            ]);
        }
    }
    if rows.is_empty() {
        return "no conflicts: all that have a name have the same content\n".to_owned();
    }
    table(&["model", "differs in", "for", "content", "", "on"], &rows)
}

fn list(items: &Value, row: impl Fn(&Value) -> Vec<String>) -> Vec<Vec<String>> {
    items.as_array().into_iter().flatten().map(row).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A digest as Ollama's lists shorten it.
fn short(digest: &Value) -> String {
    text(digest).chars().take(12).collect()
}
