//! What breaks on a host: its process or machine ends, a runner's process ends under its requests, loads run out of memory, weights
//! on its disk are damaged. What a network does is the driver's.

use std::cmp::Reverse;

use control::ids::ModelId;
use control::request::KeepAlive;
use control::units::{Instant, Nanos};

use super::flight::{Flights, Slot, Stage};
use super::{Completed, Host};
use crate::api::{HostError, HostEvent, Phase, RequestKey};

/// Something that breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// All that runs ends at once and without a word; the driver knows which connections that breaks. Afterwards the host is as one that has just
    /// been started. With the machine goes what its page cache held.
    Crash {
        /// The whole machine, not Ollama alone.
        machine: bool,
    },
    /// From now on a load finds too little memory, or no longer so.
    NoMemory(bool),
    /// The runner with the most requests runs out of memory and ends: each of its requests fails.
    RunnerDies,
    /// The weights of a model on the disk are damaged, until another content is put there; or they are as before.
    Damage(ModelId, bool),
}

impl Host {
    pub(super) fn suffer(&mut self, now: Instant, fault: Fault, out: &mut Vec<HostEvent>) {
        match fault {
            Fault::Crash { machine } => self.crash(now, machine),
            Fault::NoMemory(lasts) => self.no_memory = lasts,
            Fault::RunnerDies => self.lose_runner(now, out),
            Fault::Damage(model, is) => self.disk.damage(model, is),
        }
    }

    fn crash(&mut self, now: Instant, machine: bool) {
        if self.active > 0 {
            self.tally.busy_nanos += now.since(self.busy_since).0;
            self.active = 0;
        }
        for runner in self.runners.drain(..) {
            self.tally.steps += runner.batch.stats_at(now).steps;
        }
        self.flights = Flights::default();
        self.preparing.clear();
        self.hand = None;
        self.queue.clear();
        self.unloading = None;
        self.completed.clear();
        self.locked = false;
        self.gate.clear();
        self.share_at = None;
        if machine {
            self.tiers.forget();
        }
        self.revision += 1;
        self.make_resident();
    }

    fn lose_runner(&mut self, now: Instant, out: &mut Vec<HostEvent>) {
        let busiest = (0..self.runners.len()).max_by_key(|&at| (self.runners[at].admitted, Reverse(at)));
        let Some(at) = busiest.filter(|&at| self.runners[at].admitted > 0) else { return };
        let id = self.runners[at].id;
        for slot in self.flights.on_runner(id) {
            let key = self.flights.get(slot).request.key;
            out.push(HostEvent::Error { key, error: HostError::RunnerGone });
            self.flights.get_mut(slot).cancelled = true;
            self.cancel_in_loop(now, id, slot, out);
        }
        if let Some(at) = self.runner_index(id) {
            let runner = &mut self.runners[at];
            runner.expires = None;
            runner.keep_alive = KeepAlive::For(Nanos::ZERO);
            if runner.refs == 0 {
                self.complete(now, Completed::Expired(id));
            }
        }
    }

    /// Takes a request whose answer nobody waits for out of the batch loop that it is in.
    pub(super) fn cancel_in_loop(
        &mut self,
        now: Instant,
        id: super::RunnerId,
        slot: Slot,
        out: &mut Vec<HostEvent>,
    ) {
        let Some(at) = self.runner_index(id) else { return };
        let mut events = std::mem::take(&mut self.loop_events);
        self.runners[at].batch.cancel(now, RequestKey(slot.into()), &mut events);
        self.loop_changed(now, at, Phase::Delivery);
        self.handle(now, at, &mut events, out);
        self.loop_events = events;
    }
}

impl Flights {
    /// The requests that hold a runner, and whose clients have not left.
    fn on_runner(&self, id: super::RunnerId) -> Vec<Slot> {
        let there = |(_, flight): &(Slot, &super::flight::Flight)| {
            flight.stage == Stage::Running(id) && !flight.cancelled
        };
        self.places().filter(there).map(|(slot, _)| slot).collect()
    }
}
