//! How many requests a host should be given at once, learned from when first bytes come: as many as it works on, and hardly
//! more, since what waits here can still go elsewhere.
//!
//! The queue at the host is estimated as in TCP Vegas: of `limit` requests under way, of which the first byte takes `ttft`
//! where it took `baseline` without a queue, `limit · (1 − baseline / ttft)` wait. While fewer than `queue_requests_min` wait,
//! the limit rises by one a round (doubles until the first queue is seen, as in TCP's slow start); while more than
//! `queue_requests_max` wait, it falls by half of the excess. A round is twice as many answers as the limit, and after a
//! change as many as were under way pass unmeasured, since they were sent before.
//!
//! Requests differ in length, so both times are minima: of a round (as in CoDel, only a queue that stands through all of it
//! counts) and of one to two spans of `baseline_millis`. A standing queue would in time pass for the baseline, so at the
//! end of each span the limit is halved for a round, so that the queue drains (as in BBR). Callers feed requests whose model
//! was loaded: a load is no queue. Minima need times with a floor: where they have none (log-normal) and more than about
//! eight are under way, divide them by what was expected first, or the limit stays too low.
//!
//! A host of `c` servers is held between `c` and `1.1 c + 3` and a few, by the default tolerance and queue. Where all times
//! are equal, answers come in lockstep, some request of each batch never waits, and it may be up to `2 c`.
//!
//! Sources: Brakmo, Peterson: TCP Vegas (IEEE JSAC 13(8), 1995); Netflix concurrency-limits (VegasLimit, Gradient2Limit);
//! Nichols, Jacobson: Controlling queue delay (ACM Queue 10(5), 2012); Cardwell et al.: BBR (ACM Queue 14(5), 2016).

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::config::bounds::{error, millis, within};
use crate::units::{Instant, Nanos};

/// Answers of a round at least: the minimum of one or two is no minimum.
const ROUND_ANSWERS_MIN: u32 = 8;
/// Answers of a round for each request of the limit.
const ROUND_LIMITS: u32 = 2;

/// `[control.limit]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitFile {
    /// Requests under way at once at first.
    pub requests_start: u32,
    /// Requests under way at once at least.
    pub requests_min: u32,
    /// Requests under way at once at most.
    pub requests_max: u32,
    /// While fewer wait at the host, the limit rises.
    pub queue_requests_min: u32,
    /// While more wait at the host, it falls.
    pub queue_requests_max: u32,
    /// By how much the least time of a round may be above the baseline without a queue, in percent of it.
    pub tolerance_percent: u32,
    /// After how long the time without a queue is measured anew. A host that became slower for good is understood after two.
    pub baseline_millis: u64,
}

impl Default for LimitFile {
    fn default() -> Self {
        Self {
            requests_start: 4,
            requests_min: 1,
            requests_max: 256,
            queue_requests_min: 1,
            queue_requests_max: 3,
            tolerance_percent: 10,
            baseline_millis: 300_000,
        }
    }
}

/// A checked [`LimitFile`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LimitConfig {
    /// Requests under way at once at first.
    pub requests_start: u32,
    /// Requests under way at once at least; at least 1.
    pub requests_min: u32,
    /// Requests under way at once at most.
    pub requests_max: u32,
    /// While fewer wait at the host, the limit rises; at least 1.
    pub queue_requests_min: u32,
    /// While more wait at the host, it falls; at least `queue_requests_min`.
    pub queue_requests_max: u32,
    /// By how much the least time of a round may be above the baseline without a queue: 0 to 1,000 percent.
    pub tolerance_percent: u32,
    /// After how long the time without a queue is measured anew.
    pub baseline: Nanos,
}

impl LimitFile {
    /// Checks every key.
    ///
    /// # Errors
    /// The first key that cannot be taken, with what was expected of it.
    pub fn check(&self) -> Result<LimitConfig, ConfigError> {
        let most = 65_536;
        let requests_max = within("limit.requests_max", self.requests_max, (1, most))?;
        let requests_min = within("limit.requests_min", self.requests_min, (1, requests_max.into()))?;
        let start = (requests_min.into(), requests_max.into());
        let queue_requests_min = within("limit.queue_requests_min", self.queue_requests_min, (1, most))?;
        if self.queue_requests_max < queue_requests_min {
            let found = self.queue_requests_max;
            return Err(error("limit.queue_requests_max", found, "at least queue_requests_min"));
        }
        Ok(LimitConfig {
            requests_start: within("limit.requests_start", self.requests_start, start)?,
            requests_min,
            requests_max,
            queue_requests_min,
            queue_requests_max: within("limit.queue_requests_max", self.queue_requests_max, (1, most))?,
            tolerance_percent: within("limit.tolerance_percent", self.tolerance_percent, (0, 1_000))?,
            baseline: millis("limit.baseline_millis", self.baseline_millis)?,
        })
    }
}

