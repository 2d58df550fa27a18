//! What happened to models and hosts besides requests: actions of placement and sync, contents that differed, bytes moved, faults.

use control::facts::errands::ErrandCounts;
use control::facts::sync::{GossipCounts, SyncCounts};
use control::units::Instant;
use serde::Serialize;
use traces::record::{HostTime, Moved};
use traces::traffic::{ConflictEnds, ConflictsEnded, Traffic};

use super::energy::FleetPower;
use crate::number::ratio;

/// As given by the caller.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FleetInfo {
    /// Actions of placement and sync, by kind.
    pub actions: Vec<(String, ErrandCounts)>,
    /// What became of sync, where there is any.
    pub sync: Option<SyncCounts>,
    /// How contents that differed came to be the same again.
    pub conflicts: ConflictsEnded,
    /// What was moved, where anything could be.
    pub moved: Option<Moved>,
    /// Over which links, and when.
    pub traffic: Option<Traffic>,
    /// How long hosts were on.
    pub host_time: HostTime,
    /// What hosts drew, where that is known of all of them.
    pub power: Option<FleetPower>,
    /// Kinds of faults: how often one began, and made itself felt.
    pub faults: Vec<(String, u64, u64)>,
}

/// Actions of a kind: asked for = done + failed + under way at the end.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ActionRow {
    /// Load, unload, pull, ….
    pub kind: String,
    /// Asked for.
    pub asked: u64,
    /// Done.
    pub done: u64,
    /// Failed.
    pub failed: u64,
    /// Mean time of those that were done.
    pub seconds_mean: Option<f64>,
}

/// Contents of names that differed among hosts and the registry.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Synced {
    /// Times that contents of a name began to differ, by the gravest way.
    pub conflicts: Vec<ConflictRow>,
    /// Times that all were the same again.
    pub converged: u64,
    /// Mean time from the first to the second.
    pub converge_seconds_mean: Option<f64>,
    /// The longest.
    pub converge_seconds_max: Option<f64>,
    /// Requests sent to a host that had another content than the right one.
    pub stale_serves: u64,
    /// What hosts compared, where they gossip. What they fetched in consequence is in what was moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gossip: Option<GossipCounts>,
}

/// Conflicts of a kind, and how they ended: `times` is the sum of that.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConflictRow {
    /// How contents differed.
    pub kind: String,
    /// How often.
    pub times: u64,
    /// How they ended.
    #[serde(flatten)]
    pub ends: ConflictEnds,
}

/// How long hosts were on.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct HostHours {
    /// Hosts that can stand by.
    pub standby: u32,
    /// Hours of hosts, those in which they were provisioned included.
    pub hours: f64,
    /// Had all been on all the time.
    pub all_hours: f64,
    /// Hosts that were on, on average over time.
    pub on_mean: f64,
    /// Most at once.
    pub on_max: u32,
    /// What that cost, where prices are known.
    pub cost: Option<f64>,
    /// What all would have.
    pub all_cost: Option<f64>,
}

/// Faults of a kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FaultRow {
    /// What broke.
    pub kind: String,
    /// How often one began.
    pub began: u64,
    /// How often it made itself felt.
    pub felt: u64,
}

pub(super) fn actions(info: &FleetInfo) -> Vec<ActionRow> {
    let row = |(kind, counts): &(String, ErrandCounts)| ActionRow {
        kind: kind.clone(),
        asked: counts.asked,
        done: counts.done,
        failed: counts.failed,
        seconds_mean: seconds(counts.done_nanos, counts.done),
    };
    info.actions.iter().map(row).collect()
}

pub(super) fn synced(info: &FleetInfo) -> Option<Synced> {
    let counts = info.sync.as_ref()?;
    let row = |(kind, times): (&control::sync::conflict::Kind, &u64)| ConflictRow {
        kind: format!("{kind:?}").to_lowercase(),
        times: *times,
        ends: info.conflicts.get(kind).copied().unwrap_or_default(),
    };
    Some(Synced {
        conflicts: counts.conflicts.iter().map(row).collect(),
        converged: counts.converged,
        converge_seconds_mean: seconds(counts.converge_nanos, counts.converged),
        converge_seconds_max: (counts.converged > 0).then(|| counts.converge_nanos_max as f64 / 1e9),
        stale_serves: counts.stale_serves,
        gossip: (counts.gossip.rounds > 0).then_some(counts.gossip),
    })
}

/// Nothing where no host can stand by and none has a price.
pub(super) fn host_hours(info: &FleetInfo, simulated: Instant) -> Option<HostHours> {
    const HOUR: u128 = 3_600_000_000_000;
    let time = &info.host_time;
    let priced = time.all_cost_cent_nanos > 0;
    if time.standby == 0 && !priced {
        return None;
    }
    let hours = |nanos: u128, digits| ratio(nanos, HOUR, digits).unwrap_or(0.0);
    let cost = |cent_nanos: u128| priced.then(|| hours(cent_nanos / 100, 2));
    Some(HostHours {
        standby: time.standby,
        hours: hours(time.on_nanos, 3),
        all_hours: hours(time.all_nanos, 3),
        on_mean: ratio(time.on_nanos, simulated.0.into(), 2).unwrap_or(0.0),
        on_max: time.on_max,
        cost: cost(time.cost_cent_nanos),
        all_cost: cost(time.all_cost_cent_nanos),
    })
}

pub(super) fn faults(info: &FleetInfo) -> Vec<FaultRow> {
    let row = |(kind, began, felt): &(String, u64, u64)| FaultRow {
        kind: kind.clone(),
        began: *began,
        felt: *felt,
    };
    info.faults.iter().map(row).collect()
}

fn seconds(nanos: u64, count: u64) -> Option<f64> {
    ratio(u128::from(nanos), u128::from(count) * 1_000_000_000, 3)
}
