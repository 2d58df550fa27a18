//! The gateway: carries out on real hosts what control decides.
//!
//! One task ([`core`](self)) owns control and is the only one that calls it. A request's task sends it what happened and
//! is sent what to do; tokens go from the host's connection to the client's without passing through it. Pollers ask
//! each host what it holds. A thread writes the decision log.
//!
//! Time is the wall's, as nanoseconds since the start, and never goes back. Bounds: requests under way
//! (`requests_max`), connections (`connections_max`), size of a body (`body_bytes_max`) and of all that wait
//! (`queued_body_bytes_max`), records that wait for the disk (`log_queue_records`), names of models that clients may bring up ([`NAMES_MAX`]).

mod act;
mod admin;
mod api;
mod background;
mod config;
mod control_task;
mod copies;
mod decision_log;
mod fleet;
mod folder_lock;
mod guarded;
mod hosts;
mod kept;
pub mod keys;
mod metrics;
mod notes;
mod operator;
mod poll;
mod progress;
mod registry;
mod relay;
mod reload;
mod remembered;
mod request_log;
mod state;
mod survey;
mod ticket;
mod turn;
mod upstream;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use control::facts::Counters;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use traces::log::LogError;

pub use config::{
    AdminConfig, AdminKey, ClientKey, HostEntry, LogFormat, ManageConfig, MayAssert, Role, ServeConfig,
    ServeConfigError,
};
pub use control_task::NAMES_MAX;

pub use admin::SetLogLevel;
pub use folder_lock::FolderError;
pub use state::StateError;

use act::Actions;
use admin::{Admin, AdminService, Phase};
use control_task::{ControlTask, Event};
use decision_log::DecisionLog;
use fleet::Fleet;
use kept::Kept;
use metrics::Recorder;
use operator::Operator;
use registry::Watch;

use crate::clock::Clock;
use crate::server;

