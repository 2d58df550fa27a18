//! The gateway: carries out on real hosts what control decides.
//!
//! One task ([`core`](self)) owns control and is the only one that calls it. A request's task sends it what happened and
//! is sent what to do; tokens go from the host's connection to the client's without passing through it. Pollers ask
//! each host what it holds. A thread writes the decision log.
//!
//! Time is the wall's, as nanoseconds since the start, and never goes back. Bounds: requests under way
//! (`requests_max`), connections (`connections_max`), size of a body (`body_bytes_max`), records that wait for the
//! disk (`log_queue_records`), names of models that clients may bring up ([`NAMES_MAX`]).

mod config;
mod control_task;
mod decision_log;
mod hosts;
mod http;
pub mod keys;
mod poll;
mod relay;
mod ticket;
mod upstream;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use control::facts::Counters;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use traces::log::LogError;

pub use config::{
    AdminConfig, AdminKey, ClientKey, HostEntry, LogFormat, MayAssert, Role, ServeConfig, ServeConfigError,
};
pub use control_task::NAMES_MAX;

use control_task::{ControlTask, Event};
use decision_log::DecisionLog;
use hosts::Hosts;
use upstream::Upstream;

use crate::clock::Clock;
use crate::server;

/// Why a gateway cannot start, or ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The decision log cannot be written. Serving goes on without it; this is told at the end.
    #[error("decision log: {0}")]
    Log(#[from] LogError),
    /// The system refuses something else.
    #[error("{what}: {source}")]
    System {
        /// What was wanted.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// Control met a broken invariant.
    #[error("control panicked: {0}")]
    Panicked(String),
}

/// What a gateway did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServeSummary {
    /// What passed control's door.
    pub counters: Counters,
    /// Steps of control.
    pub steps: u64,
    /// Steps that are missing in the decision log because the disk was slow.
    pub log_steps_lost: u64,
    /// Connections that were cut off at the end, since their answers took too long.
    pub connections_cut_off: usize,
}

/// A gateway that listens, and answers once it runs.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    config: ServeConfig,
    counters: watch::Sender<Counters>,
}

impl Gateway {
    /// Listens.
    ///
    /// # Errors
    /// Where the address is taken.
    pub async fn bind(config: ServeConfig) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, config, counters: watch::Sender::default() })
    }

    /// Where it listens; with port 0 in the config this is the port that was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has passed control's door, while the gateway runs.
    #[must_use]
    pub fn counters(&self) -> watch::Receiver<Counters> {
        self.counters.subscribe()
    }

    /// Asks every host once, then serves until `shutdown` ends; then refuses new requests, lets running ones finish
    /// for at most `drain_seconds`, and writes the rest of the log.
    ///
    /// # Errors
    /// Where the log cannot be written, or control panics.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<ServeSummary, ServeError> {
        let config = Arc::new(self.config);
        let clock = Clock::start(1);
        let log = match &config.log_dir {
            Some(folder) => Some(DecisionLog::open(folder, config.log_queue_records)?),
            None => None,
        };
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| ServeError::System {
            what: "a key for the hashes of prompts",
            source: io::Error::other(error.to_string()),
        })?;

        let (events, incoming) = mpsc::unbounded_channel();
        let task = ControlTask::new(&config, clock, log, self.counters);
        let mut control = tokio::spawn(task.run(incoming));
        let upstream = Upstream::new(&config);
        let hosts = Arc::new(Hosts::new(config.hosts.len()));
        let mut pollers = JoinSet::new();
        let polled = poll::start(&config, &upstream, &hosts, &events, &mut pollers);
        let mut shutdown = std::pin::pin!(shutdown);
        let stopped_early = tokio::select! {
            () = &mut shutdown => true,
            () = polled => false,
        };
        let shutdown = async {
            if !stopped_early {
                shutdown.await;
            }
        };

        let service = http::GatewayService::new(&config, upstream, hosts, events.clone(), key);
        let drain = Duration::from_secs(config.drain_seconds);
        let serving = server::serve(self.listener, service, config.connections_max, shutdown, drain);
        let connections_cut_off = tokio::select! {
            cut_off = serving => cut_off,
            // Control ends before it is told to only by a panic; then nothing can be served.
            ended = &mut control => return Err(panicked(ended.map(drop))),
        };
        pollers.shutdown().await;
        let (done, stopped) = oneshot::channel();
        if events.send(Event::Stop(done)).is_err() {
            return Err(panicked(control.await.map(drop)));
        }
        // Where control panics now, the handle below says so.
        drop(stopped.await);
        let ended = control.await.map_err(|error| panicked(Err(error)))?;
        let (summary, log) = ended;
        if let Some(log) = log {
            let finished = tokio::task::spawn_blocking(move || log.finish()).await;
            finished.map_err(|error| panicked(Err(error)))??;
        }
        Ok(ServeSummary { connections_cut_off, ..summary })
    }
}

fn panicked(ended: Result<(), tokio::task::JoinError>) -> ServeError {
    let why = match ended.map_err(tokio::task::JoinError::try_into_panic) {
        Err(Ok(panic)) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
            .unwrap_or_default(),
        _ => "its task ended".into(),
    };
    ServeError::Panicked(why)
}
