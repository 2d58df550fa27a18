//! What registries hold under the names of managed models: asked now and then, told to control where it differs from before.
//!
//! Only registries that `[control]` allows are asked, for names that it manages; the default one only where the config says so besides.
//! Over TLS, but for those in `serve.insecure_registries`. Bounds: names ([`NAMES_MAX`]), time and size of each answer (`lookup`), one
//! lookup at a time. Left out: logins, and redirects, which are not followed.

mod lookup;
mod manifest;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use control::config::Config;
use control::door::Manifest;
use control::facts::Facts;
use control::registries;
use tokio::sync::{Notify, mpsc, oneshot};

use super::config::ServeConfig;
use super::config::manage::OLLAMA_REGISTRY;
use super::control_task::{Event, Question};
use crate::trust::Trust;
use crate::wire::name;
use lookup::Way;

/// Most names that are looked up.
const NAMES_MAX: usize = 1_000;

/// Whether a registry speaks plain HTTP.
pub(super) fn is_insecure(registry: &str, insecure: &[String]) -> bool {
    insecure.iter().any(|known| known.eq_ignore_ascii_case(registry))
}

/// Names that `[control]` manages and whose registries it allows: those that are known, and those that it spells out.
pub(super) fn managed_names(facts: &Facts, config: &Config) -> Vec<String> {
    let known = || facts.models.iter().map(|model| model.name.as_str());
    let mut names: BTreeSet<String> = BTreeSet::new();
    if let Some(placement) = &config.placement {
        let spelt_out = placement.manage.spelt_out().chain(placement.models.keys().map(String::as_str));
        let managed = known().filter(|name| placement.manage.matches(name)).chain(spelt_out);
        let allowed =
            |name: &String| registries::allow(&placement.pull_from, name::registry(name).unwrap_or_default());
        names.extend(managed.filter_map(name::normalise).filter(allowed));
    }
    if let Some(sync) = &config.sync {
        let managed = known().filter(|name| sync.manage.matches(name)).chain(sync.manage.spelt_out());
        let allowed =
            |name: &String| registries::allow(&sync.registries, name::registry(name).unwrap_or_default());
        names.extend(managed.filter_map(name::normalise).filter(allowed));
    }
    names.into_iter().filter(|name| !name::is_cloud(name)).take(NAMES_MAX).collect()
}

/// Asks registries, as long as the gateway runs.
pub(super) struct Watch {
    events: mpsc::UnboundedSender<Event>,
    insecure: Vec<String>,
    /// Whether the registry of names that name none is asked.
    ollama: bool,
    /// What control was told of each name.
    told: BTreeMap<String, Manifest>,
    /// Certificates that are trusted, once a registry is asked over TLS.
    trust: Option<Trust>,
    /// Registries that cannot be asked, and why.
    failing: BTreeMap<String, String>,
}

impl Watch {
    pub(super) fn new(config: &ServeConfig, events: mpsc::UnboundedSender<Event>) -> Self {
        Self {
            events,
            insecure: config.insecure_registries.clone(),
            ollama: config.registry_poll_ollama,
            told: BTreeMap::new(),
            trust: None,
            failing: BTreeMap::new(),
        }
    }

    /// Looks all names up at each beat, and where something was pushed.
    pub(super) async fn run(mut self, period: Duration, pushed: Arc<Notify>) {
        loop {
            let (reply, names) = oneshot::channel();
            if self.events.send(Event::Ask(Question::ManagedNames(reply))).is_err() {
                return;
            }
            let Ok(names) = names.await else { return };
            self.look_up_all(&names).await;
            // Either is a reason to look again.
            let _ = tokio::time::timeout(period, pushed.notified()).await;
        }
    }

