//! What answers taught of each host: how long first tokens take there, and how fast each model runs.
//!
//! Means decay with time, so that a host that has become slow, or fast again, is seen as it is. Kept with the facts, not
//! with a strategy: whoever decides next starts from it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::ModelId;
use crate::request::{Failure, Usage};
use crate::units::{Instant, Nanos};

/// Most models of a host whose pace is remembered: a gateway's clients may name many.
const PACES_MAX: usize = 64;
/// Time constant of the decay: Finagle's peak EWMA takes 10 s too.
const DECAY: Nanos = Nanos::from_secs(10);
/// Weights are counted in parts of this: a power of two, so that nothing is divided by it.
const WEIGHT_ONE: u64 = 1 << 10;
/// What a load weighs: loads are rare, and the last one says most, since it left the file in the page cache.
const WEIGHT_LOAD: u64 = WEIGHT_ONE / 2;
/// What a failed attempt weighs in a host's health: four in a row leave a third of it.
const WEIGHT_FAILURE: u64 = WEIGHT_ONE / 4;
/// Health never falls below this many thousandths, so that a host stays comparable.
const HEALTH_PERMILLE_MIN: u64 = 50;
/// A value weighs at least so much (a twentieth): answers that come together must count, too.
const WEIGHT_MIN: u64 = WEIGHT_ONE / 20;

/// Since when a mean has stood, and so what the next value weighs: `dt / (dt + 10 s)`, the first-order form of an
/// exponential decay, in integers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Age(Option<Instant>);

impl Age {
    /// What a value weighs that comes now.
    #[inline]
    fn weight(&mut self, now: Instant) -> u64 {
        let Some(at) = self.0.replace(now) else { return WEIGHT_ONE };
        let span = now.since(at).0;
        (span / (span.saturating_add(DECAY.0) / WEIGHT_ONE)).clamp(WEIGHT_MIN, WEIGHT_ONE)
    }
}

/// A mean that forgets; none before the first value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Mean(Option<u64>);

impl Mean {
    /// The mean; `None` before the first value.
    #[must_use]
    #[inline]
    pub fn get(&self) -> Option<u64> {
        self.0
    }

    #[inline]
    fn add(&mut self, weight: u64, sample: u64) {
        let Some(value) = self.0 else {
            self.0 = Some(sample);
            return;
        };
        let (old, new) = (u128::from(value), u128::from(sample));
        self.0 = Some(((old * u128::from(WEIGHT_ONE - weight) + new * u128::from(weight)) >> 10) as u64);
    }

    /// Takes in how long a load took.
    pub(crate) fn add_load(&mut self, sample: Nanos) {
        self.add(WEIGHT_LOAD, sample.0);
    }

    /// Takes in that a load takes at least so long.
    pub(crate) fn load_takes(&mut self, least: Nanos) {
        self.0 = self.0.max(Some(least.0));
    }

    /// Takes a value in that counts at once where it is above the mean.
    #[inline]
    fn add_peak(&mut self, weight: u64, sample: u64) {
        if self.0.is_some_and(|value| sample > value) {
            self.0 = Some(sample);
        } else {
            self.add(weight, sample);
        }
    }
}

/// One model on one host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Pace {
    /// Time of a generated token, in nanoseconds.
    pub output_token: Mean,
    /// Time of an evaluated prompt token, in picoseconds.
    pub prompt_token_picos: Mean,
    /// First token where the model had to be loaded, in nanoseconds.
    pub cold_ttft: Mean,
    age: Age,
}

/// One host.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HostHistory {
    /// From dispatch to first byte, in nanoseconds.
    pub ttft: Mean,
    /// The same, with rises counted at once.
    pub ttft_peak: Mean,
    /// Attempts that failed by the host's fault, in thousandths; none before the first.
    failed: Mean,
    age: Age,
    paces: Vec<(ModelId, Pace)>,
}

impl HostHistory {
    /// A first token came after `ttft`; `loaded`: the model was loaded for it, from the beginning.
    pub fn on_first_byte(&mut self, now: Instant, model: ModelId, ttft: Nanos, loaded: bool) {
        let weight = self.age.weight(now);
        self.ttft.add(weight, ttft.0);
        self.ttft_peak.add_peak(weight, ttft.0);
        if self.failed.get().is_some() {
            self.failed.add(weight, 0);
        }
        if loaded {
            self.pace_mut(model).cold_ttft.add_load(ttft);
        }
    }

