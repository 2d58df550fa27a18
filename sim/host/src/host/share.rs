//! Runners that compute on one device at the same time share it.
//!
//! Assumed: time slices. Each takes as many times longer as there are runners computing on the busiest of its devices,
//! from its next step on; on a host that computes on its CPU, requests that are prepared there take their part too.

use control::units::Instant;

use super::{Host, rules};
use crate::api::Phase;

impl Host {
    /// A batch loop may have become busy or idle.
    #[inline]
    pub(super) fn loop_changed(&mut self, now: Instant, at: usize, phase: Phase) {
        let runner = &mut self.runners[at];
        let was = runner.due.is_some();
        runner.due = runner.batch.next();
        let is = runner.due.is_some();
        if was == is {
            return;
        }
        if is {
            if self.active == 0 {
                self.busy_since = now;
            }
            self.active += 1;
        } else {
            self.active -= 1;
            if self.active == 0 {
                self.tally.busy_nanos += now.since(self.busy_since).0;
            }
        }
        if self.runners.len() > 1 {
            if phase == Phase::Boundary {
                // After all boundaries of this time: whether a step begins before or after must not depend on the
                // order of runners.
                self.share_at = Some(now);
            } else {
                self.share(now);
            }
        }
    }

    /// Tells each batch loop how long its steps take from now on.
    pub(super) fn share(&mut self, now: Instant) {
        let contended = self.on_cpu() && !self.preparing.is_empty();
        for at in 0..self.runners.len() {
            let permille = self.permille(at, contended);
            let runner = &mut self.runners[at];
            if runner.permille != permille {
                runner.permille = permille;
                runner.batch.slow_down(now, permille);
                runner.due = runner.batch.next();
            }
        }
    }

    fn permille(&self, at: usize, contended: bool) -> u32 {
        let mut sharers = 1;
        if self.active > 1 {
            for device in 0..=self.spec.gpus.len() {
                if self.runners[at].computes_on(device) {
                    let busy = |other: &&super::Runner| other.due.is_some() && other.computes_on(device);
                    sharers = sharers.max(self.runners.iter().filter(busy).count() as u64);
                }
            }
        }
        let mut permille = u64::from(self.slowdown) * sharers;
        if contended {
            permille = permille * u64::from(rules::ASSUMED_CONTENTION_PERMILLE) / 1_000;
        }
        u32::try_from(permille).unwrap_or(u32::MAX)
    }
}
