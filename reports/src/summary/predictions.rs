//! How good control's predictions of answers and times were, as figures.
//!
//! The pinball loss of a quantile q at probability τ for an outcome y is τ (y − q) where y ≥ q, else (1 − τ) (q − y)
//! (Koenker & Bassett 1978, "Regression quantiles"); here its mean over the answers that were predicted. Coverage is the
//! share of outcomes at or below the quantile: a true p90 covers 90 %. The forecast to beat is the running mean of the
//! model's answers, as known at the same time and taken for every quantile; `of_mean_loss` below 1 beats it.

use control::facts::predict::score::{PredictionScores, QuantileScore, Score};
use serde::Serialize;

use crate::number::ratio;

/// One quantile; each figure is `null` where nothing was predicted.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PredictedQuantile {
    /// Mean pinball loss, in the quantity's unit.
    pub pinball_loss: Option<f64>,
    /// The same of the running mean in its place.
    pub mean_pinball_loss: Option<f64>,
    /// The one divided by the other.
    pub of_mean_loss: Option<f64>,
    /// Outcomes at or below it.
    pub coverage_percent: Option<f64>,
}

/// One quantity. `scored` and `without_prediction` make up the finished requests.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Predicted {
    /// Answers whose outcome was held against a prediction.
    pub scored: u64,
    /// Answers of which nothing was known when they were sent.
    pub without_prediction: u64,
    /// The median.
    pub p50: PredictedQuantile,
    /// The 90th percentile.
    pub p90: PredictedQuantile,
}

/// All quantities.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Predictions {
    /// Tokens of an answer.
    pub output_tokens: Predicted,
    /// From dispatch to the last byte.
    pub service_ms: Predicted,
}

impl Predictions {
    pub(super) fn of(scores: &PredictionScores) -> Self {
        Self {
            output_tokens: predicted(&scores.output_tokens, 1),
            service_ms: predicted(&scores.service_micros, 1_000),
        }
    }
}

/// `unit`: how many of the score's units make one of the report's.
fn predicted(score: &Score, unit: u128) -> Predicted {
    let quantile = |of: &QuantileScore| {
        let scored = u128::from(score.scored);
        PredictedQuantile {
            pinball_loss: ratio(of.loss_tenths, scored * 10 * unit, 3),
            mean_pinball_loss: ratio(of.mean_loss_tenths, scored * 10 * unit, 3),
            of_mean_loss: ratio(of.loss_tenths, of.mean_loss_tenths, 4),
            coverage_percent: ratio(u128::from(of.covered) * 100, scored, 2),
        }
    };
    Predicted {
        scored: score.scored,
        without_prediction: score.without_prediction,
        p50: quantile(&score.p50),
        p90: quantile(&score.p90),
    }
}
