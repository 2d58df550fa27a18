//! What is done on hosts for a plan: replicas that are missing are loaded, or pulled first; room is made for them where something that is
//! not wanted can go. One load or unload at a time on a host, within the budget, never the last copies, never what is not managed.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::Control;
use crate::door::{Action, ActionOutcome, Deed, Output, Outputs};
use crate::facts::errands::{Errand, Kind, Purpose};
use crate::ids::{ActionId, HostId, ModelId};
use crate::place::config::PlacementConfig;
use crate::policy::scale::ScaleConfig;
use crate::request::KeepAlive;
use crate::sync::config::SyncConfig;
use crate::units::{Bytes, Instant, Nanos};

/// On what terms actions are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Terms {
    /// For whom.
    purpose: Purpose,
    /// Whether they are done, or only shown.
    act: bool,
    /// Most of them in an hour.
    per_hour: u32,
}

impl Terms {
    pub(super) fn of_placement(config: &PlacementConfig) -> Self {
        Self { purpose: Purpose::Placement, act: config.act, per_hour: config.changes_per_hour_max }
    }

    pub(super) fn of_scale(config: &ScaleConfig) -> Self {
        Self { purpose: Purpose::Scale, act: config.act, per_hour: config.changes_per_hour_max }
    }

    pub(super) fn of_sync(config: &SyncConfig) -> Self {
        Self { purpose: Purpose::Sync, act: config.act, per_hour: config.changes_per_hour_max }
    }
}

/// How long the end of an action is believed before a poll tells of it.
const SETTLES: Nanos = Nanos::from_secs(10);

impl Control {
    /// Begins what is to be done for the plan in force, as far as budgets go.
    pub(super) fn run_errands(&mut self, now: Instant, out: &mut Outputs) {
        self.run_errands_among(now, None, out);
    }

    /// The same on one host.
    pub(super) fn run_errands_on(&mut self, now: Instant, host: HostId, out: &mut Outputs) {
        self.run_errands_among(now, Some(host), out);
    }

    fn run_errands_among(&mut self, now: Instant, only: Option<HostId>, out: &mut Outputs) {
        if self.is_frozen() {
            return;
        }
        let planned = self.plan_in_force().map_or(&[][..], |plan| match only {
            Some(host) => plan.on_host(host),
            None => &plan.replicas,
        });
        let missing = planned.iter().map(|replica| (replica.host, replica.model));
        let mut missing: Vec<(HostId, ModelId)> =
            missing.filter(|(host, model)| !self.has_in_memory(*host, *model)).collect();
        if missing.is_empty() && self.facts.placement.wanted.is_empty() {
            return;
        }
        let Some(config) = self.config.placement.clone() else { return };
        self.bring_wanted(now, &config, out);
        let rate = |model: ModelId| self.facts.placement.arrivals_micros(model);
        missing.sort_by_key(|(host, model)| (Reverse(rate(*model)), *model, *host));
        for (host, model) in missing {
            self.bring(now, (host, model), &config, out);
        }
    }

    /// A host can do something now, and nothing with this model there is under way, settling, or at rest after a failure.
    pub(super) fn is_free(&self, now: Instant, (host, model): (HostId, ModelId)) -> bool {
        let errands = &self.facts.errands;
        self.facts.hosts[host.index()].is_offered()
            && !errands.concerns((host, model))
            && !errands.rests(now, (host, model))
            && !errands.settles(now, (host, model))
    }

    /// Loads a model on a host, or does what must be done first.
    fn bring(&mut self, now: Instant, place: (HostId, ModelId), config: &PlacementConfig, out: &mut Outputs) {
        let (host, model) = place;
        if !self.is_free(now, place) {
            return;
        }
        if !self.indexes.models[model.index()].stored.contains(host) {
            self.bring_to_disk(now, place, config, out);
            return;
        }
        let is_busy = self
            .facts
            .errands
            .on_host(host)
            .any(|errand| matches!(Kind::of(errand.action.deed), Kind::Load | Kind::Unload));
        if is_busy {
            return;
        }
        if self.has_room_in_memory(host, model, config) {
            if self.facts.errands.of_kind(Kind::Load) < config.loads_at_once_max.into() {
                let deed = Deed::Load(Some(KeepAlive::Forever));
                self.act(now, (host, deed, model), Terms::of_placement(config), out);
            }
        } else if let Some(goes) = self.memory_victim(now, host, config) {
            self.act(now, (host, Deed::Unload, goes), Terms::of_placement(config), out);
        }
    }

