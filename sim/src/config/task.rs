//! A group of nodes that run tasks: what its keys make of it, and what control is told.

use std::sync::Arc;

use control::door::Declaration;
use control::ids::ModelId;
use control::units::Bytes;
use sim_host::fit::KvCache;
use sim_host::spec::Version;
use sim_host::task::{Demand, GPUS_MAX, TaskSpec};
use traces::task::{AMOUNT_MAX, TaskClass, is_kind};

use super::{FleetError, FleetHost, FleetSource, GroupFile, TaskFile, error, keep_alive, ram, within};

/// Thousandths of a core for each task that control believes a node without GPUs takes at once, where nobody says.
const CPU_MILLI_PER_SLOT: u64 = 4_000;
/// Most of them.
const SLOTS_MAX: u32 = 4_096;

/// What an operator would declare: one task for each GPU, where nobody says more. Memory of GPUs is left out, since tasks take shares of GPUs and no bytes there.
pub(super) fn declaration(group: &GroupFile, spec: &TaskSpec, number: u32) -> Declaration {
    let slots = group.task.and_then(|task| task.slots).unwrap_or_else(|| match spec.gpus {
        0 => (spec.cpu_milli / CPU_MILLI_PER_SLOT).clamp(1, SLOTS_MAX.into()) as u32,
        gpus => gpus,
    });
    Declaration {
        name: format!("{}-{number}", group.name),
        slots,
        disk: Bytes::default(),
        loaded_max: 0,
        memory: Bytes::default(),
        gpu: group.gpu.clone(),
        weight: group.weight,
        tier: group.tier,
        zone: group.zone.clone(),
        ram: Bytes::from_mib(spec.memory_mib),
        context_tokens: 0,
        cost_cents_per_hour: group.cost_cents_per_hour,
        capabilities: group.capabilities.clone(),
        metrics: group.metrics,
        standby: group.standby,
    }
}

/// What a node is, with the classes of tasks that it could ever run of those that are known by name.
pub(super) fn spec(
    key: &str,
    (group, task): (&GroupFile, &TaskFile),
    source: FleetSource<'_>,
    names: &[String],
) -> Result<Arc<TaskSpec>, FleetError> {
    if source.registry.is_some() {
        let expected = "none in a scenario with [registry], from which tasks have nothing to pull";
        return Err(error(format!("{key}.task"), "a group of tasks".into(), expected));
    }
    if let Some(other) = stranger(group) {
        let expected = "nothing: a host of tasks has `gpu`, `gpus`, `max_queue` and what `task` says";
        return Err(error(format!("{key}.{other}"), "a key of hosts with models".into(), expected));
    }
    let gpus = within(&format!("{key}.gpus"), group.gpus.into(), 0, GPUS_MAX.into())? as u32;
    match (gpus, group.gpu.as_str()) {
        (0, "") => {}
        (0, kind) => {
            let expected = "\"\" where `gpus` is 0";
            return Err(error(format!("{key}.gpu"), format!("{kind:?}"), expected));
        }
        (_, kind) if is_kind(kind) => {}
        (_, kind) => {
            let expected = "what tasks call the kind of GPU, of letters, digits, - _ and .";
            return Err(error(format!("{key}.gpu"), format!("{kind:?}"), expected));
        }
    }
    let cpu_milli = within(&format!("{key}.task.cpu_milli"), task.cpu_milli, 1, AMOUNT_MAX)?;
    let memory_mib = within(&format!("{key}.task.memory_mib"), task.memory_mib, 1, AMOUNT_MAX)?;
    if let Some(slots) = task.slots {
        within(&format!("{key}.task.slots"), slots.into(), 1, SLOTS_MAX.into())?;
    }
    let name = group.name.clone();
    let mut spec =
        TaskSpec { name, gpus, cpu_milli, memory_mib, max_queue: group.max_queue, classes: Vec::new() };
    for (id, name) in names.iter().enumerate() {
        let Ok(class) = name.parse::<TaskClass>() else { continue };
        let TaskClass { cpu_milli, memory_mib, gpus, gpu_milli, .. } = class;
        let demand = Demand { cpu_milli, memory_mib, gpus, gpu_milli };
        if class.accepts(&group.gpu) && spec.fits(&demand) {
            spec.classes.push((ModelId(id as u32), demand));
        }
    }
    Ok(Arc::new(spec))
}

/// Where tasks come, there is a host of tasks.
pub(super) fn check_any(known_models: &[String], hosts: &[FleetHost]) -> Result<(), FleetError> {
    let comes = known_models.iter().find(|name| name.parse::<TaskClass>().is_ok());
    match comes.filter(|_| !hosts.iter().any(|host| host.spec.is_task())) {
        None => Ok(()),
        Some(class) => {
            let found = format!("no host of tasks, while the workload has tasks ({class})");
            Err(error("fleet.group".into(), found, "a group with `task = { cpu_milli = …, memory_mib = … }`"))
        }
    }
}

/// A key that says something of hosts with models, and so means nothing here.
fn stranger(group: &GroupFile) -> Option<&'static str> {
    let keys = [
        ("models", !group.models.is_empty()),
        ("paged", group.paged.is_some()),
        ("ram_gib", group.ram_gib != ram()),
        ("page_cache_gib", group.page_cache_gib.is_some()),
        ("disk_gib", group.disk_gib.is_some()),
        ("num_parallel", group.num_parallel.is_some()),
        ("max_loaded_models", group.max_loaded_models.is_some()),
        ("keep_alive_seconds", group.keep_alive_seconds != keep_alive()),
        ("context_length_tokens", group.context_length_tokens.is_some()),
        ("gpu_overhead_mib", group.gpu_overhead_mib != 0),
        ("sched_spread", group.sched_spread),
        ("kv_cache", group.kv_cache != KvCache::default()),
        ("multiuser_cache", group.multiuser_cache),
        ("ollama_version", group.ollama_version != Version::default()),
    ];
    keys.into_iter().find(|(_, written)| *written).map(|(key, _)| key)
}
