//! Jobs that wait for nobody: arrivals in sequence, each job on its own. Nothing is kept of a job that was made.

use control::request::Outcome;
use control::units::Instant;
use traces::job::Job;

use crate::arrivals::{Arrivals, Clock};
use crate::recipe::Plan;
use crate::source::{Source, SourceError};

/// An open loop of single requests.
#[derive(Debug)]
pub(crate) struct Open {
    plan: Plan,
    clock: Clock,
    next: Instant,
}

impl Open {
    pub(crate) fn new(plan: Plan, arrivals: &Arrivals, seed: u64) -> Self {
        let mut clock = Clock::new(arrivals, seed);
        Self { next: clock.tick(), clock, plan }
    }
}

impl Source for Open {
    fn models(&self) -> &[String] {
        &self.plan.recipe.models
    }

    fn tenants(&self) -> &[String] {
        &self.plan.recipe.tenants
    }

    #[inline]
    fn next_arrival(&mut self) -> Result<Option<Instant>, SourceError> {
        Ok((self.plan.made < self.plan.requests).then_some(self.next))
    }

    #[inline]
    fn take(&mut self) -> Result<Option<Job>, SourceError> {
        let Plan { recipe, lengths, requests, made } = &mut self.plan;
        if made == requests {
            return Ok(None);
        }
        let entity = recipe.draws.at(*made, 0);
        let (id, at) = (*made, self.next);
        *made += 1;
        self.next = self.clock.tick();
        // Made last, right where the caller wants it: a job is too large to be moved without need.
        Ok(Some(recipe.job(id, at, recipe.sender(entity, at), lengths.draw(entity))))
    }

    fn ended(&mut self, _job: u64, _at: Instant, _outcome: Outcome) {}

    fn wants_feedback(&self) -> bool {
        false
    }

    fn len_hint(&self) -> Option<u64> {
        Some(self.plan.requests)
    }
}
