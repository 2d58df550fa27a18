//! What an operator may change while the gateway runs. Changes are made one at a time: checked, written to the disk where
//! there is a state folder, then given to control as inputs, so that each is in the decision log.
//!
//! What was changed holds until the file says otherwise: a `[control]` section that was edited since takes the place of
//! what an operator had set.

mod contents;
mod saved;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use control::config::{Config, ControlFile};
use control::digest::Digest;
use control::door::{Change, Input};
use control::ids::HostId;
use control::strategy::nearest;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::config::{self, AdminKey, HostEntry, ServeConfig};
use super::control_task::Event;
use super::fleet::Fleet;
use super::keys::Keys;
use super::state::{StateError, StateFolder};
pub(super) use contents::Decision;
use saved::Saved;

/// Name of the file in the state folder.
const FILE: &str = "operator.json";

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// What was asked for cannot be.
    #[error("{0}")]
    Wrong(String),
    /// What it is about is not there.
    #[error("{0}")]
    NotFound(String),
    /// It does not fit what is.
    #[error("{0}")]
    Conflict(String),
    /// It could not be written down.
    #[error(transparent)]
    State(#[from] StateError),
    /// Control has ended.
    #[error("the gateway is stopping")]
    Stopping,
}

/// What was changed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct Changed {
    /// In words.
    pub(super) changed: Vec<String>,
    /// Keys of the file whose new values need a restart.
    pub(super) needs_restart: Vec<String>,
}

/// A host by its id.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct HostSlot {
    pub(super) entry: HostEntry,
    /// It stands in the file; else an operator added it.
    pub(super) from_file: bool,
    pub(super) drained: bool,
    /// It is taken out, and only keeps its number.
    pub(super) removed: bool,
}

/// Everything that can be changed.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Operated {
    /// The file as it was read last.
    pub(super) file: ServeConfig,
    /// `[control]` in force.
    pub(super) control: ControlFile,
    /// The one before, to go back to.
    pub(super) before: Option<ControlFile>,
    /// By id.
    pub(super) hosts: Vec<HostSlot>,
    /// Names of hosts of the file that an operator took out.
    pub(super) removed: BTreeSet<String>,
    pub(super) frozen: bool,
    /// Contents that operators decided for, by the names of models.
    pub(super) decided: BTreeMap<String, Digest>,
}

/// The one who changes it.
pub(super) struct Operator {
    operated: Mutex<Operated>,
    /// The file as it was at the start: keys that are read then only are as here until a restart.
    started: ServeConfig,
    fleet: Arc<Fleet>,
    events: mpsc::UnboundedSender<Event>,
    folder: Option<StateFolder>,
    pub(super) keys: Arc<Keys>,
    admin_keys: RwLock<Arc<[AdminKey]>>,
}

/// What holds at the start: the file, with what operators had changed before.
pub(super) fn at_start(
    file: ServeConfig,
    folder: Option<&StateFolder>,
) -> Result<(ServeConfig, Operated), StateError> {
    let saved = match folder {
        Some(folder) => folder.read::<Saved>(FILE)?.unwrap_or_default(),
        None => Saved::default(),
    };
    Ok(saved.laid_over(file))
}

impl Operator {
    pub(super) fn new(
        operated: Operated,
        fleet: Arc<Fleet>,
        events: mpsc::UnboundedSender<Event>,
        folder: Option<StateFolder>,
        keys: Arc<Keys>,
    ) -> Self {
        let admin_keys = operated.file.admin.as_ref().map_or([].into(), |admin| admin.keys.clone().into());
        let admin_keys = RwLock::new(admin_keys);
        let started = operated.file.clone();
        Self { operated: Mutex::new(operated), started, fleet, events, folder, keys, admin_keys }
    }

    /// Tells control what held before a restart.
    pub(super) async fn resume(&self) {
        let operated = self.operated.lock().await;
        let drained = operated.hosts.iter().zip(0..).filter(|(slot, _)| slot.drained);
        let mut inputs: Vec<Input> = drained.map(|(_, host)| drain(HostId(host), true)).collect();
        if operated.frozen {
            inputs.push(Input::Operator(Change::Freeze(true)));
        }
        // Where control has ended, whoever started it sees that.
        let _ = self.tell(inputs).await;
        self.resume_decisions(&operated).await;
    }

    /// Everything that can be changed, as it is.
    pub(super) async fn operated(&self) -> Operated {
        self.operated.lock().await.clone()
    }

