//! When to stop: the signals by which a program is asked to end.

use std::future::{Future, pending};

/// From now on SIGINT and SIGTERM (elsewhere than on Unix: Ctrl-C) do not end the program, but what is returned. Where no
/// handler can be installed they still end the program, which is right as well, and what is returned never ends.
///
/// # Panics
/// Outside a runtime of tokio.
pub fn signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::interrupt())
            .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)))
    };
    async move {
        #[cfg(unix)]
        if let Ok((mut interrupt, mut terminate)) = signals {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_ok() {
            return;
        }
        pending().await
    }
}
