//! What is known of each model: its name and what its answers taught.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::history::Mean;
use super::predict::lengths::Quantiles;
use crate::request::{Arrive, Usage};
use crate::schedule::Work;
use crate::units::Bytes;

/// Answer length assumed until the first answer of a model: the mean of Azure's 2023 conversation trace.
const ASSUMED_OUTPUT_TOKENS: u64 = 211;
/// Quantiles of the same trace.
pub(crate) const ASSUMED_OUTPUT_QUANTILES: Quantiles = Quantiles { p50: 129, p90: 424 };
/// Bytes of a token assumed until the first answer of a model: English text is near 4.
const ASSUMED_BYTES_PER_TOKEN: u64 = 4;

/// One model.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ModelFacts {
    /// As Ollama normalises it.
    pub name: String,
    /// Answers seen.
    pub answers: u64,
    /// Tokens of those answers.
    pub output_tokens: u64,
    /// Tokens of their prompts.
    pub prompt_tokens: u64,
    /// Bytes of their prompts.
    pub prompt_bytes: u64,
    /// First token where it had to be loaded, over all hosts, in nanoseconds.
    pub cold_ttft: Mean,
}

impl ModelFacts {
    /// A model without a history.
    #[must_use]
    pub fn named(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    /// Learns from an answer.
    pub fn learn(&mut self, prompt: Bytes, usage: &Usage) {
        self.answers += 1;
        self.output_tokens += u64::from(usage.output_tokens);
        self.prompt_tokens += u64::from(usage.prompt_tokens);
        self.prompt_bytes += prompt.0;
    }

    /// What a request is expected to take.
    #[must_use]
    pub fn expected(&self, arrive: &Arrive) -> Work {
        Work {
            prompt: self.expected_prompt_tokens(arrive.prompt_bytes),
            output: self.expected_output_tokens(arrive.num_predict),
        }
    }

    /// Expected tokens of an answer: the running mean, under the user's cap.
    #[must_use]
    pub fn expected_output_tokens(&self, num_predict: Option<u32>) -> u32 {
        let mean = self.output_tokens.checked_div(self.answers).unwrap_or(ASSUMED_OUTPUT_TOKENS);
        let capped = num_predict.map_or(mean, |cap| mean.min(u64::from(cap)));
        capped.min(u64::from(u32::MAX)) as u32
    }

    /// Expected tokens of a prompt of this size, by the bytes a token had so far.
    #[must_use]
    pub fn expected_prompt_tokens(&self, prompt: Bytes) -> u32 {
        let tokens = if self.prompt_bytes == 0 || self.prompt_tokens == 0 {
            prompt.0 / ASSUMED_BYTES_PER_TOKEN
        } else {
            match prompt.0.checked_mul(self.prompt_tokens) {
                Some(product) => product / self.prompt_bytes,
                None => {
                    (u128::from(prompt.0) * u128::from(self.prompt_tokens) / u128::from(self.prompt_bytes))
                        as u64
                }
            }
        };
        tokens.clamp(1, u64::from(u32::MAX)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_output_is_the_running_mean_under_the_cap() {
        let mut model = ModelFacts::named("m".into());
        assert_eq!(model.expected_output_tokens(None), 211);
        for output_tokens in [10, 30] {
            model.learn(Bytes(400), &Usage { prompt_tokens: 50, output_tokens, ..Usage::default() });
        }
        assert_eq!(model.expected_output_tokens(None), 20);
        assert_eq!(model.expected_output_tokens(Some(5)), 5);
        assert_eq!(model.expected_prompt_tokens(Bytes(800)), 100);
    }
}
