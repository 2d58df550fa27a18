//! Levels by what a session (or, without one, a tenant) was served so far: each level takes twice the tokens of the one
//! above, and lower levels wait for higher ones. Who asks little is served soon; who asks much sinks.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Group, Queued, Scheduler, Work};
use crate::draw::mix;
use crate::request::Arrive;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "multi-level-feedback",
    summary: "sessions that were served few tokens first, by levels that double",
    source: "Corbató et al. 1962; FastServe (Wu et al. 2023), by session, not preempting",
    cost: "O(log q)",
    needs: "sessions or tenants, tokens of earlier answers",
    requires: Requires::Nothing,
    parameters: &[
        Parameter {
            name: "quantum_tokens",
            summary: "tokens of the first level",
            default: 1_000,
            least: 1,
            most: 1_000_000_000,
        },
        Parameter {
            name: "sessions_max",
            summary: "sessions remembered in each of two generations",
            default: 50_000,
            least: 1,
            most: 10_000_000,
        },
    ],
};

/// Levels by service.
#[derive(Debug)]
pub(super) struct MultiLevelFeedback {
    quantum: u64,
    sessions_max: usize,
    /// Tokens served, by session: those seen lately, and those before. What is in neither starts anew.
    young: BTreeMap<u64, u64>,
    old: BTreeMap<u64, u64>,
}

fn key(arrive: &Arrive) -> u64 {
    match arrive.session {
        Some(session) => mix(session.0 << 1),
        None => mix(u64::from(arrive.tenant.0) << 1 | 1),
    }
}

impl MultiLevelFeedback {
    pub(super) fn new(parameters: &Parameters, memory: &[u64]) -> Self {
        let mut feedback = Self {
            quantum: parameters.get(0).into(),
            sessions_max: parameters.get(1) as usize,
            young: BTreeMap::new(),
            old: BTreeMap::new(),
        };
        let pairs = |words: &[u64]| words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        if let Some((young_len, words)) = memory.split_first() {
            let (young, old) = words.split_at((*young_len as usize * 2).min(words.len()));
            feedback.young = pairs(young);
            feedback.old = pairs(old);
        }
        feedback
    }

    fn served(&self, key: u64) -> u64 {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied().unwrap_or(0)
    }
}

impl Scheduler for MultiLevelFeedback {
    fn place(&self, queued: Queued<'_>) -> (Group, u128) {
        let quanta = self.served(key(queued.arrive)) / self.quantum;
        (Group::default(), u128::from((quanta + 1).ilog2()))
    }

    fn settle(&mut self, arrive: &Arrive, _: Work, took: Work) {
        let key = key(arrive);
        let served = self.served(key) + u64::from(took.prompt) + u64::from(took.output);
        self.young.insert(key, served);
        if self.young.len() >= self.sessions_max {
            self.old = core::mem::take(&mut self.young);
        }
    }

    fn memory(&self) -> Vec<u64> {
        let pairs = self.young.iter().chain(&self.old).flat_map(|(key, served)| [*key, *served]);
        core::iter::once(self.young.len() as u64).chain(pairs).collect()
    }
}
