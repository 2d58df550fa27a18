//! The summary of a run: what `summary.json` holds, the same bytes on any machine. Keys keep their order.
//!
//! Left out: whatever depends on the machine or the way of running (see [`crate::machine`]).

use control::facts::arms::ArmFacts;
use control::facts::predict::score::PredictionScores;
use control::policy::prefetch::PrefetchCounts;
use control::policy::select::SelectCounters;
use control::units::Instant;
use serde::Serialize;
use traces::record::{HostSample, Moved, Sample};

use crate::events::{Event, Events};
use crate::metrics::{Counts, HostMetrics, Latencies, Metrics};
use crate::number::{millis, ratio};
pub use arms::ArmRow;
pub use energy::{Energy, FleetPower, HostPower};
pub use fleet::{ActionRow, ConflictRow, FaultRow, FleetInfo, HostHours, Synced};
use parts::mean_millis;
pub use parts::{Failed, Quantiles, Rejected, Requests, TierHits, TierShares};
pub use predictions::{Predicted, PredictedQuantile, Predictions};
pub use traffic::{LayerRow, LinkClassRow, LinkRow, TRAFFIC_ROWS_MAX, TrafficSummary, layer_rows, link_rows};

mod arms;
mod energy;
mod fleet;
mod parts;
mod predictions;
mod traffic;

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
    /// How good control's predictions were.
    pub predictions: PredictionScores,
    /// What control learned of each arm, by id.
    pub arms: Vec<ArmFacts>,
    /// What happened besides requests.
    pub events: Events,
    /// What became of loads ahead of demand, where there may be some.
    pub prefetch: Option<PrefetchCounts>,
    /// How often balancers were selected, where they were.
    pub selection: Option<SelectCounters>,
    /// What happened to models and hosts besides requests.
    pub fleet: FleetInfo,
    /// What was guessed, a sentence each.
    pub assumptions: Vec<String>,
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
    /// Energy in kilowatt-hours, where it is known what every host draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_kwh: Option<f64>,
    /// Busy time in nanoseconds, for files that print it exactly.
    #[serde(skip)]
    pub busy_nanos: u64,
}

