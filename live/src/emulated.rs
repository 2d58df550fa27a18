//! The emulated host: the host model of `sim-host` on the wall clock, behind Ollama's API. It needs no GPU and no
//! model, and answers with made-up words at the pace of a profile.
//!
//! One task ([`driver`](self)) owns the model and sleeps until its next event; each request's task waits for what the
//! model says of it. What a real host knows by running the model is made up by stated rules (`answer`): a token is
//! [`PROMPT_BYTES_PER_TOKEN`] bytes of prompt, and the length of an answer is drawn by the request's hash.
//!
//! Left out: embeddings, management calls, OpenAI's API, images.

mod answer;
mod driver;
mod http;
mod setup;
mod stream;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sim_host::host::HostSpec;
use tokio::net::TcpListener;

pub use answer::{PROMPT_BYTES_PER_TOKEN, answer_tokens};
pub use setup::{EmulatedOptions, HostSetupError};

use crate::server;

/// Most connections at once.
const CONNECTIONS_MAX: usize = 16_384;
/// How long running answers may take after a host was told to end; Ollama gives none.
const DRAIN: Duration = Duration::ZERO;

/// An emulated host that listens.
#[derive(Debug)]
pub struct EmulatedHost {
    listener: TcpListener,
    address: SocketAddr,
    spec: Arc<HostSpec>,
    speed: u32,
}

impl EmulatedHost {
    /// Looks up what the options name, and listens.
    ///
    /// # Errors
    /// Where a GPU or model is unknown, a number is out of its range, or the address is taken.
    pub async fn bind(options: &EmulatedOptions) -> Result<Self, HostSetupError> {
        let spec = Arc::new(options.spec()?);
        let failed = |source| HostSetupError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, spec, speed: options.speed.max(1) })
    }

    /// Where it listens; with port 0 in the options this is the port that was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` ends. Dropping the future is a host that dies: all connections break off.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        serve_host(self.spec, self.speed, self.listener, shutdown).await;
    }
}

/// Serves a host on a listener until `shutdown` ends, `speed` times as fast as the wall clock.
pub async fn serve_host(
    spec: Arc<HostSpec>,
    speed: u32,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) {
    let (handle, driver) = driver::start(spec, speed);
    let service = http::HostService::new(handle);
    tokio::select! {
        _ = server::serve(listener, service, CONNECTIONS_MAX, shutdown, DRAIN) => {}
        () = driver => {}
    }
}
