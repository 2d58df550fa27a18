//! `herder completions`: completion scripts for shells.

use std::io;

use anyhow::Result;
use clap::CommandFactory;

use super::{Cli, Ending, print};

/// Print a script that completes herder's commands and options in a shell
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder completions bash > ~/.local/share/bash-completion/completions/herder
  herder completions zsh > ~/.zfunc/_herder
  herder completions fish > ~/.config/fish/completions/herder.fish")]
pub(super) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "herder", &mut script);
    print(&String::from_utf8(script).map_err(io::Error::other)?)?;
    Ok(Ending::Done)
}
