//! Demands as written in a file, and their check.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Constraint, Demands};
use crate::config::{ConfigError, bounds};
use crate::units::{Bytes, Nanos, Tokens};

/// What is demanded of hosts, as written; every key may be absent. Names are compared letter by letter.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DemandsFile {
    /// All of these capabilities.
    pub require_capabilities: Option<Vec<String>>,
    /// None of these capabilities.
    pub exclude_capabilities: Option<Vec<String>>,
    /// One of these hosts.
    pub require_hosts: Option<Vec<String>>,
    /// None of these hosts.
    pub exclude_hosts: Option<Vec<String>>,
    /// Rather one of these hosts (or of the preferred zones) than another.
    pub prefer_hosts: Option<Vec<String>>,
    /// A host in one of these zones; one without a zone is in none.
    pub require_zones: Option<Vec<String>>,
    /// A host in none of these zones.
    pub exclude_zones: Option<Vec<String>>,
    /// Rather a host in one of these zones (or one of the preferred hosts) than another.
    pub prefer_zones: Option<Vec<String>>,
    /// A host that has all of these models in memory (affinity).
    pub with_model_loaded: Option<Vec<String>>,
    /// A host that has none of these models in memory (anti-affinity).
    pub without_model_loaded: Option<Vec<String>>,
    /// A host whose GPU is one of these, as declared.
    pub gpus: Option<Vec<String>>,
    /// Least declared memory for weights and caches.
    pub vram_gib_min: Option<u32>,
    /// Least declared memory of the host itself.
    pub ram_gib_min: Option<u32>,
    /// Least declared context.
    pub context_tokens_min: Option<u32>,
    /// Longest mean time to the first byte; a host that has not answered yet will do.
    pub ttft_millis_max: Option<u64>,
    /// Most that an hour of the host may cost, in hundredths of the operator's currency.
    pub cost_cents_per_hour_max: Option<u32>,
    /// Least share of the attempts of late that were answered; a host without attempts will do.
    pub reliability_percent_min: Option<u8>,
    /// Earliest start, after arrival.
    pub start_after_millis: Option<u64>,
    /// When the answer loses its worth, after arrival.
    pub deadline_millis: Option<u64>,
}

/// Most names in a list: demands may come with requests, and must stay small.
const NAMES_MAX: usize = 1_000;
/// Longest name.
const NAME_BYTES_MAX: usize = 256;
/// Largest least memory: a pebibyte.
const GIB_MAX: u32 = 1 << 20;

