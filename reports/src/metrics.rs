//! What a run's records add up to, in memory that does not grow with the number of requests.
//!
//! [`Metrics::record`] takes each request once, when it has ended. Times are histograms
//! ([`Histogram`](crate::histogram::Histogram), 0.1 %), one set for each model; the run's own quantiles come from merging
//! those, which is exact. Where arms are told apart, each has such a set too. Formulas:
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

use control::ids::{ArmId, HostId, ModelId};
use control::request::{Failure, Outcome, Reject};
use control::units::Nanos;
use traces::record::Record;

pub use tally::{Counts, Latencies, Tally};
use tally::{Judged, Recorded};

mod tally;

/// The reasons for which control rejects, in the order in which counts are kept.
pub const REJECTS: [(Reject, &str); 6] = [
    (Reject::QueueFull, "queue_full"),
    (Reject::NoHostHasModel, "no_host_has_model"),
    (Reject::QueueTimeout, "queue_timeout"),
    (Reject::DeadlinePassed, "deadline_passed"),
    (Reject::DemandsUnmet, "demands_unmet"),
    (Reject::Quarantined, "quarantined"),
];

/// The kinds of failure, in the order in which counts are kept.
pub const FAILURES: [(Failure, &str); 10] = [
    (Failure::Unreachable, "unreachable"),
    (Failure::Busy, "busy"),
    (Failure::ModelMissing, "model_missing"),
    (Failure::OutOfMemory, "out_of_memory"),
    (Failure::RunnerGone, "runner_gone"),
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
    /// Whether requests are also told apart by the arm that decided them.
    pub by_arm: bool,
    /// Arms by id; an arm that is not here is called `arm-ID`.
    pub arms: Vec<ArmInfo>,
}

/// What an arm is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ArmInfo {
    /// Its name; an arm with another balancer may have the same.
    pub name: String,
    /// Its balancer.
    pub balancer: String,
    /// What it is for, in a word.
    pub part: String,
    /// Whether requests go where it says; a shadow only says.
    pub acts: bool,
}

impl Default for MetricsSpec {
    fn default() -> Self {
        Self {
            slo_ttft: Nanos::from_secs(2),
            slo_tpot: Nanos::from_millis(100),
            warmup_requests: 0,
            models: Vec::new(),
            hosts: Vec::new(),
            by_arm: false,
            arms: Vec::new(),
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

    /// An arm's name, with its balancer where another arm has the same name.
    #[must_use]
    pub fn arm_name(&self, arm: ArmId) -> String {
        match self.arms.get(arm.index()) {
            None => format!("arm-{}", arm.0),
            Some(ArmInfo { name, balancer, .. }) => {
                let same = self.arms.iter().filter(|other| other.name == *name).count();
                if same > 1 { format!("{name} ({balancer})") } else { name.clone() }
            }
        }
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
    models: Vec<Option<Box<Tally>>>,
    hosts: Vec<HostMetrics>,
    /// By id; empty unless they are told apart.
    arms: Vec<Option<Box<Tally>>>,
}

impl Metrics {
    /// Nothing recorded yet.
    #[must_use]
    pub fn new(spec: MetricsSpec) -> Self {
        let models = vec![None; spec.models.len()];
        let hosts = vec![HostMetrics::default(); spec.hosts.len()];
        Self { spec, models, hosts, arms: Vec::new() }
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
        let judged = Judged { tpot, good, measured };
        tally_mut(&mut self.models, record.model.index()).record(record, judged);
        if self.spec.by_arm {
            tally_mut(&mut self.arms, record.arm.index()).record(record, judged);
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
    pub fn models(&self) -> impl Iterator<Item = (ModelId, &Tally)> {
        (0..).map(ModelId).zip(&self.models).filter_map(|(id, model)| Some((id, model.as_deref()?)))
    }

    /// Arms that had a request, by id; none unless they are told apart.
    pub fn arms(&self) -> impl Iterator<Item = (ArmId, &Tally)> {
        (0..).map(ArmId).zip(&self.arms).filter_map(|(id, arm)| Some((id, arm.as_deref()?)))
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

/// The tally at a place of a list that grows.
#[inline]
fn tally_mut(tallies: &mut Vec<Option<Box<Tally>>>, at: usize) -> &mut Tally {
    if at >= tallies.len() {
        tallies.resize(at + 1, None);
    }
    tallies[at].get_or_insert_default()
}

#[cfg(test)]
mod tests;
