//! `herder man`: the manual, as roff or as a folder of pages.

use std::io;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::CommandFactory;

use super::{Cli, Ending, print};

/// Print the manual page, or write one page for each command into a folder
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder man | man -l -                        read it
  herder man --out ~/.local/share/man/man1     install a page for each command")]
pub(super) struct Args {
    /// Write herder.1, herder-run.1 and so on into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        clap_mangen::generate_to(Cli::command(), folder)
            .with_context(|| format!("cannot write the pages into {}", folder.display()))?;
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        print(&String::from_utf8(page).map_err(io::Error::other)?)?;
    }
    Ok(Ending::Done)
}
