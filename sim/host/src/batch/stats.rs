//! Counts of a batch loop.

use control::units::Nanos;

/// What a loop has done. All but `boundaries` are the same under both engines whenever an event comes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LoopStats {
    /// Internal events executed; the one count that depends on the engine.
    pub boundaries: u64,
    /// Steps (batches) executed.
    pub steps: u64,
    /// Sequences in slots now.
    pub running: u32,
    /// Requests that wait for a slot now.
    pub waiting: u32,
    /// Prompt tokens evaluated.
    pub prompt_tokens: u64,
    /// Prompt tokens found in slots.
    pub cached_tokens: u64,
    /// Tokens generated, those of cancelled requests among them.
    pub output_tokens: u64,
    /// Length of the busy periods that are over.
    pub busy: Nanos,
}
