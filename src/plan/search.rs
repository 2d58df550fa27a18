//! Finds the best fleet for a load.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use sim_host::api::Engine;

use super::candidates::Candidate;
use super::judge::{Judge, Judged, Which};
use super::load::{Load, Scale};
use super::looked::Looked;
use super::price::{Asked, Priced, Rank, Ranking};

/// Fleets that are told: the cheapest, and those that come next.
const TOLD: usize = 3;
/// Points of the curve around the cheapest.
const CURVE: u32 = 9;
/// What rounding may put a point below a line.
const ROUNDING: f64 = 1e-9;
/// Steps by which a result is corrected when fresh replicates do not confirm it.
pub(super) const CORRECTIONS: usize = 20;

/// A fleet and how it does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Fleet {
    /// What it is made of.
    pub candidate: String,
    /// How many hosts it has.
    pub hosts: u32,
    /// How many hosts of each GPU.
    pub made_of: Vec<(String, u32)>,
    /// What an hour of it costs, hosts and electricity, in hundredths of a currency; nothing where no price is known.
    pub cents_per_hour: Option<f64>,
    /// What all of it draws, mean over the time of a run, in watts; nothing where that is not known of a GPU.
    pub watts: Option<f64>,
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
    /// What the best fleet has least of.
    pub rank: Rank,
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
    /// Every fleet that was run.
    pub looked: Vec<Looked>,
}

/// Stopped by Ctrl-C: nothing is told.
pub(super) type Stopped<T> = Result<Option<T>>;

/// What is found of a candidate.
enum Fewest {
    Fleet(Found),
    No(String),
}

/// A fleet that meets the objectives.
struct Found {
    /// What orders fleets: less is better.
    rank: f64,
    /// Its place among the candidates.
    at: usize,
    hosts: u32,
    judged: Judged,
}

/// Finds the best fleet for a load: the cheapest, or what else was asked for.
///
/// # Errors
/// Where a run fails, or fleets cannot be ranked: only some candidates have prices, or watts are not known.
pub fn cheapest(
    judge: &Judge<'_>,
    (scale, load): (&Scale, Load),
    candidates: &[Candidate],
    asked: &Asked,
) -> Stopped<Answer> {
    let hosts = asked.hosts;
    let price = |of| priced(judge, of, hosts.1);
    let mut all = candidates.iter().map(price).collect::<Result<Vec<_>>>()?;
    let ranking = Ranking::new(&all, asked)?;
    // Stable: of equal ones the one that was named first stays ahead.
    all.sort_by(|one, other| ranking.at_least(one, hosts.0).total_cmp(&ranking.at_least(other, hosts.0)));
    let sets = scale.sets(load)?;
    let mut search = Search { judge, load, sets: &sets, priced: &all, ranking, looked: BTreeMap::new() };
    // The best first.
    let mut found: Vec<Found> = Vec::new();
    let mut left = Vec::new();
    for (at, of) in all.iter().enumerate() {
        let bound = found.get(TOLD - 1).map(|known| known.rank);
        let Some(fewest) = search.fewest(at, hosts, bound)? else { return Ok(None) };
        match fewest {
            Fewest::Fleet(fleet) => insert(&mut found, fleet),
            Fewest::No(why) => left.push(Left { candidate: of.candidate.name.clone(), why }),
        }
    }
    for Found { at, hosts, .. } in found.split_off(TOLD.min(found.len())) {
        let why = format!("needs {hosts} hosts, which {}", ranking.rank.more());
        left.push(Left { candidate: all[at].candidate.name.clone(), why });
    }
    let mut answer = Answer {
        load,
        rank: ranking.rank,
        fleets: Vec::new(),
        fresh: None,
        corrected: 0,
        curve: Vec::new(),
        knee: None,
        left,
        looked: Vec::new(),
    };
    // What was chosen may be the best by chance: it must hold on replicates on which the choice does not rest.
    let mut corrections = 0;
    while judge.has_fresh() && !found.is_empty() {
        let (at, count) = (found[0].at, found[0].hosts);
        let Some(fresh) = search.judge(at, count, Which::Fresh)? else { return Ok(None) };
        if fresh.meets {
            answer.fresh = Some(fresh);
            break;
        }
        found.remove(0);
        if count >= hosts.1 || corrections >= CORRECTIONS {
            let why = format!("fresh replicates do not confirm {count} hosts");
            answer.left.push(Left { candidate: all[at].candidate.name.clone(), why });
            continue;
        }
        corrections += 1;
        let Some(judged) = search.judge(at, count + 1, Which::Searched)? else { return Ok(None) };
        insert(&mut found, search.found(at, count + 1, judged));
    }
    answer.corrected = corrections as u32;
    if let Some(best) = found.first() {
        let Some(curve) = search.curve(best.at, best.hosts, hosts)? else { return Ok(None) };
        answer.knee = knee(&curve, judge);
        answer.curve = curve;
    }
    answer.fleets =
        found.into_iter().map(|found| search.fleet(found.at, found.hosts, found.judged)).collect();
    answer.looked = search.looked.into_values().collect();
    Ok(Some(answer))
}

/// Behind those that are as good.
fn insert(found: &mut Vec<Found>, new: Found) {
    found.insert(found.partition_point(|known| known.rank <= new.rank), new);
}

