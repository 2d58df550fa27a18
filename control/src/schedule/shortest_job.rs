//! The shortest expected job first: least mean wait where sizes are known (Schrage 1968). The size is a guess: the
//! running mean of the model's answers under the user's cap, and the prompt's tokens from its bytes.

use super::{Group, Queued, Scheduler, Work};
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "shortest-job",
    summary: "least expected work first: running mean of the model's answers, and the prompt's size",
    source: "Schrage 1968 (shortest processing time), with estimates",
    cost: "O(log q)",
    needs: "lengths of earlier answers, sizes of prompts",
    requires: Requires::Nothing,
    parameters: &[],
};

/// How many prompt tokens take the time of one generated token; prefill is that much faster per token on the GPUs of
/// the built-in profiles (10 to 60 times).
const PROMPT_TOKENS_PER_OUTPUT_TOKEN: u64 = 16;

/// Least expected work.
#[derive(Debug)]
pub(super) struct ShortestJob;

impl Scheduler for ShortestJob {
    fn place(&self, queued: Queued<'_>) -> (Group, u128) {
        (Group::default(), rank(queued.model.expected(queued.arrive)))
    }
}

/// Work in prompt tokens.
pub(super) fn rank(work: Work) -> u128 {
    (u64::from(work.prompt) + u64::from(work.output) * PROMPT_TOKENS_PER_OUTPUT_TOKEN).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::models::ModelFacts;
    use crate::request::{Arrive, Usage};
    use crate::units::{Bytes, Instant};

    #[test]
    fn models_with_short_answers_go_first() {
        let (mut short, mut long) = (ModelFacts::default(), ModelFacts::default());
        short.learn(Bytes(400), &Usage { prompt_tokens: 100, output_tokens: 5, ..Usage::default() });
        long.learn(Bytes(400), &Usage { prompt_tokens: 100, output_tokens: 500, ..Usage::default() });
        let rank = |model: &ModelFacts, bytes, num_predict| {
            let arrive = Arrive { prompt_bytes: Bytes(bytes), num_predict, ..Arrive::default() };
            ShortestJob.place(Queued { arrive: &arrive, arrived_at: Instant::ZERO, model }).1
        };
        assert!(rank(&short, 400, None) < rank(&long, 400, None));
        assert!(rank(&short, 400, None) < rank(&short, 4_000, None));
        assert!(rank(&long, 400, Some(1)) < rank(&short, 400, None));
    }
}
