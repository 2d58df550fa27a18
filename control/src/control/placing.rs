//! Placement at work: every so often what is known becomes a problem, a strategy makes a plan of it, and requests go where the plan
//! has replicas. What is done for the plan is [`errands`](super::errands)'.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::Control;
use crate::door::{Env, Note, Output, Outputs};
use crate::ids::{HostId, ModelId};
use crate::place;
use crate::place::config::{ModelPlacement, PlacementConfig, Routing};
use crate::place::problem::{Host, Model, Plan, Problem, Resident, Standing};
use crate::registries;
use crate::request::{Arrive, Usage};
use crate::units::{Bytes, Instant, Nanos};

/// Time in a slot assumed until a model's first answer.
const ASSUMED_SERVICE: Nanos = Nanos::from_secs(5);
/// Time of a load assumed until the first was measured.
const ASSUMED_LOAD: Nanos = Nanos::from_secs(10);

impl Control {
    /// A config was installed, or the facts were read: plans are made from now on, or no longer.
    pub(super) fn prepare_placement(&mut self) {
        let placement = &mut self.facts.placement;
        match &self.config.placement {
            None => {
                placement.tick_at = None;
                placement.plan = None;
                placement.grow_at = None;
                placement.short.clear();
            }
            Some(_) if placement.tick_at.is_none() => placement.tick_at = Some(Instant::ZERO),
            Some(_) => {}
        }
        placement.proposed.clear();
    }

    /// A request arrived: its model is in demand.
    pub(super) fn note_placement_demand(&mut self, arrive: &Arrive) {
        if self.config.placement.is_some() {
            let demand = self.facts.placement.demand_mut(arrive.model);
            demand.arrived += 1;
            demand.bin_arrived += 1;
        }
    }

    /// An answer ended: it took its slot for so long.
    pub(super) fn note_service(&mut self, model: ModelId, usage: &Usage) {
        if self.config.placement.is_some() && usage.is_answer() {
            self.facts.placement.demand_mut(model).service.add(usage.prompt_eval + usage.eval);
        }
    }

    /// A host said what it has in memory: since when, and how much that takes.
    pub(super) fn note_residents(&mut self, now: Instant, host: HostId) {
        if self.config.placement.is_none() {
            return;
        }
        let observation = &self.facts.hosts[host.index()].observation;
        let placement = &mut self.facts.placement;
        let of_host = placement.since.range((host, ModelId(0))..=(host, ModelId(u32::MAX)));
        let gone: Vec<ModelId> = of_host
            .map(|((_, model), _)| *model)
            .filter(|model| observation.find_loaded(*model).is_none())
            .collect();
        for model in gone {
            placement.since.remove(&(host, model));
        }
        for loaded in &observation.loaded {
            placement.since.entry((host, loaded.model)).or_insert(now);
            let demand = placement.demand_mut(loaded.model);
            demand.memory = demand.memory.max(loaded.bytes);
        }
    }

    /// Makes a plan where it is time, and does what is to be done for it.
    pub(super) fn place_on_time(&mut self, now: Instant, out: &mut Outputs, env: &mut Env<'_>) {
        if self.facts.placement.tick_at.is_none_or(|at| now < at) {
            return;
        }
        let Some(config) = self.config.placement.clone() else { return };
        self.facts.placement.tick_at = Some(now.saturating_add(config.interval));
        self.facts.placement.fold(now, config.half_life);
        if !self.is_frozen() {
            let problem = self.problem(now, &config);
            let plan = place::plan(&config.strategy, &problem);
            let before = self.facts.placement.plan.as_ref();
            let replaces = |before: &Plan| {
                place::replaces(&config.strategy, &problem, &plan, before, config.hysteresis_percent)
            };
            if before.is_none_or(replaces) {
                self.aim_at(plan, out);
            }
            self.end_shortness();
            let wanted = self.shortages();
            self.grow_by(now, &problem, &wanted, out);
            self.run_errands(now, out);
        }
        self.pump(now, out, env);
    }

