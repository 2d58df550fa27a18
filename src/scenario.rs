//! Scenario files: one TOML file says what arrives, where it runs and who decides.
//!
//! Each section belongs to the crate that reads it; here they are put together, options of the command line are
//! laid over them, and whatever is wrong is reported with its line. Two steps: [`ScenarioFile`] is what was written,
//! [`Scenario`] is what was checked.

pub mod builtin;
pub mod document;
pub mod error;
pub(crate) mod key_path;
mod operator;
mod reader;
mod report;
mod trace;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use control::config::{Config, ControlFile};
use control::strategy::Requires;
use control::sync::config::Mode;
use control::units::Instant;
use reports::events::Event;
use serde::{Deserialize, Serialize};
use sim::config::{Fleet, FleetError, FleetFile, FleetSource, NetworkFile};
use sim::faults::FaultsFile;
use sim::registry::RegistryFile;
use sim::simulation::OperatorDeed;
use sim_host::api::Engine;
use sim_host::profile::Catalogue;
use workloads::check::{Workload, WorkloadError};
use workloads::config::WorkloadFile;

use self::document::Document;
use self::error::{ScenarioError, nearest};
pub use self::operator::OperatorFile;
pub use self::report::ReportFile;
pub use self::trace::TraceOverride;

/// A scenario as written; everything that was left out has its default.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// What the scenario is called; a file's name where absent.
    #[serde(default)]
    pub name: String,
    /// What it is for, in a sentence or two.
    #[serde(default)]
    pub description: String,
    /// The seed of every draw.
    #[serde(default = "first_seed")]
    pub seed: u64,
    /// A file with GPUs, models and profiles besides the built-in ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profiles: Option<PathBuf>,
    /// Who decides.
    #[serde(default)]
    pub control: ControlFile,
    /// What arrives.
    #[serde(default)]
    pub workload: WorkloadFile,
    /// Where it runs.
    pub fleet: FleetFile,
    /// What lies between control and the hosts.
    #[serde(default)]
    pub network: NetworkFile,
    /// What hosts can pull; nothing where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<RegistryFile>,
    /// What breaks; nothing where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<FaultsFile>,
    /// What is measured.
    #[serde(default)]
    pub report: ReportFile,
    /// What the operator does while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operator: Vec<OperatorFile>,
}

fn first_seed() -> u64 {
    1
}

/// A scenario that was checked.
#[derive(Clone)]
pub struct Scenario {
    /// What was written, with all defaults.
    pub file: ScenarioFile,
    /// `[control]`, checked.
    pub control: Config,
    /// `[workload]`, checked.
    pub workload: Workload,
    /// What the operator does and when.
    pub changes: Vec<(Instant, OperatorDeed)>,
    /// GPUs, models and profiles.
    pub catalogue: Cow<'static, Catalogue>,
}

/// Where a scenario comes from and what is laid over it.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `key=value`, in the order given.
    pub sets: Vec<String>,
    /// Another seed.
    pub seed: Option<u64>,
    /// Another file of profiles.
    pub profiles: Option<PathBuf>,
    /// A trace in place of the scenario's arrivals.
    pub trace: Option<TraceOverride>,
}

/// Reads a scenario: a file, or a built-in by its name.
///
/// # Errors
/// Where it is not there, or something in it (or laid over it) is wrong.
pub fn load(name: &str, overrides: &Overrides) -> Result<Scenario, ScenarioError> {
    let mut document = open(name)?;
    if let Some(trace) = &overrides.trace {
        trace.lay_over(&mut document)?;
    }
    for set in &overrides.sets {
        document.set("--set", set)?;
    }
    if let Some(seed) = overrides.seed {
        document.set("--seed", &format!("seed={seed}"))?;
    }
    if let Some(path) = &overrides.profiles {
        document.set("--profiles", &format!("profiles={}", quoted(&path.to_string_lossy())))?;
    }
    let mut file: ScenarioFile = document.read()?;
    if overrides.trace.is_some() {
        trace::rank_models(&mut file.workload);
    }
    if file.name.is_empty() {
        file.name = Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    }
    let folder = Path::new(name).parent().filter(|_| Path::new(name).is_file()).unwrap_or(Path::new(""));
    trace::anchor_paths(&mut file, folder);
    check(file, &document)
}

