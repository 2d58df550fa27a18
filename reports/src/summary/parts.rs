//! Parts of the summary: distributions, and counts by what they are of.

use serde::Serialize;

use crate::histogram::{Histogram, rank};
use crate::metrics::{Counts, FAILURES, REJECTS};
use crate::number::{Figure, millis, ratio};

/// A distribution in milliseconds; each figure is `null` where no request defines it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Quantiles {
    /// How many values.
    pub count: u64,
    /// Exact mean.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Largest, exact.
    pub max: Option<f64>,
    /// 95th percentile over all arrivals, those that did not finish counted as infinitely late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_all: Option<Figure>,
    /// 99th percentile over all arrivals, those that did not finish counted as infinitely late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_all: Option<Figure>,
}

impl Quantiles {
    pub(super) fn of(histogram: &Histogram, infinite: Option<u64>) -> Self {
        let count = histogram.count();
        let at = |permille| histogram.quantile(permille).map(millis);
        let of_all = |permille| {
            let infinite = infinite.filter(|infinite| count + infinite > 0)?;
            let value = histogram.at_rank(rank(count + infinite, permille));
            Some(value.map_or(Figure::Infinite, |nanos| Figure::Finite(millis(nanos))))
        };
        Self {
            count,
            mean: mean_millis(histogram.sum(), count),
            p50: at(500),
            p90: at(900),
            p95: at(950),
            p99: at(990),
            max: histogram.max().map(millis),
            p95_all: of_all(950),
            p99_all: of_all(990),
        }
    }
}

pub(super) fn mean_millis(nanos: u128, count: u64) -> Option<f64> {
    ratio(nanos, u128::from(count) * 1_000_000, 6)
}

/// How requests ended. `arrived` is the sum of the next five.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[expect(missing_docs, reason = "the same names as in `metrics::Counts`")]
pub struct Requests {
    pub arrived: u64,
    pub finished: u64,
    pub rejected: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub unfinished: u64,
    pub truncated: u64,
    pub retried: u64,
    pub attempts: u64,
}

impl Requests {
    pub(super) fn of(counts: &Counts) -> Self {
        Self {
            arrived: counts.arrived,
            finished: counts.finished,
            rejected: counts.rejected.iter().sum(),
            failed: counts.failed.iter().sum(),
            cancelled: counts.cancelled,
            unfinished: counts.unfinished,
            truncated: counts.truncated,
            retried: counts.retried,
            attempts: counts.attempts,
        }
    }
}

/// Rejected requests by reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[expect(missing_docs, reason = "the reasons of `control::request::Reject`")]
pub struct Rejected {
    pub queue_full: u64,
    pub no_host_has_model: u64,
    pub queue_timeout: u64,
    pub deadline_passed: u64,
    /// Hosts have the model, but none meets what rules demand.
    pub demands_unmet: u64,
    pub quarantined: u64,
}

/// Failed requests by what the last attempt failed with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[expect(missing_docs, reason = "the kinds of `control::request::Failure`")]
pub struct Failed {
    pub unreachable: u64,
    pub busy: u64,
    pub model_missing: u64,
    pub out_of_memory: u64,
    pub runner_gone: u64,
    pub server_error: u64,
    pub bad_request: u64,
    pub first_byte_timeout: u64,
    pub idle_timeout: u64,
    pub broken: u64,
}

/// Weight reads by the tier that served them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct TierHits {
    /// Already loaded.
    pub vram: u64,
    /// From the host's page cache.
    pub page_cache: u64,
    /// From the local disk.
    pub local_disk: u64,
    /// From a registry or a peer.
    pub registry: u64,
}

impl TierHits {
    pub(super) fn of(hits: [u64; 4]) -> Self {
        Self { vram: hits[0], page_cache: hits[1], local_disk: hits[2], registry: hits[3] }
    }
    /// Each tier with its name, in order of speed.
    #[must_use]
    pub const fn rows(self) -> [(&'static str, u64); 4] {
        [
            ("VRAM", self.vram),
            ("page cache", self.page_cache),
            ("local disk", self.local_disk),
            ("registry", self.registry),
        ]
    }
}

/// Shares of [`TierHits`] in their sum; `None` without any.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[expect(missing_docs, reason = "the same names as in `TierHits`")]
pub struct TierShares {
    pub vram: f64,
    pub page_cache: f64,
    pub local_disk: f64,
    pub registry: f64,
}

impl TierShares {
    pub(super) fn of(hits: [u64; 4]) -> Option<Self> {
        let all = hits.iter().map(|hits| u128::from(*hits)).sum();
        let share = |tier: usize| ratio(hits[tier].into(), all, 6);
        Some(Self { vram: share(0)?, page_cache: share(1)?, local_disk: share(2)?, registry: share(3)? })
    }
}

impl Rejected {
    pub(super) fn of(counts: &Counts) -> Self {
        let [queue_full, no_host_has_model, queue_timeout, deadline_passed, demands_unmet, quarantined] =
            counts.rejected;
        Self { queue_full, no_host_has_model, queue_timeout, deadline_passed, demands_unmet, quarantined }
    }

    /// Each reason with its count.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, u64)> {
        let counts = [
            self.queue_full,
            self.no_host_has_model,
            self.queue_timeout,
            self.deadline_passed,
            self.demands_unmet,
            self.quarantined,
        ];
        REJECTS.iter().zip(counts).map(|((_, name), count)| (*name, count)).collect()
    }
}

impl Failed {
    pub(super) fn of(counts: &Counts) -> Self {
        let [
            unreachable,
            busy,
            model_missing,
            out_of_memory,
            runner_gone,
            server_error,
            bad_request,
            first_byte_timeout,
            idle_timeout,
            broken,
        ] = counts.failed;
        Self {
            unreachable,
            busy,
            model_missing,
            out_of_memory,
            runner_gone,
            server_error,
            bad_request,
            first_byte_timeout,
            idle_timeout,
            broken,
        }
    }

    /// Each kind with its count.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, u64)> {
        let counts = [
            self.unreachable,
            self.busy,
            self.model_missing,
            self.out_of_memory,
            self.runner_gone,
            self.server_error,
            self.bad_request,
            self.first_byte_timeout,
            self.idle_timeout,
            self.broken,
        ];
        FAILURES.iter().zip(counts).map(|((_, name), count)| (*name, count)).collect()
    }
}
