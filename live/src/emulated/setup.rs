//! What an emulated host is made from: names and numbers of a command line, looked up in the catalogue.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use control::ids::ModelId;
use control::request::KeepAlive;
use control::units::{Bytes, Nanos};
use sim_host::api::Engine;
use sim_host::fit::KvCache;
use sim_host::host::{HostModel, HostSpec, Serving};
use sim_host::profile::{self, Catalogue};
use sim_host::spec::{GpuSpec, Profile, Version};

use super::disk::Disk;
use super::faults::{FaultError, FaultFile, Faults};
use crate::wire::name;

/// Most GPUs of a host.
const GPUS_MAX: u32 = 64;
/// Most slots of a model.
const PARALLEL_MAX: u32 = 4_096;
/// Fastest registry, in MiB per second.
const PULL_MIB_PER_SECOND_MAX: u64 = 1 << 20;
/// Most memory of a host, in GiB.
const RAM_GIB_MAX: u64 = 1 << 20;

/// Options of an emulated host.
#[derive(Clone, PartialEq, Debug)]
pub struct EmulatedOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The GPU's name in the catalogue of profiles (`rtx-4090`).
    pub profile: String,
    /// GPUs of that kind; 1 to 64. On a CPU it does not matter.
    pub gpus: u32,
    /// Models on its disk, by their names in the catalogue; at least one, each once.
    pub models: Vec<String>,
    /// Models that can be pulled, by their names in the catalogue; `None`: all of the catalogue.
    pub registry: Option<Vec<String>>,
    /// How fast they come, in MiB per second of the host's time; at least 1.
    pub pull_mib_per_second: u64,
    /// What it does wrong from the start.
    pub faults: Vec<FaultFile>,
    /// Memory of the host, GPUs apart, in GiB; half of it serves as page cache.
    pub ram_gib: u64,
    /// `OLLAMA_NUM_PARALLEL`.
    pub num_parallel: Option<u32>,
    /// `OLLAMA_MAX_QUEUE`.
    pub max_queue: u32,
    /// `OLLAMA_MAX_LOADED_MODELS`.
    pub max_loaded: Option<u32>,
    /// `OLLAMA_KEEP_ALIVE`.
    pub keep_alive: KeepAlive,
    /// `OLLAMA_CONTEXT_LENGTH`, in tokens.
    pub num_ctx_default: Option<u32>,
    /// Whose rules it follows.
    pub version: Version,
    /// How many times faster than the wall clock it works; 1 is as fast as the profile.
    pub speed: u32,
}

impl Default for EmulatedOptions {
    /// An RTX 4090 without models on a free port of this machine, with Ollama's defaults.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            profile: "rtx-4090".into(),
            gpus: 1,
            models: Vec::new(),
            registry: None,
            pull_mib_per_second: 100,
            faults: Vec::new(),
            ram_gib: 64,
            num_parallel: None,
            max_queue: 512,
            max_loaded: None,
            keep_alive: KeepAlive::For(Nanos::from_secs(300)),
            num_ctx_default: None,
            version: Version::default(),
            speed: 1,
        }
    }
}

