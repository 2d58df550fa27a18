//! Finds the cheapest fleet, and the greatest load of one.

use anyhow::{Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use sim_host::api::Engine;

use super::candidates::Candidate;
use super::judge::{Judge, Judged, Which};
use super::load::{Load, Scale};

/// Fleets that are told: the cheapest, and those that come next.
const TOLD: usize = 3;
/// Points of the curve around the cheapest.
const CURVE: u32 = 9;
/// How closely a greatest rate is found, as a share of it.
const RATE_STEP: f64 = 0.02;
/// Doublings or halvings of a load before its bound is given up.
const DOUBLINGS: usize = 20;
/// What rounding may put a point below a line.
const ROUNDING: f64 = 1e-9;
/// Steps by which a result is corrected when fresh replicates do not confirm it.
const CORRECTIONS: usize = 20;

/// A fleet and how it does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Fleet {
    /// What it is made of.
    pub candidate: String,
    /// How many hosts it has.
    pub hosts: u32,
    /// What an hour of it costs, in hundredths of a currency; nothing where not known.
    pub cents_per_hour: Option<u64>,
    /// How it does.
    pub judged: Judged,
    /// What it lays over the scenario, but for the load.
    pub sets: Vec<String>,
}

/// A candidate without a fleet among those that are told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Left {
    /// What it is made of.
    pub candidate: String,
    /// Why it was left.
    pub why: String,
}

/// What is found for a load.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The load.
    pub load: Load,
    /// The cheapest fleet of each of the best candidates, the cheapest first; none where none meets the objectives.
    pub fleets: Vec<Fleet>,
    /// How the cheapest does on replicates on which no choice rests; nothing where there are none.
    pub fresh: Option<Judged>,
    /// Hosts by which the cheapest was corrected, since fresh replicates did not confirm fewer.
    pub corrected: u32,
    /// Fleets of the cheapest candidate around it, by number of hosts.
    pub curve: Vec<Fleet>,
    /// The number of hosts from which on more of them bring little.
    pub knee: Option<u32>,
    /// Candidates that are not among the fleets.
    pub left: Vec<Left>,
}

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
}

/// A candidate with its prices.
struct Priced<'a> {
    candidate: &'a Candidate,
    /// What so many hosts cost, from none on; nothing where a price is not known.
    cents: Option<Vec<u64>>,
}

impl Priced<'_> {
    /// What orders fleets: their cost, else how many hosts they have.
    fn rank(&self, hosts: u32) -> u64 {
        self.cents.as_ref().map_or(u64::from(hosts), |cents| cents[hosts as usize])
    }
}

/// Stopped by Ctrl-C: nothing is told.
type Stopped<T> = Result<Option<T>>;

/// What is found of a candidate.
enum Fewest {
    Hosts(u32, Judged),
    No(String),
}

/// Finds the cheapest fleet for a load.
///
/// # Errors
/// Where a run fails, or only some candidates have prices.
pub fn cheapest(
    judge: &Judge<'_>,
    (scale, load): (&Scale, Load),
    candidates: &[Candidate],
    hosts: (u32, u32),
) -> Stopped<Answer> {
    let load_sets = scale.sets(load)?;
    let search = Search { judge, load: &load_sets };
    let mut priced = candidates.iter().map(|of| search.priced(of, hosts.1)).collect::<Result<Vec<_>>>()?;
    if priced.iter().any(|of| of.cents.is_some()) && priced.iter().any(|of| of.cents.is_none()) {
        bail!(
            "only some candidates have a price, expected all or none: give each --gpu its =CENTS, or each group its cost_cents_per_hour"
        );
    }
    priced.sort_by_key(|of| of.rank(hosts.0));
    // Rank and place of what was found, the cheapest first.
    let mut found: Vec<(u64, usize, u32, Judged)> = Vec::new();
    let mut left = Vec::new();
    for (at, of) in priced.iter().enumerate() {
        let bound = found.get(TOLD - 1).map(|(rank, ..)| *rank);
        let Some(fewest) = search.fewest(of, hosts, bound)? else { return Ok(None) };
        match fewest {
            Fewest::Hosts(hosts, judged) => {
                let rank = of.rank(hosts);
                let place = found.partition_point(|(known, ..)| *known <= rank);
                found.insert(place, (rank, at, hosts, judged));
            }
            Fewest::No(why) => left.push(Left { candidate: of.candidate.name.clone(), why }),
        }
    }
    for (_, at, hosts, _) in found.split_off(TOLD.min(found.len())) {
        let why = format!("needs {hosts} hosts, which cost more");
        left.push(Left { candidate: priced[at].candidate.name.clone(), why });
    }
    let mut answer =
        Answer { load, fleets: Vec::new(), fresh: None, corrected: 0, curve: Vec::new(), knee: None, left };
    // What was chosen as the cheapest may be so by chance: it must hold on replicates on which the choice does not rest.
    let mut corrections = 0;
    while judge.has_fresh() && !found.is_empty() {
        let (_, at, count, _) = found[0];
        let Some(fresh) = search.judge(&priced[at], count, Which::Fresh)? else { return Ok(None) };
        if fresh.meets {
            answer.fresh = Some(fresh);
            break;
        }
        found.remove(0);
        if count >= hosts.1 || corrections >= CORRECTIONS {
            let why = format!("fresh replicates do not confirm {count} hosts");
            answer.left.push(Left { candidate: priced[at].candidate.name.clone(), why });
            continue;
        }
        corrections += 1;
        let Some(judged) = search.judge(&priced[at], count + 1, Which::Searched)? else { return Ok(None) };
        let rank = priced[at].rank(count + 1);
        found.insert(found.partition_point(|(known, ..)| *known <= rank), (rank, at, count + 1, judged));
    }
    answer.corrected = corrections as u32;
    if let Some((_, at, count, _)) = found.first() {
        let Some(curve) = search.curve(&priced[*at], *count, hosts)? else { return Ok(None) };
        answer.knee = knee(&curve, judge);
        answer.curve = curve;
    }
    answer.fleets =
        found.into_iter().map(|(_, at, count, judged)| search.fleet(&priced[at], count, judged)).collect();
    Ok(Some(answer))
}

