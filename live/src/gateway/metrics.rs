//! What the gateway counts and remembers of requests, for metrics, the admin API and the request log.
//!
//! The recorder belongs to the task that owns control, which sees all of a request but its tokens: so counts are plain
//! numbers, without locks or atomics, and nothing is counted per token. Whoever wants them asks that task for a copy
//! and writes the text elsewhere ([`text`]); with plain numbers of one owner that is a page of code, and a registry
//! of shared atomics would be no simpler.
//!
//! Bounds: the first [`MODELS_MAX`] models that were sent to a host and the first [`TENANTS_MAX`] tenants have series of
//! their own, the rest are `other` (names that clients make up are sent nowhere); [`DECISIONS_MAX`] ended requests are
//! remembered.

mod actions;
mod histogram;
mod process;
pub(super) mod text;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use control::door::{Action, BreakerState, Dispatch, Input, Note, Output, Reason};
use control::facts::Facts;
use control::ids::{HostId, ModelId, RequestId, TenantId};
use control::request::{Failure, Reject, Usage};
use control::units::Instant;
use serde::Serialize;
use tokio::sync::broadcast;

pub(super) use histogram::Histogram;

use actions::ActionCounts;

/// Models with series of their own.
const MODELS_MAX: u32 = 100;
/// Tenants with series of their own.
pub(super) const TENANTS_MAX: u32 = 32;
/// Ended requests that are remembered.
const DECISIONS_MAX: usize = 1_024;
/// Ended requests that wait for a slow reader of them.
const ENDED_QUEUE: usize = 4_096;

/// What became of a request, or how far it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Progress {
    /// It waits for a host.
    Queued,
    /// A host works on it.
    Running,
    /// Answered in full.
    Finished,
    /// Turned away.
    Rejected,
    /// Failed for good.
    Failed,
    /// Its client left.
    Cancelled,
}

/// Why it ended other than by a full answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Cause {
    Rejected(Reject),
    Failed(Failure),
}

/// A request as the admin API and the request log show it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) struct DecisionRecord {
    /// The request's number, as in the decision log.
    pub(super) id: u64,
    /// When it came in.
    pub(super) arrived_unix_millis: u64,
    pub(super) model: String,
    pub(super) tenant: String,
    /// Where it was sent last.
    pub(super) host: Option<String>,
    /// Why there.
    pub(super) reason: Option<Reason>,
    /// Which balancer decided, by its arm's name.
    pub(super) arm: Option<String>,
    /// Hosts tried.
    pub(super) attempts: u32,
    /// Wait until the last attempt.
    pub(super) wait_millis: Option<f64>,
    /// From its arrival to the first byte of its answer, where that is streamed.
    pub(super) ttft_millis: Option<f64>,
    /// From its arrival to its end.
    pub(super) e2e_millis: Option<f64>,
    pub(super) prompt_tokens: Option<u32>,
    pub(super) output_tokens: Option<u32>,
    pub(super) outcome: Progress,
    pub(super) cause: Option<Cause>,
}

/// A request under way.
#[derive(Clone, Debug)]
struct Open {
    arrived: Instant,
    model: ModelId,
    tenant: TenantId,
    /// Its first byte tells nothing of its first token.
    whole: bool,
    dispatch: Option<(Dispatch, Instant)>,
    first_byte: Option<Instant>,
}

/// Counts of one host.
#[derive(Clone, Debug, Default)]
pub(super) struct HostCounts {
    /// Attempts sent there.
    pub(super) dispatches: u64,
    /// Attempts that failed there, by kind.
    pub(super) failures: BTreeMap<&'static str, u64>,
}

/// Times of one model's requests.
#[derive(Clone, Debug)]
pub(super) struct ModelTimes {
    pub(super) ttft: Histogram,
    pub(super) tpot: Histogram,
    pub(super) e2e: Histogram,
    pub(super) prompt_tokens: u64,
    pub(super) output_tokens: u64,
}

