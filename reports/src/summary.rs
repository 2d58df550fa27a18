//! The summary of a run: what `summary.json` holds, the same bytes on any machine. Keys keep their order.
//!
//! Left out: whatever depends on the machine or the way of running (see [`crate::machine`]).

use control::units::Instant;
use serde::Serialize;
use traces::record::{HostSample, Sample};

use crate::histogram::{Histogram, rank};
use crate::metrics::{Counts, FAILURES, HostMetrics, Latencies, Metrics, REJECTS};
use crate::number::{Figure, millis, ratio};


/// Rows of models and of hosts that a summary holds at most; `hosts.csv` has every host.
pub const ROWS_MAX: usize = 64;

/// What ran, as given by the caller.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RunInfo {
    /// Hexadecimal digest of the run.
    pub digest: String,
    /// Seed of the run.
    pub seed: u64,
    /// Name of the scenario.
    pub scenario: String,
    /// Trace that replaced the scenario's arrivals.
    pub trace: Option<String>,
    /// Name of the scheduler.
    pub scheduler: String,
    /// Name of the balancer.
    pub balancer: String,
    /// More that a reader wants to know of what ran, as (label, text): fleet, models, quirks of the trace.
    pub details: Vec<(String, String)>,
    /// Time of the last event.
    pub simulated: Instant,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
    /// What was guessed, a sentence each.
    pub assumptions: Vec<String>,
}

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
    /// 99th percentile over all arrivals, those that did not finish counted as infinitely late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_all: Option<Figure>,
}

impl Quantiles {
    fn of(histogram: &Histogram, infinite: Option<u64>) -> Self {
        let count = histogram.count();
        let at = |permille| histogram.quantile(permille).map(millis);
        let p99_all = infinite.filter(|infinite| count + infinite > 0).map(|infinite| {
            let value = histogram.at_rank(rank(count + infinite, 990));
            value.map_or(Figure::Infinite, |nanos| Figure::Finite(millis(nanos)))
        });
        Self {
            count,
            mean: mean_millis(histogram.sum(), count),
            p50: at(500),
            p90: at(900),
            p95: at(950),
            p99: at(990),
            max: histogram.max().map(millis),
            p99_all,
        }
    }
}

fn mean_millis(nanos: u128, count: u64) -> Option<f64> {
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
    fn of(counts: &Counts) -> Self {
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
}

/// Failed requests by what the last attempt failed with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[expect(missing_docs, reason = "the kinds of `control::request::Failure`")]
pub struct Failed {
    pub unreachable: u64,
    pub busy: u64,
    pub model_missing: u64,
    pub out_of_memory: u64,
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
    fn of(hits: [u64; 4]) -> Self {
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
    fn of(hits: [u64; 4]) -> Option<Self> {
        let all = hits.iter().map(|hits| u128::from(*hits)).sum();
        let share = |tier: usize| ratio(hits[tier].into(), all, 6);
        Some(Self { vram: share(0)?, page_cache: share(1)?, local_disk: share(2)?, registry: share(3)? })
    }
}

/// A model's row.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ModelRow {
    /// Its name.
    pub model: String,
    /// How its requests ended.
    pub requests: Requests,
    /// First token − arrival.
    pub ttft_ms: Quantiles,
    /// Mean gap between tokens.
    pub tpot_ms: Quantiles,
    /// Last token − arrival.
    pub e2e_ms: Quantiles,
    /// Last dispatch − arrival.
    pub queue_wait_ms: Quantiles,
    /// Tokens of finished requests in a second.
    pub output_tokens_per_second: f64,
    /// Requests within the objectives in a second.
    pub goodput_per_second: f64,
    /// Prompt tokens of the finished found in a prefix cache, in all of them.
    pub prefix_cache_hit_share: Option<f64>,
}

/// A host's row: the requests whose last attempt was there, and its counters at the end.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct HostRow {
    /// Its name.
    pub host: String,
    /// Requests whose last attempt was there.
    pub requests: u64,
    /// … of those, finished.
    pub finished: u64,
    /// … of those, failed.
    pub failed: u64,
    /// Mean `ttft` of the finished after the warm-up.
    pub ttft_ms_mean: Option<f64>,
    /// 99th percentile of it; `None` in a fleet too large for a histogram each.
    pub ttft_ms_p99: Option<f64>,
    /// Largest of it.
    pub ttft_ms_max: Option<f64>,
    /// Time in which it computed, in the time of the run.
    pub gpu_busy_share: f64,
    /// Tokens it generated, for whatever became of the request.
    pub output_tokens: u64,
    /// Prompt tokens it evaluated.
    pub prompt_tokens: u64,
    /// Prompt tokens it found in a prefix cache.
    pub cached_tokens: u64,
    /// Loads begun.
    pub model_loads: u64,
    /// Runners unloaded to make room.
    pub evictions: u64,
    /// Weight reads by tier.
    pub tier_hits: TierHits,
    /// Busy time in nanoseconds, for files that print it exactly.
    #[serde(skip)]
    pub busy_nanos: u64,
}

