//! Between two plans: where requests would wait for a model's planned replicas longer than a share of the time of a load, the plan
//! gets more of them, and the requests go to all of them, in memory or not.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::Control;
use crate::door::{Env, Outputs};
use crate::ids::{HostId, ModelId};
use crate::place;
use crate::place::PlacementKind;
use crate::place::config::ModelPlacement;
use crate::place::problem::{Limits, Problem};
use crate::units::{Instant, Nanos};

/// A plan grows at most so often: what it grows by is then one decision for all models.
const GROWS_EVERY: Nanos = Nanos::from_secs(1);

impl Control {
    /// A request has to wait: the plan is to grow where its model has too few slots.
    pub(super) fn note_wait(&mut self, now: Instant, model: ModelId) {
        if self.facts.placement.grow_at.is_none() && self.grows() && self.shortage(model).is_some() {
            let placement = &mut self.facts.placement;
            placement.grow_at = Some(now.max(placement.grown_at.saturating_add(GROWS_EVERY)));
        }
    }

    /// Whether plans grow: requests go by them, and nothing forbids changes.
    fn grows(&self) -> bool {
        self.routes_by_plan() && !self.is_frozen()
    }

    /// Whether a model's replicas are what an operator wrote, and nothing else.
    fn is_fixed(&self, model: ModelId) -> bool {
        let Some(config) = &self.config.placement else { return false };
        let written = |placement: &ModelPlacement| {
            let Limits { min, target, .. } = placement.limits;
            min > 0 || target.is_some() || !placement.pin.is_empty()
        };
        config.strategy.kind == PlacementKind::Static
            && config.of(&self.facts.models[model.index()].name).is_some_and(written)
    }

    /// How many slots a model is to have, where it has replicas that may become more, and too few slots.
    fn shortage(&self, model: ModelId) -> Option<u64> {
        if self.is_fixed(model) {
            return None;
        }
        let wanted = self.slots_wanted(model);
        (1..wanted).contains(&self.slots_planned(model)).then_some(wanted)
    }

    /// Requests for a model that wait and go by plan.
    pub(super) fn waiting(&self, model: ModelId) -> u64 {
        let lanes = self.indexes.models[model.index()].lanes.iter();
        let lanes = lanes.map(|lane| &self.indexes.lanes[lane.index()]);
        lanes.filter(|lane| !lane.demands_hosts()).map(|lane| lane.queue.len() as u64).sum()
    }

    /// Slots with which those that wait would wait no longer than a share of the time of a load.
    fn slots_wanted(&self, model: ModelId) -> u64 {
        let Some(config) = &self.config.placement else { return 0 };
        let work = u128::from(self.waiting(model)) * u128::from(self.service_of(model).0) * 100;
        let patience = u128::from(self.load_of(model).0) * u128::from(config.patience_percent);
        u64::try_from(work.div_ceil(patience.max(1))).unwrap_or(u64::MAX)
    }

    /// Slots of its planned replicas on hosts that can be chosen, in memory or not yet.
    fn slots_planned(&self, model: ModelId) -> u64 {
        let planned = self.indexes.models[model.index()].planned.iter();
        let chosen = planned.filter(|host| self.is_chosen(*host, model));
        chosen.map(|host| u64::from(self.facts.hosts[host.index()].declaration.slots.max(1))).sum()
    }

    /// Lets the plan grow where it is time.
    pub(super) fn grow_on_time(&mut self, now: Instant, out: &mut Outputs, env: &mut Env<'_>) {
        if self.facts.placement.grow_at.is_some_and(|at| at <= now) {
            self.facts.placement.grow_at = None;
            let wanted = self.shortages();
            if !wanted.is_empty()
                && let Some(config) = self.config.placement.clone()
            {
                self.grow_by(now, &self.problem(now, &config), &wanted, out);
                self.run_errands(now, out);
            }
            self.pump(now, out, env);
        }
    }

    /// Models for which too many wait, the one first that is to have most slots, and how many.
    pub(super) fn shortages(&self) -> Vec<(ModelId, u64)> {
        if !self.grows() || self.indexes.waiting.is_empty() {
            return Vec::new();
        }
        let models = self.models_waited_for().into_iter();
        let mut wanted: Vec<(ModelId, u64)> =
            models.filter_map(|model| Some((model, self.shortage(model)?))).collect();
        wanted.sort_by_key(|(model, wanted)| (Reverse(*wanted), *model));
        wanted
    }

    /// Gives models so many slots.
    pub(super) fn grow_by(
        &mut self,
        now: Instant,
        problem: &Problem,
        wanted: &[(ModelId, u64)],
        out: &mut Outputs,
    ) {
        let Some(plan) = self.plan_in_force().filter(|_| !wanted.is_empty()) else { return };
        let grown = place::grow(problem, plan, wanted);
        self.facts.placement.grown_at = now;
        self.aim_at(grown, out);
        for (model, _) in wanted {
            self.set_short(*model, true);
        }
    }

    /// Models for which nobody waits any more go by what is in memory again.
    pub(super) fn end_shortness(&mut self) {
        let over = self.facts.placement.short.iter().copied().filter(|model| self.waiting(*model) == 0);
        let over: Vec<ModelId> = over.collect();
        over.into_iter().for_each(|model| self.set_short(model, false));
    }

    fn set_short(&mut self, model: ModelId, short: bool) {
        let changed = match short {
            true => self.facts.placement.short.insert(model),
            false => self.facts.placement.short.remove(&model),
        };
        if changed {
            let hosts: Vec<HostId> = self.indexes.models[model.index()].aimed.iter().collect();
            hosts.into_iter().for_each(|host| self.place(host, model));
        }
    }
}
