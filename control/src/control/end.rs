//! How attempts and requests end: answers, failures, retries, clients that leave, waits that took too long.

use super::Control;
use super::breakers::End;
use crate::config::DispatchLimit;
use crate::door::{Env, Output, Outputs, Part};
use crate::facts::hosts::HostLoad;
use crate::facts::ledger::{Slot, State};
use crate::ids::{HostId, RequestId};
use crate::policy::guard::{Answer, Metric};
use crate::policy::limit::Limit;
use crate::policy::quarantine::Quarantine;
use crate::request::{Failure, Reject, Usage};
use crate::schedule::Work;
use crate::units::{Instant, Nanos};

impl Control {
    pub(super) fn on_first_byte(
        &mut self,
        now: Instant,
        request: RequestId,
        attempt: u8,
        out: &mut Outputs,
        env: &mut Env<'_>,
    ) {
        let Some(slot) = self.running(request, attempt) else { return };
        let entry = self.facts.ledger.get_mut(slot);
        assert!(entry.state == State::Sent, "one attempt at most is past its first byte, and once");
        entry.state = State::Streaming;
        let (model, whole) = (entry.arrive.model, entry.arrive.whole);
        let host = self.host_of(slot);
        // What a whole answer waited for is known when it has ended.
        let mut opened = !whole && self.first_token(now, slot, self.since_dispatch(now, slot), out);
        opened |= self.answer_load(host, model);
        if opened {
            self.pump(now, out, env);
        }
    }

    /// Takes in how long the first token of a running request took. Whether a host may have more.
    fn first_token(&mut self, now: Instant, slot: Slot, ttft: Nanos, out: &mut Outputs) -> bool {
        let entry = self.facts.ledger.get(slot);
        let (model, arm, host) = (entry.arrive.model, entry.arm, self.host_of(slot));
        let loaded = self.began_load(slot, host, model);
        let attempts = self.facts.ledger.attempts_mut(slot);
        let cold = attempts.cold;
        attempts.ttft_micros = u32::try_from(ttft.0 / 1_000).unwrap_or(u32::MAX);
        self.facts.history[host.index()].on_first_byte(now, model, ttft, loaded);
        if loaded {
            self.facts.models[model.index()].cold_ttft.add_load(ttft);
        }
        let counts = &mut self.facts.arms[arm.index()].counts;
        counts.first_bytes += 1;
        counts.ttft_nanos = counts.ttft_nanos.saturating_add(ttft.0);
        self.guard(arm, Metric::Ttft, Answer { ttft: Some(ttft), failed: false }, out);
        let mut opened = !cold && self.learn_limit(now, host, ttft);
        opened |= self.match_record(now, host);
        opened
    }

    pub(super) fn since_dispatch(&self, now: Instant, slot: Slot) -> Nanos {
        now.since(self.facts.ledger.attempts(slot).dispatched_at)
    }

    /// What a whole answer waited for its first token: all but what its tokens took, as the host says, else as they usually take there.
    fn ttft_of_whole(&self, now: Instant, slot: Slot, usage: &Usage) -> Nanos {
        let (host, model) = (self.host_of(slot), self.facts.ledger.get(slot).arrive.model);
        let usual = || {
            let token = self.facts.history[host.index()].pace(model).and_then(|pace| pace.output_token.get());
            Nanos(u64::from(usage.output_tokens).saturating_mul(token.unwrap_or(0)))
        };
        let generating = if usage.eval == Nanos::ZERO { usual() } else { usage.eval };
        Nanos(self.since_dispatch(now, slot).0.saturating_sub(generating.0))
    }

    pub(super) fn on_progress(&mut self, request: RequestId, attempt: u8, tokens: u32) {
        if let Some(slot) = self.running(request, attempt) {
            self.facts.ledger.attempts_mut(slot).progress_tokens = tokens;
        }
    }

