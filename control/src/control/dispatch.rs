//! Out of the queue: while some queued request has an open host, the first in order goes there.

use super::Control;
use crate::balance::Candidates;
use crate::door::{Dispatch, Env, Output, Outputs, Reason, Stage};
use crate::draw::{Component, Draw};
use crate::facts::ledger::{Slot, State};
use crate::ids::ModelId;
use crate::units::Instant;

impl Control {
    /// Lets out what can go.
    pub(super) fn pump(&mut self, now: Instant, out: &mut Outputs, env: &mut Env<'_>) {
        if self.indexes.waiting.is_empty() {
            return;
        }
        while let Some((model, slot)) = self.first_in_order() {
            self.indexes.dequeue(model, slot);
            if !self.send(now, slot, out, env) {
                self.parked.push(slot);
            }
        }
        while let Some(slot) = self.parked.pop() {
            self.enqueue(slot);
        }
    }

    /// The first queued request, in the scheduler's order, whose model has an open host.
    fn first_in_order(&self) -> Option<(ModelId, Slot)> {
        let heads = self.indexes.waiting.iter().filter_map(|&model| {
            let index = &self.indexes.models[model.index()];
            let (key, slot) = index.queue.peek()?;
            (index.open_len > 0).then_some((key, model, slot))
        });
        heads.min_by_key(|head| head.0).map(|(_, model, slot)| (model, slot))
    }

    /// Sends a queued request (that is in no index) to a host. False where every open host was tried already.
    pub(super) fn send(&mut self, now: Instant, slot: Slot, out: &mut Outputs, env: &mut Env<'_>) -> bool {
        let entry = self.facts.ledger.get(slot);
        let (request, model, attempt) = (entry.arrive.request, entry.arrive.model, entry.attempts);
        let facts = &self.facts.models[model.index()];
        let prompt_tokens = facts.expected_prompt_tokens(entry.arrive.prompt_bytes);
        let candidates = Candidates {
            now,
            request: &entry.arrive,
            history: &self.facts.history,
            hosts: &self.facts.hosts,
            loads: &self.facts.loads,
            eligible: &self.indexes.models[model.index()].eligible,
            loaded: &self.indexes.models[model.index()].loaded,
            tried: entry.tried(),
            prompt_tokens,
        };
        if attempt > 0 && candidates.open().next().is_none() {
            return false;
        }
        env.meter.enter(Stage::Balance);
        let mut draw = Draw::new(env.seed, Component::Balancer, request.0, attempt.into());
        let mut pick = self.balancer.pick(&candidates, &mut draw);
        if candidates.eligible().len() == 1 {
            pick.reason = Reason::OnlyChoice;
        }
        env.meter.leave(Stage::Balance);
        assert!(candidates.is_open(pick.host), "a balancer picks an open host");

        let warm = candidates.is_loaded(pick.host);
        let output_tokens = facts.expected_output_tokens(entry.arrive.num_predict);
        let charged_tokens = prompt_tokens.saturating_add(output_tokens);

        let entry = self.facts.ledger.get_mut(slot);
        entry.state = State::Sent;
        entry.dispatched_at = now;
        entry.tried[attempt as usize] = pick.host;
        entry.attempts = attempt + 1;
        entry.cold = !warm;
        entry.charged_tokens = charged_tokens;
        self.facts.counters.queued -= 1;
        self.facts.counters.running += 1;
        self.charge(pick.host, true, charged_tokens);
        let first_byte_timeout =
            if warm { self.config.first_byte_timeout_warm } else { self.config.first_byte_timeout_cold };
        out.push(Output::Dispatch(Dispatch {
            request,
            attempt,
            host: pick.host,
            first_byte_timeout,
            idle_timeout: self.config.idle_timeout,
            reason: pick.reason,
        }));
        true
    }
}
