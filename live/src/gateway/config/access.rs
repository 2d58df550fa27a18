//! Who may do what: the keys of clients (`[[serve.keys]]`), and the operator's listener with its keys (`[serve.admin]`).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{ServeConfigError, Source};
use crate::gateway::keys::{KeyHash, unix_millis_of_date};

/// Most keys of each kind: every request is compared with all of them.
const KEYS_MAX: usize = 1_024;

/// `[serve.admin]` as written.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct AdminFile {
    listen: Spanned<SocketAddr>,
    #[serde(default)]
    allowed_hosts: Vec<String>,
    #[serde(default)]
    keys: Vec<AdminKeyFile>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct AdminKeyFile {
    name: Spanned<String>,
    role: Role,
    hash: Spanned<String>,
}

/// `[[serve.keys]]` as written.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFile {
    name: Spanned<String>,
    hash: Spanned<String>,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default = "all_models")]
    models: Vec<String>,
    #[serde(default)]
    requests_per_minute: Option<Spanned<u64>>,
    #[serde(default)]
    concurrency_max: Option<Spanned<u64>>,
    #[serde(default)]
    tokens_per_day: Option<Spanned<u64>>,
    #[serde(default)]
    priority: i8,
    #[serde(default)]
    expires: Option<Spanned<toml::value::Datetime>>,
    #[serde(default)]
    may_assert: BTreeSet<MayAssert>,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    num_ctx_max: Option<Spanned<u64>>,
    #[serde(default)]
    keep_alive_max_seconds: Option<Spanned<u64>>,
}

fn all_models() -> Vec<String> {
    vec!["*".into()]
}

/// What a key of the operator's listener allows; each includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// To look.
    View,
    /// To change what can be changed back at once: drains, strategies, flags, experiments, freezing.
    Operate,
    /// To change what the gateway is made of: hosts, and the file read anew.
    Admin,
}

/// What a client may say of its request by a header, beyond what its key says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MayAssert {
    /// For whom it is.
    Tenant,
    /// How urgent it is.
    Priority,
    /// What it demands of its host.
    Demands,
}

/// `[serve.admin]`, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdminConfig {
    /// Where the operator's side listens.
    pub listen: SocketAddr,
    /// Names under which browsers may reach it, besides `localhost` and addresses.
    pub allowed_hosts: Vec<String>,
    /// Its keys; with none, whoever reaches it may do all.
    pub keys: Vec<AdminKey>,
}

/// A key of the operator's listener.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdminKey {
    /// What logs call it.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// Its hash.
    pub hash: KeyHash,
}

/// A client's key, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientKey {
    /// What logs and usage call it.
    pub name: String,
    /// Its hash.
    pub hash: KeyHash,
    /// Whose requests its are; its own name where nothing is written.
    pub tenant: String,
    /// Models that it may ask for, `*` standing for any run of characters.
    pub models: Vec<String>,
    /// Requests in a minute at most.
    pub requests_per_minute: Option<u32>,
    /// Requests under way at most.
    pub concurrency_max: Option<u32>,
    /// Tokens of prompts and answers in a day (UTC) at most.
    pub tokens_per_day: Option<u64>,
    /// Priority of its requests; 0 is normal.
    pub priority: i8,
    /// From when it is refused, in milliseconds since 1970.
    pub expires_unix_millis: Option<u64>,
    /// What it may assert.
    pub may_assert: BTreeSet<MayAssert>,
    /// Whether it may manage models (pull, push, create, copy, delete).
    pub admin: bool,
    /// Largest context that it may ask for, in tokens.
    pub num_ctx_max: Option<u32>,
    /// Longest time for which it may keep a model loaded.
    pub keep_alive_max_seconds: Option<u64>,
}

