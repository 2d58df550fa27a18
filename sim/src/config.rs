//! The `[fleet]` and `[network]` sections of a scenario.

use std::sync::Arc;

use control::door::Declaration;
use control::ids::ModelId;
use control::request::KeepAlive;
use control::units::{Bytes, Nanos};
use serde::{Deserialize, Serialize};
use sim_host::api::Engine;
use sim_host::fit::KvCache;
use sim_host::host::{HostModel, HostSpec, Serving};
use sim_host::profile::{self, Catalogue, ProfileError};
use sim_host::spec::{Profile, Version};

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
    /// A GPU's name from `herder profiles list`.
    pub gpu: String,
    /// How many of them a host has.
    #[serde(default = "one")]
    pub gpus: u32,
    /// Memory of the host itself.
    #[serde(default = "ram")]
    pub ram_gib: u64,
    /// Memory in which weights stay cached after an unload; half of `ram_gib` where absent.
    pub page_cache_gib: Option<u64>,
    /// Models on disk: names from `herder profiles list`.
    pub models: Vec<String>,
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

/// `[network]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkFile {
    /// One way between control and a host.
    pub latency_micros: u64,
}

impl Default for NetworkFile {
    fn default() -> Self {
        Self { latency_micros: 200 }
    }
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
    /// One way between control and a host.
    pub latency: Nanos,
}

/// One host: what it is, and what its operator declares.
#[derive(Clone, Debug)]
pub struct FleetHost {
    /// What it is. Hosts of a group share it; the name in it is the group's.
    pub spec: Arc<HostSpec>,
    /// What control is told.
    pub declaration: Declaration,
}

/// Everything that a fleet is made from.
#[derive(Clone, Copy)]
pub struct FleetSource<'a> {
    /// `[fleet]`.
    pub fleet: &'a FleetFile,
    /// `[network]`.
    pub network: &'a NetworkFile,
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
        let mut models = source.known_models.to_vec();
        let poll_period = within("fleet.poll_period_millis", file.poll_period_millis, 1, 3_600_000)?;
        let latency = within("network.latency_micros", source.network.latency_micros, 0, 60_000_000)?;
        let mut kinds = Vec::new();
        let mut round = Vec::new();
        for (index, group) in file.group.iter().enumerate() {
            let key = format!("fleet.group[{index}]");
            if file.group[..index].iter().any(|other| other.name == group.name) {
                return Err(error(format!("{key}.name"), format!("{:?} again", group.name), "unique names"));
            }
            let share = within(&format!("{key}.share"), group.share.into(), 0, 1_000)?;
            let spec = group_spec(&key, group, source, &mut models)?;
            round.extend(std::iter::repeat_n(kinds.len(), share as usize));
            kinds.push(spec);
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
            let (group, spec) = (&file.group[kind], &kinds[kind]);
            numbers[kind] += 1;
            FleetHost { spec: Arc::clone(spec), declaration: declaration(group, spec, numbers[kind]) }
        });
        let hosts = hosts.collect();
        Ok(Self {
            hosts,
            models,
            poll_period: Nanos::from_millis(poll_period),
            latency: Nanos::from_micros(latency),
        })
    }
}

fn declaration(group: &GroupFile, spec: &HostSpec, number: u32) -> Declaration {
    Declaration {
        name: format!("{}-{number}", group.name),
        slots: declared_slots(spec),
        memory: spec.gpus.iter().map(|gpu| Bytes(gpu.memory_bytes)).sum(),
        gpu: group.gpu.clone(),
        weight: group.weight,
        tier: group.tier,
        zone: group.zone.clone(),
        ram: spec.ram,
        context_tokens: spec.num_ctx_default.unwrap_or(0),
        cost_cents_per_hour: group.cost_cents_per_hour,
        capabilities: group.capabilities.clone(),
        metrics: group.metrics,
    }
}