    async fn look_up_all(&mut self, names: &[String]) {
        let mut failing = BTreeMap::new();
        for name in names {
            let registry = name::registry(name);
            let authority = match registry {
                Some(registry) => registry,
                None if self.ollama => OLLAMA_REGISTRY,
                None => continue,
            };
            // One that did not answer makes no other name wait.
            if failing.contains_key(authority) {
                continue;
            }
            match self.look_up(authority, name).await {
                Ok(manifest) => self.found(name, manifest),
                Err(why) => {
                    if self.failing.get(authority) != Some(&why) {
                        tracing::warn!(registry = authority, why, "a registry cannot be asked");
                    }
                    failing.insert(authority.to_owned(), why);
                }
            }
        }
        for registry in self.failing.keys().filter(|registry| !failing.contains_key(*registry)) {
            tracing::info!(registry, "a registry answers again");
        }
        self.failing = failing;
    }

    async fn look_up(&mut self, authority: &str, name: &str) -> Result<Option<Manifest>, String> {
        let insecure = is_insecure(authority, &self.insecure);
        if !insecure && self.trust.is_none() {
            self.trust = Some(Trust::of_this_machine().await?);
        }
        let trust = self.trust.as_ref().filter(|_| !insecure);
        lookup::manifest(Way { authority, trust }, name).await
    }

    fn found(&mut self, name: &str, manifest: Option<Manifest>) {
        if self.told.get(name) == manifest.as_ref() {
            return;
        }
        match &manifest {
            Some(manifest) => {
                tracing::info!(model = ?name, digest = %manifest.digest.short(), "a registry has another content");
                self.told.insert(name.to_owned(), manifest.clone());
            }
            None => {
                tracing::info!(model = ?name, "a registry has a name no longer");
                self.told.remove(name);
            }
        }
        // Where control has ended, the loop sees it.
        let _ = self.events.send(Event::Published { model: name.to_owned(), manifest });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use control::Control;
    use control::door::{Env, Input, NoMeter, Outputs};
    use control::ids::ModelId;
    use control::units::Instant;

    use super::*;

    /// Names that are looked up under this `[control]`, where these are known.
    fn names(section: &str, known: &[&str]) -> Vec<String> {
        let host = "[[serve.hosts]]\nname = \"a\"\nurl = \"http://127.0.0.1:1\"";
        let text = format!("[serve]\n{host}\n[control]\n{section}");
        let config = ServeConfig::parse(&text, Path::new("test.toml")).expect("a good config");
        let mut control = Control::new(config.control);
        for (model, name) in (0..).map(ModelId).zip(known) {
            let mut env = Env { seed: 0, meter: &mut NoMeter };
            let named = Input::ModelNamed { model, name: (*name).into() };
            control.step(Instant::ZERO, named, &mut Outputs::new(), &mut env);
        }
        managed_names(control.facts(), control.config())
    }

    #[test]
    fn only_managed_names_of_allowed_registries_are_looked_up() {
        let known = ["r:1/a/b:x", "r:1/a/c:x", "evil/a/b:x", "b:x", "r:1/a/b:cloud"];
        assert!(names("", &known).is_empty());
        let section = "[control.placement]\nmanage = [\"*b:*\", \"r:1/a/d\", \"e:x\"]\n";
        assert_eq!(names(section, &known), ["b:x", "e:x"]);
        let from = section.to_owned() + "pull_from = [\"r:1\"]";
        assert_eq!(names(&from, &known), ["r:1/a/b:x", "r:1/a/d:latest"]);
    }

    #[test]
    fn what_was_told_is_told_again_only_where_it_changed() {
        let host = "[serve]\n[[serve.hosts]]\nname = \"a\"\nurl = \"http://127.0.0.1:1\"";
        let config = ServeConfig::parse(host, Path::new("test.toml")).expect("a good config");
        let (events, mut told) = mpsc::unbounded_channel();
        let mut watch = Watch::new(&config, events);
        let held = |byte| {
            let digest = control::digest::Digest([byte; 32]);
            Some(Manifest { digest, layers: Vec::new() })
        };
        for manifest in [None, held(1), held(1), held(2), None, None] {
            watch.found("a:x", manifest);
        }
        let mut found = Vec::new();
        while let Ok(Event::Published { manifest, .. }) = told.try_recv() {
            found.push(manifest);
        }
        assert_eq!(found, [held(1), held(2), None]);
    }
}
