//! What became of a job, as its client felt it; and samples of the fleet over time.

use control::ids::{ArmId, HostId, ModelId, RequestId, SessionId, TenantId};
use control::request::{Outcome, Usage};
use control::units::{Bytes, Instant};

/// One request from arrival to end. Times are those of the client.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// The request.
    pub request: RequestId,
    /// Its model (the name is in the run's catalogue of models).
    pub model: ModelId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its session.
    pub session: Option<SessionId>,
    /// Its priority.
    pub priority: i8,
    /// When it arrived.
    pub arrival: Instant,
    /// When it was last let out to a host; `None` if never.
    pub dispatched: Option<Instant>,
    /// When its first token came; `None` if none came.
    pub first_token: Option<Instant>,
    /// When its last token came, or when it ended otherwise; the end of the run where it is unfinished.
    pub ended: Instant,
    /// The host of the last attempt.
    pub host: Option<HostId>,
    /// Which arm of the config decided the last attempt; 0, the base, where none was made.
    pub arm: ArmId,
    /// Attempts made on hosts.
    pub attempts: u8,
    /// Tokens of its prompt, before truncation.
    pub prompt_tokens: u32,
    /// Prompt tokens found in a slot's prefix cache (of the last attempt).
    pub cached_tokens: u32,
    /// Whether the host cut the prompt to its context window.
    pub truncated: bool,
    /// What the host reported; all zero where it did not finish.
    pub usage: Usage,
    /// How it ended.
    pub outcome: Outcome,
}

/// A host at a sampling time. Counters run from the start of the run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HostSample {
    /// The host.
    pub host: HostId,
    /// Requests on it (pending there, waiting for a slot, or in one).
    pub requests: u32,
    /// Requests in slots.
    pub running: u32,
    /// Time in which at least one runner computed, in nanoseconds.
    pub busy_nanos: u64,
    /// Models loaded or loading, with the memory they take; sorted by model.
    pub loaded: Vec<(ModelId, Bytes)>,
    /// Loads begun.
    pub loads: u64,
    /// Runners unloaded to make room for another model.
    pub evictions: u64,
    /// Tokens generated.
    pub output_tokens: u64,
    /// Prompt tokens evaluated.
    pub prompt_tokens: u64,
    /// Prompt tokens found in a prefix cache.
    pub cached_tokens: u64,
    /// Weight reads served by each tier: VRAM (already loaded), page cache, local disk, registry or peer.
    pub tier_hits: [u64; 4],
}

/// The fleet at a sampling time.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// Requests queued in control.
    pub queued: u32,
    /// Requests let out to hosts.
    pub in_flight: u32,
    /// Requests arrived since the start.
    pub arrived: u64,
    /// Requests finished since the start.
    pub finished: u64,
    /// Hosts that are on, or are being provisioned.
    pub hosts_on: u32,
    /// Each host, in order of id.
    pub hosts: Vec<HostSample>,
}

/// How long hosts were on, and what that cost, beside what all of them would have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HostTime {
    /// Hosts that can stand by.
    pub standby: u32,
    /// Most hosts that were on at once.
    pub on_max: u32,
    /// Time that hosts were on, provisioning included, in nanoseconds of one host.
    pub on_nanos: u128,
    /// The same had all been on all the time.
    pub all_nanos: u128,
    /// Cost of that time, in hundredths of a currency times nanoseconds of an hour's price.
    pub cost_cent_nanos: u128,
    /// The same had all been on all the time.
    pub all_cost_cent_nanos: u128,
}

/// What was moved between disks and the registry, and what became of it. The five sums of bytes after the first two are all that
/// was moved ([`Traffic`](crate::traffic::Traffic) says over which links).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Moved {
    /// Pulls begun, from the registry or another host.
    pub pulls: u64,
    /// … of these, ended with the model on the disk.
    pub pulled: u64,
    /// Bytes of the models pulled, layers that hosts had already included.
    pub wanted_bytes: u64,
    /// … of these, bytes that hosts had already.
    pub spared_bytes: u64,
    /// Bytes out of the registry, of pulls that were done.
    pub registry_bytes: u64,
    /// Bytes from host to host, of fetches that were done.
    pub peer_bytes: u64,
    /// Bytes into the registry, of pushes that were done.
    pub pushed_bytes: u64,
    /// Bytes moved for nothing: of transfers that broke off, or came damaged.
    pub lost_bytes: u64,
    /// Bytes that transfers had moved that were under way at the end.
    pub under_way_bytes: u64,
    /// Names removed from disks.
    pub deleted: u64,
    /// Transfers and removals that failed.
    pub failed: u64,
}
