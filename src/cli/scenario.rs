//! `herder scenario`: the scenarios that come with the program.

use anyhow::{Result, anyhow};
use clap::Subcommand;

use super::{Ending, print, table};
use crate::scenario::{Overrides, builtin, error::nearest, load};

/// List, print or check scenarios
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder scenario list
  herder scenario show chat > mine.toml        a file to edit
  herder scenario check mine.toml              find mistakes without running it")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List the built-in scenarios
    List,
    /// Print a built-in scenario as a file to edit
    Show {
        /// Its name
        name: String,
    },
    /// Check a scenario and print it with every key written
    Check {
        /// A file or a built-in's name
        scenario: String,
        /// Lay a value over the file; may be given several times
        #[arg(long = "set", value_name = "KEY=VALUE")]
        sets: Vec<String>,
    },
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    match &args.command {
        Command::List => {
            let mut rows = Vec::new();
            for (name, _) in builtin::ALL {
                let scenario = load(name, &Overrides::default())?;
                rows.push(vec![(*name).to_owned(), scenario.file.description]);
            }
            print(&table(&["scenario", "what it is for"], &rows))?;
        }
        Command::Show { name } => {
            let text = builtin::text(name).ok_or_else(|| {
                let names = || builtin::ALL.iter().map(|(name, _)| *name);
                let near = nearest(name, names())
                    .map(|near| format!(" (did you mean `{near}`?)"))
                    .unwrap_or_default();
                let all = names().collect::<Vec<_>>().join(", ");
                anyhow!("there is no built-in scenario `{name}`{near}\n  = built in: {all}")
            })?;
            print(text)?;
        }
        Command::Check { scenario, sets } => {
            let overrides = Overrides { sets: sets.clone(), ..Overrides::default() };
            print(&load(scenario, &overrides)?.resolved()?)?;
        }
    }
    Ok(Ending::Done)
}
