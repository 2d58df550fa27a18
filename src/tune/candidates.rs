//! What is tried: the scenario as it is, every strategy as it comes, and combinations drawn at random, with parameters around their defaults.

use std::collections::BTreeSet;

use control::draw::mix;
use control::strategy::{Line, Parameter, Requires, Strategy};

use crate::compare::arms::Arm;
use crate::sweep::space::{Axis, Points, Range};

/// How far a parameter is drawn from its default: an eighth to eight times it.
const SPREAD: f64 = 8.0;

/// The name of the scenario as it is.
pub const AS_IT_IS: &str = "as it is";

/// The keys that are searched.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Keys {
    /// Whether schedulers are tried.
    pub schedulers: bool,
    /// Whether balancers are tried.
    pub balancers: bool,
    /// Other keys of `[control]`.
    pub axes: Vec<Axis>,
}

/// So many candidates: the scenario as it is first, then each strategy as it comes beside what else the scenario has, then combinations.
#[must_use]
pub fn candidates(keys: &Keys, count: usize, seed: u64) -> Vec<Arm> {
    let schedulers = usable(control::schedule::ALL, keys.schedulers);
    let balancers = usable(control::balance::ALL, keys.balancers);
    let mut all = vec![Arm { name: AS_IT_IS.to_owned(), values: Vec::new() }];
    let one = |key: &str, strategy: &Strategy| vec![(key.to_owned(), strategy.name.to_owned())];
    let singles = balancers
        .iter()
        .map(|strategy| one("control.balancer", strategy))
        .chain(schedulers.iter().map(|strategy| one("control.scheduler", strategy)));
    all.extend(singles.map(arm));
    let mut seen: BTreeSet<String> = all.iter().map(|arm| arm.name.clone()).collect();
    let mut at = 0_u64;
    // Where there is little to combine, fewer are found; the bound is far above what that takes.
    while all.len() < count && at < 100 * count as u64 {
        let mut draw = Draw { seed, at, drawn: 0 };
        let mut values = Vec::new();
        for (key, strategies) in [("control.balancer", &balancers), ("control.scheduler", &schedulers)] {
            if let Some(strategy) = draw.one_of(strategies) {
                values.extend(with_parameters(key, strategy, &mut draw));
            }
        }
        for axis in &keys.axes {
            let space = crate::sweep::space::Space {
                axes: vec![axis.clone()],
                design: crate::sweep::space::Design::Random(1),
                seed: draw.bits(),
            };
            values.extend(Points::new(&space).at(0));
        }
        let arm = arm(values);
        if !arm.values.is_empty() && seen.insert(arm.name.clone()) {
            all.push(arm);
        }
        at += 1;
    }
    all.truncate(count.max(1));
    all
}

/// Strategies that need nothing which only a simulator has, or which must be declared.
fn usable<Kind>(all: &[Line<Kind>], wanted: bool) -> Vec<Strategy> {
    let usable = all.iter().map(|line| line.1).filter(|strategy| strategy.requires == Requires::Nothing);
    if wanted { usable.collect() } else { Vec::new() }
}

fn arm(values: Vec<(String, String)>) -> Arm {
    let name: Vec<String> = values
        .iter()
        .map(|(key, value)| format!("{}={value}", key.strip_prefix("control.").unwrap_or(key)))
        .collect();
    Arm { name: name.join(" "), values }
}

/// A strategy, half of the time as it comes, else with each parameter drawn around its default.
fn with_parameters(key: &str, strategy: &Strategy, draw: &mut Draw) -> Vec<(String, String)> {
    if strategy.parameters.is_empty() || draw.bits().is_multiple_of(2) {
        return vec![(key.to_owned(), strategy.name.to_owned())];
    }
    let drawn = |parameter: &Parameter| {
        let path = format!("{key}.{}.{}", strategy.name, parameter.name);
        (path, around(parameter).at(draw.unit()))
    };
    strategy.parameters.iter().map(drawn).collect()
}

/// Where a parameter is searched.
fn around(parameter: &Parameter) -> Range {
    let (least, most, default) =
        (f64::from(parameter.least), f64::from(parameter.most), f64::from(parameter.default));
    if default > 0.0 {
        let from = libm::floor(default / SPREAD).max(least).max(1.0);
        Range { from, to: (default * SPREAD).min(most).max(from), whole: true, logarithmic: true }
    } else {
        Range { from: least, to: (least + SPREAD).min(most), whole: true, logarithmic: false }
    }
}

/// Draws of a combination.
struct Draw {
    seed: u64,
    at: u64,
    drawn: u64,
}

impl Draw {
    fn bits(&mut self) -> u64 {
        self.drawn += 1;
        mix(mix(mix(self.seed).wrapping_add(self.at)).wrapping_add(self.drawn))
    }

    fn unit(&mut self) -> f64 {
        crate::sweep::space::unit(self.bits())
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let share = self.unit();
        all.get((share * all.len() as f64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load};

    #[test]
    fn every_candidate_can_be_laid_over_a_scenario_and_none_is_there_twice() {
        let axes = vec![Axis::range("control.queue_requests_max=100..10000:log").unwrap()];
        let all = candidates(&Keys { schedulers: true, balancers: true, axes }, 300, 7);
        assert_eq!(all.len(), 300);
        let names: BTreeSet<&str> = all.iter().map(|arm| arm.name.as_str()).collect();
        assert_eq!(names.len(), 300);
        assert_eq!(all[0].sets(), Vec::<String>::new());
        for arm in &all {
            let overrides = Overrides { sets: arm.sets(), ..Overrides::default() };
            load("chat", &overrides).unwrap_or_else(|error| panic!("{}: {error}", arm.name));
        }
        assert!(
            all.iter()
                .any(|arm| arm.values.iter().any(|(key, _)| key.starts_with("control.balancer.prequal.")))
        );
    }

    #[test]
    fn what_is_not_searched_is_left_as_it_is() {
        let all = candidates(&Keys { schedulers: true, ..Keys::default() }, 100, 1);
        assert!(
            all[1..].iter().all(|arm| arm.values.iter().all(|(key, _)| key.starts_with("control.scheduler")))
        );
        assert_eq!(candidates(&Keys::default(), 5, 1).len(), 1);
    }
}
