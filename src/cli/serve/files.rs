//! How many files may be open: connections are files, and the usual limit of 1,024 is for programs that call `select`.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files besides connections: the log, the listeners, what the system's libraries open.
const OTHER_FILES: u64 = 256;

/// Raises the limit to what so many connections of clients need, each with one to a host, as far as the system lets a program
/// do that itself; where that is too little, says so.
pub(super) fn allow_open(connections_max: usize) {
    let needed = 2 * connections_max as u64 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    let allowed = needed.min(limit.maximum.unwrap_or(u64::MAX));
    if limit.current.is_some_and(|current| current < allowed)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), ..limit })
    {
        tracing::warn!(%error, "the limit of open files stays as it is");
        return;
    }
    if allowed < needed {
        tracing::warn!(
            allowed,
            needed,
            "fewer files may be open (ulimit -Hn) than serve.connections_max can need: beyond them clients wait"
        );
    }
}
