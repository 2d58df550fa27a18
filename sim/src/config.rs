//! The `[fleet]`, `[network]` and `[registry]` sections of a scenario.

mod host;
mod network;
mod task;

use std::collections::BTreeMap;
use std::sync::Arc;

use control::door::Declaration;
use control::ids::ModelId;
use control::units::{Instant, Nanos};
use serde::{Deserialize, Serialize};
use sim_host::api::Engine;
use sim_host::fit::KvCache;
use sim_host::host::{HostModel, HostSpec};
use sim_host::power::PowerDraw;
use sim_host::profile::{Catalogue, ProfileError};
use sim_host::spec::Version;
use sim_host::task::TaskSpec;
use traces::names;

pub use self::network::{NetworkConfig, NetworkFile};
use crate::faults::{Fault, FaultsFile};
use crate::registry::{Content, Registry, RegistryFile, Release};

/// Most hosts of a fleet.
pub const HOSTS_MAX: u32 = 1_000_000;

/// `[fleet]` as written: how many hosts, and the groups that they are made of.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetFile {
    /// Hosts in all; groups take turns by their shares. The sum of the shares where absent.
    pub hosts: Option<u32>,
    /// How often control polls each host.
    #[serde(default = "poll_period")]
    pub poll_period_millis: u64,
    /// Kinds of hosts.
    pub group: Vec<GroupFile>,
}

fn poll_period() -> u64 {
    1_000
}

/// One kind of host.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupFile {
    /// Its hosts are called this, with a number.
    pub name: String,
    /// Hosts of this kind in each round over the groups.
    #[serde(default = "one")]
    pub share: u32,
    /// A GPU's name from `herder profiles list`; of a group of tasks, the kind that its tasks know it by, or nothing where it has none.
    pub gpu: String,
    /// How many of them a host has; a host of tasks may have none.
    #[serde(default = "one")]
    pub gpus: u32,
    /// Memory of the host itself.
    #[serde(default = "ram")]
    pub ram_gib: u64,
    /// Memory in which weights stay cached after an unload; half of `ram_gib` where absent.
    pub page_cache_gib: Option<u64>,
    /// Models on disk: names from `herder profiles list`. `NAME-v1`, `NAME-v2` and so on are fine-tunes: as fast and as large as
    /// NAME, with weights of their own; `NAME-v{1..40}` stands for forty. None for a group of tasks.
    #[serde(default)]
    pub models: Vec<String>,
    /// Room for models on disk; no limit where absent.
    pub disk_gib: Option<u64>,
    /// `OLLAMA_NUM_PARALLEL`; the version's default where absent.
    pub num_parallel: Option<u32>,
    /// `OLLAMA_MAX_QUEUE`.
    #[serde(default = "max_queue")]
    pub max_queue: u32,
    /// `OLLAMA_MAX_LOADED_MODELS`; 3 for each GPU where absent.
    pub max_loaded_models: Option<u32>,
    /// `OLLAMA_KEEP_ALIVE`; below 0: forever.
    #[serde(default = "keep_alive")]
    pub keep_alive_seconds: i64,
    /// `OLLAMA_CONTEXT_LENGTH`; by total VRAM where absent.
    pub context_length_tokens: Option<u32>,
    /// `OLLAMA_GPU_OVERHEAD`.
    #[serde(default)]
    pub gpu_overhead_mib: u64,
    /// `OLLAMA_SCHED_SPREAD`.
    #[serde(default)]
    pub sched_spread: bool,
    /// `OLLAMA_KV_CACHE_TYPE`.
    #[serde(default)]
    pub kv_cache: KvCache,
    /// `OLLAMA_MULTIUSER_CACHE`.
    #[serde(default)]
    pub multiuser_cache: bool,
    /// Ollama's version.
    #[serde(default)]
    pub ollama_version: Version,
    /// A paged batching server instead of Ollama, for comparison with other simulators.
    pub paged: Option<PagedFile>,
    /// A node that runs tasks instead of models.
    pub task: Option<TaskFile>,
    /// Relative share of load; 100 is normal.
    #[serde(default = "weight")]
    pub weight: u32,
    /// Lower tiers are used first.
    #[serde(default)]
    pub tier: u8,
    /// Where they stand.
    #[serde(default)]
    pub zone: String,
    /// What else can be asked of them by constraints (`vision`, `eu`).
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// What an hour of one costs, in hundredths of a currency; 0: not known.
    #[serde(default)]
    pub cost_cents_per_hour: u32,
    /// Whether a source of metrics tells control how busy they are, at each poll.
    #[serde(default)]
    pub metrics: bool,
    /// Whether they stand by: off at first, with what is on their disks; `[control.scale]` provisions them and gives them back.
    #[serde(default)]
    pub standby: bool,
    /// How long it takes to provision one that stands by.
    #[serde(default = "provision")]
    pub provision_seconds: u64,
}

