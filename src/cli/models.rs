//! `herder models`: where models are in a running gateway's fleet, what placement and sync would do about it, whether they may, and
//! which content is the one to keep where an operator decides.

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use super::ctl::tables::{self, cell, list};
use super::ctl::{Client, Gateway, percent_encoded};
use super::{Ending, table};

/// Where models are, what placement and sync would do, and whether they may
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder models status
  herder models plan                 what would be done; changes nothing
  herder models apply                from now on it is done
  herder models apply --off          from now on it is only shown
  herder models conflicts
  herder models resolve llama3.2:3b 8f1c2a            the content whose digest begins so is the one to keep
  herder models resolve llama3.2:3b --keep gpu-1      what this host has; --keep registry: what the registry has
  herder models resolve llama3.2:3b --withdraw        the policy decides again

The gateway must have an operator's side and the sections [control.placement] or [control.sync], see docs/placement.md. The key is
read from the variable HERDER_ADMIN_KEY.")]
pub(super) struct Args {
    #[command(flatten)]
    gateway: Gateway,
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
    /// Decide which content of a name is the one to keep, whatever the policy says
    Resolve {
        /// The model
        model: String,
        #[command(flatten)]
        decision: Decision,
    },
}

/// What is decided; exactly one of these.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct Decision {
    /// The content whose digest begins so (`herder models conflicts` shows them)
    #[arg(value_name = "DIGEST")]
    digest: Option<String>,
    /// What this host has, or the registry
    #[arg(long, value_name = "HOST|registry")]
    keep: Option<String>,
    /// Nothing any more: the policy decides again
    #[arg(long)]
    withdraw: bool,
}

impl Decision {
    /// As the admin API takes it.
    fn body(&self) -> Value {
        match (&self.digest, &self.keep) {
            (Some(digest), _) => json!({ "digest": digest }),
            (None, Some(holder)) => json!({ "keep": holder }),
            (None, None) => json!({ "withdraw": self.withdraw }),
        }
    }
}

/// How an answer is shown to people.
type Text = fn(&Value) -> String;

pub(super) fn main(args: &Args) -> Result<Ending> {
    let client = args.gateway.client()?;
    let (answer, text): (Value, Text) = match &args.command {
        Command::Status => (client.get("placement")?, status),
        Command::Plan => (client.get("placement")?, plan),
        Command::Conflicts => (client.get("placement")?, conflicts),
        Command::Resolve { model, decision } => {
            let path = format!("models/{}/resolve", percent_encoded(model));
            (client.post(&path, &decision.body())?, tables::changed)
        }
        Command::Apply { off } => (apply(&client, !off)?, tables::changed),
    };
    args.gateway.show(&answer, text)?;
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
    let row = |item: &Value| {
        vec![
            cell(&item["model"]),
            cell(&item["state"]),
            cell(&item["good_copies"]),
            short(&item["right"]["digest"]),
            cell(&item["right"]["origin"]),
            cell(&item["conflict"]["kind"]),
            list(&item["versions"]),
            cell(&item["newer"]),
        ]
    };
    let contents = rows(&answer["contents"], row);
    if contents.is_empty() {
        return "no names are kept the same: [control.sync] is absent, or manages none that a host has\n"
            .to_owned();
    }
    let columns =
        ["model", "state", "good copies", "right content", "of", "differs", "versions", "newer than this"];
    table(&columns, &contents)
}

fn plan(answer: &Value) -> String {
    if answer["strategy"].is_null() {
        return "nothing is placed: [control.placement] is absent\n".to_owned();
    }
    let strategy = cell(&answer["strategy"]);
    let acts = if answer["act"].as_bool() == Some(true) { "acts" } else { "only shown: act = false" };
    let mut said = format!("placement by {strategy}, {acts}\n\n");
    let replicas = rows(&answer["plan"]["replicas"], |item| {
        let loaded = if item["loaded"].as_bool() == Some(true) { "in memory" } else { "missing" };
        vec![cell(&item["host"]), cell(&item["model"]), loaded.to_owned(), cell(&item["why"])]
    });
    said.push_str(&table(&["host", "model", "is", "why"], &replicas));
    let unmet = rows(&answer["plan"]["unmet"], |item| {
        vec![cell(&item["model"]), cell(&item["missing"]), cell(&item["pinned"]), cell(&item["why"])]
    });
    let next = |item: &Value| vec![cell(&item["deed"]), cell(&item["model"]), cell(&item["host"])];
    for (heading, columns, rows) in [
        ("demands that are not met", ["model", "replicas missing", "pinned to", "why"].as_slice(), unmet),
        ("under way", &["deed", "model", "host"], rows(&answer["under_way"], next)),
        ("would be done", &["deed", "model", "host"], rows(&answer["proposed"], next)),
    ] {
        if !rows.is_empty() {
            said.push_str(&format!("\n{heading}\n{}", table(columns, &rows)));
        }
    }
    said
}

fn conflicts(answer: &Value) -> String {
    let (mut told, mut undecided) = (Vec::new(), false);
    for item in answer["contents"].as_array().into_iter().flatten() {
        if item["conflict"].is_null() {
            continue;
        }
        undecided |= item["right"].is_null();
        for held in item["held"].as_array().into_iter().flatten() {
            let right = if held["right"].as_bool() == Some(true) { "right" } else { "" };
            told.push(vec![
                cell(&item["model"]),
                cell(&item["conflict"]["kind"]),
                format!("{} s", cell(&item["conflict"]["seconds"])),
                short(&held["digest"]),
                right.to_owned(),
                list(&held["by"]),
            ]);
        }
    }
    if told.is_empty() {
        return "no conflicts: all that have a name have the same content\n".to_owned();
    }
    let mut text = table(&["model", "differs in", "for", "content", "", "on"], &told);
    if undecided {
        text.push_str("\nwhere no content is right, decide: herder models resolve MODEL DIGEST\n");
    }
    text
}

fn rows(items: &Value, row: impl Fn(&Value) -> Vec<String>) -> Vec<Vec<String>> {
    items.as_array().into_iter().flatten().map(row).collect()
}

/// A digest as Ollama's lists shorten it.
fn short(digest: &Value) -> String {
    cell(digest).chars().take(12).collect()
}
