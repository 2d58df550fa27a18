//! Loads ahead of demand: a model that is likely asked for next, loaded nowhere that can be chosen, is loaded into free
//! memory of an idle host, within the budget. It never takes a model's room, and gives way to whoever asks for the host.

use super::Control;
use crate::door::{Action, ActionOutcome, Deed, Output, Outputs};
use crate::ids::{ActionId, HostId, ModelId};
use crate::policy::markov::ONE;
use crate::request::Arrive;
use crate::units::{Bytes, Instant};

/// Likely models that are looked at.
const LIKELY: usize = 4;

impl Control {
    /// A request arrived: who asks for what is remembered.
    pub(super) fn note_demand(&mut self, now: Instant, arrive: &Arrive) {
        if let Some(config) = &self.config.prefetch {
            let stream = config.stream.value(arrive);
            self.facts.prefetch.predictor.note(stream, arrive.model, now, &config.predictor);
        }
    }

    /// Asks for loads that are likely to be of use.
    pub(super) fn load_ahead(&mut self, now: Instant, out: &mut Outputs) {
        let Some(config) = &self.config.prefetch else { return };
        if self.is_frozen() || !self.facts.prefetch.budget.allows(now, &config.budget) {
            return;
        }
        let likely = self.facts.prefetch.predictor.predict(now, LIKELY, &config.predictor);
        let least = u64::from(config.likely_permille_min) * u64::from(ONE) / 1_000;
        for prediction in likely.iter().filter(|prediction| u64::from(prediction.score) >= least) {
            if self.is_at_hand(prediction.model) {
                continue;
            }
            let Some(host) = self.host_to_load(prediction.model, config.assumed_overhead_percent) else {
                continue;
            };
            let prefetch = &mut self.facts.prefetch;
            if !prefetch.budget.take(now, &config.budget) {
                return;
            }
            let id = self.facts.new_action();
            let action = Action { id, host, deed: Deed::Load(None), model: prediction.model };
            let prefetch = &mut self.facts.prefetch;
            prefetch.under_way.push(action);
            prefetch.counts.asked += 1;
            out.push(Output::Act(action));
        }
    }

    /// Whether a model is in the memory of a host that can be chosen, or on its way there. What was loaded ahead is there
    /// before the host says so, and whoever waits for an answer has it loaded.
    fn is_at_hand(&self, model: ModelId) -> bool {
        let index = &self.indexes.models[model.index()];
        let prefetch = &self.facts.prefetch;
        index.running > 0
            || prefetch.under_way.iter().any(|action| action.model == model)
            || prefetch.waiting.keys().any(|(host, of)| *of == model && self.is_chosen(*host, model))
            || index.loaded.iter().any(|host| self.is_chosen(host, model))
    }

    /// The idle host with the most free memory, if the model fits into it.
    fn host_to_load(&self, model: ModelId, overhead_percent: u32) -> Option<HostId> {
        let idle = |host: &HostId| {
            self.is_chosen(*host, model)
                && self.facts.loads[host.index()].in_flight == 0
                && !self.facts.prefetch.under_way.iter().any(|action| action.host == *host)
        };
        let with_room = |host: HostId| {
            let facts = &self.facts.hosts[host.index()];
            let held: u64 = facts.observation.loaded.iter().map(|loaded| loaded.bytes.0).sum();
            let free = facts.declaration.memory.0.checked_sub(held)?;
            let Bytes(size) = facts.observation.find_stored(model)?.bytes;
            let needed = u128::from(size) * u128::from(100 + overhead_percent) / 100;
            (u128::from(free) >= needed).then_some((free, core::cmp::Reverse(host)))
        };
        let hosts = self.indexes.models[model.index()].stored.iter().filter(idle);
        hosts.filter_map(with_room).max().map(|(_, host)| host.0)
    }

    /// A request goes to a host: a load for another model there gives way, one for its own was of use.
    pub(super) fn meet_demand(&mut self, host: HostId, model: ModelId, out: &mut Outputs) {
        if self.facts.prefetch.waiting.remove(&(host, model)).is_some() {
            self.facts.prefetch.counts.used += 1;
        }
        let prefetch = &mut self.facts.prefetch;
        let Some(at) = prefetch.under_way.iter().position(|action| action.host == host) else { return };
        if prefetch.under_way[at].model == model {
            prefetch.met.insert(prefetch.under_way[at].id);
            return;
        }
        let action = prefetch.under_way.remove(at);
        prefetch.met.remove(&action.id);
        prefetch.budget.on_ended();
        prefetch.counts.abandoned += 1;
        out.push(Output::Abandon(action));
    }

    /// An action ended.
    pub(super) fn on_acted(
        &mut self,
        now: Instant,
        action: ActionId,
        outcome: ActionOutcome,
        out: &mut Outputs,
    ) {
        let prefetch = &mut self.facts.prefetch;
        // One that was given up may have ended on its way.
        let Some(at) = prefetch.under_way.iter().position(|under_way| under_way.id == action) else {
            return self.errand_ended(now, action, outcome, out);
        };
        let action = prefetch.under_way.remove(at);
        prefetch.budget.on_ended();
        let met = prefetch.met.remove(&action.id);
        match outcome {
            ActionOutcome::Done if met => {
                prefetch.counts.done += 1;
                prefetch.counts.used += 1;
            }
            ActionOutcome::Done => {
                prefetch.counts.done += 1;
                let before = prefetch.waiting.insert((action.host, action.model), false);
                // It was loaded ahead there before, and was gone again before the host said so.
                prefetch.counts.wasted += u64::from(before.is_some());
            }
            ActionOutcome::Failed(_) => prefetch.counts.failed += 1,
        }
    }

    /// A host said what it has in memory: what was loaded ahead and is gone was of no use.
    pub(super) fn find_wasted(&mut self, host: HostId) {
        if self.facts.prefetch.waiting.is_empty() {
            return;
        }
        let observation = &self.facts.hosts[host.index()].observation;
        let prefetch = &mut self.facts.prefetch;
        let before = prefetch.waiting.len();
        prefetch.waiting.retain(|(at, model), seen| {
            if *at != host {
                return true;
            }
            let there = observation.find_loaded(*model).is_some();
            let keep = there || !*seen;
            *seen |= there;
            keep
        });
        prefetch.counts.wasted += (before - prefetch.waiting.len()) as u64;
    }
}
