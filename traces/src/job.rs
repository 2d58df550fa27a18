//! A job: a request together with what only the simulator may know of it.

use std::num::NonZeroU64;
use std::sync::Arc;

use control::ids::{SessionId, TenantId};
use control::request::{Block, HostOptions, Kind};
use control::units::{Instant, Nanos};

/// A request and its hidden truth (true token counts, above all the answer's length).
#[derive(Clone, PartialEq, Debug)]
pub struct Job {
    /// Its number among the jobs of the run, from 0, in order of creation.
    pub id: u64,
    /// When it arrives.
    pub arrival: Instant,
    /// Which model, as an index into the source's list of model names.
    pub model: u32,
    /// Whose, as an index into the source's list of tenant names.
    pub tenant: TenantId,
    /// The conversation it continues.
    pub session: Option<SessionId>,
    /// What it asks for.
    pub kind: Kind,
    /// Higher is more urgent; 0 is normal.
    pub priority: i8,
    /// When its answer loses its worth.
    pub deadline: Option<Instant>,
    /// How long the client waits for its first token before it leaves; `None` = forever.
    pub patience: Option<Nanos>,
    /// Tokens of the prompt; at least 1 (0 for a task).
    pub prompt_tokens: u32,
    /// What the prompt is made of, in order; token counts sum to `prompt_tokens`. `None`: shared with no other.
    pub blocks: Option<Arc<[Block]>>,
    /// Id of the block that the answer becomes, for later turns of the session to contain; 0 = none.
    pub answer_block: u64,
    /// Tokens that the model would generate before it stops by itself; at least 1 (0 for embeddings and tasks).
    pub output_tokens: u32,
    /// The user's cap on generated tokens.
    pub num_predict: Option<u32>,
    /// Options that a host must honour by loading.
    pub options: HostOptions,
    /// How long it runs on a host of tasks, in nanoseconds; `None` where it is a request to a model.
    pub run_nanos: Option<NonZeroU64>,
}
