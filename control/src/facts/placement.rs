//! What placement rests on: how much is asked of each model, what it takes in memory, since when it is where it is; and the plan that
//! is aimed at.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::loading::Place;
use crate::door::Deed;
use crate::ids::{HostId, ModelId};
use crate::place::problem::Plan;
use crate::units::{Bytes, Instant, Nanos};

/// Bins of a day's profile: half an hour each.
const BINS: usize = 48;
const BIN: Nanos = Nanos::from_secs(1_800);
/// Parts of 1,024 that a new day counts in the profile.
const DAY_PARTS: u128 = 512;
const PARTS: u128 = 1_024;

/// How much is asked of a model.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Demand {
    /// Requests since the last tick.
    pub arrived: u64,
    /// Requests a second, in millionths, smoothed.
    pub arrivals_micros: u64,
    /// Time in slots that answers took.
    pub service: ServiceMean,
    /// What it took in memory where it was seen, at most.
    pub memory: Bytes,
    /// Requests a second, in millionths, by half-hour of the day; empty until the first is over.
    pub profile: Vec<u64>,
    /// Requests in the half-hour that runs.
    pub bin_arrived: u64,
}

/// A running mean that forgets: the last few hundred answers count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ServiceMean {
    nanos: u64,
    answers: u32,
}

impl ServiceMean {
    /// Answers that count.
    const ANSWERS_MAX: u32 = 256;

    /// Another answer took this long.
    pub fn add(&mut self, took: Nanos) {
        self.answers = (self.answers + 1).min(Self::ANSWERS_MAX);
        let weight = i128::from(self.answers);
        let step = (i128::from(took.0) - i128::from(self.nanos)) / weight;
        self.nanos = (i128::from(self.nanos) + step).clamp(0, u64::MAX.into()) as u64;
    }

    /// The mean; `None` before the first answer.
    #[must_use]
    pub fn get(self) -> Option<Nanos> {
        (self.answers > 0).then_some(Nanos(self.nanos))
    }
}

/// What placement knows.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PlacementFacts {
    /// By model.
    pub demand: Vec<Demand>,
    /// When demand was last folded.
    pub folded_at: Option<Instant>,
    /// When the next plan is made; `None` where none is.
    pub tick_at: Option<Instant>,
    /// The half-hour that runs, counted from the start of the run.
    pub bin: u64,
    /// Since when each model is in each memory, as far as polls tell.
    pub since: BTreeMap<Place, Instant>,
    /// What is aimed at.
    pub plan: Option<Plan>,
    /// Models for which more waited than their planned replicas could take soon: their requests go to all of these.
    pub short: BTreeSet<ModelId>,
    /// When the plan is to grow, since requests wait.
    pub grow_at: Option<Instant>,
    /// When it grew last.
    pub grown_at: Instant,
    /// What was proposed and not done, since control may not act: each is said once for a plan.
    pub proposed: BTreeSet<(HostId, ModelId, Deed)>,
    /// Plans that differed from the one before.
    pub plans: u64,
    /// Models that were asked for where no host had them, and that are to be brought.
    pub wanted: BTreeSet<ModelId>,
}

impl PlacementFacts {
    /// How often a model is asked for, in millionths of a request a second, smoothed.
    #[must_use]
    pub fn arrivals_micros(&self, model: ModelId) -> u64 {
        self.demand.get(model.index()).map_or(0, |demand| demand.arrivals_micros)
    }

    /// What is known of a model's demand.
    pub(crate) fn demand_mut(&mut self, model: ModelId) -> &mut Demand {
        if self.demand.len() <= model.index() {
            self.demand.resize_with(model.index() + 1, Demand::default);
        }
        &mut self.demand[model.index()]
    }