    pub(super) fn on_finished(
        &mut self,
        now: Instant,
        request: RequestId,
        attempt: u8,
        usage: &Usage,
        out: &mut Outputs,
        env: &mut Env<'_>,
    ) {
        let Some(slot) = self.running(request, attempt) else { return };
        if self.facts.ledger.get(slot).arrive.whole {
            let ttft = self.ttft_of_whole(now, slot, usage);
            self.first_token(now, slot, ttft, out);
        }
        let (entry, attempts) = (self.facts.ledger.get(slot), self.facts.ledger.attempts(slot));
        let (arrive, model) = (&entry.arrive, entry.arrive.model);
        self.facts.arms[entry.arm.index()].counts.finished += 1;
        let took = Work { prompt: usage.prompt_tokens, output: usage.output_tokens };
        self.scheduler.settle(arrive, attempts.charged, took);
        let service = self.since_dispatch(now, slot);
        self.facts.predictions.add(&attempts.prediction, attempts.charged.output, usage, service);
        self.facts.predictor.learn(arrive, usage, service);
        self.facts.models[model.index()].learn(arrive.prompt_bytes, usage);
        let (arm, ttft) = (entry.arm, Nanos::from_micros(attempts.ttft_micros.into()));
        let host = self.host_of(slot);
        self.facts.history[host.index()].on_finished(now, model, usage);
        self.note_service(model, usage);
        self.answer_load(host, model);
        self.breakers_ended(now, slot, End::Answered { ttft }, out);
        self.guard(arm, Metric::Failures, Answer { ttft: Some(ttft), failed: false }, out);
        self.remember(now, slot, usage);
        self.match_record(now, host);
        self.release(slot);
        self.facts.ledger.remove(slot);
        self.facts.counters.finished += 1;
        self.warm_up(host);
        self.pump(now, out, env);
    }

    pub(super) fn on_failed(
        &mut self,
        now: Instant,
        request: RequestId,
        attempt: u8,
        failure: Failure,
        out: &mut Outputs,
        env: &mut Env<'_>,
    ) {
        let Some(slot) = self.running(request, attempt) else { return };
        let (arm, host) = (self.facts.ledger.get(slot).arm, self.host_of(slot));
        self.facts.arms[arm.index()].counts.failed += 1;
        self.facts.history[host.index()].on_failed(failure);
        self.match_record(now, host);
        if failure == Failure::FirstByteTimeout {
            let model = self.facts.ledger.get(slot).arrive.model;
            self.learn_of_timeout(now, slot, host, model);
        }
        self.breakers_ended(now, slot, End::Failed(failure), out);
        if failure != Failure::BadRequest {
            self.guard(arm, Metric::Failures, Answer { ttft: None, failed: true }, out);
        }
        self.unserved(slot);
        self.release(slot);
        let deadly = failure == Failure::RunnerGone && self.ended_runner(now, slot);
        if !deadly && self.may_retry(now, slot, failure) {
            self.facts.counters.retries += 1;
            self.facts.counters.queued += 1;
            self.facts.ledger.get_mut(slot).state = State::Queued;
            self.enter(slot, env);
        } else {
            self.facts.ledger.remove(slot);
            self.facts.counters.failed += 1;
            out.push(Output::Fail { request, failure });
        }
        self.pump(now, out, env);
    }

    pub(super) fn on_gone(&mut self, now: Instant, request: RequestId, out: &mut Outputs, env: &mut Env<'_>) {
        let Some(slot) = self.facts.ledger.find(request) else {
            self.facts.counters.late += 1;
            return;
        };
        let entry = self.facts.ledger.get(slot);
        if entry.state == State::Deferred {
            self.indexes.undefer(slot);
            self.facts.counters.queued -= 1;
        } else if entry.state == State::Queued {
            self.indexes.dequeue(entry, slot);
            self.scheduler.leave(&entry.arrive);
            self.facts.counters.queued -= 1;
        } else {
            let (attempt, host) = (entry.attempts - 1, self.host_of(slot));
            self.breakers_ended(now, slot, End::Abandoned, out);
            self.unserved(slot);
            self.release(slot);
            out.push(Output::Cancel { request, attempt, host });
        }
        self.facts.ledger.remove(slot);
        self.facts.counters.cancelled += 1;
        self.pump(now, out, env);
    }

    /// Rejects what has waited for too long.
    #[inline]
    pub(super) fn expire(&mut self, now: Instant, out: &mut Outputs) {
        while let Some(slot) = self.indexes.expired(now) {
            let entry = self.facts.ledger.get(slot);
            let request = entry.arrive.request;
            let late = entry.arrive.deadline.is_some_and(|deadline| deadline <= now);
            if entry.state == State::Deferred {
                self.indexes.undefer(slot);
            } else {
                self.indexes.dequeue(entry, slot);
                self.scheduler.leave(&entry.arrive);
            }
            self.facts.ledger.remove(slot);
            self.facts.counters.queued -= 1;
            self.facts.counters.rejected += 1;
            let reason = if late { Reject::DeadlinePassed } else { Reject::QueueTimeout };
            out.push(Output::Reject { request, reason });
        }
    }