    /// From now on this is aimed at.
    pub(super) fn aim_at(&mut self, plan: Plan, out: &mut Outputs) {
        let placement = &mut self.facts.placement;
        let places = |plan: &Plan| -> BTreeSet<(HostId, ModelId)> {
            plan.replicas.iter().map(|replica| (replica.host, replica.model)).collect()
        };
        let before = placement.plan.as_ref().map(places).unwrap_or_default();
        let after = places(&plan);
        placement.plan = Some(plan);
        if before == after {
            return;
        }
        placement.plans += 1;
        placement.proposed.clear();
        let missing = after.iter().filter(|(host, model)| !self.has_in_memory(*host, *model)).count();
        out.push(Output::Note(Note::Planned { replicas: after.len() as u32, missing: missing as u32 }));
        let changed: Vec<(HostId, ModelId)> = before.symmetric_difference(&after).copied().collect();
        for (host, model) in changed {
            let planned = after.contains(&(host, model));
            self.indexes.models[model.index()].planned.set(host, planned);
            self.place(host, model);
        }
    }

    pub(super) fn has_in_memory(&self, host: HostId, model: ModelId) -> bool {
        self.indexes.models[model.index()].loaded.contains(host)
    }

    /// Whether requests go to planned replicas.
    pub(super) fn routes_by_plan(&self) -> bool {
        self.config.placement.as_ref().is_some_and(|config| config.act && config.routing == Routing::Planned)
    }

    /// What a model takes in memory, as seen; else by its size on disk, else `None`.
    pub(super) fn memory_of(&self, model: ModelId, overhead_percent: u32) -> Option<Bytes> {
        let seen = self.facts.placement.demand.get(model.index()).map(|demand| demand.memory);
        if let Some(seen) = seen.filter(|seen| *seen > Bytes::ZERO) {
            return Some(seen);
        }
        let size = self.size_of(model)?;
        let bytes = u128::from(size.0) * u128::from(100 + overhead_percent) / 100;
        Some(Bytes(u64::try_from(bytes).unwrap_or(u64::MAX)))
    }

    /// What a model takes on disk: where a host has it, or as the registry tells.
    pub(super) fn size_of(&self, model: ModelId) -> Option<Bytes> {
        if let Some(host) = self.indexes.models[model.index()].stored.iter().next() {
            return Some(self.facts.hosts[host.index()].observation.find_stored(model)?.bytes);
        }
        self.facts.sync.published.get(&model).map(crate::door::Manifest::bytes)
    }

    /// What is known, as a strategy is asked it.
    pub(super) fn problem(&self, now: Instant, config: &PlacementConfig) -> Problem {
        let mut zones: Vec<&str> =
            self.facts.hosts.iter().map(|host| host.declaration.zone.as_str()).collect();
        zones.sort_unstable();
        zones.dedup();
        let by_name = Names::of(self);
        let managed: Vec<(ModelId, &ModelPlacement)> = (0..self.facts.models.len() as u32)
            .map(ModelId)
            .filter_map(|model| Some((model, config.of(&self.facts.models[model.index()].name)?)))
            .collect();
        let models: Vec<Model> = managed
            .iter()
            .filter_map(|(model, placement)| self.model_of_problem(*model, placement, config, &by_name))
            .collect();
        let is_managed = |model: ModelId| models.binary_search_by_key(&model, |model| model.id).is_ok();
        let hosts = self.hosts().map(|host| self.host_of_problem(host, config, &zones, &is_managed));
        let loaded = self.facts.placement.since.iter();
        Problem {
            now,
            residency_min: config.residency_min,
            horizon: config.horizon,
            hosts: hosts.collect(),
            loaded: loaded
                .filter(|((_, model), _)| is_managed(*model))
                .map(|((host, model), since)| Resident { host: *host, model: *model, since: *since })
                .collect(),
            models,
        }
    }

    /// How long a request for a model takes its slot.
    pub(super) fn service_of(&self, model: ModelId) -> Nanos {
        let demand = self.facts.placement.demand.get(model.index());
        demand.and_then(|demand| demand.service.get()).unwrap_or(ASSUMED_SERVICE)
    }

