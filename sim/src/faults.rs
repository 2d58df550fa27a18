//! The `[faults]` section of a scenario: what breaks, when and for how long; written down one by one, or drawn.
//!
//! Whatever is drawn becomes a list like the written one before the run begins, so that a run can be repeated with some of its faults
//! left out.

mod draw;

use control::ids::HostId;
use control::units::{Instant, Nanos};
use serde::{Deserialize, Serialize};

use crate::config::{FleetError, FleetHost, error, within};

/// What breaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// A host's machine ends: connections break, memory and page cache are lost.
    Crash,
    /// Ollama ends and is started again; what the page cache holds stays.
    Restart,
    /// Loads on a host find too little memory.
    NoMemoryAtLoad,
    /// The busiest runner of a host runs out of memory and ends under its requests.
    NoMemoryInDecode,
    /// A host computes ten times slower: gray.
    Slow,
    /// Nothing passes between control and a host, or nothing in one direction.
    Partition,
    /// A host's clock is wrong, and runs at another speed.
    Clock,
    /// Messages between control and a host are lost, each with a chance of a tenth.
    Lost,
    /// Messages of a host come twice.
    Duplicated,
    /// Messages come late, by up to two seconds.
    Delayed,
    /// Polls of a host fail every other time, though it is well.
    Flapping,
    /// The registry cannot be reached.
    RegistryDown,
    /// A host's disk takes nothing more.
    DiskFull,
    /// Weights on a host's disk are damaged, or those that come next are.
    CorruptBlob,
    /// Several hosts are cut off one after the other, and heal in another order.
    Swizzle,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 15] = [
        Self::Crash,
        Self::Restart,
        Self::NoMemoryAtLoad,
        Self::NoMemoryInDecode,
        Self::Slow,
        Self::Partition,
        Self::Clock,
        Self::Lost,
        Self::Duplicated,
        Self::Delayed,
        Self::Flapping,
        Self::RegistryDown,
        Self::DiskFull,
        Self::CorruptBlob,
        Self::Swizzle,
    ];

    /// Its name in scenario files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Restart => "restart",
            Self::NoMemoryAtLoad => "no-memory-at-load",
            Self::NoMemoryInDecode => "no-memory-in-decode",
            Self::Slow => "slow",
            Self::Partition => "partition",
            Self::Clock => "clock",
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Delayed => "delayed",
            Self::Flapping => "flapping",
            Self::RegistryDown => "registry-down",
            Self::DiskFull => "disk-full",
            Self::CorruptBlob => "corrupt-blob",
            Self::Swizzle => "swizzle",
        }
    }
}

/// In which direction nothing passes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// In neither.
    #[default]
    Both,
    /// From control to the host.
    ToHost,
    /// From the host to control.
    ToControl,
}

/// `[faults]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultsFile {
    /// Faults at given times.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<FaultFile>,
    /// Faults that are drawn, keyed by the run's seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn: Option<DrawnFile>,
}

/// A fault at a given time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultFile {
    /// What.
    pub kind: FaultKind,
    /// When, from the start of the run.
    pub at_millis: u64,
    /// For how long; what is over at once (a runner that ends) needs none.
    #[serde(default)]
    pub for_millis: u64,
    /// The host by its name; none for the registry.
    pub host: Option<String>,
    /// For a partition.
    #[serde(default)]
    pub way: Way,
}

/// Faults that are drawn: each kind comes as a Poisson process over the whole fleet, and lasts for an exponential time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawnFile {
    /// The kinds that may come; all where empty.
    #[serde(default)]
    pub kinds: Vec<FaultKind>,
    /// Whether each run draws which of them come at all ("swarm testing": Groce et al., ISSTA 2012): runs with few kinds
    /// reach what runs with all of them hide.
    #[serde(default)]
    pub swarm: bool,
    /// Mean time between two faults of a kind.
    pub every_seconds: u64,
    /// Mean time that a fault lasts.
    pub for_seconds: u64,
    /// None begins before.
    #[serde(default)]
    pub from_seconds: u64,
    /// All are over by then.
    pub until_seconds: u64,
}

