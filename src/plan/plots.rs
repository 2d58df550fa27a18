//! A plan as pictures: each objective's measure by hosts, and by what an hour costs where that is known, with the bound.

use std::path::Path;

use anyhow::Result;
use reports::plots::{CurvePoint, CurvesChart, curves, write_all};

use super::curve::{self, Point};
use super::folder::Plan;
use super::price::cost;
use super::search::{Answer, Fleet};
use super::slo::Slo;
use super::text::watts;

/// Writes them as SVG and PNG: `plots/60-users-ttft_p95_all_ms-by-hosts.svg` and so on.
///
/// # Errors
/// Where a file cannot be written.
pub(super) fn write(folder: &Path, plan: &Plan) -> Result<()> {
    let slos = plan.objectives()?;
    let charts = plan
        .fleets
        .iter()
        .filter(|answer| !answer.fleets.is_empty())
        .flat_map(|answer| slos.iter().map(move |slo| (answer, slo)))
        .flat_map(|(answer, slo)| {
            let priced = answer.fleets.iter().all(|fleet| fleet.cents_per_hour.is_some());
            let by_cost = priced.then(|| chart(plan, answer, slo, true));
            std::iter::once(chart(plan, answer, slo, false)).chain(by_cost)
        });
    Ok(write_all(folder, charts.map(|chart| curves(&chart)))?)
}

/// Its hosts, cost and power, as far as they are known.
fn told(fleet: &Fleet) -> String {
    let price =
        fleet.cents_per_hour.map_or(String::new(), |_| format!(", {} an hour", cost(fleet.cents_per_hour)));
    let power = fleet.watts.map_or(String::new(), |_| format!(", {} W", watts(fleet.watts)));
    format!(": {} hosts{price}{power}", fleet.hosts)
}

fn chart(plan: &Plan, answer: &Answer, slo: &Slo, by_cost: bool) -> CurvesChart {
    let measure = slo.measure();
    let across = |point: &Point| match point.cents_per_hour.filter(|_| by_cost) {
        Some(cents) => cents / 100.0,
        None => f64::from(point.hosts),
    };
    let chosen = |candidate: &str| answer.fleets.iter().find(|fleet| fleet.candidate == candidate);
    let drawn = |curve: curve::Curve| {
        let fleet = chosen(&curve.name);
        let framed = |point: &Point| fleet.is_some_and(|fleet| fleet.hosts == point.hosts);
        let point = |point: &Point| CurvePoint {
            at: (across(point), point.mean),
            known: Some(point.known),
            framed: framed(point),
        };
        reports::plots::Curve {
            points: curve.points.iter().map(point).collect(),
            name: format!("{}{}", curve.name, fleet.map_or(String::new(), told)),
            look: curve.look,
        }
    };
    let (word, x) = if by_cost { ("cost", "cost of an hour [currency]") } else { ("hosts", "hosts") };
    CurvesChart {
        name: format!("{}-{}-by-{word}", answer.load, measure.key).replace(' ', "-"),
        title: format!("{} by {word} for {}", measure.name, answer.load),
        under: format!(
            "{} · {} · {} % confidence to either side · framed: {}, and what comes next",
            plan.scenario,
            plan.replicates,
            plan.confidence,
            answer.rank.best()
        ),
        x: x.to_owned(),
        y: format!("{}, {}", measure.label(), measure.direction()),
        curves: curve::curves(plan, answer, slo).into_iter().map(drawn).collect(),
        bounds: vec![(format!("objective: {slo}"), slo.limit)],
    }
}
