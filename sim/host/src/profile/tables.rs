//! Reading the cost tables of a profile at one point, for people and for the fitting program.
//!
//! The batch loop has its own reader; this one follows the rule in the `costs` module word by word.

use crate::costs::Costs;
use crate::spec::Runner;

/// Cache cells that one unit of `span` stands for.
const CELLS: u64 = 256;

/// Picoseconds of a step in which `sequences` decode, contexts aside.
#[must_use]
pub fn decode_picos(costs: &Costs, sequences: u32) -> u64 {
    let index = sequences as usize;
    let last = costs.decode.len() - 1;
    if index <= last {
        return costs.decode[index];
    }
    let difference = if last == 0 { 0 } else { costs.decode[last] - costs.decode[last - 1] };
    costs.decode[last] + difference * (index - last) as u64
}

/// Picoseconds of a step with `tokens` tokens in its batch, contexts aside.
#[must_use]
pub fn prefill_picos(costs: &Costs, tokens: u32) -> u64 {
    let knots = &costs.prefill;
    let Some(&(first_tokens, first_picos)) = knots.first() else { return 0 };
    if knots.len() == 1 || tokens <= first_tokens {
        return first_picos;
    }
    let upper = knots.partition_point(|&(knot, _)| knot < tokens).clamp(1, knots.len() - 1);
    let ((tokens_low, picos_low), (tokens_high, picos_high)) = (knots[upper - 1], knots[upper]);
    let rise = u128::from(picos_high - picos_low) * u128::from(tokens - tokens_low);
    picos_low + (rise / u128::from(tokens_high - tokens_low)) as u64
}

/// The same tables with the attention of full layers put where `runner` pays for it.
pub(super) fn for_runner(mut costs: Costs, runner: Runner) -> Costs {
    match runner {
        Runner::Ollamarunner => costs.span += std::mem::take(&mut costs.context) * CELLS,
        Runner::Llamarunner => costs.context += std::mem::take(&mut costs.span) / CELLS,
    }
    costs
}
