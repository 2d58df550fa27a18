//! What one step of a batch loop costs: integer tables, so that any number of steps sums exactly.
//!
//! The cost of a step is a function of the batch's composition alone:
//!
//! ```text
//! step   = decode[d]                          where no prompt tokens are in the batch
//!        = max(decode[d], prefill(p + d))     otherwise
//! cost   = step
//!        + context         × Σ ctx_i                    over the d decoding sequences
//!        + window_context  × Σ min(ctx_i, window)       over the d decoding sequences
//!        + span            × ceil(cells / 256)          where d + p > 0
//!        + prefill_context × Σ p_j × (ctx_j + p_j / 2)  over the prefilling sequences (twice the pairs, halved)
//! ```
//!
//! with d sequences decoding one token each, p prompt tokens in all, p_j of them for sequence j, ctx the tokens
//! that a sequence had in its cache before the step, and cells the cache cells in use over all slots.

use serde::{Deserialize, Serialize};

/// Integer cost tables of a batch loop, in picoseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Index d: a step in which d sequences decode, contexts aside. Entry 0 is 0, the rest are positive and do not
    /// fall. Past the end the last difference goes on.
    pub decode: Vec<u64>,
    /// Knots (tokens, picoseconds) of a step with that many tokens in its batch, contexts aside. Tokens rise
    /// strictly from 1, costs do not fall. Between knots linear, rounded down; past the last its slope goes on.
    pub prefill: Vec<(u32, u64)>,
    /// For each decoding sequence and token of its context, over the layers with full attention.
    pub context: u64,
    /// For each decoding sequence and token of its context inside the window, over the sliding-window layers.
    pub window_context: u64,
    /// Window of the sliding-window layers in tokens; 0 where there are none.
    pub window: u32,
    /// For each 256 cache cells in use, each step (ollamarunner attends over the span of cells, padded to 256).
    pub span: u64,
    /// For each pair of a prompt token in the batch and a token that it attends to.
    pub prefill_context: u64,
}
