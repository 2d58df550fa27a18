//! What operators changed, as it is written down.

use std::collections::{BTreeMap, BTreeSet};

use control::config::ControlFile;
use control::door::Declaration;
use serde::{Deserialize, Serialize};

use super::{HostSlot, Operated};
use crate::gateway::config::{HostEntry, ServeConfig, beyond_a_gateway};

/// The file. Hosts are written by name: their numbers are of one run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Saved {
    /// `[control]` as set, and as it stood in the file then: it holds as long as the file says the same.
    control: Option<(ControlFile, ControlFile)>,
    drained: BTreeSet<String>,
    added: Vec<SavedHost>,
    removed: BTreeSet<String>,
    frozen: bool,
    /// Digests as 64 hexadecimal digits, by the names of models.
    decided: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct SavedHost {
    authority: String,
    declaration: Declaration,
}

impl Saved {
    pub(super) fn of(operated: &Operated) -> Self {
        let there = || operated.hosts.iter().filter(|slot| !slot.removed);
        let name = |slot: &HostSlot| slot.entry.declaration.name.clone();
        let added = there().filter(|slot| !slot.from_file).map(|slot| SavedHost {
            authority: slot.entry.authority.clone(),
            declaration: slot.entry.declaration.clone(),
        });
        let in_file = &operated.file.control_file;
        Self {
            control: (operated.control != *in_file).then(|| (operated.control.clone(), in_file.clone())),
            drained: there().filter(|slot| slot.drained).map(name).collect(),
            added: added.collect(),
            removed: operated.removed.clone(),
            frozen: operated.frozen,
            decided: operated
                .decided
                .iter()
                .map(|(model, digest)| (model.clone(), digest.to_string()))
                .collect(),
        }
    }

    /// The config that a run begins with, and what can be changed of it.
    pub(super) fn laid_over(self, file: ServeConfig) -> (ServeConfig, Operated) {
        let mut config = file.clone();
        if let Some((set, over)) = self.control
            && over == file.control_file
        {
            match set.check() {
                Ok(control) if beyond_a_gateway(&control).is_none() => {
                    (config.control, config.control_file) = (control, set);
                }
                // Another version of the program knew it.
                _ => tracing::warn!("what an operator had set in [control] cannot be taken; the file holds"),
            }
        }
        let names: BTreeSet<&str> = file.hosts.iter().map(|entry| entry.declaration.name.as_str()).collect();
        let added = self.added.into_iter().filter(|host| !names.contains(host.declaration.name.as_str()));
        let added = added.filter(|host| host.authority.parse::<hyper::http::uri::Authority>().is_ok());
        let added: Vec<HostEntry> = added
            .map(|host| HostEntry { authority: host.authority, declaration: host.declaration })
            .collect();
        let removed: BTreeSet<String> =
            self.removed.into_iter().filter(|name| names.contains(name.as_str())).collect();
        config.hosts.retain(|entry| !removed.contains(&entry.declaration.name));
        let from_file = config.hosts.len();
        for entry in added {
            // One that was written to the file since, under another name, is that of the file.
            if !config.hosts.iter().any(|known| known.is_at(&entry.authority)) {
                config.hosts.push(entry);
            }
        }
        let hosts = config.hosts.iter().enumerate().map(|(at, entry)| HostSlot {
            entry: entry.clone(),
            from_file: at < from_file,
            drained: self.drained.contains(&entry.declaration.name),
            removed: false,
        });
        let operated = Operated {
            control: config.control_file.clone(),
            before: None,
            hosts: hosts.collect(),
            removed,
            frozen: self.frozen,
            decided: self
                .decided
                .into_iter()
                .filter_map(|(model, digest)| Some((model, digest.parse().ok()?)))
                .collect(),
            file,
        };
        (config, operated)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use control::digest::Digest;

    use super::*;

    fn file(control: &str) -> ServeConfig {
        let text = format!(
            "[serve]\n[[serve.hosts]]\nname = \"a\"\nurl = \"http://127.0.0.1:1\"\n[[serve.hosts]]\nname = \"b\"\n\
             url = \"http://127.0.0.1:2\"\n[control]\n{control}"
        );
        ServeConfig::parse(&text, Path::new("x")).expect("a good file")
    }

    #[test]
    fn what_was_changed_holds_after_a_restart_until_the_file_is_edited() {
        let (_, mut operated) = Saved::default().laid_over(file(""));
        operated.control.balancer = "least-tokens".into();
        operated.hosts[1].drained = true;
        operated.hosts[0].removed = true;
        operated.removed.insert("a".into());
        operated.frozen = true;
        operated.decided.insert("m:latest".into(), Digest([7; 32]));
        let mut entry = operated.hosts[0].entry.clone();
        entry.declaration.name = "c".into();
        operated.hosts.push(HostSlot { entry, from_file: false, drained: false, removed: false });
        let text = serde_json::to_string(&Saved::of(&operated)).expect("JSON");
        let saved: Saved = serde_json::from_str(&text).expect("the same");

        let (config, again) = saved.clone().laid_over(file(""));
        assert_eq!(config.control_file.balancer.name, "least-tokens");
        let hosts: Vec<_> = again
            .hosts
            .iter()
            .map(|slot| (slot.entry.declaration.name.as_str(), slot.drained, slot.from_file))
            .collect();
        assert_eq!(hosts, [("b", true, true), ("c", false, false)]);
        assert!(again.frozen);

        let mut in_file = file("");
        in_file.hosts[0].declaration.name = "d".into();
        let (config, _) = saved.clone().laid_over(in_file);
        let names: Vec<_> = config.hosts.iter().map(|entry| &*entry.declaration.name).collect();
        assert_eq!(names, ["d", "b"], "c is d by now");

        let (config, _) = saved.laid_over(file("balancer = \"random\""));
        assert_eq!(config.control_file.balancer.name, "random");
    }
}