/// Connections of operators at most.
const ADMIN_CONNECTIONS_MAX: usize = 256;
/// How long an answer to an operator may take after the gateway has ended.
const ADMIN_DRAIN: Duration = Duration::from_millis(500);

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
    /// A folder cannot be had.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What must outlive a restart cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// Certificate or key cannot be taken.
    #[cfg(feature = "tls")]
    #[error("serve.tls: {0}")]
    Tls(server::tls::TlsError),
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
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    /// The operator's side, with where it listens.
    admin: Option<(TcpListener, SocketAddr)>,
    set_log_level: Option<SetLogLevel>,
    tls: Option<server::Tls>,
    config: ServeConfig,
    kept: Kept,
    counters: watch::Sender<Counters>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Listens, and opens the state and the log.
    ///
    /// # Errors
    /// Where an address is taken, another gateway has one of the folders, or what is in them cannot be read or gone on with.
    pub async fn bind(config: ServeConfig) -> Result<Self, ServeError> {
        let (listener, address) = listen(config.listen)?;
        let admin = match &config.admin {
            Some(admin) => Some(listen(admin.listen)?),
            None => None,
        };
        let tls = start_tls(&config)?;
        let (config, kept) = Kept::open(config)?;
        let counters = watch::Sender::default();
        Ok(Self { listener, address, admin, set_log_level: None, tls, config, kept, counters })
    }

    /// Lets operators set the level of the program's log lines.
    #[must_use]
    pub fn with_log_level(self, set: SetLogLevel) -> Self {
        Self { set_log_level: Some(set), ..self }
    }

    /// Where it listens; with port 0 in the config this is the port that was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the operator's side listens, if there is one.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(_, address)| *address)
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
    /// Where the log or the state cannot be written, or control panics.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<ServeSummary, ServeError> {
        let Kept { folder, operated, keys, learned, log, locks: _locks } = self.kept;
        let config = Arc::new(self.config);
        let clock = Clock::start(1);
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| ServeError::System {
            what: "a key for the hashes of prompts",
            source: io::Error::other(error.to_string()),
        })?;

        let (events, incoming) = mpsc::unbounded_channel();
        let requests_ended = metrics::ended_requests();
        let recorder = Recorder::new(unix_millis(), requests_ended.clone());
        let fleet = Arc::new(Fleet::new(Arc::clone(&config), events.clone()));
        let pushed = Arc::new(Notify::new());
        let (upstream, hosts) = (fleet.upstream.clone(), Arc::clone(&fleet.hosts));
        let actions = Actions::new(&config, upstream, hosts, &events, Arc::clone(&pushed));
        let mut task = ControlTask::new(&config, clock, log, actions, self.counters, recorder);
        if let Some(learned) = learned {
            remembered::take_over(&mut task, &learned, &config.hosts);
        }
        let mut control = tokio::spawn(task.run(incoming));
        let operator =
            Operator::new(operated, Arc::clone(&fleet), events.clone(), folder.clone(), Arc::clone(&keys));
        let operator = Arc::new(operator);
        operator.resume().await;
        let background = background::start(&config, &operator, folder.as_ref(), &requests_ended);
        let (phase, _) = watch::channel(Phase::Starting);
        let admin = self.admin.map(|(listener, _)| {
            let admin = Admin {
                operator: Arc::clone(&operator),
                events: events.clone(),
                ended: requests_ended.clone(),
                phase: phase.subscribe(),
                file: config.file.clone(),
                allowed_hosts: config
                    .admin
                    .as_ref()
                    .map_or_else(Vec::new, |admin| admin.allowed_hosts.clone()),
                set_log_level: self.set_log_level.clone(),
                streams: Admin::streams(),
            };
            tokio::spawn(serve_admin(listener, admin, phase.subscribe()))
        });

        let mut shutdown = std::pin::pin!(shutdown);
        let stopped_early = tokio::select! {
            () = &mut shutdown => true,
            () = fleet.start() => false,
        };
        phase.send_replace(Phase::Serving);
        let watch = Watch::new(&config, events.clone());
        let _watching =
            AbortOnDrop(tokio::spawn(watch.run(Duration::from_secs(config.registry_poll_seconds), pushed)));
        let shutdown = async {
            if !stopped_early {
                shutdown.await;
            }
            tracing::info!(drain_seconds = config.drain_seconds, "stopping: running requests may finish");
            phase.send_replace(Phase::Draining);
        };

        let (upstream, hosts) = (fleet.upstream.clone(), Arc::clone(&fleet.hosts));
        let service =
            api::GatewayService::new(&config, upstream, hosts, events.clone(), key, Arc::clone(&keys));
        let drain = Duration::from_secs(config.drain_seconds);
        let tls = self.tls;
        #[cfg(feature = "tls")]
        let _renewing = tls.clone().map(|tls| AbortOnDrop(tokio::spawn(tls.watch())));
        let serving = server::serve(self.listener, service, tls, config.connections_max, shutdown, drain);
        let connections_cut_off = tokio::select! {
            cut_off = serving => cut_off,
            // Control ends before it is told to only by a panic; then nothing can be served.
            ended = &mut control => return Err(panicked(ended.map(drop))),
        };
        phase.send_replace(Phase::Ended);
        if let Some(admin) = admin {
            // It has its own short time to end; a panic there is in the log already.
            let _ = admin.await;
        }
        let (done, stopped) = oneshot::channel();
        if events.send(Event::Stop(done)).is_err() {
            return Err(panicked(control.await.map(drop)));
        }
        // Where control panics now, the handle below says so.
        drop(stopped.await);
        let (summary, log) = control.await.map_err(|error| panicked(Err(error)))?;
        drop(requests_ended);
        background.finish().await;
        let finished = tokio::task::spawn_blocking(move || {
            let written = log.map_or(Ok(()), DecisionLog::finish).map_err(ServeError::Log);
            let usage = folder.map_or(Ok(()), |folder| folder.write(background::USAGE_FILE, &keys.usage()));
            written.and(usage.map_err(ServeError::State))
        });
        finished.await.map_err(|error| panicked(Err(error)))??;
        Ok(ServeSummary { connections_cut_off, ..summary })
    }
}

#[cfg(feature = "tls")]
fn start_tls(config: &ServeConfig) -> Result<Option<server::Tls>, ServeError> {
    let files = config.tls.clone();
    files.map(server::Tls::new).transpose().map_err(ServeError::Tls)
}

#[cfg(not(feature = "tls"))]
fn start_tls(_: &ServeConfig) -> Result<Option<server::Tls>, ServeError> {
    Ok(None)
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Listen { address, source };
    let listener = server::listen(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Serves operators until the gateway has ended.
async fn serve_admin(listener: TcpListener, admin: Admin, mut phase: watch::Receiver<Phase>) {
    let address = listener.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string());
    if admin.operator.admin_keys().is_empty() {
        tracing::warn!(
            address,
            "no [[serve.admin.keys]]: whoever reaches the operator's side may do everything"
        );
    } else {
        tracing::info!(address, "the operator's side asks for keys");
    }
    let ended = async move {
        // An error says that the gateway is gone, which is the same.
        let _ = phase.wait_for(|phase| *phase == Phase::Ended).await;
    };
    server::serve(listener, AdminService::new(admin), None, ADMIN_CONNECTIONS_MAX, ended, ADMIN_DRAIN).await;
}

/// A task that ends with whoever started it.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The wall's time in milliseconds since 1970; 0 where it is set before.
fn unix_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
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