/// All that is counted; a copy of it answers a scrape.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    /// Models with series of their own, by their place among them.
    pub(super) labels: BTreeMap<ModelId, u32>,
    /// By model's place, tenant and outcome; what is beyond the bounds is one.
    pub(super) requests: BTreeMap<(u32, u32, Progress), u64>,
    /// By model's place.
    pub(super) times: BTreeMap<u32, ModelTimes>,
    pub(super) queue_wait: Histogram,
    pub(super) decision: Histogram,
    pub(super) hosts: Vec<HostCounts>,
    pub(super) breakers: BTreeMap<(HostId, Option<ModelId>), BreakerState>,
    pub(super) rejects: BTreeMap<&'static str, u64>,
    pub(super) actions: ActionCounts,
}

/// Watches the door of control.
pub(super) struct Recorder {
    metrics: Metrics,
    open: BTreeMap<RequestId, Open>,
    decisions: VecDeque<Arc<DecisionRecord>>,
    ended: broadcast::Sender<Arc<DecisionRecord>>,
    /// The wall's time when control's was zero.
    zero_unix_millis: u64,
}

/// Whoever wants to hear of each request that ended.
pub(super) fn ended_requests() -> broadcast::Sender<Arc<DecisionRecord>> {
    broadcast::channel(ENDED_QUEUE).0
}

impl Recorder {
    pub(super) fn new(zero_unix_millis: u64, ended: broadcast::Sender<Arc<DecisionRecord>>) -> Self {
        Self {
            metrics: Metrics {
                labels: BTreeMap::new(),
                requests: BTreeMap::new(),
                times: BTreeMap::new(),
                queue_wait: Histogram::new(histogram::SECONDS),
                decision: Histogram::new(histogram::DECISION_SECONDS),
                hosts: Vec::new(),
                breakers: BTreeMap::new(),
                rejects: BTreeMap::new(),
                actions: ActionCounts::default(),
            },
            open: BTreeMap::new(),
            decisions: VecDeque::new(),
            ended,
            zero_unix_millis,
        }
    }

    /// Control takes an input.
    pub(super) fn input(&mut self, now: Instant, input: &Input, facts: &Facts) {
        self.metrics.actions.input(now, input);
        match input {
            Input::Arrive(arrive) => {
                let (model, tenant) = (arrive.model, arrive.tenant);
                let whole = arrive.whole;
                let open = Open { arrived: now, model, tenant, whole, dispatch: None, first_byte: None };
                self.open.insert(arrive.request, open);
            }
            Input::FirstByte { request, attempt } => {
                if let Some(open) = self.open.get_mut(request)
                    && open.is_at(*attempt)
                    && !open.whole
                {
                    open.first_byte = Some(now);
                }
            }
            Input::Finished { request, attempt, usage }
                if self.open.get(request).is_some_and(|open| open.is_at(*attempt)) =>
            {
                self.end(now, *request, Progress::Finished, None, Some(usage), facts);
            }
            Input::Failed { request, attempt, failure } => {
                if let Some(open) = self.open.get(request)
                    && open.is_at(*attempt)
                    && let Some((dispatch, _)) = &open.dispatch
                {
                    let failures = &mut self.metrics.hosts[dispatch.host.index()].failures;
                    *failures.entry(failure_name(*failure)).or_default() += 1;
                }
            }
            Input::Gone { request } => {
                self.end(now, *request, Progress::Cancelled, None, None, facts);
            }
            Input::HostDeclared { host, .. } if host.index() == self.metrics.hosts.len() => {
                self.metrics.hosts.push(HostCounts::default());
            }
            _ => {}
        }
    }