    fn has_room_in_memory(&self, host: HostId, model: ModelId, config: &PlacementConfig) -> bool {
        let facts = &self.facts.hosts[host.index()];
        let loaded = &facts.observation.loaded;
        let most = facts.declaration.loaded_max;
        if most > 0 && loaded.len() >= most as usize {
            return false;
        }
        let used: u128 = loaded.iter().map(|loaded| u128::from(loaded.bytes.0)).sum();
        let room = u128::from(facts.declaration.memory.0) * u128::from(100 - config.headroom_percent) / 100;
        let needs = self.memory_of(model, config.assumed_overhead_percent).unwrap_or(Bytes::ZERO);
        used + u128::from(needs.0) <= room
    }

    /// A model that can leave a host's memory: managed, not wanted there, not too young; the one that is asked for least.
    fn memory_victim(&self, now: Instant, host: HostId, config: &PlacementConfig) -> Option<ModelId> {
        let placement = &self.facts.placement;
        let may_go = |model: &ModelId| {
            let since = placement.since.get(&(host, *model)).copied().unwrap_or(now);
            config.of(&self.facts.models[model.index()].name).is_some()
                && !self.indexes.models[model.index()].planned.contains(host)
                && now.since(since) >= config.residency_min
                && self.is_free(now, (host, *model))
        };
        let loaded = self.facts.hosts[host.index()].observation.loaded.iter().map(|loaded| loaded.model);
        loaded.filter(may_go).min_by_key(|model| (placement.arrivals_micros(*model), *model))
    }

    /// Pulls a model to a host, or makes room for it on the disk.
    fn bring_to_disk(
        &mut self,
        now: Instant,
        place: (HostId, ModelId),
        config: &PlacementConfig,
        out: &mut Outputs,
    ) {
        let (host, model) = place;
        let pulls = self.facts.errands.of_kind(Kind::Pull);
        if !self.can_be_pulled(model) || pulls >= config.loads_at_once_max.into() {
            return;
        }
        if self.has_room_on_disk(host, model) {
            self.act(now, (host, Deed::Pull, model), Terms::of_placement(config), out);
        } else if let Some(goes) = self.disk_victim(now, host, config) {
            self.act(now, (host, Deed::Delete, goes), Terms::of_placement(config), out);
        }
    }

    pub(super) fn has_room_on_disk(&self, host: HostId, model: ModelId) -> bool {
        let facts = &self.facts.hosts[host.index()];
        if facts.declaration.disk == Bytes::ZERO {
            return true;
        }
        let size = |model: ModelId| u128::from(self.size_of(model).unwrap_or(Bytes::ZERO).0);
        let stored: u128 = facts.observation.stored.iter().map(|stored| u128::from(stored.bytes.0)).sum();
        let coming = self.facts.errands.on_host(host);
        let coming = coming.filter(|errand| Kind::of(errand.action.deed) == Kind::Pull);
        let coming: u128 = coming.map(|errand| size(errand.action.model)).sum();
        stored + coming + size(model) <= u128::from(facts.declaration.disk.0)
    }

    /// A model that can leave a host's disk: managed, neither wanted nor in memory there, with enough copies on other hosts that
    /// answer; the one that is asked for least.
    fn disk_victim(&self, now: Instant, host: HostId, config: &PlacementConfig) -> Option<ModelId> {
        if !config.allow_delete {
            return None;
        }
        let may_go = |model: &ModelId| {
            let index = &self.indexes.models[model.index()];
            let others = index.stored.iter().filter(|other| {
                *other != host
                    && self.facts.hosts[other.index()].is_up()
                    && !self.facts.errands.leaves(*other, *model)
            });
            let placement = config.of(&self.facts.models[model.index()].name);
            placement.is_some_and(|placement| others.count() >= placement.copies_min as usize)
                && !index.planned.contains(host)
                && !index.loaded.contains(host)
                && self.is_free(now, (host, *model))
        };
        let placement = &self.facts.placement;
        let stored = self.facts.hosts[host.index()].observation.stored.iter().map(|stored| stored.model);
        stored.filter(may_go).min_by_key(|model| (placement.arrivals_micros(*model), *model))
    }

