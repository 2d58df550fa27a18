//! The seam between whoever makes jobs and whoever runs them.

use control::request::Outcome;
use control::units::Instant;
use traces::job::Job;

/// Something that makes jobs in order of arrival; some make the next one only when an earlier one has ended.
///
/// Draws are keyed by what they are for, so feedback shifts no other job's chance: two strategies under one seed
/// meet the same arrivals as long as no user waits for an answer.
pub trait Source {
    /// Names of models that jobs index, most popular first.
    fn models(&self) -> &[String];
    /// Names of tenants that jobs index.
    fn tenants(&self) -> &[String];
    /// When the next job known so far arrives; `None` where there is none until one under way ends, or at all.
    ///
    /// # Errors
    /// Where the input cannot be read on.
    fn next_arrival(&mut self) -> Result<Option<Instant>, SourceError>;
    /// Takes that job. Ids rise by one.
    ///
    /// # Errors
    /// Where the input cannot be read on.
    fn take(&mut self) -> Result<Option<Job>, SourceError>;
    /// A job ended as its client saw it at `at`; users who waited for it go on.
    fn ended(&mut self, job: u64, at: Instant, outcome: Outcome);
    /// Whether [`Source::ended`] does anything; where not, drivers leave it out.
    fn wants_feedback(&self) -> bool;
    /// How many jobs there will be, where that is known (for progress).
    fn len_hint(&self) -> Option<u64>;
}

/// A source that cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);
