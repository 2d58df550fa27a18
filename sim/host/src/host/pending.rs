//! Ollama's scheduler: the fast path, the pending queue, and the one loop that works it off, strictly in order.

use control::request::KeepAlive;
use control::units::{Instant, Nanos};

use super::arrive::unloads;
use super::flight::{Slot, Stage};
use super::runner::{RunnerOptions, State};
use super::{Completed, Host, Serving, Wait};
use crate::api::{HostError, HostEvent};
use crate::fit::NoFit;
use crate::spec::Version;

/// Which runner makes room.
enum Victim {
    /// This one.
    Runner(usize),
    /// The loop asks each in turn whether it is idle, and one that loads does not answer.
    Locked,
}

impl Host {
    /// The scheduler's entrance. v0.24: a loaded model that needs no reload is handed over at once; all else goes to the
    /// pending queue. v0.10: everything does.
    pub(super) fn get_runner(&mut self, now: Instant, slot: Slot, out: &mut Vec<HostEvent>) {
        if matches!(self.spec.serving, Serving::Paged { .. }) {
            self.tiers.hit_vram();
            self.use_runner(now, 0, slot, out);
            return;
        }
        if self.locked {
            self.flights.get_mut(slot).stage = Stage::Locked;
            self.gate.push(slot);
            return;
        }
        let flight = self.flights.get(slot);
        let unload = unloads(&flight.request);
        let wanted = RunnerOptions::of(&flight.request.options, self.num_ctx_default);
        let loaded = self.listed(flight.blob);
        match loaded {
            Some(at) if self.spec.version == Version::V0_24 || unload => {
                let runner = &mut self.runners[at];
                if runner.state != State::Ready {
                    self.flights.get_mut(slot).stage = Stage::Locked;
                    runner.waiting.push(slot);
                } else if unload {
                    runner.expires = None;
                    runner.keep_alive = KeepAlive::For(Nanos::ZERO);
                    let (id, idle) = (runner.id, runner.refs == 0);
                    self.answer_unload(slot, out);
                    if idle {
                        self.complete(now, Completed::Expired(id));
                    }
                } else if runner.options.needs_reload(&wanted) {
                    self.pend(now, slot, out);
                } else {
                    self.tiers.hit_vram();
                    self.use_runner(now, at, slot, out);
                }
            }
            None if unload => self.answer_unload(slot, out),
            _ => self.pend(now, slot, out),
        }
    }

    /// The runner in the scheduler's list that has these weights.
    #[inline]
    fn listed(&self, blob: u16) -> Option<usize> {
        self.runners.iter().position(|runner| runner.blob == blob && runner.listed)
    }

    /// Puts a request into the pending queue: 503 where that is full. The one in the loop's hand is not counted.
    fn pend(&mut self, now: Instant, slot: Slot, out: &mut Vec<HostEvent>) {
        if self.hand.is_some() && self.queue.len() >= self.spec.max_queue as usize {
            self.refuse(slot, HostError::Busy, out);
            return;
        }
        self.flights.get_mut(slot).stage = Stage::Pending;
        self.queue.push_back(slot);
        if self.hand.is_none() {
            self.pump(now, out);
        }
    }

    /// The loop goes on if it waits for this.
    pub(super) fn wake(&mut self, now: Instant, cause: Wait, out: &mut Vec<HostEvent>) {
        if let Some((slot, wait)) = self.hand
            && wait == cause
        {
            self.hand = None;
            self.take(now, slot, out);
            self.pump(now, out);
        }
    }

    /// The load that the loop waited for is under way, done or given up: it takes the next request.
    pub(super) fn let_go(&mut self, now: Instant, cause: Wait, out: &mut Vec<HostEvent>) {
        if self.hand.is_some_and(|(_, wait)| wait == cause) {
            self.hand = None;
            self.pump(now, out);
        }
    }

    /// Takes requests from the queue until one blocks.
    fn pump(&mut self, now: Instant, out: &mut Vec<HostEvent>) {
        while self.hand.is_none() {
            let Some(slot) = self.queue.pop_front() else { return };
            if self.flights.get(slot).cancelled {
                self.flights.remove(slot);
                continue;
            }
            self.take(now, slot, out);
        }
    }

    /// Works on one request; keeps it in hand where it blocks.
    fn take(&mut self, now: Instant, slot: Slot, out: &mut Vec<HostEvent>) {
        let wait = if self.locked { Some(Wait::Lock) } else { self.schedule(now, slot, out) };
        if let Some(wait) = wait {
            self.hand = Some((slot, wait));
        }
    }

    /// Finds a runner for the request in hand, or begins to load one, or tells one to go; `None` where the loop is
    /// through with it.
    fn schedule(&mut self, now: Instant, slot: Slot, out: &mut Vec<HostEvent>) -> Option<Wait> {
        let flight = self.flights.get(slot);
        let wanted = RunnerOptions::of(&flight.request.options, self.num_ctx_default);
        if let Some(at) = self.listed(flight.blob) {
            let runner = &self.runners[at];
            return match runner.state {
                State::Ready if !runner.options.needs_reload(&wanted) => {
                    self.tiers.hit_vram();
                    self.use_runner(now, at, slot, out);
                    None
                }
                State::Ready => {
                    self.send_away(now, at);
                    Some(Wait::Unload)
                }
                State::Failed => Some(Wait::Unload),
                _ => Some(Wait::Lock),
            };
        }
        let loaded = self.runners.iter().filter(|runner| runner.listed).count();
        if loaded < self.loaded_max {
            // One load at a time; and none while memory is still to come back.
            if self.runners.iter().any(|runner| runner.state == State::Weights) {
                return Some(Wait::Lock);
            }
            if self.runners.iter().any(|runner| runner.state == State::Recovering) {
                return Some(Wait::Unload);
            }
            if self.disk.is_damaged(self.flights.get(slot).model) {
                self.refuse(slot, HostError::Damaged, out);
                return None;
            }
            if self.no_memory {
                self.refuse(slot, HostError::OutOfMemory, out);
                return None;
            }
            match self.fit(slot, loaded == 0) {
                Ok((placement, slots)) => return self.begin_load(now, slot, placement, slots),
                Err(NoFit::OutOfMemory) => {
                    self.refuse(slot, HostError::OutOfMemory, out);
                    return None;
                }
                Err(NoFit::Evict) => {}
            }
        }
        match self.victim() {
            Victim::Runner(at) => {
                if !self.runners[at].evicted {
                    self.runners[at].evicted = true;
                    self.tally.evictions += 1;
                }
                self.send_away(now, at);
                Some(Wait::Unload)
            }
            Victim::Locked => Some(Wait::Lock),
        }
    }

    /// By keep-alive, then blob path: the first that is idle; if none is, the first.
    fn victim(&self) -> Victim {
        let mut listed: Vec<usize> = (0..self.runners.len()).filter(|&at| self.runners[at].listed).collect();
        listed.sort_unstable_by_key(|&at| self.runners[at].goes_after());
        for &at in &listed {
            let runner = &self.runners[at];
            if runner.loading() {
                return Victim::Locked;
            }
            if runner.refs == 0 {
                return Victim::Runner(at);
            }
        }
        Victim::Runner(listed[0])
    }

    /// Makes a runner go: at once where it is idle, else after the requests that hold it.
    fn send_away(&mut self, now: Instant, at: usize) {
        let runner = &mut self.runners[at];
        runner.expires = None;
        runner.keep_alive = KeepAlive::For(Nanos::ZERO);
        if runner.refs == 0 {
            let id = runner.id;
            self.complete(now, Completed::Expired(id));
        }
    }
}