    /// Control has decided.
    pub(super) fn output(&mut self, now: Instant, output: &Output, facts: &Facts) {
        self.metrics.actions.output(now, output);
        match output {
            Output::Dispatch(dispatch) => {
                self.metrics.hosts[dispatch.host.index()].dispatches += 1;
                if let Some(open) = self.open.get_mut(&dispatch.request) {
                    if open.dispatch.is_none() {
                        self.metrics.queue_wait.record(seconds(open.arrived, now));
                    }
                    open.dispatch = Some((*dispatch, now));
                    let place = self.metrics.labels.len() as u32;
                    if place < MODELS_MAX {
                        self.metrics.labels.entry(open.model).or_insert(place);
                    }
                }
            }
            Output::Reject { request, reason } => {
                *self.metrics.rejects.entry(reject_name(*reason)).or_default() += 1;
                self.end(now, *request, Progress::Rejected, Some(Cause::Rejected(*reason)), None, facts);
            }
            Output::Fail { request, failure } => {
                self.end(now, *request, Progress::Failed, Some(Cause::Failed(*failure)), None, facts);
            }
            Output::Note(Note::Breaker { host, model, state: BreakerState::Closed }) => {
                self.metrics.breakers.remove(&(*host, *model));
            }
            Output::Note(Note::Breaker { host, model, state }) => {
                self.metrics.breakers.insert((*host, *model), *state);
            }
            _ => {}
        }
    }

    /// A step of control took so long.
    pub(super) fn step_took(&mut self, took: Duration) {
        self.metrics.decision.record(took.as_secs_f64());
    }

    /// A copy of all counts.
    pub(super) fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// What control would have done on hosts, the newest first.
    pub(super) fn proposed(&self) -> impl Iterator<Item = &(Instant, Action)> {
        self.metrics.actions.proposed()
    }

    /// State of a host's own breaker.
    pub(super) fn breaker(&self, host: HostId) -> BreakerState {
        self.metrics.breakers.get(&(host, None)).copied().unwrap_or(BreakerState::Closed)
    }

    /// Breakers of models on a host that are not closed.
    pub(super) fn model_breakers(&self, host: HostId) -> impl Iterator<Item = (ModelId, BreakerState)> + '_ {
        let of_host = self.metrics.breakers.range((host, None)..(HostId(host.0 + 1), None));
        of_host.filter_map(|((_, model), state)| model.map(|model| (model, *state)))
    }

    /// Counts of a host.
    pub(super) fn host_counts(&self, host: HostId) -> &HostCounts {
        &self.metrics.hosts[host.index()]
    }

    /// The wall's time at a moment of control's.
    pub(super) const fn unix_millis(&self, at: Instant) -> u64 {
        self.zero_unix_millis + at.0 / 1_000_000
    }

    /// Requests under way and the last that ended, the newest arrivals first.
    pub(super) fn decisions(&self, limit: usize, facts: &Facts) -> Vec<Arc<DecisionRecord>> {
        let under_way = self.open.iter().rev().map(|(request, open)| {
            let progress = if open.dispatch.is_some() { Progress::Running } else { Progress::Queued };
            Arc::new(self.record(*request, open, progress, None, facts))
        });
        let mut records: Vec<_> =
            under_way.take(limit).chain(self.decisions.iter().rev().take(limit).cloned()).collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.id));
        records.truncate(limit);
        records
    }

    fn end(
        &mut self,
        now: Instant,
        request: RequestId,
        outcome: Progress,
        cause: Option<Cause>,
        usage: Option<&Usage>,
        facts: &Facts,
    ) {
        let Some(open) = self.open.remove(&request) else { return };
        let model = self.metrics.labels.get(&open.model).copied().unwrap_or(MODELS_MAX);
        let key = (model, open.tenant.0.min(TENANTS_MAX), outcome);
        *self.metrics.requests.entry(key).or_default() += 1;
        let times = self.metrics.times.entry(model).or_insert_with(ModelTimes::new);
        if let Some(first_byte) = open.first_byte {
            times.ttft.record(seconds(open.arrived, first_byte));
        }
        if outcome == Progress::Finished {
            times.e2e.record(seconds(open.arrived, now));
        }
        if let Some(usage) = usage {
            times.prompt_tokens += u64::from(usage.prompt_tokens);
            times.output_tokens += u64::from(usage.output_tokens);
            if let Some(first_byte) = open.first_byte
                && usage.output_tokens > 1
            {
                times.tpot.record(seconds(first_byte, now) / f64::from(usage.output_tokens - 1));
            }
        }
        let mut record = self.record(request, &open, outcome, cause, facts);
        record.e2e_millis = Some(millis(open.arrived, now));
        record.prompt_tokens = usage.map(|usage| usage.prompt_tokens);
        record.output_tokens = usage.map(|usage| usage.output_tokens);
        let record = Arc::new(record);
        if self.decisions.len() == DECISIONS_MAX {
            self.decisions.pop_front();
        }
        self.decisions.push_back(Arc::clone(&record));
        // An error says that nobody listens.
        let _ = self.ended.send(record);
    }

    fn record(
        &self,
        request: RequestId,
        open: &Open,
        outcome: Progress,
        cause: Option<Cause>,
        facts: &Facts,
    ) -> DecisionRecord {
        let dispatch = open.dispatch.as_ref();
        DecisionRecord {
            id: request.0,
            arrived_unix_millis: self.unix_millis(open.arrived),
            model: facts.models[open.model.index()].name.clone(),
            tenant: facts.tenants[open.tenant.index()].clone(),
            host: dispatch.map(|(lease, _)| facts.hosts[lease.host.index()].declaration.name.clone()),
            reason: dispatch.map(|(lease, _)| lease.reason),
            arm: dispatch
                .and_then(|(lease, _)| facts.arms.get(lease.arm.index()))
                .map(|arm| arm.name.clone()),
            attempts: dispatch.map_or(0, |(lease, _)| u32::from(lease.attempt) + 1),
            wait_millis: dispatch.map(|(_, at)| millis(open.arrived, *at)),
            ttft_millis: open.first_byte.map(|at| millis(open.arrived, at)),
            e2e_millis: None,
            prompt_tokens: None,
            output_tokens: None,
            outcome,
            cause,
        }
    }
}

