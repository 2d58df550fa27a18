//! How long an answer will be and how long it will take, as quantiles, learned from answers; and how good that was.
//!
//! Length: a decayed histogram ([`lengths`]) for each model, and one for each pair of model and tenant from when a second
//! tenant asks for the model. A pair speaks for itself from [`PAIR_ANSWERS_MIN`] answers on; before that its model speaks, from the first answer on; before that
//! nothing is known, and who must decide takes what `facts/models.rs` assumes.
//!
//! Time from dispatch to the last byte: the time to the first token ([`service`]), and the quantile of the length at the
//! host's pace. The pace is taken for certain, so the spread of the time is that of the length alone.
//!
//! Left out: what the prompt says of the answer; that an answer which its cap cut off would have been longer (it counts as
//! long as it was, so caps that bite pull the quantiles of uncapped requests down); embeddings, which generate nothing.

pub mod lengths;
pub mod score;
pub mod service;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::learned::NewIds;
use crate::ids::{ModelId, TenantId};
use crate::request::{Arrive, Kind, Usage};
use crate::units::Nanos;
use lengths::{Lengths, Quantiles};
use service::{Busy, Speed};

/// Answers from which a pair of model and tenant has quantiles of its own: three of them lie above its 90th percentile.
pub const PAIR_ANSWERS_MIN: u32 = 32;
/// Most pairs of model and tenant; a further one takes the place of one that had no answer of late.
pub const PAIRS_MAX: usize = 1_024;

/// What is predicted of a request when it is let out; 24 bytes, since each request under way has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Prediction {
    /// No answer of its model was seen yet.
    #[default]
    Nothing,
    /// The model is known, but not on that host.
    Output(Quantiles),
    /// Both.
    OutputAndService {
        /// Tokens of the answer.
        output_tokens: Quantiles,
        /// From dispatch to the last byte.
        service_micros: Quantiles,
        /// Mean of that for the model so far: the forecast to beat.
        mean_service_micros: u32,
    },
}

/// A span in whole microseconds; 71 minutes and more are the same.
#[inline]
fn micros(span: Nanos) -> u32 {
    u32::try_from(span.0 / 1_000).unwrap_or(u32::MAX)
}

/// Answers of a model.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct ModelAnswers {
    lengths: Lengths,
    /// How many, and from dispatch to last byte of all.
    answers: u64,
    service_micros: u64,
    /// Who asked first, and whether others did: what one tenant alone asks for is the model's own histogram.
    tenant: Option<TenantId>,
    shared: bool,
}

/// Answers of a model to a tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Pair {
    model: ModelId,
    tenant: TenantId,
    /// It had an answer since the hand last passed.
    recent: bool,
    lengths: Lengths,
}

/// What answers taught of their lengths and times. A lookup is O(log pairs), and so is to learn; a new pair costs a move of
/// the index.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Predictor {
    models: Vec<ModelAnswers>,
    pairs: Vec<Pair>,
    /// Where pairs lie, in order of model and tenant.
    places: Vec<(ModelId, TenantId, u32)>,
    /// The pair that is next to be replaced, if it had no answer since the hand came by last (CLOCK, Corbató 1968: near to
    /// least recently used, O(1) amortised).
    hand: u32,
}

impl Predictor {
    /// Quantiles of the tokens of an answer, under the request's cap; `None` before the model's first answer, and for
    /// what generates nothing.
    #[must_use]
    #[inline]
    pub fn output_tokens(&self, arrive: &Arrive) -> Option<Quantiles> {
        if arrive.kind == Kind::Embedding {
            return None;
        }
        let model = self.models.get(arrive.model.index())?;
        let of_model = model.lengths.quantiles()?;
        let place = if model.shared { self.place(arrive.model, arrive.tenant).ok() } else { None };
        let of_pair = place.and_then(|at| {
            let lengths = &self.pairs[self.places[at].2 as usize].lengths;
            lengths.quantiles().filter(|_| lengths.answers() >= PAIR_ANSWERS_MIN)
        });
        Some(of_pair.unwrap_or(of_model).capped(arrive.num_predict))
    }

    /// The same for who must decide: assumed values where nothing is known.
    #[must_use]
    #[inline]
    pub fn expected_output_tokens(&self, arrive: &Arrive) -> Quantiles {
        if arrive.kind == Kind::Embedding {
            return Quantiles::default();
        }
        self.output_tokens(arrive)
            .unwrap_or_else(|| super::models::ASSUMED_OUTPUT_QUANTILES.capped(arrive.num_predict))
    }

