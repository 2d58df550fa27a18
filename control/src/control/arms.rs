//! Arms at work: which of them decides, and what is learned of each.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Control;
use super::indexes::Wants;
use crate::balance::{self, Balancer, BalancerKind, Candidates, Pick};
use crate::config::arms::Role;
use crate::door::{Env, Note, Output, Outputs, Part, Shadow, Stage};
use crate::draw::{Component, Draw};
use crate::facts::Facts;
use crate::facts::arms::{self, ArmFacts};
use crate::ids::{ArmId, Epoch, HostId};
use crate::policy::guard::{Answer, GuardState, Metric, Side};
use crate::request::Arrive;
use crate::strategy::{Chosen, Parameters};

/// An arm of the config in force.
pub(super) struct Arm {
    pub(super) id: ArmId,
    pub(super) balancer: Box<dyn Balancer>,
}

/// The arms of the config in force, and which of them does what.
#[derive(Default)]
pub(super) struct Arms {
    pub(super) list: Vec<Arm>,
    /// Place of the first that can be selected; they follow one another.
    pub(super) choices_from: usize,
    /// Places of shadows in the list.
    shadows: Vec<usize>,
}

impl Arms {
    /// Where no other decides.
    pub(super) const BASE: usize = 0;

    /// What they ask for.
    pub(super) fn want(&self) -> Wants {
        let any = |asks: fn(&dyn Balancer) -> bool| self.list.iter().any(|arm| asks(&*arm.balancer));
        Wants {
            levels: any(|arm| arm.asks_for_levels()),
            sums: any(|arm| arm.asks_for_bound()),
            weights: any(|arm| arm.asks_for_weights()),
        }
    }

    /// The arm at a place decides.
    pub(super) fn pick(
        &mut self,
        at: usize,
        candidates: &Candidates<'_>,
        env: &mut Env<'_>,
        attempt: u8,
    ) -> Pick {
        env.meter.asks(self.list[at].id);
        // Every arm draws what it would draw if it were alone.
        let mut draw = Draw::new(env.seed, Component::Balancer, candidates.request.request.0, attempt.into());
        self.list[at].balancer.pick(candidates, &mut draw)
    }

    /// Shadows decide, for the log and the report.
    pub(super) fn shadow(
        &mut self,
        candidates: &Candidates<'_>,
        (host, attempt): (HostId, u8),
        facts: &mut [ArmFacts],
        out: &mut Outputs,
        env: &mut Env<'_>,
    ) {
        if self.shadows.is_empty() {
            return;
        }
        env.meter.enter(Stage::Balance);
        for at in 0..self.shadows.len() {
            let at = self.shadows[at];
            let would = self.pick(at, candidates, env, attempt).host;
            let (arm, agrees) = (self.list[at].id, would == host);
            let counts = &mut facts[arm.index()].counts;
            counts.decided += 1;
            counts.agreed += u64::from(agrees);
            let request = candidates.request.request;
            out.push(Output::Shadow(Shadow { request, attempt, arm, host: would, agrees }));
        }
        env.meter.leave(Stage::Balance);
    }
}

impl Control {
    /// Builds the arms of the config, each from what it kept before.
    pub(super) fn build_arms(&mut self) {
        let history = self.implementation(Part::History);
        let mut built = Arms { choices_from: usize::MAX, ..Arms::default() };
        for facts in &mut self.facts.arms {
            // What ends later of an arm that is no longer in the config says nothing of those that are.
            facts.of_base = false;
        }
        for (at, spec) in self.config.arms.iter().enumerate() {
            let id = arms::find_or_add(&mut self.facts.arms, &spec.name, spec.balancer.kind);
            let facts = &mut self.facts.arms[id.index()];
            facts.of_base = matches!(spec.role, Role::Base | Role::Choice);
            let balancer = if facts.broken {
                let plain =
                    Chosen { kind: BalancerKind::LeastConnections, parameters: Parameters::default() };
                balance::build(&plain, &[], history)
            } else {
                balance::build(&spec.balancer, &facts.memory, history)
            };
            built.list.push(Arm { id, balancer });
            match spec.role {
                Role::Base | Role::Variant => {}
                Role::Choice => built.choices_from = built.choices_from.min(at),
                Role::Shadow => built.shadows.push(at),
            }
        }
        self.arms = built;
    }

    /// The place of the arm that decides for a request: of a trial that has one for it and was not taken back, else the
    /// base, or what was selected in its place.
    pub(super) fn arm_of(&self, arrive: &Arrive) -> usize {
        for trial in &self.config.trials {
            if let Some(variant) = trial.assignment.arm(arrive) {
                let at = trial.arms_from + variant;
                if !self.facts.arms[self.arms.list[at].id.index()].rolled_back {
                    return at;
                }
            }
        }
        self.selected().map_or(Arms::BASE, |choice| self.arms.choices_from + choice)
    }

    /// An arm is told how a request went; where it is guarded and does worse than the base, it is taken back.
    pub(super) fn guard(&mut self, arm: ArmId, metric: Metric, answer: Answer, out: &mut Outputs) {
        let frozen = self.is_frozen();
        for trial in &self.config.trials {
            let Some(config) = trial.guard.as_ref().filter(|guard| guard.metric == metric) else { continue };
            for variant in 0..trial.assignment.shares_permille.len() {
                let id = self.arms.list[trial.arms_from + variant].id;
                let of_base = self.facts.arms[arm.index()].of_base;
                let side = match (id == arm, of_base) {
                    (true, _) => Side::Treatment,
                    (false, true) => Side::Control,
                    (false, false) => continue,
                };
                let facts = &mut self.facts.arms[id.index()];
                if facts.rolled_back {
                    continue;
                }
                facts.guard.note(side, answer, config);
                if facts.guard.verdict(config).is_none() {
                    continue;
                }
                facts.guard = GuardState::default();
                if frozen {
                    out.push(Output::Note(Note::Breached { arm: id }));
                } else {
                    facts.rolled_back = true;
                    self.epoch = Epoch(self.epoch.0 + 1);
                    out.push(Output::Note(Note::RolledBack { arm: id }));
                }
            }
        }
    }

    /// Writes down what the balancers keep.
    pub(super) fn keep_own_arms(&mut self) {
        keep(&self.arms, &mut self.facts.arms);
    }

    /// The same, into a copy of the facts.
    pub(super) fn keep_arms(&self, facts: &mut Facts) {
        keep(&self.arms, &mut facts.arms);
    }
}

fn keep(arms: &Arms, facts: &mut [ArmFacts]) {
    for arm in &arms.list {
        let kept = &mut facts[arm.id.index()];
        if !kept.broken {
            kept.memory = arm.balancer.memory();
        }
    }
}
