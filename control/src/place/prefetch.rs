//! Greedy by the load that is expected instead of the load that was: models are loaded before they are asked for. What is
//! loaded stays while nobody else needs the room.

use super::draft::Draft;
use super::greedy;
use super::ground::Ground;
use super::objective::Costs;
use super::problem::{Model, Problem, Why};
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "prefetch",
    summary: "greedy by the forecast of the next interval's arrivals",
    source: "greedy, with a forecast for the past",
    cost: "O(replicas × (hosts + models))",
    needs: "a forecast of arrivals, service and load times of each model, memory, declared slots",
    requires: Requires::Nothing,
    parameters: &[Parameter {
        name: "forecast_percent",
        summary: "weight of the forecast against what was seen; 0 takes the larger of both",
        default: 0,
        least: 0,
        most: 100,
    }],
};

pub(super) fn draft<'a>(ground: &'a Ground<'a>, parameters: &Parameters) -> Draft<'a> {
    let percent = parameters.get(0);
    let costs = Costs::new(ground, |model| expected_micros(model, percent));
    greedy::grown(&Draft::founded(ground), &costs, Why::Forecast)
}

/// The problem with the arrivals that are expected.
pub(super) fn expected(problem: &Problem, parameters: &Parameters) -> Problem {
    let mut expected = problem.clone();
    for model in &mut expected.models {
        model.arrivals_micros = expected_micros(model, parameters.get(0));
    }
    expected
}

/// Arrivals that are expected; what was seen where nobody forecasts.
fn expected_micros(model: &Model, percent: u32) -> u64 {
    let seen = model.arrivals_micros;
    let forecast = model.forecast_micros.unwrap_or(seen);
    match percent {
        0 => seen.max(forecast),
        percent => {
            let weighted = |micros: u64, percent: u32| u128::from(micros) * u128::from(percent);
            ((weighted(forecast, percent) + weighted(seen, 100 - percent)) / 100) as u64
        }
    }
}
