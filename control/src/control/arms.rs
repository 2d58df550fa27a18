//! Arms at work: which of them decides, and what is learned of each.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Control;
use crate::balance::{self, Balancer, BalancerKind, Candidates, Pick};
use crate::config::arms::Part;
use crate::door::{Env, Output, Outputs, Shadow};
use crate::draw::{Component, Draw};
use crate::facts::Facts;
use crate::facts::arms::{self, ArmFacts};
use crate::ids::{ArmId, HostId};
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
    /// Places of shadows in the list.
    shadows: Vec<usize>,
}

impl Arms {
    /// Where no other decides.
    pub(super) const BASE: usize = 0;

    /// Whether one of them asks for the host with the fewest requests.
    pub(super) fn ask_for_fewest(&self) -> bool {
        self.list.iter().any(|arm| arm.balancer.asks_for_fewest())
    }

    /// The arm at a place decides.
    pub(super) fn pick(&mut self, at: usize, candidates: &Candidates<'_>, seed: u64, attempt: u8) -> Pick {
        // Every arm draws what it would draw if it were alone.
        let mut draw = Draw::new(seed, Component::Balancer, candidates.request.request.0, attempt.into());
        self.list[at].balancer.pick(candidates, &mut draw)
    }

    /// Shadows decide, for the log and the report.
    pub(super) fn shadow(
        &mut self,
        candidates: &Candidates<'_>,
        (host, attempt): (HostId, u8),
        facts: &mut [ArmFacts],
        out: &mut Outputs,
        env: &Env<'_>,
    ) {
        for at in 0..self.shadows.len() {
            let at = self.shadows[at];
            let would = self.pick(at, candidates, env.seed, attempt).host;
            let (arm, agrees) = (self.list[at].id, would == host);
            let counts = &mut facts[arm.index()].counts;
            counts.decided += 1;
            counts.agreed += u64::from(agrees);
            let request = candidates.request.request;
            out.push(Output::Shadow(Shadow { request, attempt, arm, host: would, agrees }));
        }
    }
}

impl Control {
    /// Builds the arms of the config, each from what it kept before.
    pub(super) fn build_arms(&mut self) {
        let mut built = Arms::default();
        for (at, spec) in self.config.arms.iter().enumerate() {
            let id = arms::find_or_add(&mut self.facts.arms, &spec.name, spec.balancer.kind);
            let facts = &self.facts.arms[id.index()];
            let balancer = if facts.broken {
                let plain =
                    Chosen { kind: BalancerKind::LeastConnections, parameters: Parameters::default() };
                balance::build(&plain, &[])
            } else {
                balance::build(&spec.balancer, &facts.memory)
            };
            built.list.push(Arm { id, balancer });
            match spec.part {
                Part::Base => {}
                Part::Shadow => built.shadows.push(at),
            }
        }
        self.arms = built;
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