pub(super) fn check_admin(
    source: &Source<'_>,
    file: AdminFile,
    open_to_network: bool,
) -> Result<AdminConfig, ServeConfigError> {
    let listen = *file.listen.get_ref();
    if !listen.ip().is_loopback() && file.keys.is_empty() {
        let twice = if open_to_network { " (open_to_network does not open this listener)" } else { "" };
        let message = format!(
            "serve.admin.listen: found {listen}, which other machines can reach, and no [[serve.admin.keys]]; expected \
             a loopback address, or keys{twice}"
        );
        return Err(source.wrong(file.listen.span().start, message));
    }
    let mut names = BTreeSet::new();
    let mut keys = Vec::new();
    for key in file.keys {
        let (name, hash) = check_key(source, "serve.admin.keys", &key.name, &key.hash, &mut names)?;
        keys.push(AdminKey { name, role: key.role, hash });
    }
    Ok(AdminConfig { listen, allowed_hosts: file.allowed_hosts, keys })
}

pub(super) fn check_keys(
    source: &Source<'_>,
    files: Vec<KeyFile>,
) -> Result<Vec<ClientKey>, ServeConfigError> {
    let mut names = BTreeSet::new();
    let mut keys = Vec::new();
    for file in files {
        let (name, hash) = check_key(source, "serve.keys", &file.name, &file.hash, &mut names)?;
        let within = |key: &str, value: &Option<Spanned<u64>>, most: u64| {
            let value = value.as_ref();
            value.map(|value| source.within(&format!("serve.keys.{key}"), value, 1..most + 1)).transpose()
        };
        let narrow = |value: Option<u64>| value.map(|value| value as u32);
        let expires_unix_millis = match &file.expires {
            None => None,
            Some(date) => Some(unix_millis_of_date(date.get_ref()).ok_or_else(|| {
                let message = format!(
                    "serve.keys.expires: found {}, expected a date (2027-01-31, then midnight UTC) or a time with \
                     its offset (2027-01-31T18:00:00Z)",
                    date.get_ref()
                );
                source.wrong(date.span().start, message)
            })?),
        };
        keys.push(ClientKey {
            tenant: file.tenant.unwrap_or_else(|| name.clone()),
            name,
            hash,
            models: file.models,
            requests_per_minute: narrow(within("requests_per_minute", &file.requests_per_minute, 1_000_000)?),
            concurrency_max: narrow(within("concurrency_max", &file.concurrency_max, 1_000_000)?),
            tokens_per_day: within("tokens_per_day", &file.tokens_per_day, 1 << 50)?,
            priority: file.priority,
            expires_unix_millis,
            may_assert: file.may_assert,
            admin: file.admin,
            num_ctx_max: narrow(within("num_ctx_max", &file.num_ctx_max, 1 << 24)?),
            keep_alive_max_seconds: within("keep_alive_max_seconds", &file.keep_alive_max_seconds, 1 << 32)?,
        });
    }
    Ok(keys)
}

/// A name of its own, and a hash.
fn check_key(
    source: &Source<'_>,
    section: &str,
    name: &Spanned<String>,
    hash: &Spanned<String>,
    names: &mut BTreeSet<String>,
) -> Result<(String, KeyHash), ServeConfigError> {
    if name.get_ref().is_empty() || !names.insert(name.get_ref().clone()) {
        let message =
            format!("{section}.name: found {:?}, expected a name of its own for each key", name.get_ref());
        return Err(source.wrong(name.span().start, message));
    }
    if names.len() > KEYS_MAX {
        let message = format!("{section}: found more than {KEYS_MAX} keys, expected no more");
        return Err(source.wrong(name.span().start, message));
    }
    // What stands there is not repeated: it may be a key in the wrong place.
    let hash = KeyHash::parse(hash.get_ref()).ok_or_else(|| {
        let message = format!(
            "{section}.hash: expected \"blake3:\" and 64 hexadecimal digits, as `herder key new` prints"
        );
        source.wrong(hash.span().start, message)
    })?;
    Ok((name.get_ref().clone(), hash))
}
