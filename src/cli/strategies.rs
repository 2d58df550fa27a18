//! `herder strategies`: what can stand in `control.scheduler`, `control.balancer` and `control.placement.strategy`.

use anyhow::Result;
use control::strategy::{Line, Parameter, Strategy};

use super::{Ending, print, table};

/// List schedulers, balancers and placements: idea, cost of a decision, what they must know, source
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder strategies
  herder run --set control.balancer=model-affinity --set control.scheduler=shortest-job
  herder run --set control.balancer.prequal.probes=5
  herder run daily-cycle --set control.placement.strategy=popularity

A parameter is set in a table of the strategy's name: [control.balancer.prequal] probes = 5.")]
pub(super) struct Args {
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let schedulers = lines(control::schedule::ALL);
    let balancers = lines(control::balance::ALL);
    let placements = lines(control::place::ALL);
    if args.json {
        let json = serde_json::json!({
            "schedulers": objects(&schedulers),
            "balancers": objects(&balancers),
            "placements": objects(&placements),
        });
        print(&format!("{}\n", serde_json::to_string_pretty(&json)?))?;
        return Ok(Ending::Done);
    }
    let mut text = String::new();
    let lists = [
        ("control.scheduler", &schedulers),
        ("control.balancer", &balancers),
        ("control.placement.strategy", &placements),
    ];
    for (key, list) in lists {
        let rows: Vec<Vec<String>> = list
            .iter()
            .map(|line| vec![line.name.to_owned(), line.cost.to_owned(), line.summary.to_owned()])
            .collect();
        text.push_str(&table(&[key, "cost", "idea"], &rows));
        text.push('\n');
        for line in list {
            text.push_str(&format!(
                "  {}\n    needs:  {}\n    source: {}\n",
                line.name, line.needs, line.source
            ));
            if let Some(told) = line.requires.told() {
                text.push_str(&format!("    requires: {told}\n"));
            }
            for parameter in line.parameters {
                text.push_str(&format!(
                    "    {} = {}: {} ({} to {})\n",
                    parameter.name, parameter.default, parameter.summary, parameter.least, parameter.most
                ));
            }
        }
        text.push('\n');
    }
    text.push_str(
        "Costs are of one decision: n hosts that hold the model (placement: n hosts, r replicas), m models, q queued requests.\n",
    );
    print(&text)?;
    Ok(Ending::Done)
}

fn lines<Kind>(all: &[Line<Kind>]) -> Vec<Strategy> {
    all.iter().map(|line| line.1).collect()
}

fn objects(list: &[Strategy]) -> Vec<serde_json::Value> {
    let object = |line: &Strategy| {
        serde_json::json!({
            "name": line.name, "summary": line.summary, "cost": line.cost, "needs": line.needs, "source": line.source,
            "requires": line.requires.told(),
            "parameters": parameters(line.parameters),
        })
    };
    list.iter().map(object).collect()
}

fn parameters(list: &[Parameter]) -> Vec<serde_json::Value> {
    let object = |parameter: &Parameter| {
        serde_json::json!({
            "name": parameter.name, "summary": parameter.summary, "default": parameter.default,
            "least": parameter.least, "most": parameter.most,
        })
    };
    list.iter().map(object).collect()
}
