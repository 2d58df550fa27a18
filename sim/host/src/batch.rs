//! The batch loop of one runner: slots, prefix cache, prefill and decode in steps.
//!
//! Two engines give the same events at the same times on every input: [`Engine::Stepwise`] executes every step and is
//! meant to be believed at sight, [`Engine::Coalesced`] jumps from one change of the batch to the next. What both do:
//!
//! - **Busy and idle.** A loop is idle while no slot runs. A request that comes to an idle loop starts it by an event
//!   of its own ([`Phase::Start`](crate::api::Phase::Start)) after all deliveries of that time; all that came by then
//!   begin together. While it is busy one step follows the other, and a change takes hold at the first boundary
//!   between two steps that is strictly later: requests join, cancelled ones leave, a slowdown counts from there on.
//! - **Time** is summed in whole picoseconds from the start of the busy period; a boundary is seen at the nanosecond
//!   rounded up. The remainder is carried until the loop is idle.
//! - **A boundary's order**: completions of decoding sequences (answers that are done, answers that end because the
//!   context is full), by slot; then prompts whose evaluation ended, by slot, each with its first token and, where
//!   that is all of its answer (one token; none for an embedding), its end right behind; then cancels, by slot; then
//!   requests that wait take free slots, first come, first served. What ends at the boundary at which its cancel would
//!   take hold has ended: the cancel finds nothing.
//! - **Tokens.** A prompt of which c tokens are found in the slot has the rest evaluated in chunks. The step that
//!   evaluates the last of it brings the first token, each further step in which the sequence takes part one more.
//!   The token that a step brings is evaluated in the next, so that an answer of n tokens ends n − 1 steps after the
//!   first, and its slot holds the prompt and n − 1 tokens of the answer.
//! - **Context full**: a sequence that goes on while its cache holds `num_ctx` tokens drops the older half of those
//!   after `num_keep` at once, or ends with "length". What stands after `num_keep` then matches no prompt any more.
//! - **Cells** of [`Costs`]: those of running sequences; a prefix that two slots share is counted in both.
//!
//! Left out: ollamarunner (since v0.11) prepares a batch while the one before is computed, so that a request may join
//! one step later than here; and prompt tokens that must stay in one batch (images).

use std::sync::Arc;

use control::request::{Block, DoneReason};
use control::units::{Instant, Nanos};

use crate::api::{Due, Engine, RequestKey};
use crate::costs::Costs;

mod clock;
mod coalesced;
mod prefix;
mod stats;
mod stepwise;

pub use stats::LoopStats;

use coalesced::Coalesced;
use stepwise::Stepwise;

/// How prompt tokens share a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discipline {
    /// ollamarunner: at most `batch_tokens` in all over the slots, filled round robin. A step begins with the slot
    /// that the step before began with, or, where one got nothing in, with the first that got nothing.
    Shared,
    /// llamarunner: at most `batch_tokens` for each slot, all slots in every step.
    PerSlot,
}

/// What a slot keeps of the requests before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrefixCache {
    /// Nothing: a paged batching server without prefix caching. The lowest free slot is taken.
    Off,
    /// The free slot with the longest common prefix is taken, the lowest among equals.
    PerSlot,
    /// `OLLAMA_MULTIUSER_CACHE=1`: the slot, in use or not, with the longest common prefix (the lowest among equals)
    /// is taken if it is free and all that it holds begins the prompt; else the free slot least recently given out
    /// (never, before all; the lowest among equals), which gets that longest prefix as a copy.
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
    /// Prompt tokens kept when the context shifts; taken as at most `num_ctx` − 1.
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

/// What the loop reports, in the fixed order of a boundary: completions, prefill ends, cancels; by slot. A first token
/// comes before the end of the same answer.
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
        /// From the start of the step that evaluated the first of its prompt tokens to the end of the one that
        /// evaluated the last.
        prompt_eval: Nanos,
        /// From the first token to the last; 0 where there is only one.
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
    inner: Inner,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the fast engine lies in its runner: one miss of the cache less an event"
)]
enum Inner {
    Stepwise(Box<Stepwise>),
    Coalesced(Coalesced),
}

macro_rules! either {
    ($self:expr, $engine:ident => $call:expr) => {
        match $self {
            Inner::Stepwise($engine) => $call,
            Inner::Coalesced($engine) => $call,
        }
    };
}

