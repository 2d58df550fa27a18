//! The hosts as the gateway reaches them: where each is, and who asks it what it holds. Ids rise without gaps, so a host
//! that is taken out keeps its number and is no longer asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use control::ids::HostId;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::config::{HostEntry, ServeConfig};
use super::control_task::{Event, Question};
use super::hosts::{Hosts, Said};
use super::poll;
use super::upstream::Upstream;

/// How often a host that is being taken out is looked at.
const REMOVAL_PERIOD: Duration = Duration::from_millis(250);

/// All hosts.
pub(super) struct Fleet {
    config: Arc<ServeConfig>,
    pub(super) upstream: Upstream,
    pub(super) hosts: Arc<Hosts>,
    events: mpsc::UnboundedSender<Event>,
    /// By host.
    pollers: Mutex<Vec<AbortHandle>>,
}

impl Fleet {
    /// The hosts of the config, none of which is asked yet.
    pub(super) fn new(config: Arc<ServeConfig>, events: mpsc::UnboundedSender<Event>) -> Self {
        let upstream = Upstream::new(&config);
        let hosts = Arc::new(Hosts::default());
        for (index, host) in config.hosts.iter().enumerate() {
            hosts.declare(HostId(index as u32), &host.declaration.name);
        }
        Self { config, upstream, hosts, events, pollers: Mutex::default() }
    }

    /// Begins to ask all hosts of the config; the future ends when each was asked once.
    pub(super) fn start(&self) -> impl Future<Output = ()> + use<> {
        let asked: Vec<_> = self.config.hosts.iter().map(|host| self.poll_next(host)).collect();
        async move {
            for once in asked {
                // A poller ends only with the gateway.
                drop(once.await);
            }
        }
    }

    fn poll_next(&self, entry: &HostEntry) -> oneshot::Receiver<()> {
        let mut pollers = self.pollers.lock().unwrap_or_else(PoisonError::into_inner);
        let host = HostId(pollers.len() as u32);
        let name = &entry.declaration.name;
        let (poller, once) = poll::start(host, name, &self.config, &self.upstream, &self.hosts, &self.events);
        pollers.push(poller);
        once
    }

    /// Adds the next host, which control knows by now; ends when it was asked once.
    pub(super) async fn add(&self, host: HostId, entry: &HostEntry) {
        self.place(host, entry);
        // A poller ends only with the gateway.
        drop(self.poll_next(entry).await);
    }

    /// Says where a host is.
    pub(super) fn place(&self, host: HostId, entry: &HostEntry) {
        self.upstream.set(host, entry.authority.parse().expect("the entry was checked"));
        self.hosts.declare(host, &entry.declaration.name);
    }

    /// Waits until nothing runs on a host that gets nothing new, then asks it no more.
    pub(super) async fn forget(&self, host: HostId) {
        loop {
            let (reply, in_flight) = oneshot::channel();
            if self.events.send(Event::Ask(Question::InFlight { host, reply })).is_err() {
                return;
            }
            match in_flight.await {
                Ok(0) => break,
                Ok(_) => tokio::time::sleep(REMOVAL_PERIOD).await,
                Err(_) => return,
            }
        }
        if let Some(poller) = self.pollers.lock().unwrap_or_else(PoisonError::into_inner).get(host.index()) {
            poller.abort();
        }
        self.upstream.close_kept(host);
        self.hosts.set(host, Said::default());
        // Where control has ended there is nothing to forget.
        let _ = self.events.send(Event::Silent { host });
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for poller in self.pollers.get_mut().unwrap_or_else(PoisonError::into_inner) {
            poller.abort();
        }
    }
}