    /// A load was not over after so long.
    pub fn on_cold_timeout(&mut self, model: ModelId, waited: Nanos) {
        self.pace_mut(model).cold_ttft.load_takes(waited);
    }

    /// An attempt ended without a full answer.
    pub fn on_failed(&mut self, failure: Failure) {
        let hosts_fault = match failure {
            Failure::Unreachable
            | Failure::OutOfMemory
            | Failure::RunnerGone
            | Failure::ServerError
            | Failure::FirstByteTimeout
            | Failure::IdleTimeout
            | Failure::Broken => true,
            Failure::Busy | Failure::ModelMissing | Failure::BadRequest => false,
        };
        if hosts_fault {
            self.failed.0.get_or_insert(0);
            self.failed.add(WEIGHT_FAILURE, 1_000);
        }
    }

    /// The share of attempts of late that did not fail by the host's fault, in thousandths: 50 to 1,000.
    #[must_use]
    #[inline]
    pub fn health_permille(&self) -> u64 {
        1_000u64.saturating_sub(self.failed.get().unwrap_or(0)).max(HEALTH_PERMILLE_MIN)
    }

    /// When the last first token came; the beginning of time where none has.
    pub(crate) fn answered_at(&self) -> Instant {
        self.age.0.unwrap_or_default()
    }

    /// An answer is complete.
    pub fn on_finished(&mut self, now: Instant, model: ModelId, usage: &Usage) {
        let pace = self.pace_mut(model);
        let weight = pace.age.weight(now);
        let gaps = u64::from(usage.output_tokens).saturating_sub(1);
        if let Some(nanos) = usage.eval.0.checked_div(gaps).filter(|nanos| *nanos > 0) {
            pace.output_token.add(weight, nanos);
        }
        let picos = usage.prompt_eval.0.saturating_mul(1_000);
        if let Some(picos) = picos.checked_div(usage.prompt_tokens.into()).filter(|picos| *picos > 0) {
            pace.prompt_token_picos.add(weight, picos);
        }
    }

    /// What is known of the models here, by id.
    #[must_use]
    pub fn paces(&self) -> &[(ModelId, Pace)] {
        &self.paces
    }

    /// What is known of a model here.
    #[must_use]
    pub fn pace(&self, model: ModelId) -> Option<&Pace> {
        let at = self.paces.binary_search_by_key(&model, |pace| pace.0).ok()?;
        Some(&self.paces[at].1)
    }

    /// What is worth knowing of the host for long, with other ids of models; the times at which it was learned are left out.
    pub(crate) fn taught(&self, models: &BTreeMap<ModelId, ModelId>) -> Self {
        let renamed = self
            .paces
            .iter()
            .filter_map(|(model, pace)| Some((*models.get(model)?, Pace { age: Age::default(), ..*pace })));
        let mut paces: Vec<(ModelId, Pace)> = renamed.collect();
        paces.sort_unstable_by_key(|pace| pace.0);
        Self { ttft: self.ttft, ttft_peak: self.ttft_peak, paces, ..Self::default() }
    }

