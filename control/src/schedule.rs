//! Order of the queue. A scheduler gives each queued request a group and a rank in it; which group's first request goes
//! next it decides when a host has room.
//!
//! Most orders need one group and no decision: least rank first. Fair ones have a group for each tenant, and know what
//! each was served.

mod earliest_deadline;
mod fair;
mod fifo;
mod least_slack;
mod model_batching;
mod multi_level_feedback;
mod oracle_shortest_job;
mod priority_deadline;
mod round_robin;
mod shortest_job;
mod token_counter;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::facts::models::ModelFacts;
use crate::facts::predict::Predictor;
use crate::ids::{ModelId, RequestId, TenantId};
use crate::request::Arrive;
use crate::strategy::{Chosen, Line};
use crate::units::{Instant, Nanos};

/// The place of a request in its group: least first, ties in order of arrival. Packed, since every request that waits has one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[repr(Rust, packed(4))]
pub struct Key {
    /// What the scheduler made of it.
    pub rank: u128,
    /// Order of arrival.
    pub request: RequestId,
}

/// Requests that are ordered among themselves by rank.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug, Serialize, Deserialize)]
pub struct Group(pub u32);

impl Group {
    /// Requests that have waited for too long: before all others, in order of arrival.
    pub const AGED: Self = Self(u32::MAX);
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
    /// What answers taught of lengths to come.
    pub predictor: &'a Predictor,
}

/// The first request of a group whose model has a host with room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Its model.
    pub model: ModelId,
    /// Its group.
    pub group: Group,
    /// Its place in the group.
    pub key: Key,
    /// Where its entry lies.
    pub slot: u32,
    /// Expected tokens of prompt and answer; 0 where the scheduler has no use for them.
    pub tokens: u32,
    /// How long it has waited; 0 where the scheduler has no use for it.
    pub waited: Nanos,
    /// A host with room has its model loaded; false where the scheduler has no use for it.
    pub loaded: bool,
}

/// Work of a request, in tokens.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Work {
    /// Of the prompt.
    pub prompt: u32,
    /// Of the answer.
    pub output: u32,
}

impl Work {
    /// Tokens in all.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.prompt.saturating_add(self.output)
    }
}

/// An order of the queue. What it keeps between decisions is its memory; it is built again from it.
pub trait Scheduler: Send {
    /// Group and rank of a request. Changes nothing: the queue may be built anew at any time.
    fn place(&self, queued: Queued<'_>) -> (Group, u128);

    /// Which of the heads goes next; there is at least one.
    fn choose(&mut self, heads: &[Head]) -> usize {
        least(heads)
    }

    /// Whether heads need `tokens` and `waited`.
    fn asks_for_work(&self) -> bool {
        false
    }

    /// Whether heads need `loaded`, which is a walk through the hosts for each.
    fn asks_for_loaded(&self) -> bool {
        false
    }

    /// A tenant became known, and with it its weight; 100 is normal. Told again whenever the scheduler is built.
    fn weigh(&mut self, _: TenantId, _weight: u32) {}

    /// A request is put into the queue.
    fn enter(&mut self, _: &Arrive) {}

    /// A request has left the queue, for whatever reason.
    fn leave(&mut self, _: &Arrive) {}

    /// It decides again, after another did for a while: these wait now, by tenant. Who has left meanwhile left unseen, and
    /// who waited before and still does keeps what it had.
    fn resume(&mut self, _queued: &BTreeMap<TenantId, u64>) {}

    /// A request is let out to a host; what it will take is a guess.
    fn charge(&mut self, _: &Arrive, _: Work) {}

    /// What a request took is known; `charged` is what was guessed.
    fn settle(&mut self, _: &Arrive, _charged: Work, _took: Work) {}

    /// What it keeps between decisions.
    fn memory(&self) -> Vec<u64> {
        Vec::new()
    }
}

/// The head with the least key.
pub(crate) fn least(heads: &[Head]) -> usize {
    (0..heads.len())
        .min_by_key(|at| heads[*at].key)
        .expect("a scheduler is asked only where a request can go")
}

/// The weight of a tenant of which nothing else is said.
pub const WEIGHT_NORMAL: u32 = 100;

/// A tenant's group.
fn group_of(tenant: TenantId) -> Group {
    Group(tenant.0)
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
    /// Earliest deadline, whatever the priority.
    EarliestDeadline,
    /// Least time left beyond what the answer takes.
    LeastSlack,
    /// Sessions that were served little first.
    MultiLevelFeedback,
    /// Tenants in turn, a quantum of tokens each.
    DeficitRoundRobin,
    /// The tenant that was served least.
    TokenCounter,
    /// Requests for loaded models first.
    ModelBatching,
    /// Least true work, which only a simulator knows.
    OracleShortestJob,
}

/// All schedulers.
pub const ALL: &[Line<SchedulerKind>] = &[
    (SchedulerKind::Fifo, fifo::STRATEGY),
    (SchedulerKind::PriorityDeadline, priority_deadline::STRATEGY),
    (SchedulerKind::ShortestJob, shortest_job::STRATEGY),
    (SchedulerKind::EarliestDeadline, earliest_deadline::STRATEGY),
    (SchedulerKind::LeastSlack, least_slack::STRATEGY),
    (SchedulerKind::MultiLevelFeedback, multi_level_feedback::STRATEGY),
    (SchedulerKind::DeficitRoundRobin, round_robin::STRATEGY),
    (SchedulerKind::TokenCounter, token_counter::STRATEGY),
    (SchedulerKind::ModelBatching, model_batching::STRATEGY),
    (SchedulerKind::OracleShortestJob, oracle_shortest_job::STRATEGY),
];

/// Builds a scheduler with what one of its kind kept before (empty: new).
#[must_use]
pub fn build(chosen: &Chosen<SchedulerKind>, memory: &[u64]) -> Box<dyn Scheduler> {
    let parameters = &chosen.parameters;
    match chosen.kind {
        SchedulerKind::Fifo => Box::new(fifo::Fifo),
        SchedulerKind::PriorityDeadline => Box::new(priority_deadline::PriorityDeadline),
        SchedulerKind::ShortestJob => Box::new(shortest_job::ShortestJob),
        SchedulerKind::EarliestDeadline => Box::new(earliest_deadline::EarliestDeadline),
        SchedulerKind::LeastSlack => Box::new(least_slack::LeastSlack::new(parameters)),
        SchedulerKind::MultiLevelFeedback => {
            Box::new(multi_level_feedback::MultiLevelFeedback::new(parameters, memory))
        }
        SchedulerKind::DeficitRoundRobin => Box::new(round_robin::DeficitRoundRobin::new(parameters, memory)),
        SchedulerKind::TokenCounter => Box::new(token_counter::TokenCounter::new(parameters, memory)),
        SchedulerKind::ModelBatching => Box::new(model_batching::ModelBatching::new(parameters)),
        SchedulerKind::OracleShortestJob => Box::new(oracle_shortest_job::OracleShortestJob),
    }
}

#[cfg(test)]
mod tests;
