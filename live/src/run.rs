//! Entry points of a program: run until SIGINT or SIGTERM, on a runtime of their own.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tokio::runtime::{Builder, Runtime};

use crate::emulated::{EmulatedHost, EmulatedOptions, HostSetupError};
use crate::gateway::{self, ServeError, ServeSummary};
use crate::stop;

/// Why an emulated host cannot run.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// What it was to be made from.
    #[error(transparent)]
    Setup(#[from] HostSetupError),
    /// The system refuses threads or signals.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build()
}

/// Ends with a signal; where signals cannot be had it says so and never ends.
async fn signalled() {
    if let Err(error) = stop::signal().await {
        tracing::error!(%error, "signals cannot be heard: end this program by force");
        std::future::pending().await
    }
}

/// `herder serve`: serves by a config file; `ready` is told where the gateway listens.
///
/// # Errors
/// As [`gateway::serve`].
pub fn gateway(path: &Path, ready: impl FnOnce(SocketAddr)) -> Result<ServeSummary, ServeError> {
    let runtime = runtime().map_err(|source| ServeError::System { what: "threads", source })?;
    runtime.block_on(gateway::serve(path, signalled(), ready))
}

/// `herder host`: serves an emulated host; `ready` is told where it listens.
///
/// # Errors
/// Where the options are wrong, or the address is taken.
pub fn host(options: &EmulatedOptions, ready: impl FnOnce(SocketAddr)) -> Result<(), HostError> {
    runtime()?.block_on(async {
        let host = EmulatedHost::bind(options).await?;
        ready(host.address());
        host.run(signalled()).await;
        Ok(())
    })
}