/// Reads a scenario from its text; `name` is what errors call it.
///
/// # Errors
/// Where something in it is wrong.
pub fn parse(name: &str, text: &str) -> Result<Scenario, ScenarioError> {
    let document = Document::parse(name, text)?;
    check(document.read()?, &document)
}

fn open(name: &str) -> Result<Document, ScenarioError> {
    let path = Path::new(name);
    let names_a_file = name.ends_with(".toml") || name.contains(std::path::MAIN_SEPARATOR) || path.is_file();
    if !names_a_file {
        if let Some(text) = builtin::text(name) {
            return Ok(Document::parse(&format!("built-in scenario {name}"), text)?);
        }
        let names = || builtin::ALL.iter().map(|(name, _)| *name);
        return Err(ScenarioError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, names()).map(|near| format!(", such as `{near}`")).unwrap_or_default(),
            builtin: names().collect::<Vec<_>>().join(", "),
        });
    }
    let unreadable = |reason| ScenarioError::Unreadable { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(Document::parse(name, &text)?)
}

/// Text as TOML writes it.
#[must_use]
pub fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn catalogue(file: &ScenarioFile, document: &Document) -> Result<Cow<'static, Catalogue>, ScenarioError> {
    let Some(path) = &file.profiles else { return Ok(Cow::Borrowed(Catalogue::builtin())) };
    let text = std::fs::read_to_string(path).map_err(|error| {
        document.report("profiles", "the file of profiles cannot be read").label(error.to_string())
    })?;
    Ok(Cow::Owned(Catalogue::parse(&text, &path.to_string_lossy())?))
}

fn check(file: ScenarioFile, document: &Document) -> Result<Scenario, ScenarioError> {
    let wrong = |key: String, found: String, expected: String| {
        document
            .report(&key, format!("`{key}` cannot be taken"))
            .label(format!("found {found}, expected {expected}"))
    };
    let control = file
        .control
        .check()
        .map_err(|error| wrong(format!("control.{}", error.key), error.found, error.expected))?;
    file.report.check().map_err(|(key, found, expected)| wrong(format!("report.{key}"), found, expected))?;
    trace::check_rate(&file.workload).map_err(|(found, expected)| {
        wrong("workload.arrivals.trace.rate".to_owned(), found, expected.to_owned())
    })?;
    let workload = file.workload.check(Path::new("")).map_err(|error| match error {
        WorkloadError::Value { key, found, expected } => wrong(key, found, expected),
        WorkloadError::Io { key, source, .. } => document
            .report(&key, format!("the file that `{key}` names cannot be read"))
            .label(source.to_string()),
        WorkloadError::Line { .. } => document
            .report(error.key(), format!("the file that `{}` names is wrong", error.key()))
            .label(error.to_string()),
    })?;
    check_metrics(&file, &control).map_err(|(key, found, expected)| wrong(key, found, expected))?;
    check_peers(&file, &control).map_err(|(key, found, expected)| wrong(key, found, expected))?;
    check_tenants(&file).map_err(|(key, found, expected)| wrong(key, found, expected))?;
    check_tasks(&file).map_err(|(key, found, expected)| wrong(key, found, expected))?;
    let catalogue = catalogue(&file, document)?;
    let mut scenario = Scenario { file, control, workload, changes: Vec::new(), catalogue };
    let fleet = scenario
        .fleet(&[], Engine::default())
        .map_err(|error| wrong(error.key, error.found, error.expected))?;
    let hosts: Vec<&str> = fleet.hosts.iter().map(|host| host.declaration.name.as_str()).collect();
    scenario.changes = operator::check(&scenario.file, (&hosts, &fleet.models), document)?;
    Ok(scenario)
}