    /// What is predicted of a request that goes to a host of this speed, where that is known.
    #[must_use]
    #[inline]
    pub fn predict(&self, arrive: &Arrive, prompt_tokens: u32, host: Option<(Speed, Busy)>) -> Prediction {
        let Some(output_tokens) = self.output_tokens(arrive) else { return Prediction::Nothing };
        let model = &self.models[arrive.model.index()];
        let (Some((speed, busy)), Some(mean)) = (host, model.service_micros.checked_div(model.answers))
        else {
            return Prediction::Output(output_tokens);
        };
        let first = speed.until_first_token(prompt_tokens, busy);
        let at = |tokens| micros(Nanos(first.saturating_add(speed.after_first_token(tokens))));
        Prediction::OutputAndService {
            output_tokens,
            service_micros: Quantiles { p50: at(output_tokens.p50), p90: at(output_tokens.p90) },
            mean_service_micros: u32::try_from(mean).unwrap_or(u32::MAX),
        }
    }

    /// Learns from an answer that took `service` from dispatch to its last byte.
    #[inline]
    pub fn learn(&mut self, arrive: &Arrive, usage: &Usage, service: Nanos) {
        if arrive.kind == Kind::Embedding || !usage.is_answer() {
            return;
        }
        if self.models.len() <= arrive.model.index() {
            self.models.resize_with(arrive.model.index() + 1, ModelAnswers::default);
        }
        let model = &mut self.models[arrive.model.index()];
        model.lengths.learn(usage.output_tokens);
        model.answers += 1;
        model.service_micros += u64::from(micros(service));
        model.shared |= *model.tenant.get_or_insert(arrive.tenant) != arrive.tenant;
        if !model.shared {
            return;
        }
        let pair = self.pair_mut(arrive.model, arrive.tenant);
        pair.recent = true;
        pair.lengths.learn(usage.output_tokens);
    }

    /// The same with other ids; what has none is left out.
    pub(super) fn renamed(&self, ids: &NewIds) -> Self {
        let mut renamed = Self::default();
        for (old, answers) in (0..).map(ModelId).zip(&self.models) {
            let Some(&new) = ids.models.get(&old).filter(|_| answers.answers > 0) else { continue };
            if renamed.models.len() <= new.index() {
                renamed.models.resize_with(new.index() + 1, ModelAnswers::default);
            }
            // A tenant without an id is somebody else from now on.
            let tenant = answers.tenant.and_then(|tenant| ids.tenants.get(&tenant).copied());
            let shared = answers.shared || tenant.is_none();
            renamed.models[new.index()] = ModelAnswers { tenant, shared, ..answers.clone() };
        }
        for pair in &self.pairs {
            if let (Some(&model), Some(&tenant)) =
                (ids.models.get(&pair.model), ids.tenants.get(&pair.tenant))
            {
                renamed.add(Pair { model, tenant, ..pair.clone() });
            }
        }
        renamed
    }

    #[inline]
    fn place(&self, model: ModelId, tenant: TenantId) -> Result<usize, usize> {
        self.places.binary_search_by_key(&(model, tenant), |(model, tenant, _)| (*model, *tenant))
    }

    #[inline]
    fn pair_mut(&mut self, model: ModelId, tenant: TenantId) -> &mut Pair {
        let at = match self.place(model, tenant) {
            Ok(at) => self.places[at].2,
            Err(_) => self.add(Pair { model, tenant, recent: true, lengths: Lengths::default() }),
        };
        &mut self.pairs[at as usize]
    }

    /// Makes room for a new pair; gives where it lies.
    #[cold]
    fn add(&mut self, pair: Pair) -> u32 {
        let (model, tenant) = (pair.model, pair.tenant);
        let at = if self.pairs.len() < PAIRS_MAX {
            self.pairs.push(pair);
            (self.pairs.len() - 1) as u32
        } else {
            let at = self.idle();
            let old = core::mem::replace(&mut self.pairs[at as usize], pair);
            let place = self.place(old.model, old.tenant).expect("each pair has a place");
            self.places.remove(place);
            at
        };
        let place = self.place(model, tenant).expect_err("the pair is new");
        self.places.insert(place, (model, tenant, at));
        at
    }

    /// The next pair that had no answer since the hand passed it.
    fn idle(&mut self) -> u32 {
        loop {
            let at = self.hand;
            self.hand = (at + 1) % PAIRS_MAX as u32;
            if !core::mem::take(&mut self.pairs[at as usize].recent) {
                return at;
            }
        }
    }
}

#[cfg(test)]
mod tests;
