//! Where hosts are, and the connections to them that are kept for the next request.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use control::ids::HostId;
use hyper::http::uri::Authority;

use super::link::Link;

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// All hosts. To take something or to put it back takes some tens of nanoseconds, so one lock serves all.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<Way>>);

/// The way to a host.
struct Way {
    authority: Authority,
    /// Grows where the host moves or is forgotten: older connections are not kept.
    epoch: u32,
    /// Unused connections with the time since when, the oldest first.
    kept: VecDeque<(Instant, Link)>,
}

/// Where a request goes.
pub(super) struct Place {
    pub(super) authority: Authority,
    pub(super) epoch: u32,
    /// A connection that is open, as far as is known, and since when it is unused.
    pub(super) kept: Option<(Instant, Link)>,
}

impl Pool {
    fn ways(&self) -> MutexGuard<'_, Vec<Way>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says where a host is: one that is known, or the next.
    pub(super) fn set(&self, host: HostId, authority: Authority) {
        let mut ways = self.ways();
        match ways.get_mut(host.index()) {
            Some(way) if way.authority == authority => {}
            Some(way) => *way = Way { authority, epoch: way.epoch + 1, kept: VecDeque::new() },
            None => ways.push(Way { authority, epoch: 0, kept: VecDeque::new() }),
        }
    }

    /// Closes what is kept, and keeps nothing of what is under way.
    pub(super) fn close_kept(&self, host: HostId) {
        let kept = {
            let mut ways = self.ways();
            let way = &mut ways[host.index()];
            way.epoch += 1;
            std::mem::take(&mut way.kept)
        };
        drop(kept);
    }

    /// Where a host is, and the connection that was used last: those that were not used for long are the ones to close.
    pub(super) fn place(&self, host: HostId) -> Place {
        loop {
            let mut place = self.last_used(host);
            // Looked at, and closed, where nobody waits for it.
            let usable = match &mut place.kept {
                Some((since, link)) => since.elapsed() < IDLE && link.is_free(),
                None => true,
            };
            if usable {
                return place;
            }
        }
    }

    fn last_used(&self, host: HostId) -> Place {
        let mut ways = self.ways();
        let way = &mut ways[host.index()];
        Place { authority: way.authority.clone(), epoch: way.epoch, kept: way.kept.pop_back() }
    }

    /// Keeps a connection whose answer has ended, where it can be used again.
    pub(super) fn keep(&self, host: HostId, epoch: u32, mut link: Link) {
        if !link.is_free() {
            return;
        }
        let now = Instant::now();
        let old = {
            let mut ways = self.ways();
            let way = &mut ways[host.index()];
            let is_old = |(since, _): &(Instant, Link)| now.duration_since(*since) >= IDLE;
            let old_len = way.kept.iter().take_while(|kept| is_old(kept)).count();
            let old: Vec<_> = way.kept.drain(..old_len).collect();
            if way.epoch == epoch {
                way.kept.push_back((now, link));
            }
            old
        };
        // Closing takes longer than the lock may.
        drop(old);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}
