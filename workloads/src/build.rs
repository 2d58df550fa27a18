//! From a checked workload to the source of its jobs.

use traces::error::TraceError;
use traces::jobs::Jobs;
use traces::options::TraceOptions;

use crate::check::{Demand, Starts, Workload};
use crate::closed::Closed;
use crate::open::Open;
use crate::recipe::{Plan, Recipe};
use crate::sessions::Sessions;
use crate::source::Source;
use crate::trace::TraceSource;

impl Workload {
    /// The jobs of this workload under a seed.
    ///
    /// # Errors
    /// Where a trace cannot be opened, or what is to be made of it makes no sense.
    pub fn source(&self, seed: u64) -> Result<Box<dyn Source>, TraceError> {
        if let Some(source) = self.trace_source(seed)? {
            return Ok(Box::new(source));
        }
        Ok(self.generated(seed).expect("a workload without a trace is generated"))
    }

    /// The jobs of a trace under a seed, with its reader in sight ([`TraceSource::jobs`]); `None` where jobs are generated.
    ///
    /// # Errors
    /// As [`Workload::source`].
    pub fn trace_source(&self, seed: u64) -> Result<Option<TraceSource<Jobs>>, TraceError> {
        let Demand::Trace { requests, file, options } = &self.demand else { return Ok(None) };
        let options = TraceOptions { seed, ..TraceOptions::clone(options) };
        let jobs = Jobs::open(file, &options)?;
        let recipe = Recipe::new(&self.models, &self.tenants, seed);
        let classes = !jobs.reader().classes().is_empty();
        let names = classes.then(|| (jobs.models().to_vec(), jobs.tenants().to_vec()));
        let mut source = TraceSource::new(jobs, recipe, *requests);
        if let Some((models, tenants)) = names {
            source.take_names(models, tenants, self.tenants_written);
        }
        Ok(Some(source))
    }

    /// Generated jobs under a seed; `None` where they come from a trace.
    #[must_use]
    pub fn generated(&self, seed: u64) -> Option<Box<dyn Source>> {
        let recipe = Recipe::new(&self.models, &self.tenants, seed);
        match &self.demand {
            Demand::Trace { .. } => None,
            Demand::Generated { requests, starts, sessions, lengths } => {
                let plan = Plan { recipe, lengths: lengths.clone(), requests: *requests, made: 0 };
                Some(match (starts, sessions.clone()) {
                    (Starts::Open(arrivals), None) => Box::new(Open::new(plan, arrivals, seed)),
                    (Starts::Open(arrivals), Some(sessions)) => {
                        Box::new(Sessions::open(plan, sessions, arrivals, seed))
                    }
                    (Starts::Users { users, think_seconds }, None) => {
                        Box::new(Closed::new(plan, *users, *think_seconds))
                    }
                    (Starts::Users { users, think_seconds }, Some(sessions)) => {
                        Box::new(Sessions::of_users(plan, sessions, *users, *think_seconds))
                    }
                })
            }
        }
    }

    /// Names of the models, most popular first: what jobs index.
    #[must_use]
    pub fn model_names(&self) -> &[String] {
        &self.models.names
    }

    /// How the trace is read, and from where; `None` where jobs are generated.
    #[must_use]
    pub fn trace(&self) -> Option<(&std::path::Path, &TraceOptions)> {
        match &self.demand {
            Demand::Trace { file, options, .. } => Some((file, options)),
            Demand::Generated { .. } => None,
        }
    }
}