struct Search<'a> {
    judge: &'a Judge<'a>,
    load: &'a [String],
}

impl Search<'_> {
    fn priced<'b>(&self, candidate: &'b Candidate, hosts_max: u32) -> Result<Priced<'b>> {
        let mut sets = candidate.sets.clone();
        sets.push(format!("fleet.hosts={hosts_max}"));
        let told = |error: anyhow::Error| error.context(format!("candidate {}", candidate.name));
        let scenario = self.judge.scenario_of(&sets, 0).map_err(told)?;
        let source = scenario.workload.source(scenario.file.seed)?;
        let fleet = scenario.fleet(source.models(), Engine::Coalesced)?;
        let mut cents = vec![0_u64];
        let mut known = true;
        for host in &fleet.hosts {
            if host.declaration.standby {
                bail!(
                    "found hosts that stand by, expected a fleet that is on: how many of them are needed is what is asked"
                );
            }
            known &= host.declaration.cost_cents_per_hour > 0;
            cents.push(cents.last().unwrap_or(&0) + u64::from(host.declaration.cost_cents_per_hour));
        }
        Ok(Priced { candidate, cents: known.then_some(cents) })
    }

    fn sets(&self, candidate: &Candidate, hosts: u32) -> Vec<String> {
        let own = candidate.sets.iter().cloned();
        own.chain([format!("fleet.hosts={hosts}")]).chain(self.load.iter().cloned()).collect()
    }

    fn judge(&self, of: &Priced<'_>, hosts: u32, which: Which) -> Stopped<Judged> {
        self.judge.judge(&self.sets(of.candidate, hosts), which)
    }

    fn fleet(&self, of: &Priced<'_>, hosts: u32, judged: Judged) -> Fleet {
        let mut sets = of.candidate.sets.clone();
        sets.push(format!("fleet.hosts={hosts}"));
        let cents_per_hour = of.cents.as_ref().map(|cents| cents[hosts as usize]);
        Fleet { candidate: of.candidate.name.clone(), hosts, cents_per_hour, judged, sets }
    }

    /// The fewest hosts of a candidate that meet the objectives and cost less than a bound.
    fn fewest(&self, of: &Priced<'_>, (least, most): (u32, u32), bound: Option<u64>) -> Stopped<Fewest> {
        let no = |why: String| Ok(Some(Fewest::No(why)));
        let affordable = |hosts: &u32| bound.is_none_or(|bound| of.rank(*hosts) < bound);
        let Some(top) = (least..=most).rev().find(affordable) else {
            return no(format!("costs more even with {least} hosts"));
        };
        if bound.is_some() {
            let Some(judged) = self.judge(of, top, Which::Searched)? else { return Ok(None) };
            if !judged.meets {
                return no(format!("needs more than {top} hosts, which cost more"));
            }
        }
        // Doubling until it is enough, then halving what is in between.
        let (mut too_few, mut hosts) = (least - 1, least);
        let mut enough = loop {
            let Some(judged) = self.judge(of, hosts, Which::Searched)? else { return Ok(None) };
            if judged.meets {
                break (hosts, judged);
            }
            if hosts == top {
                return no(format!("does not meet the objectives with {top} hosts"));
            }
            too_few = hosts;
            hosts = hosts.saturating_mul(2).min(top);
        };
        while enough.0 - too_few > 1 {
            let middle = too_few + (enough.0 - too_few) / 2;
            let Some(judged) = self.judge(of, middle, Which::Searched)? else { return Ok(None) };
            if judged.meets { enough = (middle, judged) } else { too_few = middle }
        }
        Ok(Some(Fewest::Hosts(enough.0, enough.1)))
    }

    fn curve(&self, of: &Priced<'_>, hosts: u32, (least, most): (u32, u32)) -> Stopped<Vec<Fleet>> {
        let (from, to) = ((hosts - hosts / 2).max(least), hosts.saturating_mul(2).max(hosts + 2).min(most));
        let mut counts: Vec<u32> =
            (0..CURVE).map(|at| from + (to - from) * at / (CURVE - 1)).chain([hosts]).collect();
        counts.sort_unstable();
        counts.dedup();
        let mut curve = Vec::new();
        for count in counts {
            let Some(judged) = self.judge(of, count, Which::Searched)? else { return Ok(None) };
            curve.push(self.fleet(of, count, judged));
        }
        Ok(Some(curve))
    }
}