    /// Folds what arrived since the last time into rates; `half_life` is how soon it counts half.
    pub(crate) fn fold(&mut self, now: Instant, half_life: Nanos) {
        let first = self.folded_at.is_none();
        let span = now.since(self.folded_at.replace(now).unwrap_or(Instant::ZERO));
        if span == Nanos::ZERO {
            return;
        }
        for demand in &mut self.demand {
            let rate = rate_micros(core::mem::take(&mut demand.arrived), span);
            // A first-order filter, implicit in time: the weight of what is new is t / (t + T / ln 2).
            let (new, old) = (u128::from(span.0), u128::from(half_life.0) * 14_427 / 10_000);
            let mixed = (u128::from(rate) * new + u128::from(demand.arrivals_micros) * old) / (new + old);
            demand.arrivals_micros = if first { rate } else { mixed as u64 };
        }
        self.turn_bins(now);
    }

    /// Half-hours that are over go into the profile of the day.
    fn turn_bins(&mut self, now: Instant) {
        let bin = now.0 / BIN.0;
        if bin == self.bin {
            return;
        }
        let over = (self.bin % BINS as u64) as usize;
        let days = self.bin / BINS as u64;
        for demand in &mut self.demand {
            let rate = rate_micros(core::mem::take(&mut demand.bin_arrived), BIN);
            if demand.profile.len() <= over {
                demand.profile.resize(BINS, 0);
            }
            let before = &mut demand.profile[over];
            let mixed = (u128::from(rate) * DAY_PARTS + u128::from(*before) * (PARTS - DAY_PARTS)) / PARTS;
            *before = if days == 0 { rate } else { mixed as u64 };
        }
        self.bin = bin;
    }

    /// What is expected of a model in the half-hour in which a time lies, in millionths of a request a second: what the days before
    /// had then; `None` before the first day is over.
    #[must_use]
    pub fn forecast_micros(&self, model: ModelId, at: Instant) -> Option<u64> {
        let bin = at.0 / BIN.0;
        if bin < BINS as u64 {
            return None;
        }
        self.demand.get(model.index())?.profile.get((bin % BINS as u64) as usize).copied()
    }
}

fn rate_micros(arrived: u64, span: Nanos) -> u64 {
    let micros = u128::from(arrived) * 1_000_000_000_000_000 / u128::from(span.0.max(1));
    micros.min(u64::MAX.into()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demand_follows_arrivals_and_half_of_the_way_in_about_a_half_life() {
        let mut facts = PlacementFacts::default();
        let second = |second| Instant::ZERO + Nanos::from_secs(second);
        let half_life = Nanos::from_secs(100);
        facts.demand_mut(ModelId(1)).arrived = 20;
        facts.fold(second(10), half_life);
        assert_eq!((facts.demand[0].arrivals_micros, facts.demand[1].arrivals_micros), (0, 2_000_000));
        for at in 2..=11 {
            facts.fold(second(at * 10), half_life);
        }
        let left = facts.demand[1].arrivals_micros;
        assert!((950_000..1_100_000).contains(&left), "{left}");
    }

    #[test]
    fn a_day_teaches_what_its_half_hours_bring() {
        let mut facts = PlacementFacts::default();
        let bin = |bin: u64| Instant(BIN.0 * bin);
        for at in 0..100 {
            // In the third half-hour of each day, nine requests a second.
            facts.demand_mut(ModelId(0)).bin_arrived = if at % 48 == 2 { 9 * 1_800 } else { 0 };
            facts.fold(bin(at + 1), BIN);
        }
        assert_eq!(facts.forecast_micros(ModelId(0), bin(98)), Some(9_000_000));
        assert_eq!(facts.forecast_micros(ModelId(0), bin(99)), Some(0));
        assert_eq!(facts.forecast_micros(ModelId(0), bin(3)), None, "the first day knows nothing");
    }

    #[test]
    fn a_mean_follows_a_change_within_a_few_hundred_answers() {
        let mut mean = ServiceMean::default();
        assert_eq!(mean.get(), None);
        (0..1_000).for_each(|_| mean.add(Nanos(1_000_000)));
        assert_eq!(mean.get(), Some(Nanos(1_000_000)));
        (0..1_000).for_each(|_| mean.add(Nanos(3_000_000)));
        assert!(mean.get().unwrap().0 > 2_900_000);
    }
}