/// A key with what was found and what was expected.
type Wrong = (String, String, String);

/// A strategy that decides by metrics needs them of every host.
fn check_metrics(file: &ScenarioFile, control: &Config) -> Result<(), Wrong> {
    let Some((key, name)) = control.strategy_that(Requires::Metrics) else { return Ok(()) };
    let without = file.fleet.group.iter().position(|group| !group.metrics && group.share > 0);
    without.map_or(Ok(()), |index| {
        let group = &file.fleet.group[index].name;
        let expected = format!(
            "`metrics = true` in every [[fleet.group]], which `{group}` (fleet.group[{index}]) lacks, or a strategy that \
             requires no metrics"
        );
        Err((format!("control.{key}"), format!("{name:?}"), expected))
    })
}

/// A mode by which hosts fetch from one another needs a network in which they can.
fn check_peers(file: &ScenarioFile, control: &Config) -> Result<(), Wrong> {
    let gossips = control.sync.as_ref().is_some_and(|sync| sync.mode == Mode::Gossip);
    if !gossips || file.network.peers {
        return Ok(());
    }
    let expected = "`peers = true` in [network], by which hosts can fetch from one another, or another mode";
    Err(("control.sync.mode".to_owned(), "\"gossip\"".to_owned(), expected.to_owned()))
}

/// A weight belongs to a tenant that there is.
fn check_tenants(file: &ScenarioFile) -> Result<(), Wrong> {
    let workload = file.workload.resolved();
    let names: Vec<&str> = workload.tenants.iter().flatten().map(|tenant| tenant.name.as_str()).collect();
    let stranger = file.control.tenant_weights.keys().find(|name| !names.contains(&name.as_str()));
    stranger.map_or(Ok(()), |name| {
        let key = format!("control.tenant_weights.{name}");
        let expected = format!("the name of one of [[workload.tenants]]: {}", names.join(", "));
        Err((key, format!("{name:?}"), expected))
    })
}

/// What moves models has nothing to do on hosts of tasks, and would take the names of their classes for models.
fn check_tasks(file: &ScenarioFile) -> Result<(), Wrong> {
    let Some(index) = file.fleet.group.iter().position(|group| group.task.is_some()) else { return Ok(()) };
    let control = &file.control;
    let sections = [
        ("placement", control.placement.is_some()),
        ("sync", control.sync.is_some()),
        ("prefetch", control.prefetch.is_some()),
    ];
    let Some((section, _)) = sections.into_iter().find(|(_, written)| *written) else { return Ok(()) };
    let group = &file.fleet.group[index].name;
    let expected = format!(
        "none where a group runs tasks, as `{group}` (fleet.group[{index}]) does: they have no models"
    );
    Err((format!("control.{section}"), "a table".to_owned(), expected))
}

impl Scenario {
    /// What the operator does, in words and in order of time: an event for each of `changes`.
    #[must_use]
    pub fn operator_events(&self) -> Vec<Event> {
        operator::events(&self.file)
    }

    /// The fleet, with ids given out to `known_models` first.
    ///
    /// # Errors
    /// Where tasks are among the models and no host runs tasks; for a scenario that was loaded nowhere else: its fleet was checked.
    pub fn fleet(&self, known_models: &[String], engine: Engine) -> Result<Fleet, FleetError> {
        let catalogue = &*self.catalogue;
        let (fleet, network) = (&self.file.fleet, &self.file.network);
        let (registry, faults) = (self.file.registry.as_ref(), self.file.faults.as_ref());
        let seed = self.file.seed;
        let source = FleetSource { fleet, network, registry, faults, seed, catalogue, known_models, engine };
        Fleet::check(source)
    }

    /// The scenario as a file in which every key is written: what a run keeps beside its results.
    ///
    /// # Errors
    /// Never for a scenario that was read from a file.
    pub fn resolved(&self) -> Result<String, toml::ser::Error> {
        let file = ScenarioFile { workload: self.file.workload.resolved(), ..self.file.clone() };
        toml::to_string(&file)
    }
}
