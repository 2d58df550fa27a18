//! A circuit breaker: a host that fails, or a model that fails there, is left alone for a while and then tried with a few
//! requests before it is trusted again.
//!
//! Closed: requests pass; their ends are counted in a sliding window. It trips on a share of failures, on failures in a row,
//! or on a share of slow first bytes. Open: none pass, for a time that doubles with each opening. Half-open: `probes`
//! requests pass; it closes when so many succeeded and opens again on the first that fails.
//!
//! An end of a request that was sent before the last change of state tells of the past and is not counted.
//!
//! Source: Nygard, Release It! (2018, ch. 5); the share in a window, and its figures, from Hystrix (20 requests, 50 %); failures
//! in a row, times that grow with each ejection and the share of hosts that may be ejected from Envoy's outlier detection and
//! gRPC's (proposal A50); probes from Finagle's failure accrual; slow calls from Resilience4j.

mod config;
mod window;

use serde::{Deserialize, Serialize};

pub use config::{BreakerConfig, BreakerFile, SlowConfig};
use window::{Counts, Window};

use crate::request::Failure;
use crate::units::{Instant, Nanos};

/// A breaker; closed by default, and small until something is counted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Breaker {
    state: State,
    /// When it came into this state.
    changed_at: Instant,
    /// Openings since it was last closed for a whole window; each doubles the time that it stays open.
    openings: u8,
    consecutive_failures: u32,
    window: Window,
}

/// What a breaker does with requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum State {
    /// Lets all through.
    #[default]
    Closed,
    /// Lets none through.
    Open {
        /// When it will be half-open.
        until: Instant,
    },
    /// Lets a few through to see.
    HalfOpen {
        /// Probes that were let through, less those that ended without a verdict.
        sent: u32,
        /// Probes that succeeded.
        succeeded: u32,
    },
}

/// When a request was sent, and when it was known how it went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Its dispatch.
    pub sent: Instant,
    /// Its end, or its first byte where that decides: now.
    pub ended: Instant,
}

/// A change of state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Transition {
    /// It opened.
    Opened {
        /// Until when.
        until: Instant,
        /// On what.
        trip: Trip,
    },
    /// Its time is over: probes may pass.
    HalfOpened,
    /// All may pass.
    Closed,
}

/// What opened a breaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trip {
    /// The share of failures in the window.
    FailureShare,
    /// Failures in a row.
    ConsecutiveFailures,
    /// The share of slow first bytes in the window.
    SlowShare,
    /// A probe failed.
    Probe,
}

/// What a breaker stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A host.
    Host,
    /// A model on a host.
    Model,
}

/// What a failed request says of the breaker's scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It counts against it: [`Breaker::on_failure`].
    Failure,
    /// It says nothing of it: [`Breaker::on_abandoned`].
    Neutral,
}

/// What a failure says of a host, or of a model there.
#[must_use]
pub const fn verdict(scope: Scope, failure: Failure) -> Verdict {
    match (failure, scope) {
        // A full queue is a sign of work done, and the client's own mistake would be one anywhere. A host without the model
        // answers well: what is known of its disk was old.
        (Failure::Busy | Failure::BadRequest | Failure::ModelMissing, _) => Verdict::Neutral,
        // No model is to blame that nothing listens: the host's breaker opens, and its models are as they were.
        (Failure::Unreachable, Scope::Model) => Verdict::Neutral,
        // A model too large for a host leaves the others well.
        (Failure::OutOfMemory, Scope::Host) => Verdict::Neutral,
        // The request may be to blame: quarantine looks after it.
        (Failure::RunnerGone, Scope::Host) => Verdict::Neutral,
        (Failure::Unreachable, Scope::Host) | (Failure::OutOfMemory | Failure::RunnerGone, Scope::Model) => {
            Verdict::Failure
        }
        (Failure::ServerError | Failure::FirstByteTimeout | Failure::IdleTimeout | Failure::Broken, _) => {
            Verdict::Failure
        }
    }
}

/// Whether one more of `hosts` may be left alone, where `ejected` are already: never more than `percent_max` of them, and
/// never the last. Where most fail, the fault is rarely theirs (Envoy's panic threshold and `max_ejection_percent`).
#[must_use]
pub const fn may_eject(ejected: u32, hosts: u32, percent_max: u32) -> bool {
    let after = ejected as u64 + 1;
    after < hosts as u64 && after * 100 <= percent_max as u64 * hosts as u64
}

