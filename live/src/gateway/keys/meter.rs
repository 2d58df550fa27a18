//! What was used of a key: a token bucket of requests, requests under way, tokens of the day.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::DayUsage;
use crate::gateway::config::ClientKey;

const DAY_MILLIS: u64 = 86_400_000;
/// What a request costs in the bucket, which gains its limit each millisecond: a minute's milliseconds.
const REQUEST: u64 = 60_000;

/// Why nothing more can be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spent {
    Tokens { tokens_per_day: u64, retry_after_seconds: u64 },
    Concurrency(u32),
    Rate { requests_per_minute: u32, retry_after_seconds: u64 },
}

/// Counts of a key. The lock is held for a few instructions, once or twice a request.
#[derive(Debug)]
pub(super) struct Meter(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    usage: DayUsage,
    /// What was last given out to be written.
    written: DayUsage,
    running: u32,
    /// What the bucket lacks of being full, in parts of a request; and as of when.
    lacking: u64,
    as_of_millis: u64,
}

impl Meter {
    pub(super) fn new(usage: DayUsage) -> Self {
        Self(Mutex::new(Counts { usage, written: usage, running: 0, lacking: 0, as_of_millis: 0 }))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Nothing in here panics half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request in, and counts it.
    pub(super) fn begin(&self, unix_millis: u64, config: &ClientKey) -> Result<(), Spent> {
        let mut counts = self.counts();
        counts.turn(unix_millis);
        if let Some(tokens_per_day) = config.tokens_per_day
            && counts.usage.tokens >= tokens_per_day
        {
            let retry_after_seconds = (DAY_MILLIS - unix_millis % DAY_MILLIS).div_ceil(1_000);
            return Err(Spent::Tokens { tokens_per_day, retry_after_seconds });
        }
        if let Some(concurrency_max) = config.concurrency_max
            && counts.running >= concurrency_max
        {
            return Err(Spent::Concurrency(concurrency_max));
        }
        if let Some(requests_per_minute) = config.requests_per_minute {
            let rate = u64::from(requests_per_minute);
            let passed = unix_millis.saturating_sub(counts.as_of_millis);
            counts.lacking = counts.lacking.saturating_sub(passed.saturating_mul(rate));
            counts.as_of_millis = counts.as_of_millis.max(unix_millis);
            let beyond = (counts.lacking + REQUEST).saturating_sub(rate * REQUEST);
            if beyond > 0 {
                let retry_after_seconds = beyond.div_ceil(rate).div_ceil(1_000);
                return Err(Spent::Rate { requests_per_minute, retry_after_seconds });
            }
            counts.lacking += REQUEST;
        }
        counts.running += 1;
        Ok(())
    }

    /// A request that was let in has ended.
    pub(super) fn ended(&self) {
        let mut counts = self.counts();
        counts.running = counts.running.saturating_sub(1);
    }

    pub(super) fn used(&self, unix_millis: u64, tokens: u64) {
        let mut counts = self.counts();
        counts.turn(unix_millis);
        counts.usage.tokens = counts.usage.tokens.saturating_add(tokens);
    }

    /// Whether more was used than was written; then [`to_write`](Self::to_write) is a hundredth of the quota ahead.
    pub(super) fn is_news(&self, tokens_per_day: Option<u64>) -> bool {
        let mut counts = self.counts();
        let news = counts.usage.day != counts.written.day || counts.usage.tokens > counts.written.tokens;
        if news {
            let ahead = tokens_per_day.unwrap_or(0) / 100;
            let tokens = counts.usage.tokens.saturating_add(ahead);
            counts.written = DayUsage { tokens, ..counts.usage };
        }
        news
    }

    pub(super) fn to_write(&self) -> DayUsage {
        self.counts().written
    }

    pub(super) fn exact(&self) -> DayUsage {
        self.counts().usage
    }
}

impl Counts {
    /// Another day begins with nothing used. A clock that is set back does not begin one again.
    fn turn(&mut self, unix_millis: u64) {
        let day = unix_millis / DAY_MILLIS;
        if day > self.usage.day {
            self.usage = DayUsage { day, tokens: 0 };
        }
    }
}
