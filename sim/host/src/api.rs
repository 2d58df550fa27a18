//! What goes into a host and what comes out, for whoever drives it (the simulator, or the emulated host on the
//! wall clock).

use std::num::NonZeroU64;
use std::sync::Arc;

use control::ids::ModelId;
use control::request::{Block, HostOptions, Kind, Usage};
use control::units::Instant;
use serde::{Deserialize, Serialize};

use crate::host::{DiskChange, Fault};

/// A request's handle on a host, unique among those under way there; the driver gives it out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestKey(pub u64);

/// Which batch loop engine runs. Both give the same host-visible events at the same times on every input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Jumps over the steps between two changes of the batch.
    #[default]
    Coalesced,
    /// Executes every step: the reference.
    Stepwise,
}

/// Events of one time are ordered by phase. Deliveries of the driver stand between `Timer` and `Start`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    /// A step of a batch loop ends.
    Boundary = 0,
    /// A timer of the host: load done, unload done, keep-alive over.
    Timer = 1,
    /// Messages from outside (used by drivers only).
    Delivery = 2,
    /// An idle batch loop starts its first step, after all deliveries of that time.
    Start = 3,
}

/// A request as a host gets it, with its hidden truth.
#[derive(Clone, PartialEq, Debug)]
pub struct HostRequest {
    /// Its handle.
    pub key: RequestKey,
    /// The model it names.
    pub model: ModelId,
    /// What it asks for.
    pub kind: Kind,
    /// Tokens of the prompt; 0 only loads the model (or unloads it, with a keep-alive of 0).
    pub prompt_tokens: u32,
    /// What the prompt is made of, in order (token counts sum to `prompt_tokens`); `None`: shared with no other.
    pub blocks: Option<Arc<[Block]>>,
    /// Id of the block that the answer becomes in the slot's cache; 0 = none.
    pub answer_block: u64,
    /// Tokens that the model would generate before it stops by itself; 0 for embeddings.
    pub output_tokens: u32,
    /// The user's cap on generated tokens.
    pub num_predict: Option<u32>,
    /// Options that force a reload, and keep-alive.
    pub options: HostOptions,
    /// Cut an over-long prompt (true) or answer 400 (false).
    pub truncate: bool,
    /// Shift the context when it fills while generating (true) or end with "length" (false).
    pub shift: bool,
    /// How long it runs on a host of tasks, in nanoseconds; `None` where it is a request to a model.
    pub run_nanos: Option<NonZeroU64>,
}

/// What a driver delivers to a host.
#[derive(Clone, PartialEq, Debug)]
pub enum Message {
    /// A client's request.
    Request(HostRequest),
    /// The client of a request left.
    Cancel(RequestKey),
    /// Every step takes this share of its normal time from the next step on, in thousandths: 1,000 is normal,
    /// 10,000 ten times slower. At least 1.
    Slowdown(u32),
    /// A name on the host's disk changes.
    Disk(ModelId, DiskChange),
    /// Something breaks.
    Fault(Fault),
}

/// What a host lets its clients see.
#[derive(Clone, PartialEq, Debug)]
pub enum HostEvent {
    /// Headers and the first token of a stream.
    FirstToken {
        /// Whose.
        key: RequestKey,
    },
    /// The whole answer.
    Finished {
        /// Whose.
        key: RequestKey,
        /// The last line's figures.
        usage: Usage,
        /// Prompt tokens found in the slot's cache.
        cached_tokens: u32,
        /// Whether the prompt was cut to the context window.
        truncated: bool,
    },
    /// An error instead of an answer.
    Error {
        /// Whose.
        key: RequestKey,
        /// Which.
        error: HostError,
    },
}

/// Errors that a host answers with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostError {
    /// 503: maximum pending requests exceeded.
    Busy,
    /// 404: no such model on disk.
    ModelMissing,
    /// 500: the model requires more system memory than is available.
    OutOfMemory,
    /// 500: the runner ended under the request.
    RunnerGone,
    /// 500: the weights on disk are damaged, so that they cannot be loaded.
    Damaged,
    /// 400: the prompt is longer than the context and may not be cut.
    PromptTooLong,
    /// 501 or 400: the model cannot do what was asked (an embedding from a model without, and so on).
    Unsupported,
}

/// One internal event that a host waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Due {
    /// When.
    pub at: Instant,
    /// Its place among the events of that time.
    pub phase: Phase,
}