/// A paged batching server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagedFile {
    /// Sequences that run at once.
    pub slots: u32,
    /// Tokens in a step.
    pub batch_tokens: u32,
}

/// A node that runs tasks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskFile {
    /// Thousandths of a core.
    pub cpu_milli: u64,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Tasks that control believes it takes at once; one for each GPU where absent, and one for each four cores where it has no GPU.
    pub slots: Option<u32>,
}

fn one() -> u32 {
    1
}
fn ram() -> u64 {
    64
}
fn max_queue() -> u32 {
    512
}
fn keep_alive() -> i64 {
    300
}
fn weight() -> u32 {
    100
}
fn provision() -> u64 {
    120
}

/// A key of `[fleet]` or `[network]` that cannot be taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{key}: found {found}, expected {expected}")]
pub struct FleetError {
    /// Path of the key (`fleet.group[1].gpu`).
    pub key: String,
    /// What stood there.
    pub found: String,
    /// What may stand there.
    pub expected: String,
}

/// A checked fleet.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Each host, in order of id.
    pub hosts: Vec<FleetHost>,
    /// Names of the models on disks, in order of first mention.
    pub models: Vec<String>,
    /// How often control polls each host.
    pub poll_period: Nanos,
    /// What lies between control, hosts and the registry.
    pub network: NetworkConfig,
    /// What can be pulled; nothing where absent.
    pub registry: Option<Registry>,
    /// What breaks, in order of time.
    pub faults: Vec<Fault>,
}

/// Which kind of host it is.
#[derive(Clone, PartialEq, Debug)]
pub enum HostKind {
    /// Ollama, or what it is compared with.
    Ollama(Arc<HostSpec>),
    /// A node that runs tasks.
    Task(Arc<TaskSpec>),
}

impl HostKind {
    /// Its group's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Ollama(spec) => &spec.name,
            Self::Task(spec) => &spec.name,
        }
    }

    /// GPUs of a host.
    #[must_use]
    pub fn gpus_len(&self) -> usize {
        match self {
            Self::Ollama(spec) => spec.gpus.len(),
            Self::Task(spec) => spec.gpus as usize,
        }
    }

    /// Models that are, or may come, on its disk; none where it runs tasks.
    #[must_use]
    pub fn models(&self) -> &[HostModel] {
        match self {
            Self::Ollama(spec) => &spec.models,
            Self::Task(_) => &[],
        }
    }

    /// Whether it runs tasks.
    #[must_use]
    pub const fn is_task(&self) -> bool {
        matches!(self, Self::Task(_))
    }
}

/// One host: what it is, and what its operator declares.
#[derive(Clone, Debug)]
pub struct FleetHost {
    /// What it is. Hosts of a group share it; the name in it is the group's.
    pub spec: HostKind,
    /// What control is told.
    pub declaration: Declaration,
    /// How long it takes to provision, where it stands by.
    pub provision: Nanos,
    /// What its GPUs draw, or its CPU where it has none; not known where absent.
    pub draw: Option<PowerDraw>,
}

/// Everything that a fleet is made from.
#[derive(Clone, Copy)]
pub struct FleetSource<'a> {
    /// `[fleet]`.
    pub fleet: &'a FleetFile,
    /// `[network]`.
    pub network: &'a NetworkFile,
    /// `[registry]`.
    pub registry: Option<&'a RegistryFile>,
    /// `[faults]`.
    pub faults: Option<&'a FaultsFile>,
    /// Keys what is drawn.
    pub seed: u64,
    /// Where GPUs and models are looked up.
    pub catalogue: &'a Catalogue,
    /// Models that have their ids already (those of the workload, by index).
    pub known_models: &'a [String],
    /// Which batch loop engine.
    pub engine: Engine,
}