/// Why an emulated host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HostSetupError {
    /// The GPU or a model is unknown.
    #[error("{0}")]
    Profile(#[from] sim_host::profile::ProfileError),
    /// A value out of its range.
    #[error("{option}: found {found}, expected {expected}")]
    Value {
        /// Which option.
        option: &'static str,
        /// What was given.
        found: String,
        /// What may be given.
        expected: String,
    },
    /// A fault that cannot be.
    #[error("{0}")]
    Fault(#[from] FaultError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

fn within(option: &'static str, value: u64, least: u64, most: u64) -> Result<(), HostSetupError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(HostSetupError::Value { option, found: value.to_string(), expected: format!("{least} to {most}") })
}

/// A host as the options describe it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Plan {
    /// The host model. Its models are those on the disk, then those that are only in the registry.
    pub(super) spec: HostSpec,
    pub(super) disk: Disk,
    /// Names that can be pulled, with the index of their model.
    pub(super) registry: BTreeMap<String, usize>,
    pub(super) faults: Faults,
    /// By the wall clock.
    pub(super) pull_bytes_per_second: u64,
}

impl EmulatedOptions {
    /// The host that these options describe. Model ids count from 0 in the order of `models`; those that can only be
    /// pulled follow.
    ///
    /// # Errors
    /// Where a name is unknown or a number out of its range.
    pub(super) fn plan(&self) -> Result<Plan, HostSetupError> {
        within("gpus", self.gpus.into(), 1, GPUS_MAX.into())?;
        within("ram_gib", self.ram_gib, 1, RAM_GIB_MAX)?;
        within("num_parallel", self.num_parallel.unwrap_or(1).into(), 1, PARALLEL_MAX.into())?;
        within("speed", self.speed.into(), 1, 1_000_000)?;
        within("pull_mib_per_second", self.pull_mib_per_second, 1, PULL_MIB_PER_SECOND_MAX)?;
        let faults = Faults::new(&self.faults)?;
        let catalogue = Catalogue::builtin();
        let gpu = Arc::clone(catalogue.gpu(&self.profile)?);
        let mut models: Vec<HostModel> = Vec::new();
        for written in &self.models {
            let profile = self.find(written)?;
            if models.iter().any(|other| other.profile.model.name == profile.model.name) {
                let (found, expected) = (format!("{written:?} again"), "each model once".into());
                return Err(HostSetupError::Value { option: "model", found, expected });
            }
            models.push(HostModel::stored(ModelId(models.len() as u32), profile));
        }
        if models.is_empty() {
            let (found, expected) = ("none".into(), "at least one model".into());
            return Err(HostSetupError::Value { option: "model", found, expected });
        }
        let stored: Vec<&str> = models.iter().map(|entry| entry.profile.model.name.as_str()).collect();
        let disk = Disk::with(stored.into_iter());
        let mut registry = BTreeMap::new();
        let all = || catalogue.models().map(|model| model.name.clone()).collect();
        for written in self.registry.clone().unwrap_or_else(all) {
            let profile = self.find(&written)?;
            let known = models.iter().position(|other| other.profile.model.name == profile.model.name);
            let index = known.unwrap_or(models.len());
            registry.insert(profile.model.name.clone(), index);
            if known.is_none() {
                models.push(HostModel::stored(ModelId(index as u32), profile));
            }
        }
        let pull_bytes_per_second = (self.pull_mib_per_second << 20).saturating_mul(self.speed.into());
        let spec = self.spec(&gpu, models);
        Ok(Plan { spec, disk, registry, faults, pull_bytes_per_second })
    }

    /// The profile of a model. The catalogue knows models by the name that Ollama shows, `latest` included where it is
    /// the tag.
    fn find(&self, written: &str) -> Result<Arc<Profile>, HostSetupError> {
        let catalogue = Catalogue::builtin();
        let known = catalogue.find(&self.profile, written);
        let found = match name::normalise(written) {
            Some(name) if known.is_err() => catalogue.find(&self.profile, &name).or(known)?,
            _ => known?,
        };
        Ok(profile::for_version(&found, self.version))
    }

    fn spec(&self, gpu: &Arc<GpuSpec>, models: Vec<HostModel>) -> HostSpec {
        HostSpec {
            name: self.profile.clone(),
            version: self.version,
            gpus: if gpu.cpu { Vec::new() } else { vec![Arc::clone(gpu); self.gpus as usize] },
            ram: Bytes::from_gib(self.ram_gib),
            num_parallel: self.num_parallel,
            max_queue: self.max_queue,
            max_loaded: self.max_loaded,
            keep_alive: self.keep_alive,
            num_ctx_default: self.num_ctx_default,
            gpu_overhead: Bytes::ZERO,
            sched_spread: false,
            kv_cache: KvCache::default(),
            multiuser_cache: false,
            page_cache: Bytes::from_gib(self.ram_gib / 2),
            engine: Engine::default(),
            serving: Serving::Ollama,
            models,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut EmulatedOptions)) -> String {
        let mut options =
            EmulatedOptions { models: vec!["llama3.2:3b".into()], ..EmulatedOptions::default() };
        change(&mut options);
        options.plan().map(|_| ()).expect_err("refused").to_string()
    }

    #[test]
    fn wrong_options_are_named() {
        assert_eq!(refused(|o| o.models.clear()), "model: found none, expected at least one model");
        assert_eq!(
            refused(|o| o.models.push("llama3.2:3b".into())),
            "model: found \"llama3.2:3b\" again, expected each model once"
        );
        assert_eq!(refused(|o| o.gpus = 0), "gpus: found 0, expected 1 to 64");
        assert_eq!(refused(|o| o.speed = 0), "speed: found 0, expected 1 to 1000000");
        assert_eq!(
            refused(|o| o.pull_mib_per_second = 0),
            "pull_mib_per_second: found 0, expected 1 to 1048576"
        );
        assert!(refused(|o| o.registry = Some(vec!["lama3.2:3b".into()])).contains("llama3.2:3b"));
        assert!(refused(|o| o.profile = "rtx-4091".into()).contains("rtx-4090"), "the nearest name is told");
        assert!(refused(|o| o.models = vec!["lama3.2:3b".into()]).contains("llama3.2:3b"));
    }
    #[test]
    fn the_registry_adds_models_that_are_not_on_the_disk() {
        let options = EmulatedOptions {
            models: vec!["llama3.2:3b".into()],
            registry: Some(vec!["gemma3:4b".into(), "llama3.2:3b".into()]),
            ..EmulatedOptions::default()
        };
        let plan = options.plan().expect("a host");
        assert_eq!(plan.registry, BTreeMap::from([("gemma3:4b".into(), 1), ("llama3.2:3b".into(), 0)]));
        assert!(plan.disk.find("llama3.2:3b").is_some() && plan.disk.find("gemma3:4b").is_none());
        let all = EmulatedOptions { registry: None, ..options }.plan().expect("a host");
        assert_eq!(all.registry.len(), Catalogue::builtin().models().len());
    }
}