/// What an operator would declare: the slots of a model that has as many as its host allows.
fn declared_slots(spec: &HostSpec) -> u32 {
    match (spec.serving, spec.num_parallel, spec.version) {
        (Serving::Paged { slots, .. }, _, _) => slots,
        (Serving::Ollama, Some(parallel), _) => parallel,
        (Serving::Ollama, None, Version::V0_24) => 1,
        (Serving::Ollama, None, Version::V0_10) => {
            if spec.gpus.is_empty() {
                2
            } else {
                4
            }
        }
    }
}

fn group_spec(
    key: &str,
    group: &GroupFile,
    source: FleetSource<'_>,
    names: &mut Vec<String>,
) -> Result<Arc<HostSpec>, FleetError> {
    let gpus = within(&format!("{key}.gpus"), group.gpus.into(), 1, 64)? as usize;
    let ram_gib = within(&format!("{key}.ram_gib"), group.ram_gib, 1, 1 << 20)?;
    let page_cache_gib = group.page_cache_gib.unwrap_or(ram_gib / 2);
    within(&format!("{key}.page_cache_gib"), page_cache_gib, 0, ram_gib)?;
    if let Some(parallel) = group.num_parallel {
        within(&format!("{key}.num_parallel"), parallel.into(), 1, 4_096)?;
    }
    if let Some(tokens) = group.context_length_tokens {
        within(&format!("{key}.context_length_tokens"), tokens.into(), 16, 1 << 24)?;
    }
    if let Some(paged) = group.paged {
        within(&format!("{key}.paged.slots"), paged.slots.into(), 1, 4_096)?;
        within(&format!("{key}.paged.batch_tokens"), paged.batch_tokens.into(), 1, 1 << 20)?;
    }
    if group.models.is_empty() {
        return Err(error(format!("{key}.models"), "none".into(), "at least one"));
    }
    let gpu =
        source.catalogue.gpu(&group.gpu).map_err(|e| not_found(format!("{key}.gpu"), &group.gpu, &e))?;
    let mut models: Vec<HostModel> = Vec::new();
    for (index, name) in group.models.iter().enumerate() {
        let model_key = format!("{key}.models[{index}]");
        let profile: Arc<Profile> =
            source.catalogue.find(&group.gpu, name).map_err(|e| not_found(model_key.clone(), name, &e))?;
        let id = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.clone());
            names.len() - 1
        });
        let model = ModelId(id as u32);
        if models.iter().any(|other| other.model == model) {
            return Err(error(model_key, format!("{name:?} again"), "each model once"));
        }
        let profile = profile::for_version(&profile, group.ollama_version);
        models.push(HostModel { model, profile });
    }
    Ok(Arc::new(HostSpec {
        name: group.name.clone(),
        version: group.ollama_version,
        gpus: if gpu.cpu { Vec::new() } else { vec![Arc::clone(gpu); gpus] },
        ram: Bytes::from_gib(ram_gib),
        num_parallel: group.num_parallel,
        max_queue: group.max_queue,
        max_loaded: group.max_loaded_models,
        keep_alive: match u64::try_from(group.keep_alive_seconds) {
            Ok(seconds) => KeepAlive::For(Nanos::from_secs(seconds.min(1 << 32))),
            Err(_) => KeepAlive::Forever,
        },
        num_ctx_default: group.context_length_tokens,
        gpu_overhead: Bytes::from_mib(group.gpu_overhead_mib),
        sched_spread: group.sched_spread,
        kv_cache: group.kv_cache,
        multiuser_cache: group.multiuser_cache,
        page_cache: Bytes::from_gib(page_cache_gib),
        engine: source.engine,
        serving: group.paged.map_or(Serving::Ollama, |paged| Serving::Paged {
            slots: paged.slots,
            batch_tokens: paged.batch_tokens,
        }),
        models,
    }))
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

fn error(key: String, found: String, expected: &str) -> FleetError {
    FleetError { key, found, expected: expected.into() }
}

fn within(key: &str, value: u64, least: u64, most: u64) -> Result<u64, FleetError> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(error(key.into(), value.to_string(), &format!("{least} to {most}")))
    }
}
