//! Out of the queue: while some queued request has an open host, the first in order goes there.

use super::Control;
use crate::balance::Candidates;
use crate::config::DispatchLimit;
use crate::door::{Dispatch, Env, Output, Outputs, Reason, Stage};
use crate::facts::ledger::{Slot, State};
use crate::facts::predict::Prediction;
use crate::facts::predict::service::{Busy, Speed};
use crate::ids::HostId;
use crate::request::Arrive;
use crate::schedule::{Group, Head};
use crate::units::{Instant, Nanos};

/// Hosts from which on the time on a host is predicted for one request in [`SAMPLED_EVERY`] only: nothing is decided by it, and
/// among so many hosts the pace of the one that was chosen is not in the processor's cache.
const HOSTS_MANY: usize = 256;
const SAMPLED_EVERY: u64 = 16;

impl Control {
    /// Lets out what can go.
    pub(super) fn pump(&mut self, now: Instant, out: &mut Outputs, env: &mut Env<'_>) {
        if self.indexes.waiting.is_empty() {
            return;
        }
        while let Some(slot) = self.indexes.aged(now) {
            self.requeue(slot, Group::AGED);
        }
        while let Some(Head { slot, .. }) = self.next_head(now, env) {
            self.indexes.dequeue(self.facts.ledger.get(slot), slot);
            if self.send(now, slot, out, env) {
                self.scheduler.leave(&self.facts.ledger.get(slot).arrive);
            } else {
                self.parked.push(slot);
            }
        }
        while let Some(slot) = self.parked.pop() {
            self.enqueue(slot);
        }
    }

    fn requeue(&mut self, slot: Slot, group: Group) {
        let entry = self.facts.ledger.get_mut(slot);
        self.indexes.dequeue(entry, slot);
        entry.group = group;
        self.enqueue(slot);
    }

    /// The queued request that goes next, of those whose model has an open host: one that has waited for too long, else
    /// the scheduler's choice.
    fn next_head(&mut self, now: Instant, env: &mut Env<'_>) -> Option<Head> {
        let (work, loaded) = (self.scheduler.asks_for_work(), self.scheduler.asks_for_loaded());
        self.heads.clear();
        for lane in &self.indexes.waiting {
            let lane = &self.indexes.lanes[lane.index()];
            let model = lane.model;
            if lane.open_len == 0 {
                continue;
            }
            for (group, key, slot) in lane.queue.heads() {
                let mut head =
                    Head { model, group, key, slot, tokens: 0, waited: Nanos::ZERO, loaded: false };
                if work {
                    let entry = self.facts.ledger.get(slot);
                    head.tokens = self.facts.models[model.index()].expected(&entry.arrive).total();
                    head.waited = now.since(entry.arrived_at);
                }
                if loaded {
                    let loaded = &self.indexes.models[model.index()].loaded;
                    let mut open =
                        lane.eligible.iter().filter(|host| self.facts.loads[host.index()].has_room());
                    head.loaded = open.any(|host| loaded.contains(*host));
                }
                self.heads.push(head);
            }
        }
        let heads = self.heads.as_slice();
        if heads.is_empty() {
            return None;
        }
        let aged = heads.iter().filter(|head| head.group == Group::AGED).min_by_key(|head| head.key);
        if let Some(aged) = aged {
            return Some(*aged);
        }
        env.meter.enter(Stage::Schedule);
        let chosen = heads[self.scheduler.choose(heads)];
        env.meter.leave(Stage::Schedule);
        Some(chosen)
    }