    /// Keys of the operator's listener.
    pub(super) fn admin_keys(&self) -> Arc<[AdminKey]> {
        Arc::clone(&self.admin_keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lays keys of `[control]` over those in force; null takes a key back to its default.
    pub(super) async fn set_control(&self, patch: Map<String, Value>) -> Result<Changed, Refused> {
        let mut operated = self.operated.lock().await;
        if patch.is_empty() {
            return Err(Refused::Wrong("found no key, expected keys of [control] with their values".into()));
        }
        let said = patch.iter().map(|(key, value)| format!("control.{key} = {value}")).collect();
        let mut written = as_written(&operated.control);
        lay(&mut written, patch);
        let control = read_control(written)?;
        self.install(&mut operated, control, said).await
    }

    /// Sets one entry of a table of `[control]` (`flags`, `experiments`), or takes it out.
    pub(super) async fn set_entry(
        &self,
        table: &'static str,
        name: &str,
        value: Option<Value>,
    ) -> Result<Changed, Refused> {
        let mut operated = self.operated.lock().await;
        let mut written = as_written(&operated.control);
        let entries = written.entry(table).or_insert_with(|| Value::Object(Map::new()));
        let entries = entries.as_object_mut().expect("a table of [control] is written as one");
        let said = match value {
            Some(value) => {
                let said = format!("control.{table}.{name} = {value}");
                entries.insert(name.to_owned(), value);
                said
            }
            None => {
                entries.remove(name).ok_or_else(|| {
                    Refused::NotFound(format!("control.{table}: found no {name:?} to take out"))
                })?;
                format!("control.{table}.{name} is taken out")
            }
        };
        let control = read_control(written)?;
        self.install(&mut operated, control, vec![said]).await
    }

    /// Back to the `[control]` before the last change.
    pub(super) async fn rollback(&self) -> Result<Changed, Refused> {
        let mut operated = self.operated.lock().await;
        let Some(control) = operated.before.clone() else {
            return Err(Refused::Conflict("there is no config to go back to".into()));
        };
        let next = Operated { control, before: None, ..operated.clone() };
        self.commit(&mut operated, next, vec![Input::Operator(Change::Rollback)]).await?;
        Ok(changed("[control] is what it was before"))
    }

    /// Stops all that changes by itself, or lets it go on.
    pub(super) async fn freeze(&self, frozen: bool) -> Result<Changed, Refused> {
        let mut operated = self.operated.lock().await;
        let next = Operated { frozen, ..operated.clone() };
        self.commit(&mut operated, next, vec![Input::Operator(Change::Freeze(frozen))]).await?;
        Ok(changed(if frozen {
            "nothing changes by itself any more"
        } else {
            "changes by itself may be made"
        }))
    }

    /// Keeps a host from new requests, or gives it some again.
    pub(super) async fn drain(&self, name: &str, drained: bool) -> Result<Changed, Refused> {
        let mut operated = self.operated.lock().await;
        let host = operated.find(name)?;
        let mut next = operated.clone();
        next.hosts[host.index()].drained = drained;
        self.commit(&mut operated, next, vec![drain(host, drained)]).await?;
        let word = if drained { "gets no new requests" } else { "gets requests" };
        Ok(changed(&format!("host {name} {word}")))
    }

    /// Adds a host, written as in `[[serve.hosts]]`; ends when it was asked once.
    pub(super) async fn add_host(&self, written: &Value) -> Result<Changed, Refused> {
        let entry = HostEntry::from_json(written).map_err(Refused::Wrong)?;
        let name = entry.declaration.name.clone();
        let mut operated = self.operated.lock().await;
        if operated.find(&name).is_ok() {
            return Err(Refused::Conflict(format!("there is a host {name:?} already")));
        }
        if let Some(other) = operated.at(&entry.authority) {
            let (there, address) = (&other.entry.declaration.name, &entry.authority);
            return Err(Refused::Conflict(format!("there is a host at {address} already: {there:?}")));
        }
        let mut next = operated.clone();
        next.removed.remove(&name);
        let inputs = vec![next.add(entry.clone(), false)];
        let host = HostId(operated.hosts.len() as u32);
        self.commit(&mut operated, next, inputs).await?;
        self.fleet.add(host, &entry).await;
        Ok(changed(&format!("host {name} is added")))
    }

    /// Takes a host out: it gets nothing new, and is forgotten once nothing runs there.
    pub(super) async fn remove_host(&self, name: &str) -> Result<Changed, Refused> {
        let mut operated = self.operated.lock().await;
        let host = operated.find(name)?;
        if operated.hosts.iter().filter(|slot| !slot.removed).count() == 1 {
            return Err(Refused::Conflict(format!("{name:?} is the last host: drain it instead")));
        }
        let mut next = operated.clone();
        next.remove(host);
        if operated.hosts[host.index()].from_file {
            next.removed.insert(name.to_owned());
        }
        self.commit(&mut operated, next, vec![drain(host, true)]).await?;
        self.forget(host);
        Ok(changed(&format!("host {name} gets no new requests and is forgotten when nothing runs there")))
    }

    /// Takes over what another reading of the file says, as far as that goes without a restart.
    pub(super) async fn reload(&self, file: ServeConfig) -> Result<Changed, Refused> {
        let mut operated = self.operated.lock().await;
        let mut changed = Changed { needs_restart: self.started.needs_restart(&file), ..Changed::default() };
        let (mut next, mut inputs) = (operated.clone(), Vec::new());
        if file.control_file != operated.file.control_file {
            if next.control != file.control_file {
                next.before = Some(std::mem::replace(&mut next.control, file.control_file.clone()));
                inputs.push(Input::Policy(Box::new(file.control.clone())));
            }
            changed.changed.push("[control]".into());
        }
        let hosts = next.take_hosts(&file, &mut changed, &mut inputs);
        if let Some((added, name)) = next.added_again() {
            let message =
                format!("host {name:?} of the file is {added:?}, which an operator added: remove that");
            return Err(Refused::Conflict(message));
        }
        let keys = file.keys != operated.file.keys;
        let admin_keys = |file: &ServeConfig| file.admin.as_ref().map(|admin| admin.keys.clone());
        let new_admin_keys = admin_keys(&file);
        let admin_keys = (new_admin_keys != admin_keys(&operated.file)).then_some(new_admin_keys).flatten();
        next.file = file;
        self.commit(&mut operated, next, inputs).await?;
        for (host, what) in hosts {
            let entry = &operated.hosts[host.index()].entry;
            match what {
                Taken::Added => self.fleet.add(host, entry).await,
                Taken::Moved => self.fleet.place(host, entry),
                Taken::Removed => self.forget(host),
            }
        }
        if keys {
            self.keys.replace(&operated.file.keys);
            changed.changed.push("serve.keys".into());
        }
        if let Some(admin_keys) = admin_keys {
            *self.admin_keys.write().unwrap_or_else(PoisonError::into_inner) = admin_keys.into();
            changed.changed.push("serve.admin.keys".into());
        }
        Ok(changed)
    }

    fn forget(&self, host: HostId) {
        let fleet = Arc::clone(&self.fleet);
        tokio::spawn(async move { fleet.forget(host).await });
    }

    async fn install(
        &self,
        operated: &mut Operated,
        control: ControlFile,
        said: Vec<String>,
    ) -> Result<Changed, Refused> {
        let config = check_control(&control)?;
        let before = Some(operated.control.clone());
        let next = Operated { control, before, ..operated.clone() };
        self.commit(operated, next, vec![Input::Policy(Box::new(config))]).await?;
        Ok(Changed { changed: said, ..Changed::default() })
    }

    /// Writes a change down, then makes it.
    async fn commit(
        &self,
        operated: &mut Operated,
        next: Operated,
        inputs: Vec<Input>,
    ) -> Result<(), Refused> {
        self.write(&next).await?;
        self.tell(inputs).await?;
        *operated = next;
        Ok(())
    }

    async fn write(&self, next: &Operated) -> Result<(), Refused> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let saved = Saved::of(next);
        let written = tokio::task::spawn_blocking(move || folder.write(FILE, &saved)).await;
        Ok(written.map_err(|_| Refused::Stopping)??)
    }

    async fn tell(&self, inputs: Vec<Input>) -> Result<(), Refused> {
        if inputs.is_empty() {
            return Ok(());
        }
        let (done, taken) = oneshot::channel();
        self.events.send(Event::Operate { inputs, done }).map_err(|_| Refused::Stopping)?;
        taken.await.map_err(|_| Refused::Stopping)
    }
}

/// What the gateway itself must do for a host of another file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Taken {
    Added,
    Moved,
    Removed,
}

