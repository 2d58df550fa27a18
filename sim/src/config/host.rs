//! One kind of host: what its group's keys make of it, and what control is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use control::door::Declaration;
use control::ids::ModelId;
use control::request::KeepAlive;
use control::units::{Bytes, Nanos};
use sim_host::host::{HostModel, HostSpec, Serving};
use sim_host::power::PowerDraw;
use sim_host::profile::{self, Catalogue};
use sim_host::spec::{Profile, Version};

use super::{FleetError, FleetSource, GroupFile, error, not_found, within};
use crate::registry::Content;

pub(super) fn declaration(group: &GroupFile, spec: &HostSpec, number: u32) -> Declaration {
    Declaration {
        name: format!("{}-{number}", group.name),
        slots: declared_slots(spec),
        disk: group.disk_gib.map_or(Bytes::default(), Bytes::from_gib),
        loaded_max: group.max_loaded_models.unwrap_or(0),
        memory: spec.gpus.iter().map(|gpu| Bytes(gpu.memory_bytes)).sum(),
        gpu: group.gpu.clone(),
        weight: group.weight,
        tier: group.tier,
        zone: group.zone.clone(),
        ram: spec.ram,
        context_tokens: spec.num_ctx_default.unwrap_or(0),
        cost_cents_per_hour: group.cost_cents_per_hour,
        capabilities: group.capabilities.clone(),
        metrics: group.metrics,
        standby: group.standby,
    }
}

/// What the GPUs of a host of the group draw together, or its one CPU; not known of a node that runs tasks.
pub(super) fn draw(group: &GroupFile, catalogue: &Catalogue) -> Option<PowerDraw> {
    if group.task.is_some() {
        return None;
    }
    let gpu = catalogue.gpu(&group.gpu).ok()?;
    let count = if gpu.cpu { 1 } else { group.gpus };
    gpu.draw().map(|draw| draw.times(count))
}

/// What an operator would declare: the slots of a model that has as many as its host allows.
fn declared_slots(spec: &HostSpec) -> u32 {
    match (spec.serving, spec.num_parallel, spec.version) {
        (Serving::Paged { slots, .. }, _, _) => slots,
        (Serving::Ollama, Some(parallel), _) => parallel,
        (Serving::Ollama, None, Version::V0_24) => 1,
        (Serving::Ollama, None, Version::V0_10) => {
            if spec.gpus.is_empty() {
                2
            } else {
                4
            }
        }
    }
}

/// What a kind of host is, with a profile of each model that it has or can pull; their first contents are noted.
pub(super) fn spec(
    key: &str,
    group: &GroupFile,
    source: FleetSource<'_>,
    (names, contents): (&[String], &mut BTreeMap<ModelId, Content>),
) -> Result<Arc<HostSpec>, FleetError> {
    let gpus = within(&format!("{key}.gpus"), group.gpus.into(), 1, 64)? as usize;
    let ram_gib = within(&format!("{key}.ram_gib"), group.ram_gib, 1, 1 << 20)?;
    let page_cache_gib = group.page_cache_gib.unwrap_or(ram_gib / 2);
    within(&format!("{key}.page_cache_gib"), page_cache_gib, 0, ram_gib)?;
    if let Some(parallel) = group.num_parallel {
        within(&format!("{key}.num_parallel"), parallel.into(), 1, 4_096)?;
    }
    if let Some(tokens) = group.context_length_tokens {
        within(&format!("{key}.context_length_tokens"), tokens.into(), 16, 1 << 24)?;
    }
    if let Some(paged) = group.paged {
        within(&format!("{key}.paged.slots"), paged.slots.into(), 1, 4_096)?;
        within(&format!("{key}.paged.batch_tokens"), paged.batch_tokens.into(), 1, 1 << 20)?;
    }
    if group.models.is_empty() {
        return Err(error(format!("{key}.models"), "none".into(), "at least one"));
    }
    let gpu =
        source.catalogue.gpu(&group.gpu).map_err(|e| not_found(format!("{key}.gpu"), &group.gpu, &e))?;
    let mut models: Vec<HostModel> = Vec::new();
    for (index, name) in traces::names::placed(&group.models) {
        let name = &name;
        let model_key = format!("{key}.models[{index}]");
        let profile: Arc<Profile> =
            source.catalogue.find(&group.gpu, name).map_err(|e| not_found(model_key.clone(), name, &e))?;
        let id = names.iter().position(|known| known == name).expect("all names were gathered");
        let model = ModelId(id as u32);
        if models.iter().any(|other| other.model == model) {
            return Err(error(model_key, format!("{name:?} again"), "each model once"));
        }
        let profile = profile::for_version(&profile, group.ollama_version);
        models.push(HostModel::stored(model, profile));
    }
    if source.registry.is_some() && group.paged.is_none() {
        know_all(&mut models, group, source, (names, contents));
    }
    Ok(Arc::new(HostSpec {
        name: group.name.clone(),
        version: group.ollama_version,
        gpus: if gpu.cpu { Vec::new() } else { vec![Arc::clone(gpu); gpus] },
        ram: Bytes::from_gib(ram_gib),
        num_parallel: group.num_parallel,
        max_queue: group.max_queue,
        max_loaded: group.max_loaded_models,
        keep_alive: match u64::try_from(group.keep_alive_seconds) {
            Ok(seconds) => KeepAlive::For(Nanos::from_secs(seconds.min(1 << 32))),
            Err(_) => KeepAlive::Forever,
        },
        num_ctx_default: group.context_length_tokens,
        gpu_overhead: Bytes::from_mib(group.gpu_overhead_mib),
        sched_spread: group.sched_spread,
        kv_cache: group.kv_cache,
        multiuser_cache: group.multiuser_cache,
        page_cache: Bytes::from_gib(page_cache_gib),
        engine: source.engine,
        serving: group.paged.map_or(Serving::Ollama, |paged| Serving::Paged {
            slots: paged.slots,
            batch_tokens: paged.batch_tokens,
        }),
        models,
    }))
}

/// Gives models their contents, and adds those that could be pulled: all that the host's GPU has a profile for.
fn know_all(
    models: &mut Vec<HostModel>,
    group: &GroupFile,
    source: FleetSource<'_>,
    (names, contents): (&[String], &mut BTreeMap<ModelId, Content>),
) {
    for entry in &mut *models {
        let first = Content::first(&entry.profile.model);
        entry.copy = Some(first.copy(0));
        contents.insert(entry.model, first);
    }
    for (id, name) in names.iter().enumerate() {
        let model = ModelId(id as u32);
        if models.iter().any(|entry| entry.model == model) {
            continue;
        }
        if let Ok(profile) = source.catalogue.find(&group.gpu, name) {
            let profile = profile::for_version(&profile, group.ollama_version);
            contents.insert(model, Content::first(&profile.model));
            models.push(HostModel { model, profile, copy: None });
        }
    }
}
