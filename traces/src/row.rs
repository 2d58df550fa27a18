//! A row of a trace, whatever its format.

use std::num::NonZeroU64;
use std::sync::Arc;

use control::ids::{SessionId, TenantId};
use control::request::{Block, HostOptions, Kind};
use control::units::{Instant, Nanos};

/// One request as a trace tells it.
#[derive(Clone, PartialEq, Debug)]
pub struct TraceRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// When it arrived, since the trace's first row (of ServeGen's clients: since their first window's start).
    pub at: Instant,
    /// The model that it names, where the format names one.
    pub model: Option<Arc<str>>,
    /// The session that it belongs to, where the format knows sessions: 64 bits of the session's name.
    pub session: Option<SessionId>,
    /// Tokens of the prompt; 0 where the request failed.
    pub prompt_tokens: u32,
    /// Tokens of the answer; 0 where the request failed.
    pub output_tokens: u32,
    /// The prompt as a chain of blocks, where the format tells; token counts sum to `prompt_tokens`.
    pub blocks: Option<Arc<[Block]>>,
    /// What else was asked, where the format tells.
    pub asked: Option<Box<Asked>>,
}

/// How long a task runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lasts {
    /// So many nanoseconds.
    Nanos(NonZeroU64),
    /// Nobody knows: it never began.
    Unknown,
}

/// What only some formats tell of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Who, as an index into the trace's names of tenants.
    pub tenant: TenantId,
    /// What for.
    pub kind: Kind,
    /// Higher is more urgent; 0 is normal.
    pub priority: i8,
    /// How long after its arrival the answer loses its worth.
    pub deadline: Option<Nanos>,
    /// When its client left, where that was before the first token.
    pub patience: Option<Nanos>,
    /// The user's cap on generated tokens.
    pub num_predict: Option<u32>,
    /// Options that a host must honour by loading.
    pub options: HostOptions,
    /// How long it runs, where it is a task and no request to a model.
    pub task: Option<Lasts>,
}

impl TraceRow {
    /// Whether there is something to replay: a prompt and an answer of at least one token each, or a task that ran.
    #[must_use]
    pub fn has_work(&self) -> bool {
        match self.task() {
            Some(lasts) => lasts != Lasts::Unknown,
            None => self.prompt_tokens > 0 && self.output_tokens > 0,
        }
    }

    /// How long it runs, where it is a task.
    #[must_use]
    pub fn task(&self) -> Option<Lasts> {
        self.asked.as_ref().and_then(|asked| asked.task)
    }
}

/// A row before its place in time is known.
#[derive(Debug)]
pub(crate) struct RawRow {
    /// Nanoseconds on the file's own clock.
    pub(crate) at: i128,
    /// Column of the stamp, for messages.
    pub(crate) column: usize,
    /// How the stamp was printed, where a format allows several ways.
    pub(crate) shape: Option<crate::stamp::Shape>,
    pub(crate) model: Option<Arc<str>>,
    pub(crate) session: Option<SessionId>,
    pub(crate) prompt_tokens: u32,
    pub(crate) output_tokens: u32,
    pub(crate) blocks: Option<Arc<[Block]>>,
    pub(crate) asked: Option<Box<Asked>>,
}
