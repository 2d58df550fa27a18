//! The other end: requests that end, keep-alive, expiry, unloading.
//!
//! One thing at a time: while a runner is unloaded, ends and expiries wait; and while its process ends, nobody can look
//! at the list of runners, so that requests wait too.

use control::request::KeepAlive;
use control::units::{Instant, Nanos};

use super::load::to_poll;
use super::runner::{RunnerId, State, next_on_grid};
use super::{Completed, Host, Wait, rules};
use crate::api::HostEvent;

impl Host {
    /// Something to be handled in order.
    pub(super) fn complete(&mut self, now: Instant, what: Completed) {
        if self.unloading.is_some() {
            self.completed.push_back(what);
        } else {
            self.handle_completed(now, what);
        }
    }

    fn handle_completed(&mut self, now: Instant, what: Completed) {
        match what {
            Completed::Finished(id) => {
                let Some(at) = self.runner_index(id) else { return };
                let runner = &mut self.runners[at];
                runner.refs -= 1;
                if runner.refs > 0 {
                    return;
                }
                runner.looked_at = runner.looked_at.map(|at| next_on_grid(at, rules::EXPIRED_POLL, now));
                match runner.keep_alive {
                    KeepAlive::For(Nanos::ZERO) => {
                        runner.expires = None;
                        self.expired(now, id);
                    }
                    KeepAlive::For(span) if !runner.stays() => runner.expires = Some(now + span),
                    KeepAlive::For(_) | KeepAlive::Forever => runner.expires = None,
                }
            }
            Completed::Expired(id) => self.expired(now, id),
        }
    }

    /// A runner's time is over: it is unloaded, or looked at again while it is in use.
    fn expired(&mut self, now: Instant, id: RunnerId) {
        let Some(at) = self.runner_index(id) else { return };
        let runner = &mut self.runners[at];
        if !matches!(runner.state, State::Ready | State::Failed) {
            return;
        }
        if runner.refs > 0 {
            runner.looked_at = Some(now + rules::EXPIRED_POLL);
            return;
        }
        runner.state = State::Ending;
        runner.expired_at = now;
        runner.expires = None;
        runner.looked_at = None;
        runner.until = Some(now + rules::PROCESS_END);
        self.unloading = Some(id);
        self.locked = true;
    }

    /// A runner's state ends by itself.
    pub(super) fn state_over(&mut self, now: Instant, at: usize, out: &mut Vec<HostEvent>) {
        match self.runners[at].state {
            State::Fitting => self.layout_found(now, at, out),
            State::Weights => self.weights_over(now, at, out),
            State::Aborting => self.aborted(now, at, out),
            State::Ending => self.ended(now, at, out),
            State::Recovering => self.unloaded(now, at, out),
            State::Ready | State::Failed => self.runners[at].until = None,
        }
    }

    /// The process has ended: off the list, and the list is free again.
    fn ended(&mut self, now: Instant, at: usize, out: &mut Vec<HostEvent>) {
        let waits =
            (0..self.spec.gpus.len()).any(|gpu| self.discrete(gpu) && self.runners[at].computes_on(gpu));
        let runner = &mut self.runners[at];
        runner.listed = false;
        runner.state = State::Recovering;
        let recovered = runner.expired_at + to_poll(rules::ASSUMED_MEMORY_RECOVERY);
        runner.until = Some(if waits { recovered.max(now) } else { now });
        let mut freed = std::mem::take(&mut runner.waiting);
        self.revision += 1;
        self.locked = false;
        if !waits {
            // Its memory is back before anyone can ask.
            self.remove_runner(at);
        }
        self.wake(now, Wait::Lock, out);
        freed.append(&mut self.gate);
        for slot in freed {
            self.get_runner(now, slot, out);
        }
        if !waits {
            self.unloading_over(now, out);
        }
    }

    /// Its memory is free.
    fn unloaded(&mut self, now: Instant, at: usize, out: &mut Vec<HostEvent>) {
        self.remove_runner(at);
        self.unloading_over(now, out);
    }

    fn remove_runner(&mut self, at: usize) {
        let runner = self.runners.remove(at);
        self.tally.steps += runner.batch.stats().steps;
    }

    /// What waited is handled until the next unload begins; the pending loop may go on.
    fn unloading_over(&mut self, now: Instant, out: &mut Vec<HostEvent>) {
        self.unloading = None;
        while self.unloading.is_none()
            && let Some(what) = self.completed.pop_front()
        {
            self.handle_completed(now, what);
        }
        self.wake(now, Wait::Unload, out);
    }
}
