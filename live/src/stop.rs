//! When to stop: the signals by which a program is asked to end.

use std::io;

/// Ends with the first SIGINT or SIGTERM (elsewhere than on Unix: Ctrl-C).
///
/// # Errors
/// Where no handler can be installed.
pub async fn signal() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
