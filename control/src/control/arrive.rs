//! A request comes in: admission, then out to a host at once where one has room, else into the queue.

use super::Control;
use crate::door::{Env, Output, Outputs, Stage};
use crate::facts::ledger::{Entry, State};
use crate::request::{Arrive, Reject};
use crate::units::{Instant, Nanos};

impl Control {
    pub(super) fn on_arrive(
        &mut self,
        now: Instant,
        mut arrive: Arrive,
        out: &mut Outputs,
        env: &mut Env<'_>,
    ) {
        let request = arrive.request;
        let lane = self.lane_of_arrival(&arrive);
        self.note_demand(now, &arrive);
        self.note_placement_demand(&arrive);
        if let Some(deadline) = self.deadline(lane, now) {
            arrive.deadline = Some(arrive.deadline.map_or(deadline, |own| own.min(deadline)));
        }
        self.facts.counters.arrived += 1;
        self.facts.retry.on_arrival(self.config.retry_budget_percent);
        let slot = self.facts.ledger.insert(Entry::new(arrive, now, lane));
        self.facts.counters.queued += 1;

        env.meter.enter(Stage::Admission);
        let starts_later = self.start_after(lane) > Nanos::ZERO;
        let model = self.indexes.lanes[lane.index()].model;
        let nowhere = self.indexes.lanes[lane.index()].reachable_len == 0;
        let nowhere = nowhere
            && !(self.indexes.models[model.index()].stored.is_empty()
                && self.will_be_brought(now, model, out));
        let lane = &self.indexes.lanes[lane.index()];
        let is_open = lane.open_len > 0;
        let goes_out = lane.queue.is_empty() && is_open && !starts_later;
        let quarantine = self.facts.quarantine.as_ref().filter(|_| self.config.quarantine.is_some());
        let rejected = if nowhere {
            let stored = !self.indexes.models[lane.model.index()].stored.is_empty();
            Some(if stored { Reject::DemandsUnmet } else { Reject::NoHostHasModel })
        } else if quarantine
            .is_some_and(|quarantine| quarantine.holds(now, &self.facts.ledger.get(slot).arrive))
        {
            Some(Reject::Quarantined)
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
        } else if starts_later {
            self.facts.ledger.get_mut(slot).state = State::Deferred;
            self.defer(slot);
        } else {
            self.enter(slot, env);
            if is_open {
                // Those before it wait for hosts that they have not tried; this one has tried none.
                self.pump(now, out, env);
            }
            self.note_wait(now, model);
        }
        self.load_ahead(now, out);
    }

    /// Lets requests into the queue that may start by now. Whether there was one.
    pub(super) fn start_deferred(&mut self, now: Instant, env: &mut Env<'_>) -> bool {
        let mut any = false;
        while let Some(slot) = self.indexes.startable(now) {
            self.indexes.undefer(slot);
            self.facts.ledger.get_mut(slot).state = State::Queued;
            self.enter(slot, env);
            any = true;
        }
        any
    }

    /// Puts a request into the queue, and tells the scheduler of it.
    pub(super) fn enter(&mut self, slot: u32, env: &mut Env<'_>) {
        env.meter.enter(Stage::Schedule);
        self.scheduler.enter(&self.facts.ledger.get(slot).arrive);
        self.enqueue(slot);
        env.meter.leave(Stage::Schedule);
    }
}
