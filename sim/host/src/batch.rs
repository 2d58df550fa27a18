//! The batch loop of one runner: slots, prefix cache, prefill and decode in steps.

use std::sync::Arc;

use control::request::{Block, DoneReason};
use control::units::{Instant, Nanos};

use crate::api::{Due, Engine, RequestKey};
use crate::costs::Costs;

/// How prompt tokens share a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discipline {
    /// ollamarunner: at most `batch_tokens` in all over the slots, filled round robin from the slot after the last.
    Shared,
    /// llamarunner: at most `batch_tokens` for each slot, all slots in every step.
    PerSlot,
}

/// What a slot keeps of the requests before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrefixCache {
    /// Nothing: a paged batching server without prefix caching.
    Off,
    /// The free slot with the longest common prefix is taken.
    PerSlot,
    /// `OLLAMA_MULTIUSER_CACHE=1`: a full-prefix match, else the least recently used slot, forking the prefix.
    MultiUser,
}

/// What a batch loop is built from.
#[derive(Clone, Debug)]
pub struct LoopSpec {
    /// Cost tables.
    pub costs: Arc<Costs>,
    /// How prompt tokens share a step.
    pub discipline: Discipline,
    /// Slots; at least 1.
    pub slots: u32,
    /// Prompt tokens in a step (`num_batch`); at least 1.
    pub batch_tokens: u32,
    /// Context window of a slot in tokens; at least 1.
    pub num_ctx: u32,
    /// Prompt tokens kept when the context shifts.
    pub num_keep: u32,
    /// Prefix cache.
    pub prefix_cache: PrefixCache,
    /// Which engine.
    pub engine: Engine,
}

/// A request as the loop gets it: the prompt is already cut to the context.
#[derive(Clone, PartialEq, Debug)]
pub struct Sequence {
    /// Its handle.
    pub key: RequestKey,
    /// Tokens of the prompt, at least 1, at most `num_ctx`.
    pub prompt_tokens: u32,
    /// What it is made of; `None`: shared with no other (but for the first token, which all prompts share).
    pub blocks: Option<Arc<[Block]>>,
    /// Id of the block that the answer becomes; 0 = none.
    pub answer_block: u64,
    /// Tokens to generate, after all caps; 0 for embeddings (the prompt is evaluated, then it is done).
    pub output_tokens: u32,
    /// How it ends when these tokens are out.
    pub done: DoneReason,
    /// Shift the context when it fills (true) or end with "length" (false).
    pub shift: bool,
}

/// What the loop reports, in the fixed order of a boundary: completions, prefill ends, cancels; by slot.
#[derive(Clone, PartialEq, Debug)]
pub enum LoopEvent {
    /// The first token of an answer is out.
    FirstToken(RequestKey),
    /// An answer is complete and its slot free.
    Finished {
        /// Whose.
        key: RequestKey,
        /// Tokens generated.
        output_tokens: u32,
        /// Prompt tokens found in the slot.
        cached_tokens: u32,
        /// From the step in which the prompt began to the first token.
        prompt_eval: Nanos,
        /// From the first token to the last.
        eval: Nanos,
        /// Why it ended.
        done: DoneReason,
    },
    /// A cancelled request has left its slot (or the queue for one).
    Cancelled(RequestKey),
}

/// The batch loop.
#[derive(Debug)]
pub struct BatchLoop {
    spec: LoopSpec,
}

impl BatchLoop {
    /// An idle loop with empty slots.
    #[must_use]
    pub fn new(spec: LoopSpec) -> Self {
        Self { spec }
    }

    /// The next internal event, `None` while idle.
    #[must_use]
    pub fn next(&self) -> Option<Due> {
        let _ = &self.spec;
        None
    }

    /// A request comes in: it takes a slot at the next boundary, or waits for one, first come, first served.
    pub fn admit(&mut self, _now: Instant, _sequence: Sequence) {}

    /// A request is given up: it leaves at the next boundary (at once where it waits for a slot).
    pub fn cancel(&mut self, _now: Instant, _key: RequestKey, _out: &mut Vec<LoopEvent>) {}

    /// Steps that begin after `now` take `permille` thousandths of their normal time.
    pub fn slow_down(&mut self, _now: Instant, _permille: u32) {}

    /// Executes the internal event that [`BatchLoop::next`] announced, at exactly that time and phase.
    pub fn advance(&mut self, _due: Due, _out: &mut Vec<LoopEvent>) {}
}