    /// How long a cold load of a model takes.
    pub(super) fn load_of(&self, model: ModelId) -> Nanos {
        self.facts.models[model.index()].cold_ttft.get().map_or(ASSUMED_LOAD, Nanos)
    }

    fn model_of_problem(
        &self,
        id: ModelId,
        placement: &ModelPlacement,
        config: &PlacementConfig,
        names: &Names<'_>,
    ) -> Option<Model> {
        let stored = &self.indexes.models[id.index()].stored;
        if stored.is_empty() && !self.can_be_pulled(id) {
            return None;
        }
        Some(Model {
            id,
            memory: self.memory_of(id, config.assumed_overhead_percent)?,
            arrivals_micros: self.facts.placement.arrivals_micros(id),
            forecast_micros: self
                .facts
                .placement
                .forecast_micros(id, self.facts.placement.tick_at.unwrap_or_default()),
            service: self.service_of(id),
            load: self.load_of(id),
            limits: placement.limits,
            pinned: names.hosts(&placement.pin),
            excluded: names.hosts(&placement.exclude),
            apart_from: names.models(&placement.apart_from),
            zones_min: placement.zones_min,
        })
    }

    fn host_of_problem(
        &self,
        id: HostId,
        config: &PlacementConfig,
        zones: &[&str],
        is_managed: &dyn Fn(ModelId) -> bool,
    ) -> Host {
        let facts = &self.facts.hosts[id.index()];
        let declaration = &facts.declaration;
        // What is not managed keeps its place.
        let (mut others, mut others_bytes) = (0, 0);
        for loaded in facts.observation.loaded.iter().filter(|loaded| !is_managed(loaded.model)) {
            others += 1;
            others_bytes += loaded.bytes.0;
        }
        let kept = u128::from(declaration.memory.0) * u128::from(100 - config.headroom_percent) / 100;
        Host {
            id,
            memory: Bytes((kept as u64).saturating_sub(others_bytes)),
            models_max: (declaration.loaded_max > 0).then(|| declaration.loaded_max.saturating_sub(others)),
            slots: declaration.slots.max(1),
            zone: zones.partition_point(|zone| *zone < declaration.zone.as_str()) as u32,
            open: facts.is_offered() && !self.indexes.ejected(&self.facts.breakers, (id, None)),
            stored: facts.observation.stored.iter().map(|stored| stored.model).collect(),
        }
    }

    /// Whether hosts that lack a model may get it: the registry holds it, the config allows to pull it.
    pub(super) fn can_be_pulled(&self, model: ModelId) -> bool {
        let Some(config) = self.config.placement.as_ref().filter(|config| config.act) else { return false };
        let name = &self.facts.models[model.index()].name;
        config.allow_pull
            && config.of(name).is_some()
            && registries::allow_name(&config.pull_from, name)
            && self.facts.sync.published.contains_key(&model)
    }

    /// Whether a plan says anything of hosts.
    pub(super) fn plan_in_force(&self) -> Option<&Plan> {
        self.facts.placement.plan.as_ref().filter(|plan| plan.standing != Standing::HandsOff)
    }
}

/// Hosts and models by name.
struct Names<'a> {
    hosts: BTreeMap<&'a str, HostId>,
    models: BTreeMap<&'a str, ModelId>,
}

impl<'a> Names<'a> {
    fn of(control: &'a Control) -> Self {
        let hosts = control.facts.hosts.iter().map(|host| host.declaration.name.as_str());
        let models = control.facts.models.iter().map(|model| model.name.as_str());
        Self {
            hosts: hosts.zip((0..).map(HostId)).collect(),
            models: models.zip((0..).map(ModelId)).collect(),
        }
    }

    fn hosts(&self, names: &[String]) -> Vec<HostId> {
        names.iter().filter_map(|name| self.hosts.get(name.as_str()).copied()).collect()
    }

    fn models(&self, names: &[String]) -> Vec<ModelId> {
        names.iter().filter_map(|name| self.models.get(name.as_str()).copied()).collect()
    }
}
