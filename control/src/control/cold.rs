//! Models that hosts must load first: how long their first byte may take, and how many a host is asked for at once. Ollama loads one
//! at a time, and whoever waits for a second waits for both; meanwhile another host could have loaded it.

use super::Control;
use crate::facts::ledger::Slot;
use crate::ids::{HostId, ModelId};
use crate::units::{Instant, Nanos};

/// Predicted loads that a first byte may take, where that is longer than the configured time-out: loads vary, and one that is
/// given up is begun anew.
const LOADS_PATIENCE: u64 = 3;

/// Configured time-outs that first bytes which did not come may lead to, at most: what never answers must not be waited for ever longer.
const TIMEOUTS_MAX: u64 = 9;

/// A load that is not over after so long may stand still: Ollama gives one up after five minutes without progress, so nothing is
/// learned of what loads take.
const STALLED: Nanos = Nanos::from_secs(300);

impl Control {
    /// Whether a request that goes to a host now must wait there for its model: it is being loaded, or it is neither in memory nor
    /// has it answered since it was asked for.
    pub(super) fn is_cold(&self, host: HostId, model: ModelId) -> bool {
        let load = self.facts.loading.get((host, model));
        load.map_or_else(|| !self.indexes.models[model.index()].loaded.contains(host), |load| !load.answered)
    }

    /// How long a first byte may take.
    pub(super) fn first_byte_timeout(&self, host: HostId, model: ModelId, cold: bool) -> Nanos {
        if !cold {
            return self.config.first_byte_timeout_warm;
        }
        let here = self.facts.history[host.index()].pace(model).and_then(|pace| pace.cold_ttft.get());
        let load = here.or_else(|| self.facts.models[model.index()].cold_ttft.get()).unwrap_or_default();
        self.config.first_byte_timeout_cold.max(Nanos(load.saturating_mul(LOADS_PATIENCE)))
    }

    /// A cold time-out: the load takes longer than that, and the next is given three times as long. Otherwise a time-out below
    /// the time of a load would let none end. That ends at [`TIMEOUTS_MAX`]; loads that were seen to take longer get their time.
    pub(super) fn learn_of_timeout(&mut self, now: Instant, slot: Slot, host: HostId, model: ModelId) {
        let waited = self.since_dispatch(now, slot);
        if self.facts.ledger.attempts(slot).cold && waited < STALLED {
            let learned_max =
                self.config.first_byte_timeout_cold.0.saturating_mul(TIMEOUTS_MAX) / LOADS_PATIENCE;
            let waited = waited.min(Nanos(learned_max));
            self.facts.history[host.index()].on_cold_timeout(model, waited);
            self.facts.models[model.index()].cold_ttft.load_takes(waited);
        }
    }

    /// Whether a host is asked for as many models as it may be while it loads, and this would be one more.
    pub(super) fn is_held_back(&self, host: HostId, model: ModelId) -> bool {
        self.loads_its_most(host)
            && self.facts.loading.get((host, model)).is_none()
            && !self.facts.errands.loads(host, model)
            && !self.indexes.models[model.index()].loaded.contains(host)
    }

    fn loads_its_most(&self, host: HostId) -> bool {
        let loads = |most| self.facts.loading.outstanding(host) + self.facts.errands.loads_on(host) >= most;
        self.config.cold_models_max.is_some_and(loads)
    }

    /// A request was let out. Where its model is not known to be in memory, it is part of a load.
    pub(super) fn join_load(&mut self, now: Instant, slot: Slot, host: HostId, model: ModelId, cold: bool) {
        let joins = cold || !self.indexes.models[model.index()].loaded.contains(host);
        self.facts.ledger.attempts_mut(slot).loading = joins;
        if joins {
            let whole = self.facts.ledger.get(slot).arrive.whole;
            self.facts.loading.join(now, (host, model), whole);
            if self.loads_its_most(host) {
                self.place_host(host);
            }
        }
    }

    /// A model gave a first byte on a host. Whether that may have opened the host to someone.
    pub(super) fn answer_load(&mut self, host: HostId, model: ModelId) -> bool {
        if self.facts.loading.is_empty() {
            return false;
        }
        let most = self.loads_its_most(host);
        let opened = self.facts.loading.answer((host, model)) && most;
        if opened {
            self.place_host(host);
        }
        opened
    }

    /// The running request in a slot ends.
    pub(super) fn leave_load(&mut self, slot: Slot, host: HostId, model: ModelId) {
        if !core::mem::take(&mut self.facts.ledger.attempts_mut(slot).loading) {
            return;
        }
        let most = self.loads_its_most(host);
        let whole = self.facts.ledger.get(slot).arrive.whole;
        self.facts.loading.leave((host, model), whole);
        if most {
            self.place_host(host);
        }
    }

    /// What a host has in memory changed. Whether that may have opened it to someone.
    pub(super) fn match_held_back(&mut self, host: HostId) -> bool {
        let most = self.loads_its_most(host);
        let models = &self.indexes.models;
        self.facts.loading.listed(host, |model| models[model.index()].loaded.contains(host));
        if most {
            self.place_host(host);
        }
        most
    }

    /// Whether the running request in a slot began the load that it waits for: what it waited is what the load took. Those that
    /// joined waited for less.
    pub(super) fn began_load(&self, slot: Slot, host: HostId, model: ModelId) -> bool {
        let attempts = self.facts.ledger.attempts(slot);
        let load = self.facts.loading.get((host, model));
        attempts.cold && load.is_some_and(|load| load.began == attempts.dispatched_at)
    }
}