    /// Models that were asked for where no host has them are pulled to one: open, with room, with the fewest pulls under way and
    /// the most free memory.
    fn bring_wanted(&mut self, now: Instant, config: &PlacementConfig, out: &mut Outputs) {
        let wanted: Vec<ModelId> = self.facts.placement.wanted.iter().copied().collect();
        for model in wanted {
            if !self.indexes.models[model.index()].stored.is_empty() || !self.can_be_pulled(model) {
                self.facts.placement.wanted.remove(&model);
                continue;
            }
            if self.facts.errands.comes(now, model) {
                continue;
            }
            let pulls = |host: HostId| self.facts.errands.on_host(host).count();
            let free = |host: HostId| {
                let facts = &self.facts.hosts[host.index()];
                let used: u64 = facts.observation.loaded.iter().map(|loaded| loaded.bytes.0).sum();
                facts.declaration.memory.0.saturating_sub(used)
            };
            let open = self
                .hosts()
                .filter(|host| self.is_free(now, (*host, model)) && self.has_room_on_disk(*host, model));
            let best = open.min_by_key(|host| (pulls(*host), Reverse(free(*host)), *host));
            if let Some(host) = best {
                self.act(now, (host, Deed::Pull, model), Terms::of_placement(config), out);
            }
        }
    }

    /// Whether a request for a model that no host has is to wait, since the model can be brought; it is from then on.
    pub(super) fn will_be_brought(&mut self, now: Instant, model: ModelId, out: &mut Outputs) -> bool {
        if !self.can_be_pulled(model) || self.is_frozen() {
            return false;
        }
        let Some(config) = self.config.placement.clone() else { return false };
        self.facts.placement.wanted.insert(model);
        self.bring_wanted(now, &config, out);
        true
    }

    /// Asks for an action, within the budget; or says that it would, where control may not act. Whether it was asked for.
    pub(super) fn act(
        &mut self,
        now: Instant,
        (host, deed, model): (HostId, Deed, ModelId),
        terms: Terms,
        out: &mut Outputs,
    ) -> bool {
        if !terms.act {
            if self.facts.placement.proposed.insert((host, model, deed)) {
                let id = self.facts.next_action;
                out.push(Output::Proposed(Action { id, host, deed, model }));
            }
            return false;
        }
        if !self.facts.errands.allows(now, terms.purpose, terms.per_hour) {
            return false;
        }
        let action = Action { id: self.facts.new_action(), host, deed, model };
        self.facts.errands.begin(now, Errand { action, purpose: terms.purpose, began: now }, terms.per_hour);
        if matches!(deed, Deed::Load(_)) {
            self.place_host(host);
        }
        out.push(Output::Act(action));
        true
    }

    /// An action of placement or sync ended.
    pub(super) fn errand_ended(
        &mut self,
        now: Instant,
        action: ActionId,
        outcome: ActionOutcome,
        out: &mut Outputs,
    ) {
        let Some(errand) = self.facts.errands.end(now, action, outcome) else { return };
        let Action { host, model, deed, .. } = errand.action;
        if matches!(deed, Deed::Start | Deed::Stop) {
            self.power_changed(now, host, deed, outcome);
        } else if outcome == ActionOutcome::Done {
            match deed {
                Deed::Branch => self.content_kept(host, model),
                Deed::Push => self.content_pushed(host, model),
                _ => {}
            }
            self.facts.errands.settle(now.saturating_add(SETTLES), (host, model), deed);
        }
        if matches!(deed, Deed::Load(_)) {
            self.place_host(host);
        }
        self.run_errands(now, out);
        self.sync_errands(now, out);
    }
}
