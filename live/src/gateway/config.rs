//! The file of `herder serve`: `[serve]` with its hosts, and `[control]`, the same text as in a scenario.

mod access;
pub(crate) mod manage;
mod registries;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use control::config::{Config, ControlFile};
use control::door::Declaration;
use control::strategy::{Requires, edits};
use control::sync::config::Mode;
use control::units::Bytes;
use hyper::Uri;
use serde::Deserialize;
use toml::Spanned;

use super::api::origins;
pub use access::{AdminConfig, AdminKey, ClientKey, MayAssert, Role};
pub use manage::ManageConfig;
#[cfg(feature = "tls")]
use written::TlsFile;
use written::{File, HostFile};

/// How the program's own log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// Text for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// A checked config.
#[derive(Clone, PartialEq, Debug)]
pub struct ServeConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How often each host is asked what it holds.
    pub poll_millis: u64,
    /// How long each question may take.
    pub poll_timeout_millis: u64,
    /// How long a connection to a host may take to open.
    pub connect_timeout_millis: u64,
    /// Folder of the decision log; `None` keeps none.
    pub log_dir: Option<PathBuf>,
    /// Whether what answers taught is taken over from that log at the start.
    pub remember: bool,
    /// Records that wait for the disk at most; beyond them the log has a gap.
    pub log_queue_records: usize,
    /// Records after which a new segment begins.
    pub log_segment_records: u64,
    /// A record is on the disk at most so long after it was written.
    pub log_fsync_millis: u64,
    /// GiB of all segments of the log; the oldest make room.
    pub log_gib_max: u64,
    /// Seed of every draw that control makes.
    pub seed: u64,
    /// Largest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// Requests under way at most; more get 503.
    pub requests_max: usize,
    /// Connections of clients at most; more wait in the system's queue.
    pub connections_max: usize,
    /// Threads that serve; `None` for half of the machine's cores ([`ServeConfig::threads`]).
    pub threads: Option<usize>,
    /// How long running answers may take after the gateway was told to stop.
    pub drain_seconds: u64,
    /// How long an answer that is not streamed may take on hosts, all attempts together.
    pub total_timeout_seconds: u64,
    /// Bytes of all bodies together that wait for an answer to begin; beyond them new ones get 503.
    pub queued_body_bytes_max: usize,
    /// Whose pages may use the API from a browser: origins with at most one `*` each.
    pub cors_origins: Vec<String>,
    /// Serve models that forward prompts to a cloud service.
    pub allow_cloud_models: bool,
    /// Tell clients the request's id and the host, in headers.
    pub response_headers: bool,
    /// Certificate and key for clients; without, HTTP is not encrypted.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::server::tls::TlsFiles>,
    /// Whether it was said that other machines may reach it.
    pub open_to_network: bool,
    /// Folder of what must outlive a restart (what operators changed, use of keys); `None` keeps none.
    pub state_dir: Option<PathBuf>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// The operator's listener; `None` where there is none.
    pub admin: Option<AdminConfig>,
    /// Who may change what hosts have on their disks, and how.
    pub manage: ManageConfig,
    /// Registries that speak plain HTTP (`host` or `host:port`, in small letters).
    pub insecure_registries: Vec<String>,
    /// How often registries are asked what they hold under the names of managed models.
    pub registry_poll_seconds: u64,
    /// Whether the registry of names that name none is asked too.
    pub registry_poll_ollama: bool,
    /// Keys of clients; with none, whoever reaches the gateway is served.
    pub keys: Vec<ClientKey>,
    /// The hosts; a host's id is its place.
    pub hosts: Vec<HostEntry>,
    /// How to decide.
    pub control: Config,
    /// The same as it is written: what an operator changes is laid over it.
    pub control_file: ControlFile,
    /// The file that all this was read from, to be read again.
    pub file: Option<PathBuf>,
}

/// A host of the config.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostEntry {
    /// `host:port`.
    pub authority: String,
    /// What control is told of it.
    pub declaration: Declaration,
}

/// What is wrong with a config file.
#[derive(Debug, thiserror::Error)]
pub enum ServeConfigError {
    /// It cannot be read.
    #[error("{}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Something in it cannot be taken.
    #[error("{}:{line}:{column}: {message}", file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What was found, what was expected.
        message: String,
    },
}

