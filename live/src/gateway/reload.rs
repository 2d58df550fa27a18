//! Reading the config file again: when the process gets SIGHUP, when the file has changed, or when an operator asks. The
//! whole file is checked before anything is taken over; a bad one changes nothing, and what is wrong is said with its
//! place. What cannot change at run time is named.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::MissedTickBehavior;

use super::config::ServeConfig;
use super::operator::{Changed, Operator, Refused};

/// How often the file is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// When a file was written, and its size; `None` where it is not there.
type Stamp = Option<(SystemTime, u64)>;

impl ServeConfig {
    /// Keys that differ in another reading of the file and are read at the start only. To be asked of the one that the
    /// process began with.
    pub(super) fn needs_restart(&self, other: &Self) -> Vec<String> {
        let admin =
            |config: &Self| config.admin.as_ref().map(|admin| (admin.listen, admin.allowed_hosts.clone()));
        #[cfg(feature = "tls")]
        let tls = self.tls != other.tls;
        #[cfg(not(feature = "tls"))]
        let tls = false;
        let differ = [
            ("serve.listen", self.listen != other.listen),
            ("serve.open_to_network", self.open_to_network != other.open_to_network),
            ("serve.tls", tls),
            ("serve.poll_millis", self.poll_millis != other.poll_millis),
            ("serve.poll_timeout_millis", self.poll_timeout_millis != other.poll_timeout_millis),
            ("serve.connect_timeout_millis", self.connect_timeout_millis != other.connect_timeout_millis),
            ("serve.log_dir", self.log_dir != other.log_dir),
            ("serve.remember", self.remember != other.remember),
            ("serve.log_queue_records", self.log_queue_records != other.log_queue_records),
            ("serve.log_segment_records", self.log_segment_records != other.log_segment_records),
            ("serve.log_fsync_millis", self.log_fsync_millis != other.log_fsync_millis),
            ("serve.log_gib_max", self.log_gib_max != other.log_gib_max),
            ("serve.total_timeout_seconds", self.total_timeout_seconds != other.total_timeout_seconds),
            ("serve.queued_body_bytes_max", self.queued_body_bytes_max != other.queued_body_bytes_max),
            ("serve.cors_origins", self.cors_origins != other.cors_origins),
            ("serve.allow_cloud_models", self.allow_cloud_models != other.allow_cloud_models),
            ("serve.response_headers", self.response_headers != other.response_headers),
            ("serve.seed", self.seed != other.seed),
            ("serve.body_bytes_max", self.body_bytes_max != other.body_bytes_max),
            ("serve.requests_max", self.requests_max != other.requests_max),
            ("serve.connections_max", self.connections_max != other.connections_max),
            ("serve.threads", self.threads != other.threads),
            ("serve.drain_seconds", self.drain_seconds != other.drain_seconds),
            ("serve.state_dir", self.state_dir != other.state_dir),
            ("serve.log_format", self.log_format != other.log_format),
            ("serve.insecure_registries", self.insecure_registries != other.insecure_registries),
            ("serve.registry_poll_seconds", self.registry_poll_seconds != other.registry_poll_seconds),
            ("serve.registry_poll_ollama", self.registry_poll_ollama != other.registry_poll_ollama),
            ("serve.manage", self.manage != other.manage),
            ("serve.admin", admin(self) != admin(other)),
        ];
        differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()).collect()
    }
}

/// Reads the file again and takes over what it says.
///
/// # Errors
/// Where it is bad, or nothing was read from a file: then all stays as it was.
pub(super) async fn reload(operator: &Operator, file: Option<&Path>) -> Result<Changed, Refused> {
    let file = file.ok_or_else(|| Refused::Conflict("the config was not read from a file".into()))?;
    let file = file.to_owned();
    let read = tokio::task::spawn_blocking(move || ServeConfig::read(&file)).await;
    let config = read.map_err(|_| Refused::Stopping)?.map_err(|error| Refused::Wrong(error.to_string()))?;
    operator.reload(config).await
}

/// Watches the file and the signal, as long as the gateway runs.
pub(super) async fn watch(operator: Arc<Operator>, file: PathBuf) {
    #[cfg(unix)]
    let mut hangup = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::error!(%error, "the config file is not watched");
            return;
        }
    };
    let mut beat = tokio::time::interval(PERIOD);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The file may have changed since it was read at the start: the first look finds it new, which changes nothing where
    // it has not.
    let (mut taken, mut before) = (None, None);
    loop {
        #[cfg(unix)]
        let asked = tokio::select! {
            _ = hangup.recv() => true,
            _ = beat.tick() => false,
        };
        #[cfg(not(unix))]
        let asked = {
            beat.tick().await;
            false
        };
        let now = stamp(&file).await;
        // One that is still being written is looked at again.
        let changed = now != taken && now == before && now.is_some();
        before = now;
        if asked || changed {
            taken = now;
            match reload(&operator, Some(&file)).await {
                Ok(changed) if asked || changed != Changed::default() => tell(&changed),
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "the config file was not taken over; all stays as it was")
                }
            }
        }
    }
}

/// Says in the log what was taken over.
pub(super) fn tell(changed: &Changed) {
    tracing::info!(changed = changed.changed.join("; "), "the config file was read again");
    if !changed.needs_restart.is_empty() {
        tracing::warn!(keys = changed.needs_restart.join(", "), "these keys change with a restart only");
    }
}

async fn stamp(file: &Path) -> Stamp {
    let file = file.to_owned();
    let read = move || {
        let facts = std::fs::metadata(file).ok()?;
        Some((facts.modified().ok()?, facts.len()))
    };
    tokio::task::spawn_blocking(read).await.ok().flatten()
}