    /// Sends a queued request (that is in no index) to a host. False where every open host was tried already.
    pub(super) fn send(&mut self, now: Instant, slot: Slot, out: &mut Outputs, env: &mut Env<'_>) -> bool {
        self.reselect(now, out);
        let arm_at = self.arm_of(&self.facts.ledger.get(slot).arrive);
        let entry = self.facts.ledger.get(slot);
        let (request, model, attempt) = (entry.arrive.request, entry.arrive.model, entry.attempts);
        let tried = self.facts.ledger.tried(slot);
        let work = self.facts.models[model.index()].expected(&entry.arrive);
        let lane = &self.indexes.lanes[entry.lane.index()];
        let preferred = self
            .preferred
            .gather(lane, |host| self.facts.loads[host.index()].has_room() && !tried.contains(&host));
        let (eligible, eligible_set, sum, weights) = match preferred {
            true => (&self.preferred.hosts, &self.preferred.set, None, None),
            false => {
                let sum = self.indexes.sums.then_some(lane.in_flight_sum);
                (&lane.eligible, &lane.eligible_set, sum, lane.weights.as_ref())
            }
        };
        let candidates = Candidates {
            now,
            request: &entry.arrive,
            history: &self.facts.history,
            hosts: &self.facts.hosts,
            loads: &self.facts.loads,
            eligible,
            eligible_set,
            loaded: &self.indexes.models[model.index()].loaded,
            levels: self.indexes.levels.as_ref(),
            in_flight_sum: sum,
            weights,
            executor: &*self.executor,
            tried,
            prompt_tokens: work.prompt,
        };
        if attempt > 0 && candidates.open().next().is_none() {
            return false;
        }
        env.meter.enter(Stage::Balance);
        let mut pick = self.arms.pick(arm_at, &candidates, env, attempt);
        if candidates.eligible().len() == 1 {
            pick.reason = Reason::OnlyChoice;
        }
        assert!(candidates.is_open(pick.host), "a balancer picks an open host");
        env.meter.leave(Stage::Balance);

        let cold = self.is_cold(pick.host, model);
        let arm = self.arms.list[arm_at].id;
        self.arms.shadow(&candidates, (pick.host, attempt), &mut self.facts.arms, out, env);
        let prediction = self.predict(&entry.arrive, work.prompt, pick.host, !cold);

        let entry = self.facts.ledger.get_mut(slot);
        entry.state = State::Sent;
        entry.arm = arm;
        entry.attempts = attempt + 1;
        self.scheduler.charge(&entry.arrive, work);
        let attempts = self.facts.ledger.attempts_mut(slot);
        attempts.dispatched_at = now;
        attempts.tried[attempt as usize] = pick.host;
        attempts.cold = cold;
        attempts.charged = work;
        attempts.ttft_micros = 0;
        attempts.prediction = prediction;
        attempts.progress_tokens = 0;
        self.facts.counters.queued -= 1;
        self.facts.counters.running += 1;
        self.charge((pick.host, model), true, work.total());
        let first_byte_timeout = self.first_byte_timeout(pick.host, model, cold);
        self.join_load(now, slot, pick.host, model, cold);
        self.facts.arms[arm.index()].counts.decided += 1;
        self.breakers_sent(pick.host, model);
        self.trial_sent(now, pick.host);
        self.meet_demand(pick.host, model, out);
        self.note_serve(model, pick.host);
        out.push(Output::Dispatch(Dispatch {
            request,
            attempt,
            host: pick.host,
            first_byte_timeout,
            idle_timeout: self.config.idle_timeout,
            reason: pick.reason,
            arm,
        }));
        true
    }

    /// What is predicted of a request that is about to be sent to a host.
    #[inline]
    fn predict(&self, arrive: &Arrive, prompt_tokens: u32, host: HostId, warm: bool) -> Prediction {
        let sampled = self.facts.loads.len() < HOSTS_MANY || arrive.request.0.is_multiple_of(SAMPLED_EVERY);
        if !sampled {
            return self.facts.predictor.predict(arrive, prompt_tokens, None);
        }
        let load = self.facts.loads[host.index()];
        // Where slots are the limit, the declaration need not be fetched for them.
        let slots = match self.config.dispatch {
            DispatchLimit::Slots => load.limit,
            _ => self.facts.hosts[host.index()].declaration.slots.max(1),
        };
        let pace = self.facts.history[host.index()].pace(arrive.model);
        let speed = pace.and_then(|pace| Speed::measured(pace, warm));
        let host = speed.map(|speed| (speed, Busy { load, slots }));
        self.facts.predictor.predict(arrive, prompt_tokens, host)
    }
}
