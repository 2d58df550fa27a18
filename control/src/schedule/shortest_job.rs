//! The shortest expected job first: least mean wait where sizes are known (Schrage 1968). The size is a guess: the
//! median of the model's answers to the tenant under the user's cap, and the prompt's tokens from its bytes.

use super::{Group, Queued, Scheduler, Work};
use crate::strategy::{Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "shortest-job",
    summary: "least expected work first: median of the model's answers to the tenant, and the prompt's size",
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
        let prompt = queued.model.expected_prompt_tokens(queued.arrive.prompt_bytes);
        let output = queued.predictor.expected_output_tokens(queued.arrive).p50;
        (Group::default(), rank(Work { prompt, output }))
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
    use crate::facts::predict::Predictor;
    use crate::ids::{ModelId, TenantId};
    use crate::request::{Arrive, Usage};
    use crate::units::{Bytes, Instant, Nanos};

    #[test]
    fn models_and_tenants_with_short_answers_go_first() {
        let (model, mut predictor) = (ModelFacts::default(), Predictor::default());
        let who = |model, tenant| Arrive {
            model: ModelId(model),
            tenant: TenantId(tenant),
            prompt_bytes: Bytes(400),
            ..Arrive::default()
        };
        for (arrive, output_tokens) in [(who(0, 0), 5), (who(1, 0), 500), (who(1, 1), 50)] {
            let usage = Usage { output_tokens, ..Usage::default() };
            (0..99).for_each(|_| predictor.learn(&arrive, &usage, Nanos(1)));
        }
        let rank = |arrive: &Arrive| {
            let (model, predictor) = (&model, &predictor);
            ShortestJob.place(Queued { arrive, arrived_at: Instant::ZERO, model, predictor }).1
        };
        assert!(rank(&who(0, 0)) < rank(&who(1, 1)));
        assert!(rank(&who(1, 1)) < rank(&who(1, 0)));
        assert!(rank(&who(0, 0)) < rank(&Arrive { prompt_bytes: Bytes(4_000), ..who(0, 0) }));
        assert!(rank(&Arrive { num_predict: Some(1), ..who(1, 0) }) < rank(&who(0, 0)));
    }
}
