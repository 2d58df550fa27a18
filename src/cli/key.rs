//! `herder key`: keys for clients and operators. The gateway's config holds their hashes only.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Subcommand, ValueEnum};
use live::keys::{KEY_PREFIX, KeyHash};

use super::{Ending, print};

/// Make keys for clients and operators of a gateway
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    New(New),
}

/// Make a key: it is printed once, with what goes into the config
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  herder key new team-a                    a client's key, for [[serve.keys]]
  herder key new on-call --role operate    an operator's key, for [[serve.admin.keys]]
  curl http://127.0.0.1:11434/api/tags -H 'Authorization: Bearer hk_...'

A key is 32 random bytes. The config holds its hash; whoever reads the config cannot use it.")]
struct New {
    /// What logs and usage call it
    name: String,
    /// Make it a key of the operator's side, with this role
    #[arg(long, value_enum)]
    role: Option<RoleName>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    /// To look
    View,
    /// To drain hosts, change strategies, flags and experiments, freeze and roll back
    Operate,
    /// To add and remove hosts and read the config again, too
    Admin,
}

pub(super) fn main(args: &Args) -> Result<Ending> {
    let Command::New(new) = &args.command;
    ensure!(!new.name.trim().is_empty(), "the name: found nothing, expected what logs call the key");
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system has no random bytes")?;
    let key = format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    print(&text(new, &key))?;
    Ok(Ending::Done)
}

fn text(new: &New, key: &str) -> String {
    let section = if new.role.is_some() { "serve.admin.keys" } else { "serve.keys" };
    let role = new.role.and_then(|role| role.to_possible_value());
    let role = role.map(|role| format!("role = \"{}\"\n", role.get_name())).unwrap_or_default();
    let name = toml::Value::String(new.name.clone());
    format!("{key}\n\n[[{section}]]\nname = {name}\n{role}hash = \"{}\"\n", KeyHash::of(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_the_key_and_its_section() {
        let new = New { name: "on \"call\"".into(), role: Some(RoleName::Operate) };
        let text = text(&new, "hk_x");
        let (key, section) = text.split_once("\n\n").expect("two parts");
        assert_eq!(key, "hk_x");
        let section: toml::Table = section.parse().expect("TOML");
        let key = &section["serve"]["admin"]["keys"][0];
        assert_eq!((key["name"].as_str(), key["role"].as_str()), (Some("on \"call\""), Some("operate")));
        let hash = key["hash"].as_str().and_then(KeyHash::parse);
        assert_eq!(hash, Some(KeyHash::of("hk_x")));
    }
}
