//! How good predictions were: the pinball loss of each quantile, its coverage, and what a mean would have lost.
//!
//! The pinball loss of a quantile `q` at probability τ for an outcome `y` is `τ (y − q)` where `y ≥ q`, else
//! `(1 − τ) (q − y)`: the true quantile has the least expectation of it (Koenker & Bassett 1978, "Regression
//! quantiles"). Coverage is the share of outcomes at or below the quantile; a true one covers τ. The forecast to beat is
//! the running mean, taken for every quantile. All sums are integers, in tenths, since τ is 5/10 or 9/10.

use serde::{Deserialize, Serialize};

use super::lengths::Quantiles;
use super::{Prediction, micros};
use crate::request::Usage;
use crate::units::Nanos;

/// What one quantile lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct QuantileScore {
    /// Outcomes at or below it.
    pub covered: u64,
    /// Its pinball loss, summed, in tenths of the unit.
    pub loss_tenths: u128,
    /// The same of the running mean in its place.
    pub mean_loss_tenths: u128,
}

impl QuantileScore {
    #[inline]
    fn add(&mut self, probability_tenths: u64, forecast: u32, mean: u32, outcome: u32) {
        self.covered += u64::from(outcome <= forecast);
        self.loss_tenths += u128::from(pinball_tenths(probability_tenths, forecast, outcome));
        self.mean_loss_tenths += u128::from(pinball_tenths(probability_tenths, mean, outcome));
    }
}

#[inline]
fn pinball_tenths(probability_tenths: u64, forecast: u32, outcome: u32) -> u64 {
    let off = u64::from(outcome.abs_diff(forecast));
    if outcome >= forecast { off * probability_tenths } else { off * (10 - probability_tenths) }
}

/// Predictions of one quantity. `scored + without_prediction` is the number of finished requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Score {
    /// Outcomes that were predicted.
    pub scored: u64,
    /// Outcomes that were not: nothing was known, or nothing was generated.
    pub without_prediction: u64,
    /// The median.
    pub p50: QuantileScore,
    /// The 90th percentile.
    pub p90: QuantileScore,
}

impl Score {
    #[inline]
    fn add(&mut self, forecast: Quantiles, mean: u32, outcome: u32) {
        self.scored += 1;
        self.p50.add(5, forecast.p50, mean, outcome);
        self.p90.add(9, forecast.p90, mean, outcome);
    }
}

/// Predictions of everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PredictionScores {
    /// Tokens of answers.
    pub output_tokens: Score,
    /// From dispatch to the last byte, in microseconds.
    pub service_micros: Score,
}

impl PredictionScores {
    /// A request is finished: what was predicted of it is held against what it took. `mean_tokens` is the mean forecast of
    /// its answer, as of the same time as the prediction.
    #[inline]
    pub fn add(&mut self, prediction: &Prediction, mean_tokens: u32, usage: &Usage, service: Nanos) {
        let prediction = if usage.is_answer() { *prediction } else { Prediction::Nothing };
        match prediction {
            Prediction::Nothing => {
                self.output_tokens.without_prediction += 1;
                self.service_micros.without_prediction += 1;
            }
            Prediction::Output(output_tokens) => {
                self.output_tokens.add(output_tokens, mean_tokens, usage.output_tokens);
                self.service_micros.without_prediction += 1;
            }
            Prediction::OutputAndService { output_tokens, service_micros, mean_service_micros } => {
                self.output_tokens.add(output_tokens, mean_tokens, usage.output_tokens);
                self.service_micros.add(service_micros, mean_service_micros, micros(service));
            }
        }
    }

    /// Whether each of `finished` requests is in exactly one place.
    #[must_use]
    pub const fn conserve(&self, finished: u64) -> bool {
        self.output_tokens.scored + self.output_tokens.without_prediction == finished
            && self.service_micros.scored + self.service_micros.without_prediction == finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::DoneReason;

    #[test]
    fn pinball_losses_are_as_computed_by_hand() {
        let output_tokens = Quantiles { p50: 10, p90: 20 };
        let service_micros = Quantiles { p50: 100, p90: 300 };
        let prediction =
            Prediction::OutputAndService { output_tokens, service_micros, mean_service_micros: 200 };
        let mut scores = PredictionScores::default();
        for (output, micros) in [(4, 100), (10, 250), (30, 400)] {
            let usage = Usage { output_tokens: output, ..Usage::default() };
            scores.add(&prediction, 12, &usage, Nanos::from_micros(micros));
        }
        // p50: (6 + 0 + 20) × 0.5; p90: (16 + 10) × 0.1 + 10 × 0.9; the mean of 12: (8 + 2 + 18) × 0.5, and
        // (8 + 2) × 0.1 + 18 × 0.9.
        let tokens = scores.output_tokens;
        assert_eq!(tokens.p50, QuantileScore { covered: 2, loss_tenths: 130, mean_loss_tenths: 140 });
        assert_eq!(tokens.p90, QuantileScore { covered: 2, loss_tenths: 116, mean_loss_tenths: 172 });
        // p50: (0 + 150 + 300) × 0.5; p90: (200 + 50) × 0.1 + 100 × 0.9; the mean of 200: (100 + 50 + 200) × 0.5,
        // and 100 × 0.1 + (50 + 200) × 0.9.
        let service = scores.service_micros;
        assert_eq!(service.p50, QuantileScore { covered: 1, loss_tenths: 2_250, mean_loss_tenths: 1_750 });
        assert_eq!(service.p90, QuantileScore { covered: 2, loss_tenths: 1_150, mean_loss_tenths: 2_350 });
    }

    #[test]
    fn what_was_not_predicted_or_generated_nothing_is_counted_apart() {
        let mut scores = PredictionScores::default();
        let answer = Usage { output_tokens: 9, ..Usage::default() };
        let load = Usage { done: DoneReason::Load, ..Usage::default() };
        scores.add(&Prediction::Nothing, 5, &answer, Nanos(1));
        scores.add(&Prediction::Output(Quantiles { p50: 1, p90: 2 }), 5, &answer, Nanos(1));
        scores.add(&Prediction::Output(Quantiles { p50: 1, p90: 2 }), 5, &load, Nanos(1));
        assert_eq!((scores.output_tokens.scored, scores.output_tokens.without_prediction), (1, 2));
        assert_eq!((scores.service_micros.scored, scores.service_micros.without_prediction), (0, 3));
        assert!(scores.conserve(3) && !scores.conserve(4));
    }
}
