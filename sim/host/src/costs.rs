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
//! that a sequence had in its cache before the step, and cells the cache cells in use over all slots: the contexts of
//! all sequences that run, whether or not they got into this batch, and the d + p tokens that the step itself stores
//! before it attends. What a free slot keeps of an earlier request is not in use (ollamarunner attends over the cells
//! of the sequences in its batch, `kvcache/causal.go`). A decode beside a prefill waits for the whole step: there is
//! one cost for both. No step costs less than 1 ps, so that time always goes on.

use control::units::Picos;
use serde::{Deserialize, Serialize};

/// Cache cells that a span is padded to, and that one unit of [`Costs::span`] stands for.
pub const SPAN_CELLS: u64 = 256;

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

/// What is in the batch of one step: all that its cost depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Composition {
    /// Sequences that decode one token each.
    pub decoding: u32,
    /// Prompt tokens in all.
    pub prompt_tokens: u32,
    /// Sum over the decoding sequences of the tokens in their cache before the step.
    pub context: u64,
    /// The same, each at most [`Costs::window`].
    pub window_context: u64,
    /// Sum over the prefilling sequences of p × (2 × ctx + p): twice the pairs of tokens that attend.
    pub pairs_twice: u64,
    /// Cache cells in use once the step has stored its own tokens.
    pub cells: u64,
}

impl Costs {
    /// Picoseconds of a step in which `sequences` decode, contexts aside.
    #[must_use]
    pub fn decode_step(&self, sequences: u32) -> u64 {
        if let Some(&picos) = self.decode.get(sequences as usize) {
            return picos;
        }
        let (last, before) = match self.decode.as_slice() {
            [] => return 0,
            [only] => (*only, *only),
            [.., before, last] => (*last, *before),
        };
        let further = u64::from(sequences) - (self.decode.len() as u64 - 1);
        last.saturating_add(last.saturating_sub(before).saturating_mul(further))
    }

    /// Picoseconds of a step with `tokens` tokens in its batch, contexts aside.
    #[must_use]
    pub fn prefill_step(&self, tokens: u32) -> u64 {
        let knots = self.prefill.as_slice();
        let above = knots.partition_point(|&(knot, _)| knot < tokens);
        let (low, high) = match (above, knots.len()) {
            (_, 0) => return 0,
            (0, _) | (_, 1) => return knots[0].1,
            (above, len) => (knots[above.min(len - 1) - 1], knots[above.min(len - 1)]),
        };
        let (rise, run) = (high.1.saturating_sub(low.1), u64::from(high.0 - low.0));
        let tokens = u64::from(tokens - low.0);
        let above = match rise.checked_mul(tokens) {
            Some(product) => product / run,
            None => saturate(u128::from(rise) * u128::from(tokens) / u128::from(run)),
        };
        low.1.saturating_add(above)
    }

    /// Picoseconds of a step with `decoding` sequences and `prompt_tokens` prompt tokens, contexts aside; at least 1.
    #[must_use]
    pub fn bare_step(&self, decoding: u32, prompt_tokens: u32) -> u64 {
        let decode = self.decode_step(decoding);
        if prompt_tokens == 0 {
            return decode.max(1);
        }
        decode.max(self.prefill_step(prompt_tokens.saturating_add(decoding))).max(1)
    }

    /// What a step of this composition takes: the formula at the head of this file.
    #[must_use]
    pub fn step(&self, batch: &Composition) -> Picos {
        let picos = self.contextual_step(batch)
            + u128::from(self.span) * u128::from(batch.cells.div_ceil(SPAN_CELLS));
        Picos(saturate(picos))
    }

    /// The same without the term in the span of cells.
    pub(crate) fn contextual_step(&self, batch: &Composition) -> u128 {
        u128::from(self.bare_step(batch.decoding, batch.prompt_tokens))
            + u128::from(self.context) * u128::from(batch.context)
            + u128::from(self.window_context) * u128::from(batch.window_context)
            + u128::from(self.prefill_context) * u128::from(batch.pairs_twice) / 2
    }

    /// These tables with every time multiplied by `permille` thousandths, each rounded up, so that a positive
    /// coefficient stays positive. Sums over steps stay exact, since both engines add up what stands here.
    #[must_use]
    pub fn scaled(&self, permille: u32) -> Self {
        let scale = |picos: u64| saturate((u128::from(picos) * u128::from(permille)).div_ceil(1_000));
        Self {
            decode: self.decode.iter().map(|&picos| scale(picos)).collect(),
            prefill: self.prefill.iter().map(|&(tokens, picos)| (tokens, scale(picos))).collect(),
            context: scale(self.context),
            window_context: scale(self.window_context),
            window: self.window,
            span: scale(self.span),
            prefill_context: scale(self.prefill_context),
        }
    }
}

/// The largest value instead of an overflow: 213 days in picoseconds.
pub(crate) fn saturate(picos: u128) -> u64 {
    u64::try_from(picos).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs() -> Costs {
        Costs {
            decode: vec![0, 1_000, 1_100, 1_150],
            prefill: vec![(1, 900), (11, 1_000), (21, 3_001)],
            context: 3,
            window_context: 5,
            window: 100,
            span: 7,
            prefill_context: 1,
        }
    }

    #[test]
    fn decode_goes_on_with_the_last_difference() {
        let costs = costs();
        assert_eq!([0, 1, 3, 4, 13].map(|d| costs.decode_step(d)), [0, 1_000, 1_150, 1_200, 1_650]);
    }

    #[test]
    fn prefill_is_linear_between_knots_rounded_down_and_goes_on_with_the_last_slope() {
        let costs = costs();
        let at = [1, 2, 11, 12, 21, 22].map(|tokens| costs.prefill_step(tokens));
        assert_eq!(at, [900, 910, 1_000, 1_200, 3_001, 3_201]);
    }

    #[test]
    fn decode_beside_a_prefill_takes_the_whole_step() {
        let costs = costs();
        assert_eq!(costs.bare_step(1, 0), 1_000);
        assert_eq!(costs.bare_step(1, 20), 3_001);
        // Where the decode alone takes longer than so few tokens, it sets the time.
        assert_eq!(costs.bare_step(3, 1), 1_150);
    }

    #[test]
    fn every_term_of_the_formula_counts() {
        let batch = Composition {
            decoding: 2,
            prompt_tokens: 9,
            context: 300,
            window_context: 150,
            pairs_twice: 9 * (2 * 40 + 9),
            cells: 257,
        };
        assert_eq!(costs().step(&batch), Picos(1_100 + 3 * 300 + 5 * 150 + 7 * 2 + 9 * 89 / 2));
    }

    #[test]
    fn no_step_is_free() {
        let free = Costs { decode: vec![0], prefill: vec![], span: 0, ..costs() };
        assert_eq!(free.step(&Composition { prompt_tokens: 5, ..Composition::default() }), Picos(1));
    }

    #[test]
    fn scaling_rounds_every_coefficient_up() {
        let scaled = costs().scaled(1_001);
        assert_eq!(scaled.decode, [0, 1_001, 1_102, 1_152]);
        assert_eq!((scaled.context, scaled.span, scaled.window), (4, 8, 100));
        assert_eq!(costs().scaled(1).context, 1);
        assert_eq!(costs().scaled(1_000), costs());
    }
}
