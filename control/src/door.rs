//! The door: what goes into control and what comes out. Nothing else passes.
//!
//! Every [`Input`] and [`Output`] is plain data that can be written to a decision log; a run is its inputs.

mod action;
mod host;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use action::{Action, ActionFailure, ActionOutcome, Deed};
pub use host::{Declaration, Layer, LoadedModel, Manifest, Observation, StoredModel, Utilisation};

use crate::config::Config;
use crate::digest::Digest;
use crate::facts::learned::Learned;
use crate::ids::{ActionId, ArmId, HostId, ModelId, RequestId, TenantId};
use crate::request::{Arrive, Failure, Reject, Usage};
use crate::sync::conflict::Kind;
use crate::units::Nanos;

/// What a driver tells control.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Input {
    /// A model's name became known. Ids are given out from 0 without gaps, before their first use.
    ModelNamed {
        /// Its id from now on.
        model: ModelId,
        /// The name as Ollama normalises it (`llama3.1:8b`).
        name: String,
    },
    /// A tenant became known. Ids are given out from 0 without gaps, before their first use.
    TenantNamed {
        /// Its id from now on.
        tenant: TenantId,
        /// What the operator calls it.
        name: String,
    },
    /// A host was declared, or its declaration changed. Ids are given out from 0 without gaps.
    HostDeclared {
        /// Its id from now on.
        host: HostId,
        /// What the operator says of it.
        declaration: Declaration,
    },
    /// A request came in.
    Arrive(Arrive),
    /// The first byte of an attempt's answer came.
    FirstByte {
        /// Whose answer.
        request: RequestId,
        /// Which attempt, from 0.
        attempt: u8,
    },
    /// A sample of how far an answer is; never needed for correctness.
    Progress {
        /// Whose answer.
        request: RequestId,
        /// Which attempt, from 0.
        attempt: u8,
        /// Tokens (or chunks) relayed so far.
        tokens: u32,
    },
    /// An answer was relayed in full.
    Finished {
        /// Whose answer.
        request: RequestId,
        /// Which attempt, from 0.
        attempt: u8,
        /// What the host reported of it.
        usage: Usage,
    },
    /// An attempt ended without a full answer.
    Failed {
        /// Whose attempt.
        request: RequestId,
        /// Which attempt, from 0.
        attempt: u8,
        /// What happened.
        failure: Failure,
    },
    /// The client left.
    Gone {
        /// The request it had sent.
        request: RequestId,
    },
    /// A poll of a host differed from the one before, or a silent host was heard again.
    Observed {
        /// The host.
        host: HostId,
        /// What it said.
        observation: Observation,
    },
    /// A host did not answer its last polls.
    Silent {
        /// The host.
        host: HostId,
    },
    /// What a declared source of metrics says of a host, where it differs from before.
    Measured {
        /// The host.
        host: HostId,
        /// What it says.
        utilisation: Utilisation,
    },
    /// The operator installs another config: a new epoch.
    Policy(Box<Config>),
    /// The operator changes something else.
    Operator(Change),
    /// The driver found a part of control at fault (it panicked, or was far too slow): from now on its plain twin decides,
    /// until another config is installed.
    Verdict(Part),
    /// What a registry holds under a model's name, where that differs from before.
    Published {
        /// The name.
        model: ModelId,
        /// What it holds; nothing where it was withdrawn.
        manifest: Option<Manifest>,
        /// When that was noticed, by the driver's clock, in nanoseconds since 1970; 0 where it has been so all the while.
        modified_nanos: u64,
    },
    /// What became of an action.
    Acted {
        /// Which.
        action: ActionId,
        /// How it ended.
        outcome: ActionOutcome,
    },
    /// What answers had taught before a restart. Comes before the first request, after the names and hosts that it speaks of;
    /// what it says of others is passed over.
    Remembered(Box<Learned>),
    /// The time that `next_wake` asked for has come.
    Wake,
}

/// What an operator may change besides the config.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Change {
    /// A host gets no new requests, or gets them again.
    Drain {
        /// The host.
        host: HostId,
        /// Whether it is drained.
        drained: bool,
    },
    /// Nothing changes by itself any more (selection, roll-backs, prefetch, learned limits), or again. Breakers go on:
    /// they protect, and end by themselves.
    Freeze(bool),
    /// Back to the config before the last.
    Rollback,
    /// Hosts hold different contents of one name, and this is the one to keep.
    Resolve {
        /// The name.
        model: ModelId,
        /// The content; none withdraws what was decided before.
        digest: Option<Digest>,
    },
}

/// A part of control that has a plain form to fall back to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The queue and its times.
    Queue,
    /// Hosts by load, and by weight.
    Hosts,
    /// Matching of demands to hosts.
    Constraints,
    /// What is remembered of the last answers, and of prompts.
    History,
    /// The scheduler; first in, first out takes its place.
    Scheduler,
    /// A balancer; fewest requests under way takes its place.
    Balancer(ArmId),
}

