//! What a run's records add up to, in memory that does not grow with the number of requests.
//!
//! [`Metrics::record`] takes each request once, when it has ended. Times are histograms ([`Histogram`], 0.1 %), one set
//! for each model; the run's own quantiles come from merging those, which is exact. Formulas:
//!
//! - `ttft` = first token − arrival; `e2e` = last token − arrival; queue wait = last dispatch − arrival;
//! - `tpot` = (last − first token) / (output tokens − 1), undefined with fewer than two tokens;
//! - `itl`, the gap between two tokens: a record does not hold single gaps, so each of a request's
//!   (output tokens − 1) gaps counts as long as their mean, the request's `tpot`. The mean of `itl` is exact; its
//!   quantiles and maximum leave out how gaps vary within one answer, so they are too low in the tail.
//!
//! Quantiles are over the finished requests after the warm-up; counts, rates and shares are over all. The p99 over
//! all arrivals counts each arrival after the warm-up that did not finish as infinitely late.
//!
//! Left out: single requests (see [`crate::files`]), anything over time (see [`crate::timeline`]).

use control::ids::{HostId, ModelId};
use control::request::{Failure, Outcome, Reject};
use control::units::Nanos;
use traces::record::Record;

use crate::histogram::{Buckets, Histogram};

/// The reasons for which control rejects, in the order in which counts are kept.
pub const REJECTS: [(Reject, &str); 5] = [
    (Reject::QueueFull, "queue_full"),
    (Reject::NoHostHasModel, "no_host_has_model"),
    (Reject::QueueTimeout, "queue_timeout"),
    (Reject::DeadlinePassed, "deadline_passed"),
    (Reject::DemandsUnmet, "demands_unmet"),
];

/// The kinds of failure, in the order in which counts are kept.
pub const FAILURES: [(Failure, &str); 9] = [
    (Failure::Unreachable, "unreachable"),
    (Failure::Busy, "busy"),
    (Failure::ModelMissing, "model_missing"),
    (Failure::OutOfMemory, "out_of_memory"),
    (Failure::ServerError, "server_error"),
    (Failure::BadRequest, "bad_request"),
    (Failure::FirstByteTimeout, "first_byte_timeout"),
    (Failure::IdleTimeout, "idle_timeout"),
    (Failure::Broken, "broken"),
];

/// The name of a reason, as files and reports write it.
#[must_use]
pub const fn reject_name(reject: Reject) -> &'static str {
    REJECTS[reject as usize].1
}

/// The name of a kind of failure, as files and reports write it.
#[must_use]
pub const fn failure_name(failure: Failure) -> &'static str {
    FAILURES[failure as usize].1
}

/// What is to be measured, and against what.
#[derive(Clone, PartialEq, Debug)]
pub struct MetricsSpec {
    /// A request meets the objective if its first token came within this; default 2 s.
    pub slo_ttft: Nanos,
    /// … and if its `tpot` was at most this; default 100 ms.
    pub slo_tpot: Nanos,
    /// Quantiles leave out requests with an id below this; counts do not.
    pub warmup_requests: u64,
    /// Names by model id; a model without a name is called `model-ID`.
    pub models: Vec<String>,
    /// Names by host id; a host without a name is called `host-ID`.
    pub hosts: Vec<String>,
}

impl Default for MetricsSpec {
    fn default() -> Self {
        Self {
            slo_ttft: Nanos::from_secs(2),
            slo_tpot: Nanos::from_millis(100),
            warmup_requests: 0,
            models: Vec::new(),
            hosts: Vec::new(),
        }
    }
}

impl MetricsSpec {
    /// A model's name.
    #[must_use]
    pub fn model_name(&self, model: ModelId) -> String {
        self.models.get(model.index()).cloned().unwrap_or_else(|| format!("model-{}", model.0))
    }

    /// A host's name.
    #[must_use]
    pub fn host_name(&self, host: HostId) -> String {
        self.hosts.get(host.index()).cloned().unwrap_or_else(|| format!("host-{}", host.0))
    }
}

/// `tpot` of a request in nanoseconds, rounded to the nearest; `None` with fewer than two output tokens or none seen.
#[must_use]
#[inline]
pub fn tpot(record: &Record) -> Option<Nanos> {
    let gaps = u64::from(record.usage.output_tokens).checked_sub(1).filter(|gaps| *gaps > 0)?;
    let span = record.ended.since(record.first_token?).0;
    Some(Nanos((span + gaps / 2) / gaps))
}

