//! A request comes in: admission, then out to a host at once where one has room, else into the queue.

use super::Control;
use crate::door::{Env, Output, Outputs, Stage};
use crate::facts::ledger::{ATTEMPTS_MAX, Entry, State};
use crate::facts::predict::Prediction;
use crate::ids::HostId;
use crate::request::{Arrive, Reject};
use crate::schedule::{Group, Work};
use crate::units::Instant;

impl Control {
    pub(super) fn on_arrive(&mut self, now: Instant, arrive: Arrive, out: &mut Outputs, env: &mut Env<'_>) {
        let (request, model) = (arrive.request, arrive.model);
        self.facts.counters.arrived += 1;
        self.facts.retry.on_arrival(self.config.retry_budget_percent);
        let slot = self.facts.ledger.insert(Entry {
            arrive,
            arrived_at: now,
            dispatched_at: now,
            epoch: self.epoch,
            state: State::Queued,
            group: Group::default(),
            attempts: 0,
            tried: [HostId(0); ATTEMPTS_MAX],
            cold: false,
            charged: Work::default(),
            prediction: Prediction::Nothing,
            progress_tokens: 0,
        });
        self.facts.counters.queued += 1;

        env.meter.enter(Stage::Admission);
        let index = &self.indexes.models[model.index()];
        let goes_out = index.queue.is_empty() && index.open_len > 0;
        let rejected = if index.stored_len == 0 {
            Some(Reject::NoHostHasModel)
        } else if !goes_out && self.facts.counters.queued > u64::from(self.config.queue_requests_max) {
            Some(Reject::QueueFull)
        } else {
            None
        };
        env.meter.leave(Stage::Admission);

        if let Some(reason) = rejected {
            self.facts.counters.queued -= 1;
            self.facts.counters.rejected += 1;
            self.facts.ledger.remove(slot);
            out.push(Output::Reject { request, reason });
        } else if goes_out {
            let sent = self.send(now, slot, out, env);
            debug_assert!(sent, "a request that tried no host yet can go to any open one");
        } else {
            self.enter(slot, env);
        }
    }

    /// Puts a request into the queue, and tells the scheduler of it.
    pub(super) fn enter(&mut self, slot: u32, env: &mut Env<'_>) {
        env.meter.enter(Stage::Schedule);
        self.scheduler.enter(&self.facts.ledger.get(slot).arrive);
        self.enqueue(slot);
        env.meter.leave(Stage::Schedule);
    }
}