/// An event's row.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EventRow {
    /// When.
    pub at_seconds: f64,
    /// What kind of thing.
    pub kind: &'static str,
    /// What, for a person.
    pub text: String,
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
    /// What became of loads of models ahead of demand: asked = done + failed + abandoned + still under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefetch: Option<PrefetchCounts>,
    /// How often the balancer was selected: choices, those that the cache answered, changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection: Option<SelectCounters>,
    /// Actions of placement and sync.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionRow>,
    /// How long hosts were on, where some can stand by or have a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_hours: Option<HostHours>,
    /// Energy, where it is known what every host draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy: Option<Energy>,
    /// Contents that differed, where sync looks after them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<Synced>,
    /// What was moved between the registry and hosts, where anything could be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// Over which links it was moved, and of what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<TrafficSummary>,
    /// What broke.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultRow>,
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
    /// How good control's predictions were.
    pub predictions: Predictions,
    /// How many models had a request.
    pub models_len: u64,
    /// The models with most arrivals, at most [`ROWS_MAX`], most first.
    pub models: Vec<ModelRow>,
    /// How many hosts there are.
    pub hosts_len: u64,
    /// The busiest hosts, at most [`ROWS_MAX`], busiest first.
    pub hosts: Vec<HostRow>,
    /// The arms by id, at most [`ROWS_MAX`]; none unless they are told apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<ArmRow>,
    /// How many notable events there were: what the operator did, and what control changed by itself.
    pub notable_events_len: u64,
    /// The first of them, at most [`EVENTS_MAX`](crate::events::EVENTS_MAX); `events.csv` has them all.
    pub notable_events: Vec<EventRow>,
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
        let hosts = self.host_rows(run, last);
        let tiers = last.hosts.iter().fold([0_u64; 4], |mut sum, host| {
            sum.iter_mut().zip(host.tier_hits).for_each(|(sum, hits)| *sum += hits);
            sum
        });
        let busy: u128 = last.hosts.iter().map(|host| u128::from(host.busy_nanos)).sum();
        let span = u128::from(run.simulated.0) * last.hosts.len() as u128;
        let mut models: Vec<(u64, ModelRow)> = self
            .models()
            .map(|(id, model)| {
                let row = model_row(self.spec().model_name(id), &model.counts, &model.latencies(), &rates);
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
            prefetch: run.prefetch,
            selection: run.selection,
            actions: fleet::actions(&run.fleet),
            host_hours: fleet::host_hours(&run.fleet, run.simulated),
            energy: run
                .fleet
                .power
                .as_ref()
                .map(|power| energy::energy(power, &last.hosts, counts.output_tokens, counts.good)),
            sync: fleet::synced(&run.fleet),
            moved: run.fleet.moved,
            traffic: run.fleet.traffic.as_ref().map(|traffic| traffic::summary(traffic, self.spec())),
            faults: fleet::faults(&run.fleet),
            interrupted: run.interrupted,
            simulated_seconds: seconds(run.simulated),
            requests: Requests::of(&counts),
            rejected_by_reason: Rejected::of(&counts),
            failed_by_kind: Failed::of(&counts),
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
            predictions: Predictions::of(&run.predictions),
            models_len: models.len() as u64,
            models: models.into_iter().take(ROWS_MAX).map(|(_, row)| row).collect(),
            hosts_len: hosts.len() as u64,
            hosts: busiest(hosts),
            arms: self.arm_rows(&run.arms),
            notable_events_len: run.events.count(),
            notable_events: event_rows(&run.events),
            assumptions: run.assumptions.clone(),
        }
    }

    /// A row for each host, in order of id, with its counters as of `last`.
    #[must_use]
    pub fn host_rows(&self, run: &RunInfo, last: &Sample) -> Vec<HostRow> {
        let len = last.hosts.iter().map(|host| host.host.index() + 1).max().unwrap_or(0);
        let mut sampled: Vec<Option<&HostSample>> = vec![None; len.max(self.hosts().count())];
        for host in &last.hosts {
            sampled[host.host.index()] = Some(host);
        }
        let (idle, unsampled) = (HostMetrics::default(), HostSample::default());
        let mut metrics = self.hosts();
        let powers = run.fleet.power.as_ref();
        sampled
            .iter()
            .zip(0..)
            .map(|(sample, id)| {
                let host = metrics.next().map_or(&idle, |(_, host)| host);
                let name = self.spec().host_name(control::ids::HostId(id));
                let sample = sample.unwrap_or(&unsampled);
                let power = powers.and_then(|power| power.hosts.get(id as usize));
                HostRow {
                    energy_kwh: power.and_then(|power| power.kwh(sample.busy_nanos)),
                    ..host_row(name, host, sample, run.simulated)
                }
            })
            .collect()
    }
}

fn seconds(at: Instant) -> f64 {
    ratio(at.0.into(), 1_000_000_000, 9).unwrap_or(0.0)
}

fn event_rows(events: &Events) -> Vec<EventRow> {
    let row = |event: &Event| EventRow {
        at_seconds: seconds(event.at),
        kind: event.kind,
        text: event.text.clone(),
    };
    events.first().iter().map(row).collect()
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
        ttft_ms_max: (host.ttft_count > 0).then(|| millis(host.ttft_nanos_max)),
        gpu_busy_share: ratio(sample.busy_nanos.into(), simulated.0.into(), 6).unwrap_or(0.0),
        output_tokens: sample.output_tokens,
        prompt_tokens: sample.prompt_tokens,
        cached_tokens: sample.cached_tokens,
        model_loads: sample.loads,
        evictions: sample.evictions,
        tier_hits: TierHits::of(sample.tier_hits),
        energy_kwh: None,
        busy_nanos: sample.busy_nanos,
    }
}

#[cfg(test)]
mod tests;