/// Histograms of what finished requests felt, in nanoseconds.
#[derive(Clone, Default, Debug)]
pub struct Latencies {
    /// First token − arrival.
    pub ttft: Histogram,
    /// Mean gap between the tokens of a request.
    pub tpot: Histogram,
    /// Gaps between tokens, each as long as its request's mean.
    pub itl: Histogram,
    /// Sum of all gaps, exact, for the mean of `itl`.
    pub gaps_nanos: u128,
    /// Last token − arrival.
    pub e2e: Histogram,
    /// Last dispatch − arrival.
    pub queue: Histogram,
    /// Arrivals after the warm-up that did not finish.
    pub infinite: u64,
}

/// Latencies as they are recorded: `tpot` and `itl` share their buckets, since they count the same values.
#[derive(Clone, Default, Debug)]
struct Recorded {
    ttft: Histogram,
    tpot_itl: Buckets<2>,
    gaps_nanos: u128,
    e2e: Histogram,
    queue: Histogram,
    infinite: u64,
}

impl Recorded {
    #[inline]
    fn record(&mut self, record: &Record, tpot: Option<Nanos>) {
        if let Some(first) = record.first_token {
            self.ttft.record(first.since(record.arrival).0);
            if let Some(tpot) = tpot {
                let gaps = u64::from(record.usage.output_tokens) - 1;
                self.tpot_itl.record_weighted(tpot.0, [1, gaps]);
                self.gaps_nanos += u128::from(record.ended.since(first).0);
            }
        }
        self.e2e.record(record.ended.since(record.arrival).0);
        if let Some(dispatched) = record.dispatched {
            self.queue.record(dispatched.since(record.arrival).0);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.ttft.merge(&other.ttft);
        self.tpot_itl.merge(&other.tpot_itl);
        self.gaps_nanos += other.gaps_nanos;
        self.e2e.merge(&other.e2e);
        self.queue.merge(&other.queue);
        self.infinite += other.infinite;
    }

    fn latencies(self) -> Latencies {
        Latencies {
            ttft: self.ttft,
            tpot: self.tpot_itl.lane(0),
            itl: self.tpot_itl.lane(1),
            gaps_nanos: self.gaps_nanos,
            e2e: self.e2e,
            queue: self.queue,
            infinite: self.infinite,
        }
    }
}

/// Exact counts of requests, warm-up included.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// All requests: the sum of the five ways to end.
    pub arrived: u64,
    /// Answered in full.
    pub finished: u64,
    /// Turned away by control, in the order of [`REJECTS`].
    pub rejected: [u64; REJECTS.len()],
    /// Given up after failed attempts, in the order of [`FAILURES`].
    pub failed: [u64; FAILURES.len()],
    /// Left by their client.
    pub cancelled: u64,
    /// Still under way at the end.
    pub unfinished: u64,
    /// Finished within the objectives.
    pub good: u64,
    /// Prompts that the host cut to its context window.
    pub truncated: u64,
    /// Attempts on hosts.
    pub attempts: u64,
    /// Requests with more than one attempt.
    pub retried: u64,
    /// Tokens of the prompts of the finished, as evaluated or cached.
    pub prompt_tokens: u64,
    /// … of those, found in a prefix cache.
    pub cached_tokens: u64,
    /// Tokens generated for the finished.
    pub output_tokens: u64,
}

impl Counts {
    fn merge(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.finished += other.finished;
        self.rejected.iter_mut().zip(other.rejected).for_each(|(a, b)| *a += b);
        self.failed.iter_mut().zip(other.failed).for_each(|(a, b)| *a += b);
        self.cancelled += other.cancelled;
        self.unfinished += other.unfinished;
        self.good += other.good;
        self.truncated += other.truncated;
        self.attempts += other.attempts;
        self.retried += other.retried;
        self.prompt_tokens += other.prompt_tokens;
        self.cached_tokens += other.cached_tokens;
        self.output_tokens += other.output_tokens;
    }
}

/// What is kept of a model.
#[derive(Clone, Default, Debug)]
pub struct ModelMetrics {
    /// Counts, warm-up included.
    pub counts: Counts,
    recorded: Recorded,
}

impl ModelMetrics {
    /// Latencies of the finished after the warm-up.
    #[must_use]
    pub fn latencies(&self) -> Latencies {
        self.recorded.clone().latencies()
    }
}

/// What is kept of a host: the requests whose last attempt was there. Warm-up included, but for `ttft`.
#[derive(Clone, Default, Debug)]
pub struct HostMetrics {
    /// Requests whose last attempt was there, however they ended.
    pub ended: u64,
    /// … of those, finished.
    pub finished: u64,
    /// … of those, failed.
    pub failed: u64,
    /// How many `ttft` are in the sum.
    pub ttft_count: u64,
    /// Sum of `ttft`, in nanoseconds.
    pub ttft_nanos: u128,
    /// Largest `ttft`, in nanoseconds.
    pub ttft_nanos_max: u64,
}

