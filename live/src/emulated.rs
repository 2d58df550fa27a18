//! The emulated host: the host model of `sim-host` on the wall clock, behind Ollama's API. It needs no GPU and no
//! model, and answers with made-up words at the pace of a profile.
//!
//! One task ([`driver`](self)) owns the model and sleeps until its next event; each request's task waits for what the
//! model says of it. What a real host knows by running the model is made up by stated rules (`answer`): a token is
//! [`PROMPT_BYTES_PER_TOKEN`] bytes of prompt, and the length of an answer is drawn by the request's hash.
//!
//! It has all that a gateway uses: Ollama's own calls, those of OpenAI and Anthropic that Ollama translates, lists,
//! `pull`, `push`, `create`, `copy`, `delete` and blobs. On request it does wrong what real hosts do wrong
//! ([`FaultFile`]), from its start or while it runs, by `/emulated/faults`.
//!
//! Left out: Ollama's cloud, images and speech that models make, `/api/me` and what belongs to it.

mod answer;
mod capabilities;
mod control_path;
mod dialect;
mod disk;
mod driver;
mod embed;
mod faults;
mod generate;
mod http;
mod models;
mod origin;
mod schema;
mod script;
mod setup;
mod shared;
mod stream;
mod transfer;
mod wishes;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

pub use answer::{PROMPT_BYTES_PER_TOKEN, answer_tokens};
pub use faults::{FaultError, FaultFile};
pub use setup::{EmulatedOptions, HostSetupError};

use crate::server;
use setup::Plan;
use shared::Shared;

/// Most connections at once.
const CONNECTIONS_MAX: usize = 16_384;
/// How long running answers may take after a host was told to end; Ollama gives none.
const DRAIN: Duration = Duration::ZERO;

/// An emulated host that listens.
#[derive(Debug)]
pub struct EmulatedHost {
    listener: TcpListener,
    address: SocketAddr,
    plan: Plan,
    speed: u32,
}

impl EmulatedHost {
    /// Looks up what the options name, and listens.
    ///
    /// # Errors
    /// Where a GPU or model is unknown, a number is out of its range, or the address is taken.
    pub async fn bind(options: &EmulatedOptions) -> Result<Self, HostSetupError> {
        let plan = options.plan()?;
        let failed = |source| HostSetupError::Listen { address: options.listen, source };
        let listener = server::listen(options.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, plan, speed: options.speed })
    }

    /// Where it listens; with port 0 in the options this is the port that was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` ends. Dropping the future is a host that dies: all connections break off.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Plan { spec, disk, registry, faults, pull_bytes_per_second } = self.plan;
        let (handle, driver) = driver::start(Arc::new(spec), self.speed);
        let permille = faults.permille();
        let local_only = self.address.ip().is_loopback();
        let shared = Shared::new(handle.clone(), disk, faults, registry, pull_bytes_per_second, local_only);
        let service = http::HostService::new(shared);
        let serving = async {
            handle.slow(permille).await;
            server::serve(self.listener, service, None, CONNECTIONS_MAX, shutdown, DRAIN).await;
        };
        tokio::select! {
            () = serving => {}
            () = driver => {}
        }
    }
}
