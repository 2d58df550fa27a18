//! What goes on beside serving: use of keys goes to the disk, requests to the log, the config file is watched.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::config::ServeConfig;
use super::keys::Keys;
use super::metrics::DecisionRecord;
use super::operator::Operator;
use super::state::StateFolder;
use super::{reload, request_log};

/// Name of the file in the state folder that holds what keys have used.
pub(super) const USAGE_FILE: &str = "usage.json";
/// How often it is written, where something was used.
const USAGE_PERIOD: Duration = Duration::from_secs(1);

/// Most time for the last lines of the request log.
const LAST_LINES_MAX: Duration = Duration::from_secs(1);

/// All that goes on. It ends when this is dropped.
pub(super) struct Background {
    request_log: oneshot::Receiver<()>,
    _others: JoinSet<()>,
}

impl Background {
    /// Ends when the last lines are written; nobody may be left to tell of ended requests.
    pub(super) async fn finish(self) {
        // Where it takes longer, nobody reads the lines.
        let _ = tokio::time::timeout(LAST_LINES_MAX, self.request_log).await;
    }
}

/// Starts it all.
pub(super) fn start(
    config: &ServeConfig,
    operator: &Arc<Operator>,
    folder: Option<&StateFolder>,
    ended: &broadcast::Sender<Arc<DecisionRecord>>,
) -> Background {
    let mut tasks = JoinSet::new();
    let request_log = request_log::start(ended.subscribe());
    if let Some(file) = &config.file {
        tasks.spawn(reload::watch(Arc::clone(operator), file.clone()));
    }
    if let Some(folder) = folder {
        tasks.spawn(write_usage(Arc::clone(&operator.keys), folder.clone()));
    }
    Background { request_log, _others: tasks }
}

async fn write_usage(keys: Arc<Keys>, folder: StateFolder) {
    let mut beat = tokio::time::interval(USAGE_PERIOD);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let Some(usage) = keys.news() else { continue };
        let folder = folder.clone();
        let written = tokio::task::spawn_blocking(move || folder.write(USAGE_FILE, &usage)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "what keys have used is not written down");
        }
    }
}
