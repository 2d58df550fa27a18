//! What can be left out of a scenario besides faults and requests. Each takes out the thing of a number, and says whether there was one.

use control::config::ControlFile;
use workloads::config::{ModelFile, ModelsFile};

use crate::scenario::ScenarioFile;

/// Takes the thing of this number out; false where there are not so many.
pub(super) type Simpler = fn(&mut ScenarioFile, usize) -> bool;

/// In the order in which they are tried: those that save the most time first.
pub(super) const ALL: &[Simpler] =
    &[host, group, model, stored, control_section, control_key, session, tenant, release, registry, limits];

fn host(file: &mut ScenarioFile, at: usize) -> bool {
    let hosts = file.fleet.hosts.unwrap_or_default();
    if at > 0 || hosts < 2 {
        return false;
    }
    file.fleet.hosts = Some(hosts - 1);
    // The last of the round is gone, and what would happen to it.
    let groups = file.fleet.group.len() as u32;
    let (group, number) = ((hosts - 1) % groups, (hosts - 1) / groups + 1);
    forget_host(file, &format!("{}-{number}", file.fleet.group[group as usize].name));
    true
}

fn forget_host(file: &mut ScenarioFile, name: &str) {
    if let Some(faults) = &mut file.faults {
        faults.at.retain(|fault| fault.host.as_deref() != Some(name));
    }
    if let Some(registry) = &mut file.registry {
        registry.release.retain(|release| release.host.as_deref() != Some(name));
    }
}

/// The hosts of a group become such as the next one's.
fn group(file: &mut ScenarioFile, at: usize) -> bool {
    let groups = &mut file.fleet.group;
    if groups.len() < 2 || at >= groups.len() {
        return false;
    }
    let gone = groups.remove(at);
    let heir = groups[0].name.clone();
    let hosts = file.fleet.hosts.unwrap_or_default() as usize;
    // Names are numbered by group: what belongs to hosts that have no name now goes.
    let names: Vec<String> = (0..hosts)
        .map(|host| {
            format!(
                "{}-{}",
                file.fleet.group[host % file.fleet.group.len()].name,
                host / file.fleet.group.len() + 1
            )
        })
        .collect();
    let renamed = |host: &mut Option<String>| {
        if let Some(name) = host
            && let Some(number) = name.strip_prefix(&format!("{}-", gone.name))
        {
            *name = format!("{heir}-{number}");
        }
        host.as_ref().is_none_or(|name| names.contains(name))
    };
    if let Some(faults) = &mut file.faults {
        faults.at.retain_mut(|fault| renamed(&mut fault.host));
    }
    if let Some(registry) = &mut file.registry {
        registry.release.retain_mut(|release| renamed(&mut release.host));
    }
    true
}

/// A model that nobody asks for and no host has.
fn model(file: &mut ScenarioFile, at: usize) -> bool {
    let names: Vec<String> = match &file.workload.models {
        ModelsFile::Weighted(models) => models.iter().map(|model| model.name.clone()).collect(),
        ModelsFile::Zipf(zipf) => zipf.names.clone(),
    };
    if names.len() < 2 || at >= names.len() {
        return false;
    }
    let gone = &names[at];
    let stay = names.iter().filter(|name| *name != gone);
    file.workload.models =
        ModelsFile::Weighted(stay.map(|name| ModelFile { name: name.clone(), weight: 1.0 }).collect());
    for group in file.fleet.group.iter_mut().filter(|group| group.models.len() > 1) {
        group.models.retain(|name| name != gone);
    }
    if let Some(registry) = &mut file.registry {
        registry.models.retain(|name| name != gone);
        registry.release.retain(|release| release.model != *gone);
    }
    true
}

/// A model on the disks of one group.
fn stored(file: &mut ScenarioFile, at: usize) -> bool {
    let mut places = file.fleet.group.iter_mut().filter(|group| group.models.len() > 1);
    let mut at = at;
    places.any(|group| {
        if at < group.models.len() {
            group.models.remove(at);
            return true;
        }
        at -= group.models.len();
        false
    })
}

fn control_section(file: &mut ScenarioFile, at: usize) -> bool {
    let control = &mut file.control;
    let gone: [fn(&mut ControlFile) -> bool; 7] = [
        |control| control.placement.take().is_some(),
        |control| control.prefetch.take().is_some(),
        |control| control.breaker.take().is_some(),
        |control| control.select.take().is_some(),
        |control| !std::mem::take(&mut control.rules).is_empty(),
        |control| !std::mem::take(&mut control.shadows).is_empty(),
        |control| !std::mem::take(&mut control.tenant_weights).is_empty(),
    ];
    gone.iter().filter(|gone| gone(&mut control.clone())).nth(at).is_some_and(|gone| gone(control))
}

/// A key that has not its default. Time-outs stay: without them nothing ends.
fn control_key(file: &mut ScenarioFile, at: usize) -> bool {
    let control = &mut file.control;
    let keys: [fn(&mut ControlFile, ControlFile); 12] = [
        |control, default| control.scheduler = default.scheduler,
        |control, default| control.balancer = default.balancer,
        |control, default| control.dispatch = default.dispatch,
        |control, default| control.frozen = default.frozen,
        |control, default| control.aging_millis = default.aging_millis,
        |control, default| control.queue_requests_max = default.queue_requests_max,
        |control, default| control.implementation = default.implementation,
        |control, default| control.attempts_max = default.attempts_max,
        |control, default| control.retry_budget_percent = default.retry_budget_percent,
        |control, default| control.retry_budget_per_second = default.retry_budget_per_second,
        |control, default| control.quarantine_seconds = default.quarantine_seconds,
        |control, default| control.slow_start = default.slow_start,
    ];
    let changes = |key: &&fn(&mut ControlFile, ControlFile)| {
        let mut changed = control.clone();
        key(&mut changed, ControlFile::default());
        changed != *control
    };
    let Some(key) = keys.iter().filter(changes).nth(at) else { return false };
    key(control, ControlFile::default());
    true
}

fn session(file: &mut ScenarioFile, at: usize) -> bool {
    at == 0 && file.workload.sessions.take().is_some()
}

fn tenant(file: &mut ScenarioFile, at: usize) -> bool {
    let Some(tenants) = file.workload.tenants.as_mut().filter(|tenants| tenants.len() > 1) else {
        return false;
    };
    if at >= tenants.len() {
        return false;
    }
    let gone = tenants.remove(at);
    file.control.tenant_weights.remove(&gone.name);
    true
}

fn release(file: &mut ScenarioFile, at: usize) -> bool {
    let Some(registry) = file.registry.as_mut().filter(|registry| at < registry.release.len()) else {
        return false;
    };
    registry.release.remove(at);
    true
}

fn registry(file: &mut ScenarioFile, at: usize) -> bool {
    at == 0 && file.registry.take().is_some()
}

/// Limits of hosts and of the network.
fn limits(file: &mut ScenarioFile, at: usize) -> bool {
    let mut limits: Vec<Box<dyn FnOnce() + '_>> = Vec::new();
    for group in &mut file.fleet.group {
        let (disk, loaded) = (&mut group.disk_gib, &mut group.max_loaded_models);
        if disk.is_some() {
            limits.push(Box::new(|| *disk = None));
        }
        if loaded.is_some() {
            limits.push(Box::new(|| *loaded = None));
        }
    }
    if file.network.zone_mbit_per_second.is_some() {
        limits.push(Box::new(|| file.network.zone_mbit_per_second = None));
    }
    let Some(limit) = limits.into_iter().nth(at) else { return false };
    limit();
    true
}