/// The accumulator of a run.
#[derive(Clone, Debug)]
pub struct Metrics {
    spec: MetricsSpec,
    models: Vec<Option<Box<ModelMetrics>>>,
    hosts: Vec<HostMetrics>,
}

impl Metrics {
    /// Nothing recorded yet.
    #[must_use]
    pub fn new(spec: MetricsSpec) -> Self {
        let models = vec![None; spec.models.len()];
        let hosts = vec![HostMetrics::default(); spec.hosts.len()];
        Self { spec, models, hosts }
    }

    /// What was asked for.
    #[must_use]
    pub const fn spec(&self) -> &MetricsSpec {
        &self.spec
    }

    /// Adds a request that has ended. To be called once for each.
    #[inline]
    pub fn record(&mut self, record: &Record) {
        let measured = record.request.0 >= self.spec.warmup_requests;
        let tpot = tpot(record);
        let good = record.outcome == Outcome::Finished && self.meets_objectives(record, tpot);
        let model = self.model_mut(record.model);
        let counts = &mut model.counts;
        counts.arrived += 1;
        counts.truncated += u64::from(record.truncated);
        counts.attempts += u64::from(record.attempts);
        counts.retried += u64::from(record.attempts > 1);
        if record.outcome == Outcome::Finished {
            counts.finished += 1;
            counts.good += u64::from(good);
            counts.prompt_tokens += u64::from(record.usage.prompt_tokens);
            counts.cached_tokens += u64::from(record.cached_tokens);
            counts.output_tokens += u64::from(record.usage.output_tokens);
            if measured {
                model.recorded.record(record, tpot);
            }
        } else {
            model.recorded.infinite += u64::from(measured);
            match record.outcome {
                Outcome::Finished => {}
                Outcome::Rejected(reject) => counts.rejected[reject as usize] += 1,
                Outcome::Failed(failure) => counts.failed[failure as usize] += 1,
                Outcome::Cancelled => counts.cancelled += 1,
                Outcome::Unfinished => counts.unfinished += 1,
            }
        }
        if let Some(host) = record.host {
            self.record_host(host, record, measured);
        }
    }

    /// Whether both objectives hold; one whose quantity is undefined (no token, one token) holds.
    #[inline]
    fn meets_objectives(&self, record: &Record, tpot: Option<Nanos>) -> bool {
        record.first_token.is_none_or(|first| first.since(record.arrival) <= self.spec.slo_ttft)
            && tpot.is_none_or(|tpot| tpot <= self.spec.slo_tpot)
    }

    #[inline]
    fn model_mut(&mut self, model: ModelId) -> &mut ModelMetrics {
        if model.index() >= self.models.len() {
            self.models.resize(model.index() + 1, None);
        }
        self.models[model.index()].get_or_insert_default()
    }

    #[inline]
    fn record_host(&mut self, id: HostId, record: &Record, measured: bool) {
        if id.index() >= self.hosts.len() {
            self.hosts.resize(id.index() + 1, HostMetrics::default());
        }
        let host = &mut self.hosts[id.index()];
        host.ended += 1;
        host.failed += u64::from(matches!(record.outcome, Outcome::Failed(_)));
        if record.outcome != Outcome::Finished {
            return;
        }
        host.finished += 1;
        if let Some(first) = record.first_token.filter(|_| measured) {
            let ttft = first.since(record.arrival).0;
            host.ttft_count += 1;
            host.ttft_nanos += u128::from(ttft);
            host.ttft_nanos_max = host.ttft_nanos_max.max(ttft);
        }
    }

    /// Models that had a request, by id.
    pub fn models(&self) -> impl Iterator<Item = (ModelId, &ModelMetrics)> {
        (0..).map(ModelId).zip(&self.models).filter_map(|(id, model)| Some((id, model.as_deref()?)))
    }

    /// Hosts of the fleet, and any other that a record named, by id.
    pub fn hosts(&self) -> impl Iterator<Item = (HostId, &HostMetrics)> {
        (0..).map(HostId).zip(&self.hosts)
    }

    /// Counts of the whole run.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.models().fold(Counts::default(), |mut sum, (_, model)| {
            sum.merge(&model.counts);
            sum
        })
    }

    /// Latencies of the whole run.
    #[must_use]
    pub fn latencies(&self) -> Latencies {
        let sum = self.models().fold(Recorded::default(), |mut sum, (_, model)| {
            sum.merge(&model.recorded);
            sum
        });
        sum.latencies()
    }
}

#[cfg(test)]
mod tests;
