//! Finds the greatest load of a fleet.

use anyhow::anyhow;
use serde::{Deserialize, Serialize};
use sim_host::api::Engine;

use super::candidates::Candidate;
use super::judge::{Judge, Judged, Which};
use super::load::{Load, Scale};
use super::looked::Looked;
use super::price::{Asked, Priced, Ranking};
use super::search::{CORRECTIONS, Stopped};

/// How closely a greatest rate is found, as a share of it.
const RATE_STEP: f64 = 0.02;
/// Doublings or halvings of a load before its bound is given up.
const DOUBLINGS: usize = 20;

/// The greatest load that a fleet takes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Capacity {
    /// What it is made of.
    pub candidate: String,
    /// How many hosts it has.
    pub hosts: u32,
    /// The greatest load that was found to be within the objectives.
    pub load: Option<Load>,
    /// How the fleet does at it.
    pub judged: Option<Judged>,
    /// How it does on fresh replicates; nothing where there are none.
    pub fresh: Option<Judged>,
    /// The least load that was found to be too much.
    pub too_much: Option<Load>,
    /// Every load that was run.
    pub looked: Vec<Looked>,
}

/// Finds the greatest load that a fleet takes: to whole users, or to two percent of a rate.
///
/// # Errors
/// Where a run fails.
pub fn capacity(
    judge: &Judge<'_>,
    scale: &Scale,
    candidate: &Candidate,
    cents_per_kwh: Option<u32>,
) -> Stopped<Capacity> {
    let scenario = judge.scenario_of(&candidate.sets, 0)?;
    let source = scenario.workload.source(scenario.file.seed)?;
    let fleet = scenario.fleet(source.models(), Engine::Coalesced)?;
    let hosts = fleet.hosts.len() as u32;
    let priced = [Priced::of(candidate, &fleet)];
    let ranking = Ranking::new(&priced, &Asked { hosts: (hosts, hosts), rank: None, cents_per_kwh })?;
    let mut looked: Vec<Looked> = Vec::new();
    let mut at = |load: Load, which: Which| -> Stopped<Judged> {
        let sets: Vec<String> = candidate.sets.iter().cloned().chain(scale.sets(load)?).collect();
        let judged = judge.judge(&sets, which)?;
        looked.extend(judged.as_ref().map(|judged| {
            let fleet = (candidate.name.as_str(), hosts, ranking.cents(&priced[0], hosts, judged.watts()));
            Looked::at(load, fleet, judged, which == Which::Fresh)
        }));
        Ok(judged)
    };
    let mut found = Capacity {
        candidate: candidate.name.clone(),
        hosts,
        load: None,
        judged: None,
        fresh: None,
        too_much: None,
        looked: Vec::new(),
    };
    let told = greatest((judge, scale), &mut at, &mut found)?;
    found.looked = looked;
    Ok(told.map(|()| found))
}

/// Doubles or halves the scenario's load, then halves what is in between, then goes down until fresh replicates confirm it. Nothing where it was
/// stopped.
fn greatest(
    (judge, scale): (&Judge<'_>, &Scale),
    at: &mut dyn FnMut(Load, Which) -> Stopped<Judged>,
    found: &mut Capacity,
) -> Stopped<()> {
    let (mut low, mut high): (Option<f64>, Option<f64>) = (None, None);
    let mut factor = 1.0;
    for _ in 0..DOUBLINGS {
        let load = scale.times(factor);
        let Some(judged) = at(load, Which::Searched)? else { return Ok(None) };
        let least = matches!(load, Load::Users(1));
        if judged.meets {
            (low, found.load, found.judged) = (Some(factor), Some(load), Some(judged));
            factor *= 2.0;
        } else {
            (high, found.too_much) = (Some(factor), Some(load));
            if least {
                return Ok(Some(()));
            }
            factor /= 2.0;
        }
        if low.is_some() && high.is_some() {
            break;
        }
    }
    let (Some(mut low), Some(mut high)) = (low, high) else { return Ok(Some(())) };
    let apart = |low: f64, high: f64| match (scale.times(low), scale.times(high)) {
        (Load::Users(low), Load::Users(high)) => high > low + 1,
        _ => high > low * (1.0 + RATE_STEP),
    };
    while apart(low, high) {
        let middle = (low + high) / 2.0;
        let load = scale.times(middle);
        let Some(judged) = at(load, Which::Searched)? else { return Ok(None) };
        if judged.meets {
            (low, found.load, found.judged) = (middle, Some(load), Some(judged));
        } else {
            (high, found.too_much) = (middle, Some(load));
        }
    }
    // Lower until fresh replicates confirm it.
    for _ in 0..CORRECTIONS {
        let Some(load) = found.load.filter(|_| judge.has_fresh()) else { break };
        let Some(fresh) = at(load, Which::Fresh)? else { return Ok(None) };
        let met = fresh.meets;
        found.fresh = Some(fresh);
        if met {
            return Ok(Some(()));
        }
        found.too_much = Some(load);
        let next = match load {
            Load::Users(users) if users > 1 => Load::Users(users - 1),
            Load::Users(_) => return Err(anyhow!("fresh replicates do not confirm even one user")),
            Load::PerSecond(rate) => Load::PerSecond(rate / (1.0 + RATE_STEP)),
        };
        found.load = Some(next);
        found.judged = at(next, Which::Searched)?;
    }
    Ok(Some(()))
}
