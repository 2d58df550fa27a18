//! One run: jobs come in, control decides, hosts work, records go out.
//!
//! The simulator knows what control may not (true lengths), and gives control what a gateway would see, at the time it
//! would see it. Several controls are left out here.

mod conflicts;
mod faults;
mod flights;
mod hosts;
mod ports;
mod power;
mod run;
mod supply;

use std::collections::BTreeMap;

use control::config::Config;
use control::door::{Input, Meter, Note};
use control::facts::arms::ArmFacts;
use control::facts::errands::{ErrandCounts, Kind};
use control::facts::predict::score::PredictionScores;
use control::facts::sync::SyncCounts;
use control::policy::prefetch::PrefetchCounts;
use control::policy::select::SelectCounters;
use control::sync::artifact::Origin;
use control::units::{Instant, Nanos};
use traces::record::{HostTime, Moved, Record, Sample};
use traces::traffic::{ConflictsEnded, Traffic};

pub use faults::FaultCounts;
pub use run::Simulation;

use crate::check::Checks;
use crate::config::Fleet;

/// What a run is made from.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Keys every draw.
    pub seed: u64,
    /// How control decides.
    pub control: Config,
    /// What it decides over.
    pub fleet: Fleet,
    /// How often the fleet is sampled; `None`: never.
    pub sample_every: Option<Nanos>,
    /// What the operator does and when, in order of time.
    pub changes: Vec<(Instant, OperatorDeed)>,
    /// How often what must hold is checked.
    pub checks: Checks,
}

/// Something that the operator does.
#[derive(Clone, Debug)]
pub enum OperatorDeed {
    /// Control is told this.
    Tell(Input),
    /// The content that somebody has of a model is the one to keep. Nothing is decided where they have none by then.
    Keep {
        /// The model's name.
        model: String,
        /// A host, or the registry.
        of: Origin,
    },
}

/// Where a run's results go.
pub trait Sink {
    /// A request has ended (or the run has, with the request under way).
    fn record(&mut self, record: &Record);
    /// The fleet at a sampling time.
    fn sample(&mut self, sample: &Sample);
    /// Control changed something by itself.
    fn note(&mut self, at: Instant, note: Note);
    /// The operator makes the next of [`Setup::changes`]. Not heard by default.
    fn operated(&mut self, _at: Instant) {}
    /// Who times control's stages, if anyone.
    fn meter(&mut self) -> Option<&mut dyn Meter> {
        None
    }
    /// A sign of life, every few thousand events. False stops the run at this event boundary.
    fn progress(&mut self, progress: &Progress) -> bool;
    /// Takes a record of the decision log; called only where [`Sink::wants_log`].
    ///
    /// # Errors
    /// Where it cannot be written.
    fn log(&mut self, record: &control::log::Record<'_>) -> Result<(), String>;
    /// Whether a decision log is kept.
    fn wants_log(&self) -> bool;
}

/// How far a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Simulated time.
    pub now: Instant,
    /// Requests arrived.
    pub arrived: u64,
    /// Requests ended.
    pub ended: u64,
    /// How many requests there will be, where known.
    pub expected: Option<u64>,
}

/// What is known at the end of a run besides its records.
#[derive(Clone, PartialEq, Debug)]
pub struct RunEnd {
    /// The digest.
    pub digest: String,
    /// Time of the last event.
    pub ended_at: Instant,
    /// Whether it was stopped before all was done.
    pub stopped: bool,
    /// Events that the engine executed; it differs between batch engines.
    pub events: u64,
    /// Steps of all batch loops; the same for both engines.
    pub steps: u64,
    /// Events of batch loops: jumps, or steps.
    pub boundaries: u64,
    /// The fleet at the end.
    pub last_sample: Sample,
    /// What was learned of each arm, by id.
    pub arms: Vec<ArmFacts>,
    /// What became of loads ahead of demand.
    pub prefetch: PrefetchCounts,
    /// How often balancers were selected, where they were.
    pub selection: Option<SelectCounters>,
    /// How good control's predictions were.
    pub predictions: PredictionScores,
    /// What became of actions of placement and sync, by kind.
    pub errands: BTreeMap<Kind, ErrandCounts>,
    /// What became of sync, where there is any.
    pub sync: Option<SyncCounts>,
    /// How long hosts were on.
    pub host_time: HostTime,
    /// How long each was, in order of id.
    pub on_by_host: Vec<Nanos>,
    /// How often what broke, where anything was to.
    pub faults: Option<FaultCounts>,
    /// How contents that differed came to be the same again, by the kind of conflict.
    pub conflicts: ConflictsEnded,
    /// What was moved, where there is a registry.
    pub supply: Option<Moved>,
    /// Over which links it was moved, and when.
    pub traffic: Option<Traffic>,
}

/// A run that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The source of jobs failed.
    #[error(transparent)]
    Source(#[from] workloads::source::SourceError),
    /// An invariant is broken: a defect of the program, not of its input.
    #[error("invariant broken at {at}: {what}")]
    Invariant {
        /// Simulated time.
        at: Instant,
        /// Which, and how.
        what: String,
    },
    /// The decision log cannot be written.
    #[error("decision log: {0}")]
    Log(String),
}
