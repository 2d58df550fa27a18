//! How fleets of the candidates that are told do, by how many hosts they have: what plots and pages draw.

use reports::plots::palette::{Look, looks};

use super::folder::Plan;
use super::looked::Looked;
use super::search::Answer;
use super::slo::Slo;

/// Fleets of a candidate.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Curve {
    /// The candidate.
    pub(super) name: String,
    /// How it is drawn.
    pub(super) look: Look,
    /// Fleets that were run on all replicates and have a bounded mean, by number of hosts.
    pub(super) points: Vec<Point>,
}

/// A fleet.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Point {
    /// How many hosts it has.
    pub(super) hosts: u32,
    /// What an hour of it costs, in hundredths of a currency.
    pub(super) cents_per_hour: Option<f64>,
    /// The mean of the objective's measure.
    pub(super) mean: f64,
    /// What that is with the stated confidence, to either side by itself.
    pub(super) known: (f64, f64),
}

/// Curves of the fleets that are told of a load of a plan, the best first: a candidate each, which looks the same for every load.
pub(super) fn curves(plan: &Plan, answer: &Answer, slo: &Slo) -> Vec<Curve> {
    let all = names(&plan.fleets);
    let looks = looks(&all);
    let curve = |name: &str| {
        let of = answer.looked.iter().filter(|looked| looked.candidate == name && !looked.fresh);
        let mut points: Vec<Point> = of.filter_map(|looked| point(looked, slo)).collect();
        points.sort_by_key(|point| point.hosts);
        let place = all.iter().position(|known| *known == name);
        Curve { name: name.to_owned(), look: place.map_or(Look::REST, |place| looks[place]), points }
    };
    names(std::slice::from_ref(answer)).into_iter().map(curve).collect()
}

/// Candidates of the fleets that are told, each once.
fn names(answers: &[Answer]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for fleet in answers.iter().flat_map(|answer| &answer.fleets) {
        if !names.contains(&fleet.candidate.as_str()) {
            names.push(&fleet.candidate);
        }
    }
    names
}

fn point(looked: &Looked, slo: &Slo) -> Option<Point> {
    let standing = looked.standings.iter().find(|standing| standing.measure == slo.measure().key)?;
    let mean = standing.mean.filter(|mean| mean.is_finite())?;
    // The interval is symmetric around the mean.
    let off = (standing.worst? - mean).abs();
    let known = (mean - off, mean + off);
    Some(Point { hosts: looked.hosts, cents_per_hour: looked.cents_per_hour, mean, known })
}