impl Open {
    /// Whether this attempt is the one under way: what is said of others comes too late.
    fn is_at(&self, attempt: u8) -> bool {
        self.dispatch.as_ref().is_some_and(|(lease, _)| lease.attempt == attempt)
    }
}

impl ModelTimes {
    fn new() -> Self {
        Self {
            ttft: Histogram::new(histogram::SECONDS),
            tpot: Histogram::new(histogram::TOKEN_SECONDS),
            e2e: Histogram::new(histogram::SECONDS),
            prompt_tokens: 0,
            output_tokens: 0,
        }
    }
}

fn seconds(from: Instant, to: Instant) -> f64 {
    to.since(from).0 as f64 / 1e9
}

/// Milliseconds to the microsecond: what follows is noise.
fn millis(from: Instant, to: Instant) -> f64 {
    (to.since(from).0 / 1_000) as f64 / 1e3
}

/// Control's word for a failure.
pub(super) const fn failure_name(failure: Failure) -> &'static str {
    match failure {
        Failure::Unreachable => "unreachable",
        Failure::Busy => "busy",
        Failure::ModelMissing => "model_missing",
        Failure::OutOfMemory => "out_of_memory",
        Failure::RunnerGone => "runner_gone",
        Failure::ServerError => "server_error",
        Failure::BadRequest => "bad_request",
        Failure::FirstByteTimeout => "first_byte_timeout",
        Failure::IdleTimeout => "idle_timeout",
        Failure::Broken => "broken",
    }
}

/// Control's word for a reason to turn a request away.
pub(super) const fn reject_name(reject: Reject) -> &'static str {
    match reject {
        Reject::QueueFull => "queue_full",
        Reject::NoHostHasModel => "no_host_has_model",
        Reject::QueueTimeout => "queue_timeout",
        Reject::DeadlinePassed => "deadline_passed",
        Reject::DemandsUnmet => "demands_unmet",
        Reject::Quarantined => "quarantined",
    }
}

#[cfg(test)]
mod tests;
