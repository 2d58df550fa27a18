//! `herder profiles`: what models cost on GPUs, and where the figures come from.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use sim_host::profile::Catalogue;

use super::{Ending, print};

/// List hardware profiles, or show one with its sources and everything that was guessed
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder profiles list
  herder profiles show rtx-4090 llama3.1:8b
  herder profiles list --profiles mine.toml     with GPUs, models or profiles of your own")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,

    /// A file with more GPUs, models and profiles
    #[arg(long, value_name = "FILE", global = true)]
    profiles: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Print a table of all: a GPU with a model is a row
    List,
    /// Print GPUs, models and measured profiles with their sources, as Markdown tables
    Specs,
    /// Print one in full
    Show {
        /// The GPU's name
        gpu: String,
        /// The model's name
        model: String,
    },
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let catalogue = catalogue(args.profiles.as_deref())?;
    match &args.command {
        Command::List => print(&catalogue.render_list())?,
        Command::Specs => print(&catalogue.render_specs())?,
        Command::Show { gpu, model } => print(&catalogue.render_show(gpu, model)?)?,
    }
    Ok(Ending::Done)
}

/// The built-in profiles, with those of a file where one is given.
pub(super) fn catalogue(file: Option<&Path>) -> Result<Catalogue> {
    let Some(path) = file else { return Ok(Catalogue::builtin().clone()) };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Catalogue::parse(&text, &path.to_string_lossy())?)
}
