//! A request as a gateway can see it, and what is reported of it afterwards.
//!
//! A gateway has no tokenizer: an [`Arrive`] carries bytes and keyed hashes, never tokens (but for the hint of an oracle). The types at the
//! end ([`Block`], [`Usage`]) are shared by the drivers and the host model.

use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use crate::constraints::Demands;
use crate::ids::{ModelId, RequestId, SessionId, TenantId};
use crate::units::{Bytes, Instant, Nanos};

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `/api/chat`, `/api/generate`: tokens are generated, one at a time.
    #[default]
    Completion,
    /// `/api/embed`: the prompt is evaluated, nothing is generated.
    Embedding,
}

/// How long a host keeps a model loaded after its last request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepAlive {
    /// This long; zero unloads at once.
    For(Nanos),
    /// Until something else needs the room.
    Forever,
}

/// The options of a request that change what a host must have loaded (OLLAMA's `num_ctx` and so on).
/// A runner is loaded again where one of these differs from its own; sampling options never matter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct HostOptions {
    /// Context window in tokens; the host's default where absent.
    pub num_ctx: Option<u32>,
    /// Largest batch in tokens; 512 where absent.
    pub num_batch: Option<u32>,
    /// Layers to place on GPUs; as many as fit where absent.
    pub num_gpu: Option<u32>,
    /// A digest of the others that force a reload (`main_gpu`, `use_mmap`, `num_thread`, adapters); 0 = none.
    pub others: u64,
    /// Keep-alive that the request carries.
    pub keep_alive: Option<KeepAlive>,
}

/// What most requests do not carry.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Particulars {
    /// Options that a host must honour by loading.
    pub options: HostOptions,
    /// What it demands of its host by itself, besides what rules demand for it.
    pub demands: Demands,
}

impl Particulars {
    /// In a box where there are any: many requests wait at once.
    #[must_use]
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// A request, as it comes in at the door.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Arrive {
    /// Its id: the number of requests that arrived before it.
    pub request: RequestId,
    /// The model it names.
    pub model: ModelId,
    /// Who sends it.
    pub tenant: TenantId,
    /// The conversation it continues.
    pub session: Option<SessionId>,
    /// What it asks for.
    pub kind: Kind,
    /// Higher goes first where the scheduler looks at it; 0 is normal.
    pub priority: i8,
    /// The answer comes in one piece when it is complete: its first byte tells nothing of its first token.
    pub whole: bool,
    /// When the answer loses its worth.
    pub deadline: Option<Instant>,
    /// Size of the prompt.
    pub prompt_bytes: Bytes,
    /// The user's cap on generated tokens (`num_predict`).
    pub num_predict: Option<u32>,
    /// Options that a host must honour by loading, and demands; absent where it has none.
    pub particulars: Option<Box<Particulars>>,
    /// Keyed hashes of the prompt's blocks, each chained over those before it; empty where unknown.
    pub prefix: Box<[u64]>,
    /// The true length of the answer in tokens. Only a simulator knows it, and it tells it only where a strategy that
    /// requires an oracle was chosen ([`Requires::Oracle`](crate::strategy::Requires)).
    pub hint_output_tokens: Option<u32>,
}

impl Arrive {
    /// Options that a host must honour by loading.
    #[must_use]
    #[inline]
    pub fn options(&self) -> HostOptions {
        self.particulars.as_ref().map_or_else(HostOptions::default, |particulars| particulars.options)
    }

    /// What it demands of its host by itself; `None` where nothing.
    #[must_use]
    #[inline]
    pub fn demands(&self) -> Option<&Demands> {
        self.particulars
            .as_ref()
            .map(|particulars| &particulars.demands)
            .filter(|demands| !demands.is_empty())
    }
}

/// A run of tokens of a prompt: equal ids mean equal tokens. Prompts are chains of these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Block {
    /// What the block holds.
    pub id: u64,
    /// How many tokens that is; at least 1.
    pub tokens: u32,
}

/// Why a generation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoneReason {
    /// The model ended its answer.
    #[default]
    Stop,
    /// A cap on tokens was reached.
    Length,
    /// The request only loaded the model.
    Load,
    /// The request only unloaded the model.
    Unload,
}

/// What a host reports with a finished answer (the last line of Ollama's stream).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, whether cached or evaluated, after truncation.
    pub prompt_tokens: u32,
    /// Tokens generated.
    pub output_tokens: u32,
    /// Time before the runner had the request: work per request plus the wait for a load.
    pub load: Nanos,
    /// Time in which the prompt was evaluated.
    pub prompt_eval: Nanos,
    /// Time in which tokens were generated.
    pub eval: Nanos,
    /// Why it ended.
    pub done: DoneReason,
}

impl Usage {
    /// Whether tokens were asked for: not where the request only loaded or unloaded the model.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        matches!(self.done, DoneReason::Stop | DoneReason::Length)
    }
}

/// Why an attempt on a host ended without an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No connection: nothing listens, or the network is broken.
    Unreachable,
    /// 503: the host's own queue is full. The host is busy, not sick.
    Busy,
    /// 404: the host does not have the model.
    ModelMissing,
    /// 500: the model needs more memory than the host has.
    OutOfMemory,
    /// 5xx: the process that runs the model ended under the request.
    RunnerGone,
    /// Another 5xx before the first byte.
    ServerError,
    /// A 4xx that is the client's own mistake: another host would say the same.
    BadRequest,
    /// No first byte in time.
    FirstByteTimeout,
    /// The stream stood still for too long.
    IdleTimeout,
    /// The connection broke after the first byte.
    Broken,
}

/// Why control turned a request away without an answer of a host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reject {
    /// The queue is at its limit.
    QueueFull,
    /// No host of the fleet has the model on disk.
    NoHostHasModel,
    /// It waited in the queue for longer than allowed.
    QueueTimeout,
    /// Its deadline passed while it was queued.
    DeadlinePassed,
    /// Hosts have the model, but none meets what rules demand for the request.
    DemandsUnmet,
    /// Requests like it ended the runners of the model, see `control.quarantine_seconds`.
    Quarantined,
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered in full.
    Finished,
    /// Turned away by control.
    Rejected(Reject),
    /// The last attempt failed, and no other was allowed.
    Failed(Failure),
    /// The client left.
    Cancelled,
    /// Still under way when the run was stopped.
    Unfinished,
}
