//! When a breaker trips, and for how long.

use serde::{Deserialize, Serialize};

use super::window::BUCKETS;
use crate::config::ConfigError;
use crate::config::bounds::{error, millis, within};
use crate::units::Nanos;

/// `[control.breaker]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerFile {
    /// For how long an end of a request is counted; it moves on by a tenth of itself. Longer than the 10 s of Hystrix and Envoy,
    /// since answers of a model take seconds.
    pub window_millis: u64,
    /// Ends in the window from which on a share says something (Hystrix: 20).
    pub requests_min: u32,
    /// Share of failures that trips it, in percent (Hystrix: 50).
    pub failures_percent: u32,
    /// Failures in a row that trip it (Envoy, Finagle: 5).
    pub consecutive_failures_max: u32,
    /// A first byte later than this is slow; none is where absent.
    pub slow_ttft_millis: Option<u64>,
    /// Share of slow first bytes that trips it, in percent (Resilience4j: 100).
    pub slow_percent: u32,
    /// How long it stays open at first (Hystrix, Finagle: 5 s).
    pub open_millis: u64,
    /// How long it stays open at most, however often it opened (Envoy, gRPC, Finagle: 300 s).
    pub open_millis_max: u64,
    /// Requests let through when half-open, all of which must succeed (Hystrix: 1).
    pub probes: u32,
    /// Most hosts to be left alone at once, in percent. Envoy and gRPC say 10; a fleet of Ollama hosts is small.
    pub ejected_percent_max: u32,
}

impl Default for BreakerFile {
    fn default() -> Self {
        Self {
            window_millis: 30_000,
            requests_min: 20,
            failures_percent: 50,
            consecutive_failures_max: 5,
            slow_ttft_millis: None,
            slow_percent: 100,
            open_millis: 5_000,
            open_millis_max: 300_000,
            probes: 1,
            ejected_percent_max: 50,
        }
    }
}

/// A checked [`BreakerFile`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BreakerConfig {
    /// For how long an end of a request is counted.
    pub window: Nanos,
    /// Ends in the window from which on a share says something; at least 1.
    pub requests_min: u32,
    /// Share of failures that trips it: 1 to 100.
    pub failures_percent: u32,
    /// Failures in a row that trip it; at least 1.
    pub consecutive_failures_max: u32,
    /// What is slow, where that trips it, too.
    pub slow: Option<SlowConfig>,
    /// How long it stays open at first.
    pub open: Nanos,
    /// How long it stays open at most.
    pub open_max: Nanos,
    /// Requests let through when half-open; at least 1.
    pub probes: u32,
    /// Most hosts to be left alone at once: 0 to 100.
    pub ejected_percent_max: u32,
}

/// When slowness trips a breaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SlowConfig {
    /// A first byte later than this is slow.
    pub ttft: Nanos,
    /// Share of slow first bytes that trips it: 1 to 100.
    pub percent: u32,
}

impl BreakerFile {
    /// Checks every key.
    ///
    /// # Errors
    /// The first key that cannot be taken, with what was expected of it.
    pub fn check(&self) -> Result<BreakerConfig, ConfigError> {
        let slow_percent = within("breaker.slow_percent", self.slow_percent, (1, 100))?;
        let slow_ttft =
            self.slow_ttft_millis.map(|value| millis("breaker.slow_ttft_millis", value)).transpose()?;
        let open = millis("breaker.open_millis", self.open_millis)?;
        let open_max = millis("breaker.open_millis_max", self.open_millis_max)?;
        if open_max < open {
            return Err(error("breaker.open_millis_max", self.open_millis_max, "at least open_millis"));
        }
        Ok(BreakerConfig {
            window: millis("breaker.window_millis", self.window_millis)?,
            requests_min: within("breaker.requests_min", self.requests_min, (1, 1_000_000))?,
            failures_percent: within("breaker.failures_percent", self.failures_percent, (1, 100))?,
            consecutive_failures_max: within(
                "breaker.consecutive_failures_max",
                self.consecutive_failures_max,
                (1, 1_000_000),
            )?,
            slow: slow_ttft.map(|ttft| SlowConfig { ttft, percent: slow_percent }),
            open,
            open_max,
            probes: within("breaker.probes", self.probes, (1, 1_000))?,
            ejected_percent_max: within("breaker.ejected_percent_max", self.ejected_percent_max, (0, 100))?,
        })
    }
}

impl BreakerConfig {
    /// The span of a bucket of the window.
    pub(super) const fn bucket(&self) -> Nanos {
        Nanos(self.window.0 / BUCKETS)
    }

    /// How long it stays open after so many openings before.
    pub(super) fn open_for(&self, openings: u8) -> Nanos {
        let doubled = self.open.0.checked_mul(1u64.checked_shl(openings.into()).unwrap_or(u64::MAX));
        Nanos(doubled.unwrap_or(u64::MAX).min(self.open_max.0))
    }
}