impl Breaker {
    /// What it does with requests.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether a request may be sent.
    #[must_use]
    #[inline]
    pub const fn admits(&self, config: &BreakerConfig) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { .. } => false,
            State::HalfOpen { sent, .. } => sent < config.probes,
        }
    }

    /// When [`Self::on_time`] must be called; never where nothing is waited for.
    #[must_use]
    pub const fn wake(&self) -> Option<Instant> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed | State::HalfOpen { .. } => None,
        }
    }

    /// A request was sent.
    #[inline]
    pub fn on_sent(&mut self) {
        if let State::HalfOpen { sent, .. } = &mut self.state {
            *sent = sent.saturating_add(1);
        }
    }

    /// A request ended well; its first byte came after `ttft`.
    pub fn on_success(&mut self, span: Span, ttft: Nanos, config: &BreakerConfig) -> Option<Transition> {
        if span.sent < self.changed_at {
            return None;
        }
        match &mut self.state {
            State::Open { .. } => None,
            State::HalfOpen { succeeded, .. } => {
                *succeeded = succeeded.saturating_add(1);
                (*succeeded >= config.probes).then(|| self.close(span.ended))
            }
            State::Closed => {
                self.consecutive_failures = 0;
                let slow = config.slow.is_some_and(|slow| ttft > slow.ttft);
                self.count(span.ended, Counts { attempts: 1, failures: 0, slow: slow.into() }, config)
            }
        }
    }

    /// A request failed, and [`verdict`] says that it counts.
    pub fn on_failure(&mut self, span: Span, config: &BreakerConfig) -> Option<Transition> {
        if span.sent < self.changed_at {
            return None;
        }
        match self.state {
            State::Open { .. } => None,
            State::HalfOpen { .. } => Some(self.open(span.ended, Trip::Probe, config)),
            State::Closed => {
                self.consecutive_failures = self.consecutive_failures.saturating_add(1);
                self.count(span.ended, Counts { attempts: 1, failures: 1, slow: 0 }, config)
            }
        }
    }

    /// A request that was sent then ended without a verdict: its client left, or the failure is neutral. A probe's place is
    /// free again.
    pub fn on_abandoned(&mut self, sent_at: Instant) {
        if let State::HalfOpen { sent, .. } = &mut self.state
            && sent_at >= self.changed_at
        {
            *sent = sent.saturating_sub(1);
        }
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Instant) -> Option<Transition> {
        let State::Open { until } = self.state else { return None };
        if now < until {
            return None;
        }
        self.state = State::HalfOpen { sent: 0, succeeded: 0 };
        self.changed_at = now;
        Some(Transition::HalfOpened)
    }

    fn count(&mut self, now: Instant, counts: Counts, config: &BreakerConfig) -> Option<Transition> {
        let total = self.window.add(now, config.bucket(), counts);
        let share = |part: u32, percent: u32| {
            total.attempts >= config.requests_min
                && u64::from(part) * 100 >= u64::from(percent) * u64::from(total.attempts)
        };
        let trip = if self.consecutive_failures >= config.consecutive_failures_max {
            Trip::ConsecutiveFailures
        } else if share(total.failures, config.failures_percent) {
            Trip::FailureShare
        } else if config.slow.is_some_and(|slow| share(total.slow, slow.percent)) {
            Trip::SlowShare
        } else {
            return None;
        };
        Some(self.open(now, trip, config))
    }

    fn open(&mut self, now: Instant, trip: Trip, config: &BreakerConfig) -> Transition {
        if self.state == State::Closed && now.since(self.changed_at) >= config.window {
            self.openings = 0;
        }
        let until = now.saturating_add(config.open_for(self.openings));
        self.openings = self.openings.saturating_add(1);
        self.enter(State::Open { until }, now);
        Transition::Opened { until, trip }
    }

    fn close(&mut self, now: Instant) -> Transition {
        self.enter(State::Closed, now);
        Transition::Closed
    }

    fn enter(&mut self, state: State, now: Instant) {
        self.state = state;
        self.changed_at = now;
        self.consecutive_failures = 0;
        self.window = Window::default();
    }
}

#[cfg(test)]
mod tests;