/// A text with its name, for errors that say where.
struct Source<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn wrong(&self, at: usize, message: String) -> ServeConfigError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ServeConfigError::Wrong {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
        }
    }

    fn within(&self, key: &str, value: &Spanned<u64>, range: Range<u64>) -> Result<u64, ServeConfigError> {
        let found = *value.get_ref();
        if range.contains(&found) {
            return Ok(found);
        }
        let message = format!("{key}: found {found}, expected {} to {}", range.start, range.end - 1);
        Err(self.wrong(value.span().start, message))
    }

    /// Where the value of a key of `[control]` stands; the file's start where the key is not written.
    fn control_key(&self, key: &str) -> usize {
        let Ok(table) = toml::de::DeTable::parse(self.text) else { return 0 };
        let control = table.get_ref().get("control").and_then(|control| control.get_ref().as_table());
        let key = key.split('.').next().unwrap_or(key);
        control.and_then(|control| control.get(key)).map_or(0, |value| value.span().start)
    }
}

impl ServeConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Where it cannot be read, or with the place of the first thing that cannot be taken.
    pub fn read(path: &Path) -> Result<Self, ServeConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ServeConfigError::Unreadable { file: path.to_owned(), source })?;
        Ok(Self { file: Some(path.to_owned()), ..Self::parse(&text, path)? })
    }

    /// Checks a text; `path` stands for it in errors.
    ///
    /// # Errors
    /// With the place of the first thing that cannot be taken.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ServeConfigError> {
        let source = Source { file: path, text };
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            source.wrong(at, suggest(error.message()))
        })?;
        let control = file
            .control
            .check()
            .map_err(|error| source.wrong(source.control_key(&error.key), error.to_string()))?;
        if let Some((key, message)) = beyond_a_gateway(&control) {
            return Err(source.wrong(source.control_key(key), message));
        }
        let serve_at = file.serve.span().start;
        let serve = file.serve.into_inner();
        let listen = *serve.listen.get_ref();
        if !listen.ip().is_loopback() && !serve.open_to_network && serve.keys.is_empty() {
            let message = format!(
                "serve.listen: found {listen}, which other machines can reach, and no keys are asked for; expected \
                 a loopback address, [[serve.keys]], or open_to_network = true beside it"
            );
            return Err(source.wrong(serve.listen.span().start, message));
        }
        #[cfg(not(feature = "tls"))]
        if let Some(tls) = &serve.tls {
            let message =
                "serve.tls: found certificate and key, and this build of herder has no TLS; expected none"
                    .into();
            return Err(source.wrong(tls.span().start, message));
        }
        let mut hosts = Vec::new();
        let mut known = Known::default();
        for host in serve.hosts {
            hosts.push(check_host(&source, host, &mut known)?);
        }
        if hosts.is_empty() {
            let message = "serve.hosts: found none, expected at least one [[serve.hosts]]".into();
            return Err(source.wrong(serve_at, message));
        }
        let admin = serve.admin.map(|admin| access::check_admin(&source, admin, serve.open_to_network));
        let day = 24 * 3_600_000;
        let count = |key, value| source.within(key, value, 1..10_000_001).map(|value| value as usize);
        Ok(Self {
            listen,
            poll_millis: source.within("serve.poll_millis", &serve.poll_millis, 10..day)?,
            poll_timeout_millis: source.within(
                "serve.poll_timeout_millis",
                &serve.poll_timeout_millis,
                10..day,
            )?,
            connect_timeout_millis: source.within(
                "serve.connect_timeout_millis",
                &serve.connect_timeout_millis,
                1..day,
            )?,
            log_dir: serve.log_dir,
            remember: serve.remember,
            log_queue_records: count("serve.log_queue_records", &serve.log_queue_records)?,
            log_segment_records: source.within(
                "serve.log_segment_records",
                &serve.log_segment_records,
                1..1 << 40,
            )?,
            log_fsync_millis: source.within("serve.log_fsync_millis", &serve.log_fsync_millis, 1..day)?,
            log_gib_max: source.within("serve.log_gib_max", &serve.log_gib_max, 1..1 << 20)?,
            seed: serve.seed,
            body_bytes_max: source.within("serve.body_bytes_max", &serve.body_bytes_max, 1..1 << 32)?
                as usize,
            requests_max: count("serve.requests_max", &serve.requests_max)?,
            connections_max: count("serve.connections_max", &serve.connections_max)?,
            threads: serve
                .threads
                .map(|threads| source.within("serve.threads", &threads, 1..1_025))
                .transpose()?
                .map(|threads| threads as usize),
            drain_seconds: source.within("serve.drain_seconds", &serve.drain_seconds, 0..86_401)?,
            total_timeout_seconds: source.within(
                "serve.total_timeout_seconds",
                &serve.total_timeout_seconds,
                1..86_401,
            )?,
            queued_body_bytes_max: source.within(
                "serve.queued_body_bytes_max",
                &serve.queued_body_bytes_max,
                1..1 << 40,
            )? as usize,
            cors_origins: check_origins(&source, serve.cors_origins)?,
            allow_cloud_models: serve.allow_cloud_models,
            response_headers: serve.response_headers,
            #[cfg(feature = "tls")]
            tls: serve.tls.map(|tls| {
                let TlsFile { cert, key } = tls.into_inner();
                crate::server::tls::TlsFiles { cert, key }
            }),
            open_to_network: serve.open_to_network,
            state_dir: serve.state_dir,
            log_format: serve.log_format,
            admin: admin.transpose()?,
            manage: manage::check_manage(&source, &serve.manage)?,
            insecure_registries: registries::check_insecure(&source, &serve.insecure_registries)?,
            registry_poll_seconds: source.within(
                "serve.registry_poll_seconds",
                &serve.registry_poll_seconds,
                1..86_401,
            )?,
            registry_poll_ollama: serve.registry_poll_ollama,
            keys: access::check_keys(&source, serve.keys)?,
            hosts,
            control,
            control_file: file.control,
            file: None,
        })
    }

    /// Threads that serve, at least one: where the config does not say, half of the cores. Each hand-over between threads costs
    /// more than what is handed over is worth, and one thread serves more requests than hundreds of hosts answer.
    #[must_use]
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.unwrap_or_else(|| (cores() / 2).max(1))
    }
}

