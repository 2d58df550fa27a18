//! Asking hosts what they hold. `/api/version` tells whether a host lives; a late `/api/ps` or `/api/tags` only leaves
//! what was known stale, since a host that loads may be slow to answer.

use std::sync::Arc;
use std::time::Duration;

use control::ids::HostId;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use super::config::ServeConfig;
use super::control_task::{Event, Holds};
use super::hosts::{Hosts, Said};
use super::upstream::{NoAnswer, Upstream};
use crate::wire::lists::{Entry, ModelList, VersionAnswer};

/// Polls without an answer after which a host counts as silent.
const MISSES_MAX: u32 = 3;

/// Starts a poller for a host. The channel ends when the host was asked once, answered or not; what it said is in
/// the queue of events by then.
pub(super) fn start(
    host: HostId,
    config: &ServeConfig,
    upstream: &Upstream,
    hosts: &Arc<Hosts>,
    events: &mpsc::UnboundedSender<Event>,
) -> (AbortHandle, oneshot::Receiver<()>) {
    let (done, once) = oneshot::channel();
    let poller = Poller {
        host,
        upstream: upstream.clone(),
        hosts: Arc::clone(hosts),
        events: events.clone(),
        timeout: Duration::from_millis(config.poll_timeout_millis),
        version: String::new(),
        loaded: None,
        stored: None,
        said: Said::default(),
        misses: 0,
    };
    let task = tokio::spawn(poller.run(Duration::from_millis(config.poll_millis), done));
    (task.abort_handle(), once)
}

struct Poller {
    host: HostId,
    upstream: Upstream,
    hosts: Arc<Hosts>,
    events: mpsc::UnboundedSender<Event>,
    timeout: Duration,
    version: String,
    loaded: Option<Vec<Entry>>,
    stored: Option<Vec<Entry>>,
    said: Said,
    misses: u32,
}

impl Poller {
    async fn run(mut self, period: Duration, done: oneshot::Sender<()>) {
        let mut beat = tokio::time::interval(period);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut done = Some(done);
        while !self.events.is_closed() {
            beat.tick().await;
            match self.poll().await {
                Ok(()) => self.answered(),
                Err(NoAnswer) => self.missed(),
            }
            if let Some(done) = done.take() {
                // Nobody waits where the gateway was dropped.
                let _ = done.send(());
            }
        }
    }

    /// # Errors
    /// Where the host does not live.
    async fn poll(&mut self) -> Result<(), NoAnswer> {
        let version = self.upstream.get(self.host, "/api/version", self.timeout).await?;
        let version: VersionAnswer = serde_json::from_slice(&version).map_err(|_| NoAnswer)?;
        self.version.clone_from(&version.version);
        self.said.version = Some(version.version);
        if let Some((list, entries)) = self.list("/api/ps").await {
            self.said.ps = list;
            self.loaded = Some(entries);
        }
        if let Some((list, entries)) = self.list("/api/tags").await {
            self.said.tags = list;
            self.stored = Some(entries);
        }
        Ok(())
    }

    async fn list(&self, path: &'static str) -> Option<(ModelList, Vec<Entry>)> {
        let body = self.upstream.get(self.host, path, self.timeout).await.ok()?;
        serde_json::from_slice::<ModelList>(&body).ok().map(ModelList::read)
    }

    fn answered(&mut self) {
        self.misses = 0;
        if let (Some(loaded), Some(stored)) = (&self.loaded, &self.stored) {
            let (version, loaded, stored) = (self.version.clone(), loaded.clone(), stored.clone());
            self.tell(Event::Heard { host: self.host, holds: Holds { version, loaded, stored } });
        }
        // Control hears first: what clients can list, they can ask for.
        self.hosts.set(self.host, self.said.clone());
    }

    fn missed(&mut self) {
        self.misses = self.misses.saturating_add(1);
        if self.misses == MISSES_MAX {
            self.tell(Event::Silent { host: self.host });
            self.hosts.set(self.host, Said::default());
        }
    }

    fn tell(&self, event: Event) {
        // Where control has ended, the loop sees that the channel is closed.
        let _ = self.events.send(event);
    }
}