/// All of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Summary {
    /// Digest of the run.
    pub digest: String,
    /// Seed of the run.
    pub seed: u64,
    /// Scenario.
    pub scenario: String,
    /// Trace, where one replaced the arrivals.
    pub trace: Option<String>,
    /// Scheduler.
    pub scheduler: String,
    /// Balancer.
    pub balancer: String,
    /// More on what ran.
    pub details: Vec<(String, String)>,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
    /// Time of the last event, in seconds.
    pub simulated_seconds: f64,
    /// How requests ended.
    pub requests: Requests,
    /// Rejected by reason.
    pub rejected_by_reason: Rejected,
    /// Failed by kind.
    pub failed_by_kind: Failed,
    /// Requests before the first one that the quantiles hold.
    pub warmup_requests: u64,
    /// First token − arrival.
    pub ttft_ms: Quantiles,
    /// Mean gap between tokens of a request.
    pub tpot_ms: Quantiles,
    /// Gaps between tokens, each as long as its request's mean.
    pub itl_ms: Quantiles,
    /// Last token − arrival.
    pub e2e_ms: Quantiles,
    /// Last dispatch − arrival.
    pub queue_wait_ms: Quantiles,
    /// Arrivals in a second of the run.
    pub arrivals_per_second: f64,
    /// Finished requests in a second.
    pub finished_per_second: f64,
    /// Tokens of the prompts of finished requests in a second.
    pub prompt_tokens_per_second: f64,
    /// Tokens generated for finished requests in a second.
    pub output_tokens_per_second: f64,
    /// Finished requests within both objectives in a second.
    pub goodput_per_second: f64,
    /// Finished requests within both objectives, in all arrivals.
    pub goodput_share: Option<f64>,
    /// Objective for `ttft`.
    pub slo_ttft_ms: f64,
    /// Objective for `tpot`.
    pub slo_tpot_ms: f64,
    /// Time in which a host computed, in the time of the run; mean of all hosts.
    pub gpu_busy_share: Option<f64>,
    /// Loads begun.
    pub model_loads: u64,
    /// Runners unloaded to make room.
    pub evictions: u64,
    /// Weight reads by tier.
    pub tier_hits: TierHits,
    /// Shares of the tiers.
    pub tier_hit_shares: Option<TierShares>,
    /// Prompt tokens of the finished found in a prefix cache, in all of them.
    pub prefix_cache_hit_share: Option<f64>,
    /// How many models had a request.
    pub models_len: u64,
    /// The models with most arrivals, at most [`ROWS_MAX`], most first.
    pub models: Vec<ModelRow>,
    /// How many hosts there are.
    pub hosts_len: u64,
    /// The busiest hosts, at most [`ROWS_MAX`], busiest first.
    pub hosts: Vec<HostRow>,
    /// What was guessed.
    pub assumptions: Vec<String>,
}

struct Rates(u128);