/// What of a config no gateway can do: the key, what was found, and what was expected.
pub(super) fn beyond_a_gateway(control: &Config) -> Option<(&'static str, String)> {
    if control.sync.as_ref().is_some_and(|sync| sync.mode == Mode::Gossip) {
        let message =
            "control.sync.mode: found \"gossip\", expected another mode: no Ollama can fetch from another";
        return Some(("sync.mode", message.to_owned()));
    }
    if control.sync.as_ref().is_some_and(|sync| sync.peers) {
        let message = "control.sync.peers: found true, expected false: no Ollama can fetch from another";
        return Some(("sync.peers", message.to_owned()));
    }
    if control.scale.as_ref().is_some_and(|scale| scale.act) {
        let message =
            "control.scale.act: found true, expected false: this gateway neither starts nor stops hosts";
        return Some(("scale.act", message.to_owned()));
    }
    for (requires, why) in [
        (
            Requires::Metrics,
            "a strategy that requires no metrics: the gateway has no source of them, and Ollama tells none",
        ),
        (
            Requires::Oracle,
            "a strategy that requires no oracle: only the simulator knows an answer's length before it is given",
        ),
    ] {
        if let Some((key, name)) = control.strategy_that(requires) {
            return Some((key, format!("control.{key}: found {name:?}, expected {why}")));
        }
    }
    None
}

/// Ollama's own where none are written: pages of this machine, and applications that are no pages.
fn check_origins(
    source: &Source<'_>,
    origins: Option<Vec<Spanned<String>>>,
) -> Result<Vec<String>, ServeConfigError> {
    let Some(origins) = origins else { return Ok(origins::local()) };
    let mut checked = Vec::new();
    for origin in origins {
        if !origins::is_pattern(origin.get_ref()) {
            let message = format!(
                "serve.cors_origins: found {:?}, expected \"*\", or SCHEME://HOST[:PORT] with at most one * in it",
                origin.get_ref()
            );
            return Err(source.wrong(origin.span().start, message));
        }
        checked.push(origin.into_inner());
    }
    Ok(checked)
}

