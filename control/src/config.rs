//! The `[control]` section: the same text in a scenario file and in `serve`.
//!
//! [`ControlFile`] is what stands in the file; [`Config`] is what was checked and cannot be wrong.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// `[control]` as written. Every number has its unit in its key.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlFile {
    /// Order of the queue: a name from `herder strategies`.
    pub scheduler: String,
    /// Choice of host: a name from `herder strategies`.
    pub balancer: String,
    /// Most requests that wait in the queue; more are rejected.
    pub queue_requests_max: u32,
    /// Longest wait in the queue.
    pub queue_timeout_millis: u64,
    /// Requests let out to a host at once: its declared slots, or no limit.
    pub dispatch: DispatchLimit,
    /// Most hosts that one request may try, the first included.
    pub attempts_max: u8,
    /// Retries allowed as a share of the requests of late, in percent.
    pub retry_budget_percent: u32,
    /// Retries allowed each second besides that share.
    pub retry_budget_per_second: u32,
    /// First-byte time-out where the model is loaded.
    pub first_byte_timeout_warm_millis: u64,
    /// First-byte time-out where the model must be loaded first.
    pub first_byte_timeout_cold_millis: u64,
    /// How long a stream may stand still.
    pub idle_timeout_millis: u64,
}

/// How many requests are let out to a host at once ("late binding" keeps the rest where they can still go elsewhere).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DispatchLimit {
    /// As many as it has declared slots.
    #[default]
    Slots,
    /// All: the queueing is left to Ollama.
    Unlimited,
    /// This many.
    Requests(u32),
}

impl Default for ControlFile {
    fn default() -> Self {
        Self {
            scheduler: "fifo".into(),
            balancer: "power-of-two".into(),
            queue_requests_max: 10_000,
            queue_timeout_millis: 600_000,
            dispatch: DispatchLimit::Slots,
            attempts_max: 2,
            retry_budget_percent: 20,
            retry_budget_per_second: 10,
            first_byte_timeout_warm_millis: 300_000,
            first_byte_timeout_cold_millis: 900_000,
            idle_timeout_millis: 60_000,
        }
    }
}

/// A checked config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Config {
    /// The file it came from, for reports and logs.
    pub file: ControlFile,
    /// Longest wait in the queue.
    pub queue_timeout: Nanos,
}