/// The number of hosts at which the curve of the first objective's measure lies farthest below the line between its ends (Satopää et al., "Finding
/// a Kneedle in a haystack", ICDCSW 2011); nothing where fewer than three points have a bounded value, or none lies below.
fn knee(curve: &[Fleet], judge: &Judge<'_>) -> Option<u32> {
    let slo = judge.slos.first()?;
    let sign = if slo.measure().more_is_better { -1.0 } else { 1.0 };
    let points: Vec<(u32, f64)> = curve
        .iter()
        .filter_map(|fleet| Some((fleet.hosts, sign * fleet.judged.means[slo.measure]?)))
        .filter(|(_, value)| value.is_finite())
        .collect();
    farthest_below(&points)
}

fn farthest_below(points: &[(u32, f64)]) -> Option<u32> {
    let ((first, high), (last, low)) = (*points.first()?, *points.last()?);
    if points.len() < 3 || high <= low {
        return None;
    }
    let below = |(hosts, value): &(u32, f64)| {
        let along = f64::from(hosts - first) / f64::from(last - first);
        1.0 - along - (value - low) / (high - low)
    };
    let best = points.iter().map(|point| (below(point), point.0));
    best.filter(|(below, _)| *below > ROUNDING)
        .max_by(|one, other| one.0.total_cmp(&other.0).then(other.1.cmp(&one.1)))
        .map(|(_, hosts)| hosts)
}

/// Finds the greatest load that a fleet takes: to whole users, or to two percent of a rate.
///
/// # Errors
/// Where a run fails.
pub fn capacity(judge: &Judge<'_>, scale: &Scale, candidate: &Candidate) -> Stopped<Capacity> {
    let hosts = {
        let scenario = judge.scenario_of(&candidate.sets, 0)?;
        let source = scenario.workload.source(scenario.file.seed)?;
        scenario.fleet(source.models(), Engine::Coalesced)?.hosts.len() as u32
    };
    let at = |load: Load, which: Which| -> Stopped<Judged> {
        let sets: Vec<String> = candidate.sets.iter().cloned().chain(scale.sets(load)?).collect();
        judge.judge(&sets, which)
    };
    let mut found = Capacity {
        candidate: candidate.name.clone(),
        hosts,
        load: None,
        judged: None,
        fresh: None,
        too_much: None,
    };
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
                return Ok(Some(found));
            }
            factor /= 2.0;
        }
        if low.is_some() && high.is_some() {
            break;
        }
    }
    let (Some(mut low), Some(mut high)) = (low, high) else { return Ok(Some(found)) };
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
            return Ok(Some(found));
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
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knee_is_where_the_curve_lies_farthest_below_its_ends() {
        assert_eq!(farthest_below(&[(4, 100.0), (5, 20.0), (6, 10.0), (7, 5.0), (8, 0.0)]), Some(5));
        assert_eq!(farthest_below(&[(4, 4.0), (5, 3.0), (6, 2.0), (7, 1.0)]), None, "a line has none");
        assert_eq!(farthest_below(&[(4, 1.0), (5, 2.0), (6, 3.0)]), None, "neither has what rises");
        assert_eq!(farthest_below(&[(4, 1.0), (5, 0.0)]), None);
    }
}