/// The limit of a host.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Limit {
    /// None before the first answer.
    requests: Option<u32>,
    /// Whether a queue was seen: from then on it rises by one.
    damped: bool,
    /// Answers still to come of requests sent before the last change.
    unmeasured: u32,
    round: Round,
    baseline: Baseline,
    /// Where to return after the round in which the host's queue drains.
    resume: Option<u32>,
}

/// The answers of a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Round {
    answers: u32,
    ttft_min: Option<Nanos>,
    /// Those that came while the limit was reached.
    reached: u32,
}

/// Least times of the running span and of the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Baseline {
    since: Option<Instant>,
    running: Option<Nanos>,
    before: Option<Nanos>,
}

fn least(one: Option<Nanos>, other: Option<Nanos>) -> Option<Nanos> {
    one.into_iter().chain(other).min()
}

impl Limit {
    /// Requests that may be under way at once.
    #[must_use]
    pub fn requests(&self, config: &LimitConfig) -> u32 {
        self.requests.unwrap_or(config.requests_start).clamp(config.requests_min, config.requests_max)
    }

    /// A first byte came after `ttft`, with `in_flight` requests under way there, this one included. Gives the limit from now on.
    pub fn on_first_byte(&mut self, now: Instant, ttft: Nanos, in_flight: u32, config: &LimitConfig) -> u32 {
        let requests = self.requests(config);
        self.baseline.since.get_or_insert(now);
        self.baseline.running = least(self.baseline.running, Some(ttft));
        if self.unmeasured > 0 {
            self.unmeasured -= 1;
            return requests;
        }
        self.round.answers += 1;
        self.round.ttft_min = least(self.round.ttft_min, Some(ttft));
        self.round.reached += u32::from(in_flight >= requests);
        if self.round.answers < (ROUND_LIMITS * requests).max(ROUND_ANSWERS_MIN) {
            return requests;
        }
        let round = core::mem::take(&mut self.round);
        let next = if let Some(resume) = self.resume.take() {
            resume
        } else if self.baseline.has_ended(now, config) {
            self.baseline = Baseline { since: Some(now), running: None, before: self.baseline.running };
            self.resume = Some(requests);
            // Half, so that a baseline that was too high, and a limit with it, comes back.
            requests / 2
        } else {
            self.adjusted(requests, round, config)
        };
        let next = next.clamp(config.requests_min, config.requests_max);
        if next != requests {
            self.unmeasured = requests;
        }
        self.requests = Some(next);
        next
    }

    fn adjusted(&mut self, requests: u32, round: Round, config: &LimitConfig) -> u32 {
        let baseline = least(self.baseline.running, self.baseline.before).unwrap_or_default();
        let without_queue = u128::from(baseline.0) * u128::from(100 + config.tolerance_percent) / 100;
        let ttft = u128::from(round.ttft_min.unwrap_or_default().0);
        let late = u128::from(requests) * ttft.saturating_sub(without_queue);
        let queue = late.checked_div(ttft).unwrap_or(0) as u32;
        if queue >= config.queue_requests_min {
            self.damped = true;
            let excess = queue.saturating_sub(config.queue_requests_max);
            return requests - excess.div_ceil(2);
        }
        // A limit that is not reached all along says nothing of a higher one: bursts would raise it without end.
        match (8 * round.reached >= 7 * round.answers, self.damped) {
            (false, _) => requests,
            (true, false) => requests.saturating_mul(2),
            (true, true) => requests + 1,
        }
    }
}

impl Baseline {
    fn has_ended(&self, now: Instant, config: &LimitConfig) -> bool {
        self.since.is_some_and(|since| now.since(since) >= config.baseline)
    }
}

#[cfg(test)]
mod tests;