impl Operated {
    /// The host of this name that was not taken out.
    fn find(&self, name: &str) -> Result<HostId, Refused> {
        let there = |slot: &HostSlot| !slot.removed && slot.entry.declaration.name == name;
        self.hosts.iter().position(there).map(|at| HostId(at as u32)).ok_or_else(|| {
            let hosts = self.hosts.iter().filter(|slot| !slot.removed);
            let names: Vec<&str> = hosts.map(|slot| slot.entry.declaration.name.as_str()).collect();
            let near = nearest(name, &names).map(|near| format!(" (did you mean {near:?}?)"));
            Refused::NotFound(format!("there is no host {name:?}{}", near.unwrap_or_default()))
        })
    }

    /// The host at this address that was not taken out.
    fn at(&self, authority: &str) -> Option<&HostSlot> {
        self.hosts.iter().find(|slot| !slot.removed && slot.entry.is_at(authority))
    }

    /// A host that an operator added, and the one of the file that has its address.
    fn added_again(&self) -> Option<(&str, &str)> {
        let mut added = self.hosts.iter().filter(|slot| !slot.from_file && !slot.removed);
        added.find_map(|added| {
            let authority = &added.entry.authority;
            let in_file = |slot: &&HostSlot| slot.from_file && !slot.removed && slot.entry.is_at(authority);
            let twin = self.hosts.iter().find(in_file)?;
            Some((added.entry.declaration.name.as_str(), twin.entry.declaration.name.as_str()))
        })
    }