impl Rates {
    fn per_second(&self, count: u64) -> f64 {
        ratio(u128::from(count) * 1_000_000_000, self.0, 6).unwrap_or(0.0)
    }
}

impl Metrics {
    /// The summary, with the hosts' counters as of `last`, the sample at the end of the run.
    #[must_use]
    pub fn summary(&self, run: &RunInfo, last: &Sample) -> Summary {
        let (counts, latencies) = (self.counts(), self.latencies());
        let rates = Rates(run.simulated.0.into());
        let infinite = Some(latencies.infinite);
        let hosts = self.host_rows(run.simulated, last);
        let tiers = last.hosts.iter().fold([0_u64; 4], |mut sum, host| {
            sum.iter_mut().zip(host.tier_hits).for_each(|(sum, hits)| *sum += hits);
            sum
        });
        let busy: u128 = last.hosts.iter().map(|host| u128::from(host.busy_nanos)).sum();
        let span = u128::from(run.simulated.0) * last.hosts.len() as u128;
        let mut models: Vec<(u64, ModelRow)> = self
            .models()
            .map(|(id, model)| {
                let row = model_row(self.spec().model_name(id), &model.counts, &model.latencies, &rates);
                (model.counts.arrived, row)
            })
            .collect();
        models.sort_by_key(|(arrived, _)| std::cmp::Reverse(*arrived));
        Summary {
            digest: run.digest.clone(),
            seed: run.seed,
            scenario: run.scenario.clone(),
            trace: run.trace.clone(),
            scheduler: run.scheduler.clone(),
            balancer: run.balancer.clone(),
            details: run.details.clone(),
            interrupted: run.interrupted,
            simulated_seconds: ratio(run.simulated.0.into(), 1_000_000_000, 9).unwrap_or(0.0),
            requests: Requests::of(&counts),
            rejected_by_reason: rejected(&counts),
            failed_by_kind: failed(&counts),
            warmup_requests: self.spec().warmup_requests,
            ttft_ms: Quantiles::of(&latencies.ttft, infinite),
            tpot_ms: Quantiles::of(&latencies.tpot, infinite),
            itl_ms: Quantiles {
                mean: mean_millis(latencies.gaps_nanos, latencies.itl.count()),
                ..Quantiles::of(&latencies.itl, None)
            },
            e2e_ms: Quantiles::of(&latencies.e2e, infinite),
            queue_wait_ms: Quantiles::of(&latencies.queue, infinite),
            arrivals_per_second: rates.per_second(counts.arrived),
            finished_per_second: rates.per_second(counts.finished),
            prompt_tokens_per_second: rates.per_second(counts.prompt_tokens),
            output_tokens_per_second: rates.per_second(counts.output_tokens),
            goodput_per_second: rates.per_second(counts.good),
            goodput_share: ratio(counts.good.into(), counts.arrived.into(), 6),
            slo_ttft_ms: millis(self.spec().slo_ttft.0),
            slo_tpot_ms: millis(self.spec().slo_tpot.0),
            gpu_busy_share: ratio(busy, span, 6),
            model_loads: last.hosts.iter().map(|host| host.loads).sum(),
            evictions: last.hosts.iter().map(|host| host.evictions).sum(),
            tier_hits: TierHits::of(tiers),
            tier_hit_shares: TierShares::of(tiers),
            prefix_cache_hit_share: ratio(counts.cached_tokens.into(), counts.prompt_tokens.into(), 6),
            models_len: models.len() as u64,
            models: models.into_iter().take(ROWS_MAX).map(|(_, row)| row).collect(),
            hosts_len: hosts.len() as u64,
            hosts: busiest(hosts),
            assumptions: run.assumptions.clone(),
        }
    }