    /// The running request that a message is about; counts messages about attempts that had ended.
    #[inline]
    fn running(&mut self, request: RequestId, attempt: u8) -> Option<Slot> {
        let slot = self.facts.ledger.find(request).filter(|&slot| {
            let entry = self.facts.ledger.get(slot);
            matches!(entry.state, State::Sent | State::Streaming) && entry.attempts == attempt + 1
        });
        if slot.is_none() {
            self.facts.counters.late += 1;
        }
        slot
    }

    /// An attempt ended before its answer: what was relayed counts as served, the rest is given back.
    fn unserved(&mut self, slot: Slot) {
        let (entry, attempts) = (self.facts.ledger.get(slot), self.facts.ledger.attempts(slot));
        let prompt = if entry.state == State::Streaming { attempts.charged.prompt } else { 0 };
        let took = Work { prompt, output: attempts.progress_tokens };
        self.scheduler.settle(&entry.arrive, attempts.charged, took);
    }

    /// What a first byte says of how many requests a host works on. Whether it may be given more.
    fn learn_limit(&mut self, now: Instant, host: HostId, ttft: Nanos) -> bool {
        if self.config.dispatch != DispatchLimit::Learned || self.is_frozen() {
            return false;
        }
        if self.facts.limits.len() <= host.index() {
            self.facts.limits.resize(host.index() + 1, Limit::default());
        }
        let HostLoad { in_flight, limit: before, .. } = self.facts.loads[host.index()];
        self.facts.limits[host.index()].on_first_byte(now, ttft, in_flight, &self.config.limit);
        let limit = self.limit(host);
        self.set_limit(host, limit);
        limit > before
    }

    /// A host that was silent answered: it may have one more at once, until it has as many as others.
    fn warm_up(&mut self, host: HostId) {
        let facts = &mut self.facts.hosts[host.index()];
        let Some(warming) = facts.warming else { return };
        facts.warming = (warming + 1 < facts.declaration.slots).then_some(warming + 1);
        self.set_limit(host, self.limit(host));
    }

    fn host_of(&self, slot: Slot) -> HostId {
        self.facts.ledger.host(slot).expect("a running request has a host")
    }

    /// A running request no longer takes room on its host.
    #[inline]
    fn release(&mut self, slot: Slot) {
        let model = self.facts.ledger.get(slot).arrive.model;
        let charged_tokens = self.facts.ledger.attempts(slot).charged.total();
        let host = self.host_of(slot);
        self.facts.counters.running -= 1;
        self.charge((host, model), false, charged_tokens);
        self.leave_load(slot, host, model);
    }

    /// A request ended the runner of its model. Whether its kind is in quarantine now.
    fn ended_runner(&mut self, now: Instant, slot: Slot) -> bool {
        let Some(lasts) = self.config.quarantine else { return false };
        let history = self.implementation(Part::History);
        let quarantine = self.facts.quarantine.get_or_insert_with(|| Quarantine::new(history, lasts));
        quarantine.on_runner_gone(now, &self.facts.ledger.get(slot).arrive)
    }

    /// Whether a failed attempt may be followed by another: before the first byte and the deadline only, never after the
    /// client's own mistake, and not after a cold time-out, which would start the same load on host after host.
    fn may_retry(&mut self, now: Instant, slot: Slot, failure: Failure) -> bool {
        let entry = self.facts.ledger.get(slot);
        let repeatable = match failure {
            Failure::Unreachable
            | Failure::Busy
            | Failure::ModelMissing
            | Failure::OutOfMemory
            | Failure::RunnerGone
            | Failure::ServerError => true,
            // The connection broke; before the first byte nothing was shown to the client.
            Failure::Broken => true,
            Failure::FirstByteTimeout => !self.facts.ledger.attempts(slot).cold,
            Failure::IdleTimeout | Failure::BadRequest => false,
        };
        let (lane, tried) = (&self.indexes.lanes[entry.lane.index()], self.facts.ledger.tried(slot));
        // A host that is held back by a load is waited for, as one is that has no room.
        let may_go_to = |host: HostId| !tried.contains(&host) && self.is_chosen(host, lane.model);
        repeatable
            && entry.state == State::Sent
            && entry.arrive.deadline.is_none_or(|deadline| now < deadline)
            && entry.attempts < self.config.attempts_max
            && lane.reachable.iter().any(may_go_to)
            && self.facts.retry.take(now, self.config.retry_budget_per_second)
    }
}