    /// What was learned before counts as if it had been learned now: the next answer moves it, and does not replace it.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.age = Age(Some(now));
        for (_, pace) in &mut self.paces {
            pace.age = Age(Some(now));
        }
    }

    /// Makes room for a model where there are [`PACES_MAX`]: the one that had no answer for the longest is forgotten, the
    /// lowest id of several. A walk: it is short and rare, and of so few a list by age gains nothing (`herder bench lru`).
    fn forget_oldest(&mut self) {
        if self.paces.len() < PACES_MAX {
            return;
        }
        let oldest = self.paces.iter().enumerate().min_by_key(|(_, (_, pace))| pace.age.0);
        if let Some((at, _)) = oldest {
            self.paces.remove(at);
        }
    }

    fn pace_mut(&mut self, model: ModelId) -> &mut Pace {
        let at = match self.paces.binary_search_by_key(&model, |pace| pace.0) {
            Ok(at) => at,
            Err(_) => {
                self.forget_oldest();
                let at = self.paces.partition_point(|pace| pace.0 < model);
                self.paces.insert(at, (model, Pace::default()));
                at
            }
        };
        &mut self.paces[at].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Nanos::from_millis(millis)
    }

    #[test]
    fn a_mean_moves_half_way_in_its_time_constant() {
        let (mut age, mut mean) = (Age::default(), Mean::default());
        assert_eq!(mean.get(), None);
        mean.add(age.weight(at(0)), 1_000);
        mean.add(age.weight(at(10_000)), 2_000);
        assert_eq!(mean.get(), Some(1_500));
        mean.add(age.weight(at(10_000)), 2_500);
        assert_eq!(mean.get(), Some(1_549), "what comes at once counts a twentieth");
    }

    #[test]
    fn a_peak_counts_at_once_and_is_forgotten_slowly() {
        let (mut age, mut mean) = (Age::default(), Mean::default());
        for (millis, sample) in [(0, 100), (1, 900), (2, 100)] {
            mean.add_peak(age.weight(at(millis)), sample);
        }
        assert_eq!(mean.get(), Some(860), "a twentieth of the way back");
    }

    #[test]
    fn times_at_their_limit_do_not_overflow() {
        let (mut age, mut mean) = (Age::default(), Mean::default());
        mean.add(age.weight(Instant::ZERO), u64::MAX);
        mean.add(age.weight(Instant::MAX), u64::MAX);
        assert_eq!(mean.get(), Some(u64::MAX));
        mean.add_peak(age.weight(Instant::MAX), 0);
        assert!(mean.get().is_some_and(|value| value < u64::MAX));
    }

    #[test]
    fn health_falls_with_failures_of_the_host_and_comes_back() {
        let mut history = HostHistory::default();
        history.on_failed(Failure::Busy);
        assert_eq!(history.health_permille(), 1_000, "a busy host is not sick");
        let healths: Vec<u64> = (0..40)
            .map(|_| {
                history.on_failed(Failure::ServerError);
                history.health_permille()
            })
            .collect();
        assert_eq!((healths[0], healths[3], healths[39]), (750, 318, 50));
        for second in 0..60 {
            history.on_first_byte(at(second * 1_000), ModelId(0), Nanos::from_millis(9), false);
        }
        assert!(history.health_permille() > 950, "{}", history.health_permille());
    }

    #[test]
    fn of_too_many_models_the_one_without_an_answer_for_the_longest_is_forgotten() {
        let mut history = HostHistory::default();
        let usage = Usage { output_tokens: 11, eval: Nanos(1_000), ..Usage::default() };
        for model in 0..PACES_MAX as u32 {
            history.on_finished(at(u64::from(model)), ModelId(model), &usage);
        }
        history.on_finished(at(1_000), ModelId(0), &usage);
        history.on_finished(at(1_001), ModelId(900), &usage);
        assert_eq!(history.paces().len(), PACES_MAX);
        assert!(history.pace(ModelId(0)).is_some() && history.pace(ModelId(900)).is_some());
        assert_eq!(history.pace(ModelId(1)), None);
        assert!(history.paces().is_sorted_by_key(|pace| pace.0));
    }

    #[test]
    fn paces_are_kept_by_model() {
        let mut history = HostHistory::default();
        let usage = Usage {
            prompt_tokens: 100,
            output_tokens: 11,
            prompt_eval: Nanos(50_000),
            eval: Nanos(1_000),
            ..Usage::default()
        };
        history.on_finished(at(1), ModelId(3), &usage);
        history.on_finished(at(1), ModelId(1), &Usage { output_tokens: 1, ..usage });
        assert_eq!(history.pace(ModelId(3)).unwrap().output_token.get(), Some(100));
        assert_eq!(history.pace(ModelId(3)).unwrap().prompt_token_picos.get(), Some(500_000));
        assert_eq!(history.pace(ModelId(1)).unwrap().output_token.get(), None, "one token has no gap");
        assert_eq!(history.pace(ModelId(2)), None);
    }
}
