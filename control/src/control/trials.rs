//! Trials: a demand on what was learned of hosts (`ttft_millis_max`, `reliability_percent_min`) would keep a host out for good that did not
//! meet it once, since whoever gets no request cannot show that it is well again. So what was learned counts for a time only; then the host is as one
//! of which nothing is known, which meets such demands, until one request is let out to it. What comes of that is learned, and counts for as long again.

use super::Control;
use crate::door::{Env, Outputs};
use crate::ids::HostId;
use crate::units::{Instant, Nanos};

/// How long what was learned of a host keeps it out, from the last that it taught.
const COUNTS_FOR: Nanos = Nanos::from_secs(30);

impl Control {
    /// What a host's answers taught changed, or is to count again.
    pub(super) fn postpone_trial(&mut self, now: Instant, host: HostId) {
        self.facts.trials.postpone(host, now.saturating_add(COUNTS_FOR));
    }

    /// Somebody demands something of what was learned, from now on: what was learned before counts from when that was.
    pub(super) fn prepare_trials(&mut self) {
        for (host, history) in (0..).map(HostId).zip(&self.facts.history) {
            let taught = history.ttft.get().is_some() || history.health_permille() < 1_000;
            if taught && !self.facts.trials.knows(host) {
                self.facts.trials.postpone(host, history.answered_at().saturating_add(COUNTS_FOR));
            }
        }
    }

    /// Begins the trials whose time has come.
    pub(super) fn trials_on_time(&mut self, now: Instant, out: &mut Outputs, env: &mut Env<'_>) {
        let mut opened = false;
        while let Some(host) = self.facts.trials.begin(now) {
            opened |= self.show_record(host);
        }
        if opened {
            self.pump(now, out, env);
        }
    }

    /// A request was let out to a host: where that was its trial, the next waits for what comes of it.
    pub(super) fn trial_sent(&mut self, now: Instant, host: HostId) {
        if self.facts.trials.is_open(host) {
            self.postpone_trial(now, host);
            self.show_record(host);
        }
    }
}