impl BatchLoop {
    /// An idle loop with empty slots.
    ///
    /// # Panics
    /// Where slots, batch tokens or context of the specification are 0.
    #[must_use]
    pub fn new(mut spec: LoopSpec) -> Self {
        assert!(spec.slots > 0, "a batch loop has at least one slot");
        assert!(spec.batch_tokens > 0, "a batch holds at least one token");
        assert!(spec.num_ctx > 0, "a context holds at least one token");
        spec.num_keep = spec.num_keep.min(spec.num_ctx - 1);
        let inner = match spec.engine {
            Engine::Stepwise => Inner::Stepwise(Box::new(Stepwise::new(spec))),
            Engine::Coalesced => Inner::Coalesced(Coalesced::new(spec)),
        };
        Self { inner }
    }

    /// The next internal event, `None` while idle.
    #[must_use]
    pub fn next(&self) -> Option<Due> {
        either!(&self.inner, engine => engine.next())
    }

    /// A request comes in: it takes a slot at the next boundary, or waits for one, first come, first served.
    ///
    /// # Panics
    /// Where its prompt is empty or longer than the context: the caller cuts prompts.
    pub fn admit(&mut self, now: Instant, sequence: Sequence) {
        either!(&mut self.inner, engine => engine.admit(now, sequence));
    }

    /// A request is given up: it leaves at the next boundary (at once where it waits for a slot). A key that is not
    /// here, or was cancelled before, changes nothing.
    pub fn cancel(&mut self, now: Instant, key: RequestKey, out: &mut Vec<LoopEvent>) {
        either!(&mut self.inner, engine => engine.cancel(now, key, out));
    }

    /// Steps that begin after `now` take `permille` thousandths of their normal time (0 counts as 1). Of several
    /// between two boundaries the last counts.
    pub fn slow_down(&mut self, now: Instant, permille: u32) {
        either!(&mut self.inner, engine => engine.slow_down(now, permille.max(1)));
    }

    /// Executes the internal event that [`BatchLoop::next`] announced, at exactly that time and phase.
    ///
    /// # Panics
    /// Where `due` is not what `next` announced.
    pub fn advance(&mut self, due: Due, out: &mut Vec<LoopEvent>) {
        assert_eq!(self.next(), Some(due), "a batch loop is advanced by the event that it announced");
        either!(&mut self.inner, engine => engine.advance(due, out));
    }

    /// Tells the processor which memory the next event will touch (see [`Host::prefetch`](crate::host::Host)); gives the
    /// request that it is about, where the pass knows.
    #[inline]
    pub(crate) fn prefetch(&self, depth: u32) -> Option<RequestKey> {
        match &self.inner {
            Inner::Stepwise(_) => None,
            Inner::Coalesced(engine) => engine.prefetch(depth),
        }
    }

    /// Whether nothing runs and nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.next().is_none()
    }

    /// Sequences in slots.
    #[must_use]
    pub fn running(&self) -> u32 {
        either!(&self.inner, engine => engine.running())
    }

    /// Requests that have no slot yet.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        either!(&self.inner, engine => engine.waiting())
    }

    /// Time up to `now` in which steps ran.
    #[must_use]
    pub fn busy_nanos(&self, now: Instant) -> Nanos {
        let (over, since) = either!(&self.inner, engine => engine.busy());
        over + since.map_or(Nanos::ZERO, |since| now.since(since))
    }

    /// What the loop has done so far. Under the coalesced engine counts stand as of its last boundary: equal to those
    /// of the stepwise engine when an event comes out, behind them in between.
    #[must_use]
    pub fn stats(&self) -> LoopStats {
        either!(&self.inner, engine => engine.stats())
    }

    /// What the loop has done up to `now` (not before its last boundary, not after the next), whichever engine runs:
    /// for samples at any time.
    #[must_use]
    pub fn stats_at(&self, now: Instant) -> LoopStats {
        match &self.inner {
            // It has executed every step that is over.
            Inner::Stepwise(engine) => engine.stats(),
            Inner::Coalesced(engine) => engine.stats_at(now),
        }
    }
}

impl LoopSpec {
    fn check(&self, sequence: &Sequence) {
        assert!(
            (1..=self.num_ctx).contains(&sequence.prompt_tokens),
            "a prompt of {} tokens does not fit a context of {}",
            sequence.prompt_tokens,
            self.num_ctx
        );
    }
}
