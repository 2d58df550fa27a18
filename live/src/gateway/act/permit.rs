//! Whether an action may be carried out, and what exactly is to be done: looked up in the config in force, whatever control asks.

use control::config::Config;
use control::door::{Action, Deed};
use control::facts::Facts;
use control::ids::HostId;
use control::place::config::PlacementConfig;
use control::registries;
use control::request::KeepAlive;
use control::sync::config::SyncConfig;
use control::sync::second_name;

use crate::gateway::registry::is_insecure;
use crate::wire::name;

/// Why nothing is done with some models.
pub(super) const FORWARDS: &str = "the model forwards prompts to a cloud service";

/// An action that may be carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Order {
    pub(super) host: HostId,
    pub(super) model: String,
    pub(super) work: Work,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Work {
    Load(Option<KeepAlive>),
    Unload,
    /// `insecure`: over plain HTTP.
    Pull {
        insecure: bool,
    },
    Push {
        insecure: bool,
    },
    Branch {
        to: String,
    },
    /// As long as so many other hosts have it.
    Delete {
        copies_min: usize,
    },
}

/// What is to be done for an action; else why it is refused.
pub(super) fn order(
    action: &Action,
    facts: &Facts,
    config: &Config,
    insecure: &[String],
) -> Result<Order, &'static str> {
    let model = facts.models[action.model.index()].name.clone();
    if name::is_cloud(&model) {
        return Err(FORWARDS);
    }
    let managed = config.placement.as_ref().filter(|placement| placement.act);
    let managed = managed.and_then(|placement| Some((placement, placement.of(&model)?)));
    let synced = config.sync.as_ref().filter(|sync| sync.act && sync.manage.matches(&model));
    let unmanaged = "no section of [control] that may act manages the model";
    if let Some(sync) = synced
        && let Some(work) = synced_work(action, &model, facts, sync, insecure)?
    {
        return Ok(Order { host: action.host, model, work });
    }
    let work = match (action.deed, managed) {
        (Deed::Fetch(_), _) => return Err("no Ollama can fetch from another"),
        (Deed::Start | Deed::Stop, _) => return Err("this gateway neither starts nor stops hosts"),
        (Deed::Load(keep), _) if managed.is_some() || config.prefetch.is_some() => Work::Load(keep),
        (_, None) => return Err(unmanaged),
        (Deed::Load(keep), Some(_)) => Work::Load(keep),
        (Deed::Unload, Some(_)) => Work::Unload,
        (Deed::Pull, Some((placement, _))) => {
            if !placement.allow_pull {
                return Err("control.placement.allow_pull is false");
            }
            Work::Pull { insecure: registry_of(&model, placement, insecure)? }
        }
        (Deed::Push | Deed::Branch, Some(_)) => {
            return Err("only [control.sync] pushes models and gives them second names");
        }
        (Deed::Delete, Some((placement, of_model))) => {
            if !placement.allow_delete {
                return Err("control.placement.allow_delete is false");
            }
            Work::Delete { copies_min: of_model.copies_min.max(1) as usize }
        }
    };
    Ok(Order { host: action.host, model, work })
}

/// What sync may do with a model that it manages; none where the deed is not one of its own.
fn synced_work(
    action: &Action,
    model: &str,
    facts: &Facts,
    sync: &SyncConfig,
    insecure: &[String],
) -> Result<Option<Work>, &'static str> {
    let registry = name::registry(model).unwrap_or_default();
    let moves = registries::allow(&sync.registries, registry);
    let insecure = is_insecure(registry, insecure);
    match action.deed {
        Deed::Pull if moves => Ok(Some(Work::Pull { insecure })),
        Deed::Push if !sync.allow_push => Err("control.sync.allow_push is false"),
        Deed::Push if moves => Ok(Some(Work::Push { insecure })),
        Deed::Push => Err("the model's registry is not in control.sync.registries"),
        Deed::Branch if sync.keep_others => Ok(Some(Work::Branch { to: branch_of(action, model, facts)? })),
        Deed::Branch => Err("control.sync.keep_others is false"),
        _ => Ok(None),
    }
}

/// Whether the model's registry, which must be allowed, speaks plain HTTP.
fn registry_of(model: &str, placement: &PlacementConfig, insecure: &[String]) -> Result<bool, &'static str> {
    let registry = name::registry(model).unwrap_or_default();
    if !registries::allow(&placement.pull_from, registry) {
        return Err("the model's registry is not in control.placement.pull_from");
    }
    Ok(is_insecure(registry, insecure))
}

/// The second name of what the host holds: with its short digest in the tag.
fn branch_of(action: &Action, model: &str, facts: &Facts) -> Result<String, &'static str> {
    let held = facts.hosts[action.host.index()].observation.find_stored(action.model);
    let digest = held.map(|stored| stored.digest).filter(|digest| digest.is_known());
    let digest = digest.ok_or("what the host holds under the name is not known")?;
    name::normalise(&second_name(model, digest)).ok_or("the second name would be no name")
}