/// Hosts that were checked before.
#[derive(Default)]
struct Known {
    names: BTreeSet<String>,
    /// Whose each address is, in small letters.
    authorities: BTreeMap<String, String>,
}

fn check_host(source: &Source<'_>, host: HostFile, known: &mut Known) -> Result<HostEntry, ServeConfigError> {
    let name = host.name.get_ref().clone();
    if name.is_empty() || !known.names.insert(name.clone()) {
        let again = if name.is_empty() { "" } else { " again" };
        let message =
            format!("serve.hosts.name: found {name:?}{again}, expected a name of its own for each host");
        return Err(source.wrong(host.name.span().start, message));
    }
    let authority = authority(host.url.get_ref()).ok_or_else(|| {
        let message = format!(
            "serve.hosts.url: found {:?}, expected http://HOST:PORT without path or user",
            host.url.get_ref()
        );
        source.wrong(host.url.span().start, message)
    })?;
    if let Some(other) = known.authorities.insert(authority.to_ascii_lowercase(), name.clone()) {
        let message = format!(
            "serve.hosts.url: found {:?} again, which is host {other:?}; expected each host once",
            host.url.get_ref()
        );
        return Err(source.wrong(host.url.span().start, message));
    }
    let declaration = Declaration {
        name,
        slots: source.within("serve.hosts.slots", &host.slots, 1..1_000_001)? as u32,
        memory: Bytes::from_gib(source.within("serve.hosts.memory_gib", &host.memory_gib, 0..1 << 20)?),
        disk: Bytes::from_gib(source.within("serve.hosts.disk_gib", &host.disk_gib, 0..1 << 20)?),
        loaded_max: source.within("serve.hosts.loaded_models_max", &host.loaded_models_max, 0..1_001)? as u32,
        gpu: host.gpu,
        weight: source.within("serve.hosts.weight", &host.weight, 1..1_000_001)? as u32,
        tier: host.tier,
        zone: host.zone,
        ram: Bytes::from_gib(source.within("serve.hosts.ram_gib", &host.ram_gib, 0..1 << 20)?),
        context_tokens: source.within("serve.hosts.context_tokens", &host.context_tokens, 0..1 << 24)? as u32,
        cost_cents_per_hour: host.cost_cents_per_hour,
        capabilities: host.capabilities,
        metrics: false,
        standby: false,
    };
    Ok(HostEntry { authority, declaration })
}

impl HostEntry {
    /// Whether it is at this `host:port`.
    pub(super) fn is_at(&self, authority: &str) -> bool {
        self.authority.eq_ignore_ascii_case(authority)
    }

    /// A host as it is written in `[[serve.hosts]]`, but in JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn from_json(written: &serde_json::Value) -> Result<Self, String> {
        let text = toml::to_string(written).map_err(|error| error.to_string())?;
        let host = toml::from_str(&text).map_err(|error: toml::de::Error| suggest(error.message()))?;
        // The text is ours: places in it mean nothing to whoever wrote the JSON.
        let source = Source { file: Path::new(""), text: &text };
        check_host(&source, host, &mut Known::default()).map_err(|error| match error {
            ServeConfigError::Wrong { message, .. } => message,
            error @ ServeConfigError::Unreadable { .. } => error.to_string(),
        })
    }
}

/// `host:port` of a plain HTTP address; the port that Ollama listens on where none is given.
fn authority(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let bare = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
    let authority = uri.authority().filter(|authority| bare && !authority.as_str().contains('@'))?;
    match authority.port_u16() {
        Some(_) => Some(authority.to_string()),
        None if authority.as_str().ends_with(authority.host()) => Some(format!("{}:11434", authority.host())),
        None => None,
    }
}

/// The message, with the nearest of the expected keys where a key is unknown.
pub(super) fn suggest(message: &str) -> String {
    let Some((found, expected)) =
        message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'))
    else {
        return message.to_owned();
    };
    let known = expected.split('`').skip(1).step_by(2);
    let nearest = known.map(|key| (edits(found, key), key)).min();
    match nearest {
        Some((distance, key)) if distance <= 1 + found.len() / 4 => {
            format!("{message} (did you mean `{key}`?)")
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