/// Something that control changed by itself, or could not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Note {
    /// A breaker changed its state.
    Breaker {
        /// Of this host.
        host: HostId,
        /// For this model alone, or for all.
        model: Option<ModelId>,
        /// What it is now.
        state: BreakerState,
    },
    /// Another balancer was selected.
    Selected {
        /// Which decides now.
        arm: ArmId,
    },
    /// An arm did worse than its guard allows; it gets no more requests.
    RolledBack {
        /// Which.
        arm: ArmId,
    },
    /// The same, but nothing may change by itself now.
    Breached {
        /// Which.
        arm: ArmId,
    },
    /// The config before the last is in force again, as asked.
    Restored,
    /// There was no config to go back to.
    NothingToRestore,
    /// The plain form of a part decides from now on.
    FellBack(Part),
    /// Hosts, or hosts and the registry, have different contents of one name from now on.
    Conflict {
        /// The name.
        model: ModelId,
        /// The gravest way in which they differ.
        kind: Kind,
    },
    /// All that have a name have the same content again.
    Converged {
        /// The name.
        model: ModelId,
    },
    /// Another placement is aimed at.
    Planned {
        /// Replicas that it wants.
        replicas: u32,
        /// Of these, replicas that are not in memory yet.
        missing: u32,
    },
}

/// What a circuit breaker does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Lets all through.
    Closed,
    /// Lets nothing through.
    Open,
    /// Lets a few through, to see.
    HalfOpen,
}

/// What control tells a driver to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Output {
    /// Send the request to a host and relay its answer under this lease.
    Dispatch(Dispatch),
    /// End an attempt: close its connection.
    Cancel {
        /// Whose attempt.
        request: RequestId,
        /// Which attempt, from 0.
        attempt: u8,
        /// Where it runs.
        host: HostId,
    },
    /// Answer the client that its request is turned away.
    Reject {
        /// The request.
        request: RequestId,
        /// Why.
        reason: Reject,
    },
    /// Answer the client that its request failed: no other attempt follows.
    Fail {
        /// The request.
        request: RequestId,
        /// What the last attempt met.
        failure: Failure,
    },
    /// Where a shadow arm would have sent a request. Nothing is done.
    Shadow(Shadow),
    /// Do something on a host besides serving.
    Act(Action),
    /// What control would do on a host besides serving, if it were allowed to. Nothing is done.
    Proposed(Action),
    /// Give up an action: whoever asks for the host goes first.
    Abandon(Action),
    /// Nothing to do: something changed, and an operator wants to know.
    Note(Note),
}

/// What a shadow arm decided beside the one that acted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shadow {
    /// The request.
    pub request: RequestId,
    /// Which attempt, from 0.
    pub attempt: u8,
    /// The arm.
    pub arm: ArmId,
    /// Where it would have sent it.
    pub host: HostId,
    /// Whether that is where it went.
    pub agrees: bool,
}

/// A lease: the driver relays one attempt and keeps its time-outs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dispatch {
    /// The request.
    pub request: RequestId,
    /// Which attempt, from 0.
    pub attempt: u8,
    /// Where to.
    pub host: HostId,
    /// How long the first byte may take.
    pub first_byte_timeout: Nanos,
    /// How long the stream may stand still after it.
    pub idle_timeout: Nanos,
    /// Why this host.
    pub reason: Reason,
    /// Which arm decided.
    pub arm: ArmId,
}

/// Why a host was chosen; reports and dashboards print it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its turn.
    Turn,
    /// Drawn by chance.
    Drawn,
    /// Fewest requests under way.
    FewestRequests,
    /// Least work under way, in estimated tokens.
    LeastWork,
    /// The model is loaded there.
    ModelLoaded,
    /// The model is only on disk there, and loaded nowhere with room.
    ModelOnDisk,
    /// The only host that could take it.
    OnlyChoice,
    /// First tokens came soonest there.
    LeastLatency,
    /// The first token is expected soonest there.
    Predicted,
    /// The conversation hashes to it.
    Hashed,
    /// It was sent the longest beginning of the prompt before.
    PrefixHeld,
    /// Nothing was under way there.
    Idle,
    /// Drawn to learn how it does.
    Explored,
    /// It stands in the conversation's zone.
    HomeZone,
    /// Its zone has the largest share of its slots free.
    FreestZone,
    /// The least capable that suffices.
    LeastCapable,
    /// Least effective load, as measured.
    LeastBusy,
}

/// The outputs of one step, in the order in which they were decided. Reused from step to step.
#[derive(Debug, Default)]
pub struct Outputs {
    list: Vec<Output>,
}

impl Outputs {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds one.
    #[inline]
    pub fn push(&mut self, output: Output) {
        self.list.push(output);
    }
    /// What was decided so far.
    #[must_use]
    pub fn as_slice(&self) -> &[Output] {
        &self.list
    }
    /// Takes all out, keeping the room.
    pub fn drain(&mut self) -> impl Iterator<Item = Output> + '_ {
        self.list.drain(..)
    }
    /// Forgets all.
    pub fn clear(&mut self) {
        self.list.clear();
    }
}

/// What a step may use and must not be changed by.
pub struct Env<'a> {
    /// The run's seed; every draw is keyed by it and by what it is for.
    pub seed: u64,
    /// Where stage times go; write-only.
    pub meter: &'a mut dyn Meter,
}

/// Stages of a step that a driver may time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Checking a request at the door.
    Admission,
    /// Ordering it among the queued, and letting the first out.
    Schedule,
    /// Choosing a host.
    Balance,
    /// All of it; drivers time it around [`Control::step`](crate::Control::step).
    Step,
}

/// Write-only: nothing that control decides can rest on it.
pub trait Meter {
    /// A stage begins.
    fn enter(&mut self, stage: Stage);
    /// It ended.
    fn leave(&mut self, stage: Stage);
    /// The balancer of this arm is asked. Where a step breaks off in [`Stage::Balance`], the last was at fault.
    fn asks(&mut self, _: ArmId) {}
}

/// Measures nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoMeter;

impl Meter for NoMeter {
    #[inline]
    fn enter(&mut self, _: Stage) {}
    #[inline]
    fn leave(&mut self, _: Stage) {}
}
