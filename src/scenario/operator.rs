//! The `[[operator]]` sections: what the operator does while a run is under way.

use std::collections::BTreeMap;

use control::door::{Change, Input};
use control::ids::HostId;
use control::sync::artifact::Origin;
use control::units::{Instant, Nanos};
use reports::events::Event;
use serde::{Deserialize, Serialize};
use sim::simulation::OperatorDeed;

use super::document::Document;
use super::error::ScenarioError;
use super::{ScenarioFile, check_metrics, check_peers};

/// One deed of the operator as written: a time, and exactly one thing to do.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorFile {
    /// When, from the start of the run.
    pub at_seconds: f64,
    /// Keys of `[control]` with their new values: another config.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, toml::Value>,
    /// A host by name that gets no new requests from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<String>,
    /// A drained host that gets requests again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undrain: Option<String>,
    /// Whether nothing may change by itself from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freeze: Option<bool>,
    /// Back to the config before the last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rollback: bool,
    /// Which content of a name is the one to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolve: Option<ResolveFile>,
}

/// A decision between contents.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolveFile {
    /// The model.
    pub model: String,
    /// Whose content is kept, as it is then: a host's by its name, or the `registry`'s.
    pub keep: String,
}

/// Longest time into a run: a year.
const SECONDS_MAX: f64 = 366.0 * 86_400.0;

/// What the operator does, in order of time; `hosts` and `models` are the names of the fleet.
///
/// # Errors
/// Where a time is out of range, not exactly one thing is to be done, a host is not there, or a config cannot be taken.
pub(super) fn check(
    file: &ScenarioFile,
    (hosts, models): (&[&str], &[String]),
    document: &Document,
) -> Result<Vec<(Instant, OperatorDeed)>, ScenarioError> {
    let mut changes = Vec::new();
    let mut later = document.clone();
    // What a rollback goes back to, as control has it.
    let mut before = None;
    for (index, deed) in in_order(&file.operator) {
        let key = format!("operator[{index}]");
        let wrong =
            |key: &str, label: String| document.report(key, format!("`{key}` cannot be taken")).label(label);
        if !(0.0..=SECONDS_MAX).contains(&deed.at_seconds) {
            let label = format!("found {}, expected 0 to {SECONDS_MAX} seconds", deed.at_seconds);
            return Err(wrong(&format!("{key}.at_seconds"), label).into());
        }
        let host = |name: &str, key: String| {
            let at = hosts.iter().position(|host| *host == name);
            at.map(|at| HostId(at as u32)).ok_or_else(|| {
                let near = control::strategy::nearest(name, hosts);
                let near = near.map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
                wrong(&key, format!("found {name:?}, expected the name of a host{near}"))
            })
        };
        let tell = OperatorDeed::Tell;
        let mut deeds = Vec::new();
        if !deed.set.is_empty() {
            before = Some(later.clone());
            later.lay(&format!("{key}.set"), "control")?;
            let file: ScenarioFile = later.read()?;
            let config = file.control.check().map_err(|error| {
                let label = format!("found {}, expected {}", error.found, error.expected);
                later
                    .report(&format!("control.{}", error.key), format!("`{key}.set` cannot be taken"))
                    .label(label)
            })?;
            let can_be = check_metrics(&file, &config).and_then(|()| check_peers(&file, &config));
            can_be.map_err(|(at, found, expected)| {
                let label = format!("found {found}, expected {expected}");
                later.report(&at, format!("`{key}.set` cannot be taken")).label(label)
            })?;
            deeds.push(tell(Input::Policy(Box::new(config))));
        }
        if let Some(name) = &deed.drain {
            let host = host(name, format!("{key}.drain"))?;
            deeds.push(tell(Input::Operator(Change::Drain { host, drained: true })));
        }
        if let Some(name) = &deed.undrain {
            let host = host(name, format!("{key}.undrain"))?;
            deeds.push(tell(Input::Operator(Change::Drain { host, drained: false })));
        }
        deeds.extend(deed.freeze.map(|frozen| tell(Input::Operator(Change::Freeze(frozen)))));
        if deed.rollback {
            later = before.take().unwrap_or(later);
            deeds.push(tell(Input::Operator(Change::Rollback)));
        }
        if let Some(ResolveFile { model, keep }) = &deed.resolve {
            let key = format!("{key}.resolve");
            if later.read::<ScenarioFile>()?.control.sync.is_none() {
                return Err(
                    wrong(&key, "found no [control.sync], which keeps contents the same".into()).into()
                );
            }
            if !models.contains(model) {
                let label = format!("found {model:?}, expected a model of the fleet or the registry");
                return Err(wrong(&format!("{key}.model"), label).into());
            }
            let of = match keep.as_str() {
                "registry" => Origin::Catalogue,
                name => Origin::Host(host(name, format!("{key}.keep"))?),
            };
            deeds.push(OperatorDeed::Keep { model: model.clone(), of });
        }
        let [made] = <[OperatorDeed; 1]>::try_from(deeds).map_err(|deeds| {
            let label = format!("found {} things to do", deeds.len());
            wrong(&key, format!("{label}, expected one of set, drain, undrain, freeze, rollback, resolve"))
        })?;
        changes.push((deed.at(), made));
    }
    Ok(changes)
}

/// The same in words, for the report.
pub(super) fn events(file: &ScenarioFile) -> Vec<Event> {
    in_order(&file.operator).into_iter().map(|(_, deed)| deed.event()).collect()
}

impl OperatorFile {
    fn at(&self) -> Instant {
        Instant::ZERO + Nanos((self.at_seconds * 1e9) as u64)
    }

    fn event(&self) -> Event {
        let (kind, text) = if let Some(host) = &self.drain {
            ("drain", format!("host {host} gets no new requests"))
        } else if let Some(host) = &self.undrain {
            ("undrain", format!("host {host} gets requests again"))
        } else if let Some(frozen) = self.freeze {
            if frozen {
                ("freeze", "nothing changes by itself any more".to_owned())
            } else {
                ("unfreeze", "what changes by itself may do so again".to_owned())
            }
        } else if self.rollback {
            ("rollback", "back to the config before the last".to_owned())
        } else if let Some(ResolveFile { model, keep }) = &self.resolve {
            ("resolve", format!("model {model}: what {keep} has is the content to keep"))
        } else {
            let keys: Vec<String> = self.set.iter().map(|(key, value)| format!("{key} = {value}")).collect();
            ("set", keys.join(", "))
        };
        Event { at: self.at(), kind, text }
    }
}

/// With their places in the file, in order of time.
fn in_order(deeds: &[OperatorFile]) -> Vec<(usize, &OperatorFile)> {
    let mut deeds: Vec<_> = deeds.iter().enumerate().collect();
    deeds.sort_by(|a, b| a.1.at_seconds.total_cmp(&b.1.at_seconds));
    deeds
}
