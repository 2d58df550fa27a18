//! Jobs of a trace, with the workload's tenants laid over them.

use std::fmt::Display;

use control::request::Outcome;
use control::units::Instant;
use traces::job::Job;

use crate::recipe::Recipe;
use crate::source::{Source, SourceError};

/// Makes a source of any iterator of jobs in order of arrival.
#[derive(Debug)]
pub struct TraceSource<I> {
    jobs: I,
    recipe: Recipe,
    requests: Option<u64>,
    made: u64,
    next: Option<Job>,
    ended: bool,
    /// The recipe's tenant for each of the trace's, where it has one; empty where tenants of the trace do not matter.
    tenants: Vec<Option<u32>>,
}

impl<I, E> TraceSource<I>
where
    I: Iterator<Item = Result<Job, E>>,
    E: Display,
{
    /// At most `requests` of these jobs. Tenants are those of the recipe, one for each session.
    pub(crate) const fn new(jobs: I, recipe: Recipe, requests: Option<u64>) -> Self {
        Self { jobs, recipe, requests, made: 0, next: None, ended: false, tenants: Vec::new() }
    }

    /// A trace of tasks has its own names in place of models, and knows whose each task is: a tenant of the same name where the workload
    /// has one, one of the workload's by share where it has others, and the trace's own where it has none.
    pub(crate) fn take_names(&mut self, models: Vec<String>, tenants: Vec<String>, written: bool) {
        self.recipe.models = models;
        if !written {
            self.recipe.rename_tenants(&tenants);
        }
        let known = &self.recipe.tenants;
        let place = |tenant| known.iter().position(|name| name == tenant).map(|at| at as u32);
        self.tenants = tenants.iter().map(place).collect();
    }

    /// The iterator, for what it can tell besides jobs (rows left out).
    #[must_use]
    pub const fn jobs(&self) -> &I {
        &self.jobs
    }

    /// Reads a job ahead.
    fn fill(&mut self) -> Result<(), SourceError> {
        if self.next.is_some() || self.ended {
            return Ok(());
        }
        let job = if self.requests == Some(self.made) { None } else { self.jobs.next() };
        match job {
            Some(Ok(mut job)) => {
                // A session's number and a job's id share a key; sessions of traces are hashes.
                let entity = self.recipe.draws.at(job.session.map_or(job.id, |session| session.0), 0);
                let own = self.tenants.get(job.tenant.index()).copied().flatten();
                self.recipe.settle(&mut job, own.unwrap_or_else(|| self.recipe.tenant(entity)));
                self.made += 1;
                self.next = Some(job);
            }
            Some(Err(error)) => {
                self.ended = true;
                return Err(SourceError(error.to_string()));
            }
            None => self.ended = true,
        }
        Ok(())
    }
}

impl<I, E> Source for TraceSource<I>
where
    I: Iterator<Item = Result<Job, E>>,
    E: Display,
{
    fn models(&self) -> &[String] {
        &self.recipe.models
    }

    fn tenants(&self) -> &[String] {
        &self.recipe.tenants
    }

    fn next_arrival(&mut self) -> Result<Option<Instant>, SourceError> {
        self.fill()?;
        Ok(self.next.as_ref().map(|job| job.arrival))
    }

    fn take(&mut self) -> Result<Option<Job>, SourceError> {
        self.fill()?;
        Ok(self.next.take())
    }

    fn ended(&mut self, _job: u64, _at: Instant, _outcome: Outcome) {}

    fn wants_feedback(&self) -> bool {
        false
    }

    fn len_hint(&self) -> Option<u64> {
        None
    }
}