impl DemandsFile {
    /// Checks every key; `key` is the path of the table that holds them.
    ///
    /// # Errors
    /// The first key that cannot be taken: a list that is empty or too long, a name that is empty or too long, a number
    /// out of range, a name that is asked for and excluded alike, a start that is not before the deadline.
    pub fn check(&self, key: &str) -> Result<Demands, ConfigError> {
        let under = |name: &str| format!("{key}.{name}");
        let list = |name: &str, written: &Option<Vec<String>>| names(&under(name), written.as_deref());
        let millis = |name: &str, value: Option<u64>| -> Result<Option<Nanos>, ConfigError> {
            Ok(within(&under(name), value, 1, bounds::MILLIS_MAX)?.map(Nanos::from_millis))
        };
        let number = |name: &str, value: Option<u32>, most: u32| within(&under(name), value, 1, most.into());

        let require_capabilities = list("require_capabilities", &self.require_capabilities)?;
        let exclude_capabilities = list("exclude_capabilities", &self.exclude_capabilities)?;
        let require_hosts = list("require_hosts", &self.require_hosts)?;
        let exclude_hosts = list("exclude_hosts", &self.exclude_hosts)?;
        let prefer_hosts = list("prefer_hosts", &self.prefer_hosts)?;
        let require_zones = list("require_zones", &self.require_zones)?;
        let exclude_zones = list("exclude_zones", &self.exclude_zones)?;
        let prefer_zones = list("prefer_zones", &self.prefer_zones)?;
        let with_model_loaded = list("with_model_loaded", &self.with_model_loaded)?;
        let without_model_loaded = list("without_model_loaded", &self.without_model_loaded)?;
        let gpus = list("gpus", &self.gpus)?;
        for (excluding, excluded, asking, asked) in [
            ("exclude_capabilities", &exclude_capabilities, "require_capabilities", &require_capabilities),
            ("exclude_hosts", &exclude_hosts, "require_hosts", &require_hosts),
            ("exclude_hosts", &exclude_hosts, "prefer_hosts", &prefer_hosts),
            ("exclude_zones", &exclude_zones, "require_zones", &require_zones),
            ("exclude_zones", &exclude_zones, "prefer_zones", &prefer_zones),
            ("without_model_loaded", &without_model_loaded, "with_model_loaded", &with_model_loaded),
        ] {
            apart(&under(excluding), excluded.as_deref(), asking, asked.as_deref())?;
        }

        let start_after = millis("start_after_millis", self.start_after_millis)?;
        let deadline = millis("deadline_millis", self.deadline_millis)?;
        if let (Some(start), Some(end)) = (self.start_after_millis, self.deadline_millis)
            && start >= end
        {
            return Err(ConfigError {
                key: under("start_after_millis"),
                found: start.to_string(),
                expected: format!("less than deadline_millis, {end}"),
            });
        }
        let gib = |name: &str, value| -> Result<Option<Bytes>, ConfigError> {
            Ok(number(name, value, GIB_MAX)?.map(|gib| Bytes::from_gib(gib.into())))
        };
        let vram = gib("vram_gib_min", self.vram_gib_min)?;
        let ram = gib("ram_gib_min", self.ram_gib_min)?;
        let context = number("context_tokens_min", self.context_tokens_min, u32::MAX)?;
        let ttft = millis("ttft_millis_max", self.ttft_millis_max)?;
        let cost = number("cost_cents_per_hour_max", self.cost_cents_per_hour_max, u32::MAX)?;
        let reliability = within(&under("reliability_percent_min"), self.reliability_percent_min, 1, 100)?;

        let constraints = [
            require_hosts.map(Constraint::RequireHosts),
            with_model_loaded.map(Constraint::WithModelLoaded),
            gpus.map(Constraint::Gpus),
            require_zones.map(Constraint::RequireZones),
            require_capabilities.map(Constraint::RequireCapabilities),
            exclude_hosts.map(Constraint::ExcludeHosts),
            exclude_zones.map(Constraint::ExcludeZones),
            exclude_capabilities.map(Constraint::ExcludeCapabilities),
            without_model_loaded.map(Constraint::WithoutModelLoaded),
            vram.map(Constraint::VramMin),
            ram.map(Constraint::RamMin),
            context.map(|tokens| Constraint::ContextMin(Tokens(tokens.into()))),
            cost.map(Constraint::CostCentsPerHourMax),
            ttft.map(Constraint::TtftMax),
            reliability.map(|percent| Constraint::ReliabilityPermilleMin(u16::from(percent) * 10)),
        ];
        let constraints: Vec<Constraint> = constraints.into_iter().flatten().collect();
        debug_assert!(constraints.is_sorted(), "listed in order of evaluation");
        Ok(Demands {
            constraints,
            prefer_hosts: prefer_hosts.unwrap_or_default(),
            prefer_zones: prefer_zones.unwrap_or_default(),
            start_after,
            deadline,
        })
    }
}

/// A list of names in normal form: sorted, without repetition.
pub(super) fn names(key: &str, written: Option<&[String]>) -> Result<Option<Vec<String>>, ConfigError> {
    let Some(written) = written else { return Ok(None) };
    if !(1..=NAMES_MAX).contains(&written.len()) {
        return Err(ConfigError {
            key: key.to_string(),
            found: format!("{} names", written.len()),
            expected: format!("1 to {NAMES_MAX} names, or no such key"),
        });
    }
    let mut names = Vec::with_capacity(written.len());
    for written in written {
        names.push(name(key, written)?);
    }
    names.sort_unstable();
    names.dedup();
    Ok(Some(names))
}

/// A name that can stand in a file.
pub(super) fn name(key: &str, written: &str) -> Result<String, ConfigError> {
    if (1..=NAME_BYTES_MAX).contains(&written.len()) {
        return Ok(written.to_string());
    }
    Err(ConfigError {
        key: key.to_string(),
        found: format!("a name of {} bytes", written.len()),
        expected: format!("names of 1 to {NAME_BYTES_MAX} bytes"),
    })
}

/// A number that may be absent, within its bounds.
fn within<Number: Copy + Into<u64>>(
    key: &str,
    value: Option<Number>,
    least: u64,
    most: u64,
) -> Result<Option<Number>, ConfigError> {
    value.map(|value| bounds::within(key, value, (least, most))).transpose()
}

/// No name is asked for and excluded alike.
fn apart(
    key: &str,
    excluded: Option<&[String]>,
    asking: &str,
    asked: Option<&[String]>,
) -> Result<(), ConfigError> {
    let asked = asked.unwrap_or_default();
    match excluded.unwrap_or_default().iter().find(|name| asked.contains(name)) {
        None => Ok(()),
        Some(name) => Err(ConfigError {
            key: key.to_string(),
            found: format!("\"{name}\""),
            expected: format!("names that {asking} does not hold"),
        }),
    }
}