fn priced<'a>(judge: &Judge<'_>, candidate: &'a Candidate, hosts_max: u32) -> Result<Priced<'a>> {
    let mut sets = candidate.sets.clone();
    sets.push(format!("fleet.hosts={hosts_max}"));
    let told = |error: anyhow::Error| error.context(format!("candidate {}", candidate.name));
    let scenario = judge.scenario_of(&sets, 0).map_err(told)?;
    let source = scenario.workload.source(scenario.file.seed)?;
    let fleet = scenario.fleet(source.models(), Engine::Coalesced)?;
    if fleet.hosts.iter().any(|host| host.declaration.standby) {
        bail!(
            "found hosts that stand by, expected a fleet that is on: how many of them are needed is what is asked"
        );
    }
    Ok(Priced::of(candidate, &fleet))
}

struct Search<'a> {
    judge: &'a Judge<'a>,
    load: Load,
    sets: &'a [String],
    priced: &'a [Priced<'a>],
    ranking: Ranking,
    /// Fleets that were run, by candidate, hosts, and whether on fresh replicates.
    looked: BTreeMap<(usize, u32, bool), Looked>,
}

impl Search<'_> {
    fn judge(&mut self, at: usize, hosts: u32, which: Which) -> Stopped<Judged> {
        let of = &self.priced[at];
        let own = of.candidate.sets.iter().cloned();
        let sets: Vec<String> =
            own.chain([format!("fleet.hosts={hosts}")]).chain(self.sets.iter().cloned()).collect();
        let judged = self.judge.judge(&sets, which)?;
        if let Some(judged) = &judged {
            let cents = self.ranking.cents(of, hosts, judged.watts());
            let fleet = (of.candidate.name.as_str(), hosts, cents);
            let fresh = which == Which::Fresh;
            self.looked.insert((at, hosts, fresh), Looked::at(self.load, fleet, judged, fresh));
        }
        Ok(judged)
    }

    fn found(&self, at: usize, hosts: u32, judged: Judged) -> Found {
        Found { rank: self.ranking.of(&self.priced[at], hosts, judged.watts()), at, hosts, judged }
    }

    fn fleet(&self, at: usize, hosts: u32, judged: Judged) -> Fleet {
        let of = &self.priced[at];
        let mut sets = of.candidate.sets.clone();
        sets.push(format!("fleet.hosts={hosts}"));
        let watts = judged.watts();
        Fleet {
            candidate: of.candidate.name.clone(),
            hosts,
            made_of: of.made_of(hosts),
            cents_per_hour: self.ranking.cents(of, hosts, watts),
            watts,
            judged,
            sets,
        }
    }

    /// The best fleet of a candidate that meets the objectives, where that is better than a bound. It is the one with the fewest hosts, but where what
    /// they draw counts: there more hosts may draw less (they find more in their caches), so all are looked at that could be better even so.
    fn fewest(&mut self, at: usize, (least, most): (u32, u32), bound: Option<f64>) -> Stopped<Fewest> {
        let no = |why: String| Ok(Some(Fewest::No(why)));
        let at_least = |hosts: u32| self.ranking.at_least(&self.priced[at], hosts);
        let more = self.ranking.rank.more();
        let affordable = |hosts: &u32| bound.is_none_or(|bound| at_least(*hosts) < bound);
        let Some(top) = (least..=most).rev().find(affordable) else {
            return no(format!("is no better even with {least} hosts"));
        };
        if bound.is_some() {
            let Some(judged) = self.judge(at, top, Which::Searched)? else { return Ok(None) };
            if !judged.meets {
                return no(format!("needs more than {top} hosts, which {more}"));
            }
        }
        // Doubling until it is enough, then halving what is in between.
        let (mut too_few, mut hosts) = (least - 1, least);
        let mut enough = loop {
            let Some(judged) = self.judge(at, hosts, Which::Searched)? else { return Ok(None) };
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
            let Some(judged) = self.judge(at, middle, Which::Searched)? else { return Ok(None) };
            if judged.meets { enough = (middle, judged) } else { too_few = middle }
        }
        let mut best = self.found(at, enough.0, enough.1);
        for hosts in best.hosts + 1..=top {
            if self.ranking.at_least(&self.priced[at], hosts) >= best.rank {
                break;
            }
            let Some(judged) = self.judge(at, hosts, Which::Searched)? else { return Ok(None) };
            if judged.meets {
                let other = self.found(at, hosts, judged);
                if other.rank < best.rank {
                    best = other;
                }
            }
        }
        Ok(Some(Fewest::Fleet(best)))
    }

    fn curve(&mut self, at: usize, hosts: u32, (least, most): (u32, u32)) -> Stopped<Vec<Fleet>> {
        let (from, to) = ((hosts - hosts / 2).max(least), hosts.saturating_mul(2).max(hosts + 2).min(most));
        let mut counts: Vec<u32> =
            (0..CURVE).map(|step| from + (to - from) * step / (CURVE - 1)).chain([hosts]).collect();
        counts.sort_unstable();
        counts.dedup();
        let mut curve = Vec::new();
        for count in counts {
            let Some(judged) = self.judge(at, count, Which::Searched)? else { return Ok(None) };
            curve.push(self.fleet(at, count, judged));
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
