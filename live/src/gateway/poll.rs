//! Asking hosts what they hold. `/api/version` tells whether a host lives; a late `/api/ps` or `/api/tags` only leaves
//! what was known stale, since a host that loads may be slow to answer.

use std::sync::Arc;
use std::time::Duration;

use control::draw::mix;
use control::ids::HostId;
use control::observe::{Liveness, Turn};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::config::ServeConfig;
use super::control_task::{Event, Holds};
use super::hosts::{Hosts, Said};
use super::upstream::{NoAnswer, Upstream};
use crate::wire::lists::{Entry, ModelList, VersionAnswer};

/// Share of the period, in percent, by which a pause between polls is longer or shorter: many gateways, or many hosts, do not
/// ask in step.
const JITTER_PERCENT: u32 = 10;

/// Starts a poller for a host. The channel ends when the host was asked once, answered or not; what it said is in
/// the queue of events by then.
pub(super) fn start(
    host: HostId,
    name: &str,
    config: &ServeConfig,
    upstream: &Upstream,
    hosts: &Arc<Hosts>,
    events: &mpsc::UnboundedSender<Event>,
) -> (AbortHandle, oneshot::Receiver<()>) {
    let (done, once) = oneshot::channel();
    let poller = Poller {
        host,
        name: name.to_owned(),
        upstream: upstream.clone(),
        hosts: Arc::clone(hosts),
        events: events.clone(),
        timeout: Duration::from_millis(config.poll_timeout_millis),
        version: String::new(),
        loaded: None,
        stored: None,
        said: Said::default(),
        liveness: Liveness::default(),
    };
    let task = tokio::spawn(poller.run(Duration::from_millis(config.poll_millis), done));
    (task.abort_handle(), once)
}

struct Poller {
    host: HostId,
    /// For log lines.
    name: String,
    upstream: Upstream,
    hosts: Arc<Hosts>,
    events: mpsc::UnboundedSender<Event>,
    timeout: Duration,
    version: String,
    loaded: Option<Vec<Entry>>,
    stored: Option<Vec<Entry>>,
    said: Said,
    liveness: Liveness,
}

impl Poller {
    async fn run(mut self, period: Duration, done: oneshot::Sender<()>) {
        let mut done = Some(done);
        let changed = self.hosts.changed(self.host);
        for round in 0_u32.. {
            if self.events.is_closed() {
                break;
            }
            let answer = self.poll().await;
            match self.liveness.polled(answer.is_ok()) {
                Some(Turn::Silent) => self.fell_silent(),
                Some(Turn::Heard) => tracing::info!(host = self.name, "a host answers again"),
                None => {}
            }
            if answer.is_ok() && !self.liveness.is_silent() {
                self.answered();
            }
            if let Some(done) = done.take() {
                // Nobody waits where the gateway was dropped.
                let _ = done.send(());
            }
            // What was changed through this gateway is to be known at once.
            let _ = tokio::time::timeout(jittered(period, self.host, round), changed.notified()).await;
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
        if let (Some(loaded), Some(stored)) = (&self.loaded, &self.stored) {
            let (version, loaded, stored) = (self.version.clone(), loaded.clone(), stored.clone());
            self.tell(Event::Heard { host: self.host, holds: Holds { version, loaded, stored } });
        }
        // Control hears first: what clients can list, they can ask for.
        self.hosts.set(self.host, self.said.clone());
    }

    fn fell_silent(&self) {
        tracing::warn!(host = self.name, "a host does not answer its polls");
        self.tell(Event::Silent { host: self.host });
        self.hosts.set(self.host, Said::default());
    }

    fn tell(&self, event: Event) {
        // Where control has ended, the loop sees that the channel is closed.
        let _ = self.events.send(event);
    }
}

/// A pause of the period, more or less.
fn jittered(period: Duration, host: HostId, round: u32) -> Duration {
    let drawn = mix(u64::from(host.0) << 32 | u64::from(round)) % u64::from(2 * JITTER_PERCENT + 1);
    period * (100 - JITTER_PERCENT + drawn as u32) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_by_a_tenth_at_most_and_keep_their_mean() {
        let period = Duration::from_millis(1_000);
        let pauses: Vec<Duration> = (0..2_000).map(|round| jittered(period, HostId(3), round)).collect();
        assert!(pauses.iter().all(|pause| (900..=1_100).contains(&pause.as_millis())));
        let mean = pauses.iter().sum::<Duration>() / 2_000;
        assert!((990..=1_010).contains(&mean.as_millis()), "{mean:?}");
        assert_ne!(jittered(period, HostId(4), 0), jittered(period, HostId(5), 0));
    }
}
