//! Order of the queue. A scheduler is a key: the queued request with the least goes next.

mod fifo;
mod priority_deadline;
mod shortest_job;

use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use crate::facts::models::ModelFacts;
use crate::ids::RequestId;
use crate::request::Arrive;
use crate::strategy::{Chosen, Line};
use crate::units::Instant;

/// The place of a request in the queue: least first, ties in order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    /// What the scheduler made of it.
    pub rank: u128,
    /// Order of arrival.
    pub request: RequestId,
}

/// What a scheduler may look at.
#[derive(Clone, Copy, Debug)]
pub struct Queued<'a> {
    /// The request.
    pub arrive: &'a Arrive,
    /// When it came.
    pub arrived_at: Instant,
    /// What is known of its model.
    pub model: &'a ModelFacts,
}

/// An order of the queue.
pub trait Scheduler: Send {
    /// The rank of a request: least first.
    fn rank(&mut self, queued: Queued<'_>) -> u128;
    /// Whether ranks are always 0, so that the order is that of arrival.
    fn is_arrival_order(&self) -> bool {
        false
    }
}

/// The schedulers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SchedulerKind {
    /// In order of arrival.
    Fifo,
    /// Highest priority, then earliest deadline.
    PriorityDeadline,
    /// Least expected work.
    ShortestJob,
}

/// All schedulers.
pub const ALL: &[Line<SchedulerKind>] = &[
    (SchedulerKind::Fifo, fifo::STRATEGY),
    (SchedulerKind::PriorityDeadline, priority_deadline::STRATEGY),
    (SchedulerKind::ShortestJob, shortest_job::STRATEGY),
];

/// Builds a scheduler.
#[must_use]
pub fn build(chosen: &Chosen<SchedulerKind>) -> Box<dyn Scheduler> {
    match chosen.kind {
        SchedulerKind::Fifo => Box::new(fifo::Fifo),
        SchedulerKind::PriorityDeadline => Box::new(priority_deadline::PriorityDeadline),
        SchedulerKind::ShortestJob => Box::new(shortest_job::ShortestJob),
    }
}
