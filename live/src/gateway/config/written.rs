//! The file of `herder serve` as it is written: every number has its unit in its key. What is checked is in
//! [`ServeConfig`](super::ServeConfig).

use std::net::SocketAddr;
use std::path::PathBuf;

use control::config::ControlFile;
use serde::Deserialize;
use toml::Spanned;

use super::{LogFormat, access, manage};

/// All of it.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) serve: Spanned<ServeFile>,
    #[serde(default)]
    pub(super) control: ControlFile,
}

/// `[serve]` as written.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct ServeFile {
    #[serde(default = "default_listen")]
    pub(super) listen: Spanned<SocketAddr>,
    #[serde(default)]
    pub(super) open_to_network: bool,
    #[serde(default)]
    pub(super) tls: Option<Spanned<TlsFile>>,
    #[serde(default = "default_poll_millis")]
    pub(super) poll_millis: Spanned<u64>,
    #[serde(default = "default_poll_timeout_millis")]
    pub(super) poll_timeout_millis: Spanned<u64>,
    #[serde(default = "default_connect_timeout_millis")]
    pub(super) connect_timeout_millis: Spanned<u64>,
    #[serde(default)]
    pub(super) log_dir: Option<PathBuf>,
    #[serde(default = "default_remember")]
    pub(super) remember: bool,
    #[serde(default = "default_log_queue_records")]
    pub(super) log_queue_records: Spanned<u64>,
    #[serde(default = "default_log_segment_records")]
    pub(super) log_segment_records: Spanned<u64>,
    #[serde(default = "default_log_fsync_millis")]
    pub(super) log_fsync_millis: Spanned<u64>,
    #[serde(default = "default_log_gib_max")]
    pub(super) log_gib_max: Spanned<u64>,
    #[serde(default)]
    pub(super) seed: u64,
    #[serde(default = "default_body_bytes_max")]
    pub(super) body_bytes_max: Spanned<u64>,
    #[serde(default = "default_requests_max")]
    pub(super) requests_max: Spanned<u64>,
    #[serde(default = "default_connections_max")]
    pub(super) connections_max: Spanned<u64>,
    #[serde(default)]
    pub(super) threads: Option<Spanned<u64>>,
    #[serde(default = "default_drain_seconds")]
    pub(super) drain_seconds: Spanned<u64>,
    #[serde(default = "default_total_timeout_seconds")]
    pub(super) total_timeout_seconds: Spanned<u64>,
    #[serde(default = "default_queued_body_bytes_max")]
    pub(super) queued_body_bytes_max: Spanned<u64>,
    #[serde(default)]
    pub(super) cors_origins: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) allow_cloud_models: bool,
    #[serde(default = "default_response_headers")]
    pub(super) response_headers: bool,
    #[serde(default)]
    pub(super) state_dir: Option<PathBuf>,
    #[serde(default)]
    pub(super) log_format: LogFormat,
    #[serde(default)]
    pub(super) admin: Option<access::AdminFile>,
    #[serde(default)]
    pub(super) manage: manage::ManageFile,
    #[serde(default)]
    pub(super) insecure_registries: Vec<Spanned<String>>,
    #[serde(default = "default_registry_poll_seconds")]
    pub(super) registry_poll_seconds: Spanned<u64>,
    #[serde(default)]
    pub(super) registry_poll_ollama: bool,
    #[serde(default)]
    pub(super) keys: Vec<access::KeyFile>,
    #[serde(default)]
    pub(super) hosts: Vec<HostFile>,
}

/// `[serve.tls]` as written.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "such a file is refused"))]
pub(super) struct TlsFile {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

/// `[[serve.hosts]]` as written.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct HostFile {
    pub(super) name: Spanned<String>,
    pub(super) url: Spanned<String>,
    #[serde(default = "default_slots")]
    pub(super) slots: Spanned<u64>,
    #[serde(default = "unknown")]
    pub(super) memory_gib: Spanned<u64>,
    #[serde(default = "unknown")]
    pub(super) disk_gib: Spanned<u64>,
    #[serde(default = "unknown")]
    pub(super) loaded_models_max: Spanned<u64>,
    #[serde(default)]
    pub(super) gpu: String,
    #[serde(default = "default_weight")]
    pub(super) weight: Spanned<u64>,
    #[serde(default)]
    pub(super) tier: u8,
    #[serde(default)]
    pub(super) zone: String,
    #[serde(default = "unknown")]
    pub(super) ram_gib: Spanned<u64>,
    #[serde(default = "unknown")]
    pub(super) context_tokens: Spanned<u64>,
    #[serde(default)]
    pub(super) cost_cents_per_hour: u32,
    #[serde(default)]
    pub(super) capabilities: Vec<String>,
}

pub(super) fn unwritten<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}
fn default_listen() -> Spanned<SocketAddr> {
    unwritten(SocketAddr::from(([127, 0, 0, 1], 11_434)))
}
fn default_poll_millis() -> Spanned<u64> {
    unwritten(1_000)
}
fn default_poll_timeout_millis() -> Spanned<u64> {
    unwritten(5_000)
}
fn default_connect_timeout_millis() -> Spanned<u64> {
    unwritten(5_000)
}
fn default_remember() -> bool {
    true
}
fn default_log_queue_records() -> Spanned<u64> {
    unwritten(65_536)
}
fn default_log_segment_records() -> Spanned<u64> {
    unwritten(1_000_000)
}
fn default_log_fsync_millis() -> Spanned<u64> {
    unwritten(1_000)
}
fn default_log_gib_max() -> Spanned<u64> {
    unwritten(10)
}
fn default_body_bytes_max() -> Spanned<u64> {
    unwritten(32 << 20)
}
fn default_requests_max() -> Spanned<u64> {
    unwritten(16_384)
}
fn default_connections_max() -> Spanned<u64> {
    unwritten(16_384)
}
fn default_drain_seconds() -> Spanned<u64> {
    unwritten(30)
}
fn default_total_timeout_seconds() -> Spanned<u64> {
    unwritten(600)
}
fn default_queued_body_bytes_max() -> Spanned<u64> {
    unwritten(1 << 30)
}
fn default_registry_poll_seconds() -> Spanned<u64> {
    unwritten(300)
}
fn default_response_headers() -> bool {
    true
}
fn default_slots() -> Spanned<u64> {
    unwritten(1)
}
fn unknown() -> Spanned<u64> {
    unwritten(0)
}
fn default_weight() -> Spanned<u64> {
    unwritten(100)
}
