//! Users who ask, wait for the end of their request, however it ended, think, and ask again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use control::request::Outcome;
use control::units::Instant;
use traces::job::Job;

use crate::recipe::{Plan, Sender, think};
use crate::sample::Component;
use crate::source::{Source, SourceError};

/// A closed loop of single requests. What a user asks the k-th time, and how long she thinks before, depends on the
/// user and k alone.
#[derive(Debug)]
pub(crate) struct Closed {
    plan: Plan,
    think_seconds: f64,
    /// Requests that each user has made.
    asked: Vec<u64>,
    /// Who will ask when; ties by user.
    thinking: BinaryHeap<Reverse<(Instant, u32)>>,
    /// Who waits for which job.
    waiting: BTreeMap<u64, u32>,
}

impl Closed {
    pub(crate) fn new(plan: Plan, users: u32, think_seconds: f64) -> Self {
        let mut closed = Self {
            plan,
            think_seconds,
            asked: vec![0; users as usize],
            thinking: BinaryHeap::with_capacity(users as usize),
            waiting: BTreeMap::new(),
        };
        for user in 0..users {
            closed.think(user, Instant::ZERO);
        }
        closed
    }

    fn think(&mut self, user: u32, now: Instant) {
        let entity = self.plan.recipe.draws.at(u64::from(user), self.asked[user as usize]);
        let at = now.saturating_add(think(entity, Component::Think, self.think_seconds));
        self.thinking.push(Reverse((at, user)));
    }
}

impl Source for Closed {
    fn models(&self) -> &[String] {
        &self.plan.recipe.models
    }

    fn tenants(&self) -> &[String] {
        &self.plan.recipe.tenants
    }

    fn next_arrival(&mut self) -> Result<Option<Instant>, SourceError> {
        if self.plan.made == self.plan.requests {
            return Ok(None);
        }
        Ok(self.thinking.peek().map(|Reverse((at, _))| *at))
    }

    fn take(&mut self) -> Result<Option<Job>, SourceError> {
        if self.plan.made == self.plan.requests {
            return Ok(None);
        }
        let Some(Reverse((at, user))) = self.thinking.pop() else { return Ok(None) };
        let Plan { recipe, lengths, made, .. } = &mut self.plan;
        let asked = &mut self.asked[user as usize];
        let entity = recipe.draws.at(u64::from(user), *asked);
        let always = recipe.draws.at(u64::from(user), 0);
        let sender = Sender { model: recipe.model(entity, at), tenant: recipe.tenant(always) };
        let job = recipe.job(*made, at, sender, lengths.draw(entity));
        *asked += 1;
        self.waiting.insert(*made, user);
        *made += 1;
        Ok(Some(job))
    }

    fn ended(&mut self, job: u64, at: Instant, _outcome: Outcome) {
        if let Some(user) = self.waiting.remove(&job) {
            self.think(user, at);
        }
    }

    fn wants_feedback(&self) -> bool {
        true
    }

    fn len_hint(&self) -> Option<u64> {
        Some(self.plan.requests)
    }
}
