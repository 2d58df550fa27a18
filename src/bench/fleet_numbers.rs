//! Numbers over a fleet that change one at a time: a choice by weight, the spread of loads, and the choice of an algorithm
//! that rests on it.

use control::draw::{Draw, mix};
use control::ids::Epoch;
use control::index::moments::{Moments, Sums};
use control::index::weights::Weights;
use control::policy::select::{
    Features, Load, RuleFile, SelectConfig, SelectFile, Selector, Sensitivity, Spread, When,
};
use control::units::{Instant, Nanos};

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject};

/// Weights, and loads in thousandths of a host's slots, are below this.
const VALUE_END: u32 = 1_500;

pub(super) fn components() -> Vec<Component> {
    vec![
        Component {
            name: "weighted-choice".into(),
            forms: ["a walk through all weights", "a Fenwick tree"],
            operation: "change a weight and pick a host in proportion",
            scale: "hosts",
            claimed: [Complexity::Linear, Complexity::Logarithmic],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(|case| Box::new(Weighted::new(case))),
        },
        Component {
            name: "moments".into(),
            forms: ["a walk through all values", "sums that are kept up to date"],
            operation: "change a value and ask for count, sum and squares",
            scale: "hosts",
            claimed: [Complexity::Linear, Complexity::Constant],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(|case| Box::new(Spreading::new(case))),
        },
        Component {
            name: "selection".into(),
            forms: ["loads walked through, the table asked", "sums kept up to date, the choice cached"],
            operation: "change a host's load and choose an algorithm",
            scale: "hosts",
            claimed: [Complexity::Linear, Complexity::Constant],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(|case| Box::new(Selecting::new(case))),
        },
    ]
}

struct Weighted {
    weights: Weights,
    hosts: u32,
    draw: Draw,
}

impl Weighted {
    fn new(case: Case) -> Self {
        let (mut weights, mut draw) = (Weights::new(case.implementation), case.draw());
        for host in 0..case.scale {
            weights.set(host, u64::from(draw.below(VALUE_END)));
        }
        Self { weights, hosts: case.scale as u32, draw }
    }
}

impl Subject for Weighted {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let host = self.draw.below(self.hosts) as usize;
            self.weights.set(host, u64::from(self.draw.below(VALUE_END)));
            let picked = self.weights.pick(self.draw.bits()).map_or(0, |host| host as u64 + 1);
            sum = sum.wrapping_add(mix(picked));
        }
        sum
    }
}

/// A load for each host.
struct Loads {
    of: Vec<u32>,
    draw: Draw,
    /// Changes so far: loads are high and uneven by turns.
    changes: usize,
}

impl Loads {
    fn new(case: Case) -> Self {
        let mut loads = Self { of: vec![0; case.scale], draw: case.draw(), changes: 0 };
        for host in 0..case.scale {
            loads.of[host] = loads.draw.below(VALUE_END);
        }
        loads
    }

    /// The load of a host before and after it changed.
    fn change(&mut self) -> (u32, u32) {
        let host = self.draw.below(self.of.len() as u32) as usize;
        let phase = self.changes / (2 * self.of.len()) % 3;
        self.changes += 1;
        let any = self.draw.below(VALUE_END);
        let after = [any, VALUE_END / 2 + any / 4, if any < 100 { VALUE_END } else { 20 }][phase];
        (std::mem::replace(&mut self.of[host], after), after)
    }
}

struct Spreading {
    moments: Moments,
    loads: Loads,
}

impl Spreading {
    fn new(case: Case) -> Self {
        let (mut moments, loads) = (Moments::new(case.implementation), Loads::new(case));
        loads.of.iter().for_each(|load| moments.add(*load));
        Self { moments, loads }
    }
}

impl Subject for Spreading {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let (before, after) = self.loads.change();
            self.moments.change(before, after);
            let sums = self.moments.sums();
            let answer = sums.squares() as u64 ^ sums.sum() ^ u64::from(sums.count());
            sum = sum.wrapping_add(mix(answer));
        }
        sum
    }
}

struct Selecting {
    is_baseline: bool,
    loads: Loads,
    sums: Sums,
    selector: Selector,
    config: SelectConfig,
    decided: u32,
}

impl Selecting {
    fn new(case: Case) -> Self {
        let loads = Loads::new(case);
        let (sums, config) = (sums(&loads.of), config());
        Self {
            is_baseline: case.is_baseline(),
            loads,
            sums,
            selector: Selector::default(),
            config,
            decided: 0,
        }
    }
}

fn sums(loads: &[u32]) -> Sums {
    let mut sums = Sums::default();
    loads.iter().for_each(|load| sums.add(*load));
    sums
}

/// A table of a few rules over load, spread and what matters to requests.
fn config() -> SelectConfig {
    let rule = |when, arm: &str| RuleFile { when, arm: arm.into() };
    let when = When::default();
    let rules = vec![
        rule(
            When { sensitivity: Some(Sensitivity::Sensitive), load: Some(Load::High), ..when },
            "predictive",
        ),
        rule(When { spread: Some(Spread::Uneven), load: Some(Load::High), ..when }, "least-tokens"),
        rule(When { spread: Some(Spread::Uneven), ..when }, "least-connections"),
        rule(When { load: Some(Load::High), ..when }, "power-of-two"),
    ];
    let arms = ["round-robin", "predictive", "least-tokens", "least-connections", "power-of-two"];
    let file = SelectFile {
        arms: arms.map(Into::into).into(),
        rules,
        hold_decisions: 3,
        residency_millis: 1,
        ..SelectFile::default()
    };
    file.check().expect("a valid table")
}

impl Subject for Selecting {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let (before, after) = self.loads.change();
            self.decided = self.decided.wrapping_add(1);
            // What was cached counts only within an epoch: in one of its own, each decision asks the table.
            let epoch = if self.is_baseline {
                self.sums = sums(&self.loads.of);
                Epoch(self.decided)
            } else {
                self.sums.remove(before);
                self.sums.add(after);
                Epoch(0)
            };
            let now = Instant::ZERO + Nanos::from_millis(u64::from(self.decided));
            let hosts = self.loads.of.len() as u32;
            let features = Features { hosts, load: self.sums, ..Features::default() };
            let choice = self.selector.choose(now, epoch, &features, &self.config);
            sum = sum.wrapping_add(mix(u64::from(choice.arm) << 1 | u64::from(choice.switched)));
        }
        sum
    }
}