/// A checked fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fault {
    /// When.
    pub at: Instant,
    /// Until when.
    pub until: Instant,
    /// What.
    pub kind: FaultKind,
    /// Where; `None` for the registry.
    pub host: Option<HostId>,
    /// For a partition.
    pub way: Way,
}

impl Fault {
    /// As it would be written; times to the millisecond.
    #[must_use]
    pub fn written(&self, hosts: &[FleetHost]) -> FaultFile {
        FaultFile {
            kind: self.kind,
            at_millis: self.at.0 / 1_000_000,
            for_millis: self.until.since(self.at).0 / 1_000_000,
            host: self.host.map(|host| hosts[host.index()].declaration.name.clone()),
            way: self.way,
        }
    }
}

/// Most faults of a run.
const FAULTS_MAX: usize = 1_000_000;
const MILLIS_MAX: u64 = 366 * 86_400_000;

impl FaultsFile {
    /// The faults of a run, in order of time.
    ///
    /// # Errors
    /// The first key that cannot be taken.
    pub fn check(&self, hosts: &[FleetHost], seed: u64) -> Result<Vec<Fault>, FleetError> {
        let mut faults = Vec::new();
        for (index, file) in self.at.iter().enumerate() {
            faults.push(file.check(&format!("faults.at[{index}]"), hosts)?);
        }
        if let Some(drawn) = &self.drawn {
            drawn.check()?;
            faults.extend(drawn.draw(hosts.len() as u32, seed));
        }
        if faults.len() > FAULTS_MAX {
            let found = format!("{} faults", faults.len());
            return Err(error("faults".into(), found, "at most a million faults in a run"));
        }
        faults.sort_unstable();
        Ok(faults)
    }
}

impl FaultFile {
    fn check(&self, key: &str, hosts: &[FleetHost]) -> Result<Fault, FleetError> {
        let at = within(&format!("{key}.at_millis"), self.at_millis, 0, MILLIS_MAX)?;
        let lasts = within(&format!("{key}.for_millis"), self.for_millis, 0, MILLIS_MAX)?;
        let at = Instant::ZERO + Nanos::from_millis(at);
        let key = format!("{key}.host");
        let host = match (&self.host, self.kind == FaultKind::RegistryDown) {
            (None, true) => None,
            (Some(name), true) => return Err(error(key, format!("{name:?}"), "no host: it is the registry")),
            (None, false) => {
                return Err(error(key, "none".into(), "the name of a host (group, dash, number)"));
            }
            (Some(name), false) => {
                let found = hosts.iter().position(|host| host.declaration.name == *name);
                let expected = "the name of a host (group, dash, number)";
                Some(HostId(found.ok_or_else(|| error(key.clone(), format!("{name:?}"), expected))? as u32))
            }
        };
        if let Some(host) = host.filter(|host| hosts[host.index()].spec.is_task())
            && matches!(self.kind, FaultKind::NoMemoryAtLoad | FaultKind::DiskFull | FaultKind::CorruptBlob)
        {
            let name = &hosts[host.index()].declaration.name;
            let found = format!("{} on {name}, which runs tasks", self.kind.name());
            return Err(error(key, found, "a host with models: tasks load nothing, and need no disk"));
        }
        Ok(Fault { at, until: at + Nanos::from_millis(lasts), kind: self.kind, host, way: self.way })
    }
}

impl DrawnFile {
    fn check(&self) -> Result<(), FleetError> {
        within("faults.drawn.every_seconds", self.every_seconds, 1, 1 << 30)?;
        within("faults.drawn.for_seconds", self.for_seconds, 1, 1 << 30)?;
        within("faults.drawn.until_seconds", self.until_seconds, 1, MILLIS_MAX / 1_000)?;
        within("faults.drawn.from_seconds", self.from_seconds, 0, self.until_seconds)?;
        Ok(())
    }
}