    /// A row for each host, in order of id, with its counters as of `last`.
    #[must_use]
    pub fn host_rows(&self, simulated: Instant, last: &Sample) -> Vec<HostRow> {
        let len = last.hosts.iter().map(|host| host.host.index() + 1).max().unwrap_or(0);
        let mut sampled: Vec<Option<&HostSample>> = vec![None; len.max(self.hosts().count())];
        for host in &last.hosts {
            sampled[host.host.index()] = Some(host);
        }
        let (idle, unsampled) = (HostMetrics::default(), HostSample::default());
        let mut metrics = self.hosts();
        sampled
            .iter()
            .zip(0..)
            .map(|(sample, id)| {
                let host = metrics.next().map_or(&idle, |(_, host)| host);
                let name = self.spec().host_name(control::ids::HostId(id));
                host_row(name, host, sample.unwrap_or(&unsampled), simulated)
            })
            .collect()
    }
}

fn busiest(mut hosts: Vec<HostRow>) -> Vec<HostRow> {
    hosts.sort_by_key(|host| std::cmp::Reverse((host.busy_nanos, host.requests)));
    hosts.truncate(ROWS_MAX);
    hosts
}

fn model_row(model: String, counts: &Counts, latencies: &Latencies, rates: &Rates) -> ModelRow {
    let infinite = Some(latencies.infinite);
    ModelRow {
        model,
        requests: Requests::of(counts),
        ttft_ms: Quantiles::of(&latencies.ttft, infinite),
        tpot_ms: Quantiles::of(&latencies.tpot, infinite),
        e2e_ms: Quantiles::of(&latencies.e2e, infinite),
        queue_wait_ms: Quantiles::of(&latencies.queue, infinite),
        output_tokens_per_second: rates.per_second(counts.output_tokens),
        goodput_per_second: rates.per_second(counts.good),
        prefix_cache_hit_share: ratio(counts.cached_tokens.into(), counts.prompt_tokens.into(), 6),
    }
}

fn host_row(name: String, host: &HostMetrics, sample: &HostSample, simulated: Instant) -> HostRow {
    HostRow {
        host: name,
        requests: host.ended,
        finished: host.finished,
        failed: host.failed,
        ttft_ms_mean: mean_millis(host.ttft_nanos, host.ttft_count),
        ttft_ms_p99: host.ttft.as_ref().and_then(|ttft| ttft.quantile(990)).map(millis),
        ttft_ms_max: (host.ttft_count > 0).then(|| millis(host.ttft_nanos_max)),
        gpu_busy_share: ratio(sample.busy_nanos.into(), simulated.0.into(), 6).unwrap_or(0.0),
        output_tokens: sample.output_tokens,
        prompt_tokens: sample.prompt_tokens,
        cached_tokens: sample.cached_tokens,
        model_loads: sample.loads,
        evictions: sample.evictions,
        tier_hits: TierHits::of(sample.tier_hits),
        busy_nanos: sample.busy_nanos,
    }
}

fn rejected(counts: &Counts) -> Rejected {
    let [queue_full, no_host_has_model, queue_timeout, deadline_passed] = counts.rejected;
    Rejected { queue_full, no_host_has_model, queue_timeout, deadline_passed }
}

fn failed(counts: &Counts) -> Failed {
    let [
        unreachable,
        busy,
        model_missing,
        out_of_memory,
        server_error,
        bad_request,
        first_byte_timeout,
        idle_timeout,
        broken,
    ] = counts.failed;
    Failed {
        unreachable,
        busy,
        model_missing,
        out_of_memory,
        server_error,
        bad_request,
        first_byte_timeout,
        idle_timeout,
        broken,
    }
}

impl Rejected {
    /// Each reason with its count.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, u64)> {
        let counts = [self.queue_full, self.no_host_has_model, self.queue_timeout, self.deadline_passed];
        REJECTS.iter().zip(counts).map(|((_, name), count)| (*name, count)).collect()
    }
}

impl Failed {
    /// Each kind with its count.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, u64)> {
        let counts = [
            self.unreachable,
            self.busy,
            self.model_missing,
            self.out_of_memory,
            self.server_error,
            self.bad_request,
            self.first_byte_timeout,
            self.idle_timeout,
            self.broken,
        ];
        FAILURES.iter().zip(counts).map(|((_, name), count)| (*name, count)).collect()
    }
}

