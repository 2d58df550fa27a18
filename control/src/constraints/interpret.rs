//! The plain twin: each constraint is read as it stands and compared with what is known of the host.

use alloc::string::String;

use super::{Constraint, Demands, HostView, ModelNames};

/// Whether a host will do.
#[must_use]
pub fn allows(demands: &Demands, host: &HostView<'_>, models: ModelNames<'_>) -> bool {
    demands.constraints().iter().all(|constraint| holds(constraint, host, models))
}

/// Whether a host is preferred, be it allowed or not; `false` where none is preferred.
#[must_use]
pub fn prefers(demands: &Demands, host: &HostView<'_>) -> bool {
    demands.prefer_hosts().contains(&host.declaration.name)
        || demands.prefer_zones().contains(&host.declaration.zone)
}

fn holds(constraint: &Constraint, host: &HostView<'_>, models: ModelNames<'_>) -> bool {
    let declared = host.declaration;
    let has = |capability: &String| declared.capabilities.contains(capability);
    let has_loaded = |name: &String| {
        models(name).is_some_and(|model| host.loaded.iter().any(|loaded| loaded.model == model))
    };
    match constraint {
        Constraint::RequireHosts(names) => names.contains(&declared.name),
        Constraint::ExcludeHosts(names) => !names.contains(&declared.name),
        // A name in a list is never empty, so what is not declared is in none.
        Constraint::Gpus(gpus) => gpus.contains(&declared.gpu),
        Constraint::RequireZones(zones) => zones.contains(&declared.zone),
        Constraint::ExcludeZones(zones) => !zones.contains(&declared.zone),
        Constraint::RequireCapabilities(names) => names.iter().all(has),
        Constraint::ExcludeCapabilities(names) => !names.iter().any(has),
        Constraint::WithModelLoaded(names) => names.iter().all(has_loaded),
        Constraint::WithoutModelLoaded(names) => !names.iter().any(has_loaded),
        // A least value is at least 1, so 0, which is not known, is below it.
        Constraint::VramMin(least) => declared.memory >= *least,
        Constraint::RamMin(least) => declared.ram >= *least,
        Constraint::ContextMin(least) => u64::from(declared.context_tokens) >= least.0,
        Constraint::CostCentsPerHourMax(most) => {
            declared.cost_cents_per_hour != 0 && declared.cost_cents_per_hour <= *most
        }
        Constraint::TtftMax(most) => host.record.ttft.is_none_or(|ttft| ttft <= *most),
        Constraint::ReliabilityPermilleMin(least) => {
            host.record.answered_permille.is_none_or(|answered| answered >= *least)
        }
    }
}