impl Fleet {
    /// Checks a fleet and looks up what it names.
    ///
    /// # Errors
    /// The first key that cannot be taken.
    pub fn check(source: FleetSource<'_>) -> Result<Self, FleetError> {
        let file = source.fleet;
        let models = all_names(source);
        let poll_period = within("fleet.poll_period_millis", file.poll_period_millis, 1, 3_600_000)?;
        let network = source.network.check()?;
        let mut contents = BTreeMap::new();
        let mut kinds = Vec::new();
        let mut round = Vec::new();
        for (index, group) in file.group.iter().enumerate() {
            let key = format!("fleet.group[{index}]");
            if file.group[..index].iter().any(|other| other.name == group.name) {
                return Err(error(format!("{key}.name"), format!("{:?} again", group.name), "unique names"));
            }
            within(&format!("{key}.provision_seconds"), group.provision_seconds, 0, 86_400)?;
            let share = within(&format!("{key}.share"), group.share.into(), 0, 1_000)?;
            let kind = match &group.task {
                Some(file) => HostKind::Task(task::spec(&key, (group, file), source, &models)?),
                None => HostKind::Ollama(host::spec(&key, group, source, (&models, &mut contents))?),
            };
            round.extend(std::iter::repeat_n(kinds.len(), share as usize));
            kinds.push((kind, host::draw(group, source.catalogue)));
        }
        if round.is_empty() {
            return Err(error("fleet.group".into(), "none with a share above 0".into(), "at least one"));
        }
        let hosts_len = match file.hosts {
            Some(hosts) => within("fleet.hosts", hosts.into(), 1, HOSTS_MAX.into())? as usize,
            None => round.len(),
        };
        let mut numbers = vec![0; kinds.len()];
        let hosts = round.iter().cycle().take(hosts_len).map(|&kind| {
            let (group, (spec, draw)) = (&file.group[kind], &kinds[kind]);
            numbers[kind] += 1;
            FleetHost {
                spec: spec.clone(),
                declaration: match spec {
                    HostKind::Ollama(spec) => host::declaration(group, spec, numbers[kind]),
                    HostKind::Task(spec) => task::declaration(group, spec, numbers[kind]),
                },
                provision: Nanos::from_secs(group.provision_seconds),
                draw: *draw,
            }
        });
        let hosts: Vec<FleetHost> = hosts.collect();
        task::check_any(source.known_models, &hosts)?;
        let registry = source.registry.map(|file| registry(file, contents, &models, &hosts));
        let faults = source.faults.map(|file| file.check(&hosts, source.seed));
        Ok(Self {
            faults: faults.transpose()?.unwrap_or_default(),
            registry: registry.transpose()?,
            hosts,
            models,
            poll_period: Nanos::from_millis(poll_period),
            network,
        })
    }
}

/// The names of all models, in the order of their ids: those that are known, those on disks, those in the registry.
fn all_names(source: FleetSource<'_>) -> Vec<String> {
    let mut names = source.known_models.to_vec();
    let on_disks = source.fleet.group.iter().flat_map(|group| names::all(&group.models));
    let in_registry = source.registry.iter().flat_map(|registry| names::all(&registry.models));
    for name in on_disks.chain(in_registry) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn registry(
    file: &RegistryFile,
    contents: BTreeMap<ModelId, Content>,
    models: &[String],
    hosts: &[FleetHost],
) -> Result<Registry, FleetError> {
    let poll = within("registry.poll_period_millis", file.poll_period_millis, 1, 86_400_000)?;
    let find = |name: &String| models.iter().position(|known| known == name).map(|id| ModelId(id as u32));
    for (index, name) in names::placed(&file.models) {
        if find(&name).is_none_or(|model| !contents.contains_key(&model)) {
            let key = format!("registry.models[{index}]");
            return Err(error(key, format!("{name:?}"), "a model with a profile for a GPU of the fleet"));
        }
    }
    let mut releases = Vec::new();
    for (index, release) in file.release.iter().enumerate() {
        let key = |key: &str| format!("registry.release[{index}].{key}");
        let model = find(&release.model).filter(|model| contents.contains_key(model));
        let model = model.ok_or_else(|| {
            error(key("model"), format!("{:?}", release.model), "a model of the fleet or the registry")
        })?;
        let at = within(&key("at_seconds"), release.at_seconds, 0, 1 << 30)?;
        let host = match &release.host {
            None => None,
            Some(name) => {
                let found = hosts.iter().position(|host| host.declaration.name == *name);
                let expected = "the name of a host (group, dash, number)";
                Some(found.ok_or_else(|| error(key("host"), format!("{name:?}"), expected))? as u32)
            }
        };
        releases.push(Release { at: Instant::ZERO + Nanos::from_secs(at), model, part: release.part, host });
    }
    releases.sort_by_key(|release| release.at);
    Ok(Registry {
        egress: network::mbit("registry.egress_mbit_per_second", file.egress_mbit_per_second)?,
        poll_period: Nanos::from_millis(poll),
        contents,
        releases,
    })
}

fn not_found(key: String, name: &str, error: &ProfileError) -> FleetError {
    let known = "a name from `herder profiles list`";
    let expected = match error {
        ProfileError::UnknownGpu { nearest, .. } | ProfileError::UnknownModel { nearest, .. }
            if !nearest.is_empty() =>
        {
            format!("{known}; the nearest is {nearest:?}")
        }
        ProfileError::UnknownGpu { .. } | ProfileError::UnknownModel { .. } => known.to_owned(),
        other => format!("{known} ({other})"),
    };
    FleetError { key, found: format!("{name:?}"), expected }
}

pub(crate) fn error(key: String, found: String, expected: &str) -> FleetError {
    FleetError { key, found, expected: expected.into() }
}

pub(crate) fn within(key: &str, value: u64, least: u64, most: u64) -> Result<u64, FleetError> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(error(key.into(), value.to_string(), &format!("{least} to {most}")))
    }
}
