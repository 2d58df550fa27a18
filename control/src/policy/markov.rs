//! Which model will be asked for next: a Markov chain of first order over the models of each stream, so that a model can be
//! loaded before it is needed.
//!
//! A stream is a session or a tenant. Of each, the last requests are kept, and how often each model followed each. A stream
//! with n transitions from where it stands says what they were with n / (n + 1) of its weight and passes the rest to how often
//! models were asked for at all lately (escape of method A: Cleary, Witten: Data compression using adaptive coding and partial string
//! matching, IEEE Trans. Comm. 32(4), 1984). Its weight, and those counts, halve at the turn of each half-life: all sums
//! are exact, and a list of what was noted gives the same.
//!
//! Memory: at most `streams_max` streams of `history_requests_max` requests and `models_max` counts. The stream that was
//! seen longest ago makes room for a new one, of several the one with the lowest key; the model with the lowest count makes
//! room, of several the one with the lowest id.

mod budget;
mod frequency;
mod stream;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use budget::{Budget, BudgetConfig, BudgetFile};
use frequency::Frequency;
use stream::Stream;

use crate::config::ConfigError;
use crate::config::bounds::{millis, within};
use crate::ids::ModelId;
use crate::units::{Instant, Nanos};

/// A probability of 1, and what one request counts.
pub const ONE: u32 = 1 << 16;

/// `[control.predictor]` as written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredictorFile {
    /// Most streams that are followed.
    pub streams_max: u32,
    /// Most requests that are kept of each.
    pub history_requests_max: u32,
    /// Most models that are counted for all streams together.
    pub models_max: u32,
    /// How soon what was seen counts half.
    pub half_life_millis: u64,
}

impl Default for PredictorFile {
    fn default() -> Self {
        Self { streams_max: 256, history_requests_max: 64, models_max: 256, half_life_millis: 3_600_000 }
    }
}

/// A checked [`PredictorFile`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PredictorConfig {
    /// Most streams that are followed; at least 1.
    pub streams_max: u32,
    /// Most requests that are kept of each; at least 2.
    pub history_requests_max: u32,
    /// Most models that are counted for all streams together; at least 1.
    pub models_max: u32,
    /// How soon what was seen counts half.
    pub half_life: Nanos,
}

impl PredictorFile {
    /// Checks every key.
    ///
    /// # Errors
    /// The first key that cannot be taken, with what was expected of it.
    pub fn check(&self) -> Result<PredictorConfig, ConfigError> {
        let history = (2, 4_096);
        Ok(PredictorConfig {
            streams_max: within("prefetch.predictor.streams_max", self.streams_max, (1, 65_536))?,
            history_requests_max: within(
                "prefetch.predictor.history_requests_max",
                self.history_requests_max,
                history,
            )?,
            models_max: within("prefetch.predictor.models_max", self.models_max, (1, 65_536))?,
            half_life: millis("prefetch.predictor.half_life_millis", self.half_life_millis)?,
        })
    }
}

impl PredictorConfig {
    /// In which half-life a time lies.
    fn period(&self, time: Instant) -> u64 {
        time.0 / self.half_life.0
    }
}

/// A model that may be asked for next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Prediction {
    /// Which.
    pub model: ModelId,
    /// How likely the next request is for it, in parts of [`ONE`].
    pub score: u32,
}

/// What requests taught of what follows. Where the half-life changes, start with a new one: its counts are of periods.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Predictor {
    streams: BTreeMap<u64, Stream>,
    /// Streams by when they were seen last, and by key.
    by_age: BTreeSet<(Instant, u64)>,
    frequency: Frequency,
}

impl Predictor {
    /// A stream asks for a model.
    pub fn note(&mut self, stream: u64, model: ModelId, now: Instant, config: &PredictorConfig) {
        self.frequency.note(model, config.period(now), config.models_max as usize);
        let known = self.streams.remove(&stream);
        if let Some(known) = &known {
            self.by_age.remove(&(known.seen_at, stream));
        }
        while self.streams.len() >= config.streams_max as usize {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            self.streams.remove(&oldest);
        }
        let mut followed = known.unwrap_or_default();
        followed.note(model, now, config.history_requests_max as usize);
        self.by_age.insert((now, stream));
        self.streams.insert(stream, followed);
    }

    /// The `count` models that are most likely asked for next, the most likely first, of equal ones the lowest id; none
    /// without a chance.
    #[must_use]
    pub fn predict(&self, now: Instant, count: usize, config: &PredictorConfig) -> Vec<Prediction> {
        let period = config.period(now);
        let mut parts: BTreeMap<ModelId, u64> = BTreeMap::new();
        // Weights are in parts of ONE, shares of them in parts of its square.
        let (mut whole, mut passed) = (0u64, 0u64);
        for stream in self.streams.values() {
            let age = period.saturating_sub(config.period(stream.seen_at));
            let weight = (u64::from(ONE) >> age.min(63)) << 16;
            whole += weight;
            passed += weight;
            let (followers, transitions) = stream.followers();
            for (model, times) in followers {
                let part = weight * u64::from(times) / (u64::from(transitions) + 1);
                *parts.entry(model).or_default() += part;
                passed -= part;
            }
        }
        if whole == 0 {
            (whole, passed) = (1 << 32, 1 << 32);
        }
        let counts = self.frequency.counts(period);
        let sum: u128 = counts.iter().map(|(_, count)| u128::from(*count)).sum();
        for (model, count) in counts {
            if let Some(part) = (u128::from(passed) * u128::from(count)).checked_div(sum) {
                *parts.entry(model).or_default() += part as u64;
            }
        }
        let mut predictions: Vec<Prediction> = parts
            .into_iter()
            .map(|(model, part)| Prediction {
                model,
                score: (u128::from(part) * u128::from(ONE) / u128::from(whole)) as u32,
            })
            .filter(|prediction| prediction.score > 0)
            .collect();
        // Stable, so that equal scores stay in order of id.
        predictions.sort_by_key(|prediction| core::cmp::Reverse(prediction.score));
        predictions.truncate(count);
        predictions
    }
}

#[cfg(test)]
mod tests;
