//! What hosts say of themselves, when they say nothing, and what was known of them before a restart.

use super::Control;
use crate::door::{Env, Observation, Outputs};
use crate::facts::learned::Learned;
use crate::facts::models::ModelFacts;
use crate::facts::scale::Power;
use crate::ids::HostId;
use crate::units::Instant;

impl Control {
    pub(super) fn on_observed(
        &mut self,
        now: Instant,
        host: HostId,
        observation: Observation,
        out: &mut Outputs,
        env: &mut Env<'_>,
    ) {
        let known = &self.facts.hosts[host.index()];
        let moves = !known.is_up() || known.observation.stored != observation.stored;
        self.end_coming(host);
        self.index_loaded(host, false);
        let facts = &mut self.facts.hosts[host.index()];
        let before = core::mem::replace(&mut facts.observation, observation);
        facts.changed_at = now;
        facts.heard = true;
        if facts.silent_since.take().is_some() && self.config.slow_start && facts.declaration.slots > 1 {
            facts.warming = Some(1);
            self.set_limit(host, self.limit(host));
        }
        self.index_loaded(host, true);
        self.facts.errands.heard(host);
        self.note_residents(now, host);
        let opened = self.match_loaded(host) | self.match_held_back(host);
        self.find_wasted(host);
        if moves {
            self.index_stored(host, &before.stored);
        }
        if moves {
            self.hear_contents(now, host, &before.stored, out);
        }
        let routed = self.routes_by_plan();
        if routed {
            before.loaded.iter().for_each(|loaded| self.place(host, loaded.model));
            self.place_host(host);
        }
        // Where its disk is as it was, nothing can be done on other hosts that could not before.
        if moves {
            self.run_errands(now, out);
            self.sync_errands(now, out);
        } else {
            self.run_errands_on(now, host, out);
            self.sync_host(now, host, out);
        }
        if moves || opened || routed {
            self.pump(now, out, env);
        }
    }

    pub(super) fn on_remembered(&mut self, now: Instant, learned: Learned) {
        for (model, taught) in learned.models {
            if let Some(facts) = self.facts.models.get_mut(model.index()) {
                *facts = ModelFacts { name: core::mem::take(&mut facts.name), ..taught };
            }
        }
        for (host, mut history) in learned.hosts {
            if host.index() < self.facts.history.len() {
                history.begin(now);
                self.facts.history[host.index()] = history;
                self.match_record(now, host);
            }
        }
        self.facts.predictor = learned.predictor;
    }

    pub(super) fn on_silent(&mut self, now: Instant, host: HostId, out: &mut Outputs, env: &mut Env<'_>) {
        self.end_coming(host);
        let facts = &self.facts.hosts[host.index()];
        if facts.silent_since.is_none() && facts.power != Power::Off {
            self.facts.hosts[host.index()].silent_since = Some(now);
            self.place_host(host);
            if self.routes_by_plan() {
                // Where it had the last replica, requests may go elsewhere now.
                self.pump(now, out, env);
            }
        }
    }
}