    fn add(&mut self, entry: HostEntry, from_file: bool) -> Input {
        let declaration = entry.declaration.clone();
        let host = HostId(self.hosts.len() as u32);
        self.hosts.push(HostSlot { entry, from_file, drained: false, removed: false });
        Input::HostDeclared { host, declaration }
    }

    fn remove(&mut self, host: HostId) {
        let slot = &mut self.hosts[host.index()];
        (slot.drained, slot.removed) = (true, true);
    }

    /// Adds, changes and takes out hosts as another reading of the file has them.
    fn take_hosts(
        &mut self,
        file: &ServeConfig,
        changed: &mut Changed,
        inputs: &mut Vec<Input>,
    ) -> Vec<(HostId, Taken)> {
        let mut taken = Vec::new();
        let written: BTreeSet<&str> =
            file.hosts.iter().map(|entry| entry.declaration.name.as_str()).collect();
        // A host that no longer stands in the file may be written there again later.
        self.removed.retain(|name| written.contains(name.as_str()));
        for entry in &file.hosts {
            let name = &entry.declaration.name;
            if self.removed.contains(name) {
                continue;
            }
            let Ok(host) = self.find(name) else {
                taken.push((HostId(self.hosts.len() as u32), Taken::Added));
                inputs.push(self.add(entry.clone(), true));
                changed.changed.push(format!("host {name} is added"));
                continue;
            };
            let slot = &mut self.hosts[host.index()];
            slot.from_file = true;
            if slot.entry == *entry {
                continue;
            }
            if slot.entry.declaration != entry.declaration {
                inputs.push(Input::HostDeclared { host, declaration: entry.declaration.clone() });
            }
            slot.entry = entry.clone();
            taken.push((host, Taken::Moved));
            changed.changed.push(format!("host {name} is declared anew"));
        }
        for at in 0..self.hosts.len() {
            let (host, slot) = (HostId(at as u32), &self.hosts[at]);
            let name = slot.entry.declaration.name.clone();
            if slot.from_file && !slot.removed && !written.contains(name.as_str()) {
                self.remove(host);
                inputs.push(drain(host, true));
                taken.push((host, Taken::Removed));
                changed.changed.push(format!("host {name} is taken out"));
            }
        }
        taken
    }
}

fn drain(host: HostId, drained: bool) -> Input {
    Input::Operator(Change::Drain { host, drained })
}

fn changed(what: &str) -> Changed {
    Changed { changed: vec![what.to_owned()], ..Changed::default() }
}

fn as_written(control: &ControlFile) -> Map<String, Value> {
    match serde_json::to_value(control) {
        Ok(Value::Object(written)) => written,
        _ => unreachable!("[control] is a table with string keys"),
    }
}

fn lay(written: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        if value.is_null() {
            written.remove(&key);
        } else {
            written.insert(key, value);
        }
    }
}

fn read_control(written: Map<String, Value>) -> Result<ControlFile, Refused> {
    serde_json::from_value(Value::Object(written))
        .map_err(|error| Refused::Wrong(format!("control: {}", config::suggest(&error.to_string()))))
}

fn check_control(control: &ControlFile) -> Result<Config, Refused> {
    let config = control.check().map_err(|error| Refused::Wrong(error.to_string()))?;
    match config::beyond_a_gateway(&config) {
        None => Ok(config),
        Some((_, message)) => Err(Refused::Wrong(message)),
    }
}
