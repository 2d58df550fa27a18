//! What control knows: plain, cloneable, serialisable. Indexes that can be derived from it are derived.

pub mod arms;
pub mod breakers;
pub mod errands;
pub mod history;
pub mod hosts;
pub mod learned;
pub mod ledger;
pub mod loading;
pub mod models;
pub mod placement;
pub mod predict;
pub mod recent;
pub mod retry;
pub mod scale;
pub mod sync;
pub mod trials;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::door::Part;
use crate::ids::ActionId;
use crate::policy::limit::Limit;
use crate::policy::prefetch::PrefetchFacts;
use crate::policy::quarantine::Quarantine;
use crate::schedule::{Key, SchedulerKind};
use arms::ArmFacts;
use breakers::Breakers;
use errands::Errands;
use history::HostHistory;
use hosts::{HostFacts, HostLoad};
use ledger::Ledger;
use loading::Loading;
use models::ModelFacts;
use placement::PlacementFacts;
use predict::Predictor;
use predict::score::PredictionScores;
use recent::Recent;
use retry::RetryBudget;
use scale::ScaleFacts;
use sync::SyncFacts;
use trials::Trials;

/// Everything that control knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Models by id.
    pub models: Vec<ModelFacts>,
    /// Tenants' names by id.
    pub tenants: Vec<String>,
    /// Hosts by id.
    pub hosts: Vec<HostFacts>,
    /// What is under way on each host, by id: apart from the rest, since balancers read it most.
    pub loads: Vec<HostLoad>,
    /// What answers taught of each host, by id.
    pub history: Vec<HostHistory>,
    /// What answers taught of lengths and times to come.
    pub predictor: Predictor,
    /// How good its predictions were.
    pub predictions: PredictionScores,
    /// Requests under way.
    pub ledger: Ledger,
    /// Models that hosts were asked for and do not have in memory yet.
    pub loading: Loading,
    /// Retries that may still be made.
    pub retry: RetryBudget,
    /// What has passed the door.
    pub counters: Counters,
    /// What each scheduler kept that was in force, as of the last snapshot or change of the config.
    pub schedulers: Vec<(SchedulerKind, Vec<u64>)>,
    /// The ranks of queued requests, in order of arrival: written into snapshots, empty otherwise.
    pub ranks: Vec<Key>,
    /// What is known of each arm, by id.
    pub arms: Vec<ArmFacts>,
    /// The config before the last, to go back to.
    pub previous: Option<Box<Config>>,
    /// Parts whose plain form decides, since the driver found the other at fault.
    pub fallen_back: Vec<Part>,
    /// Breakers; none has counted anything where the config has none.
    pub breakers: Breakers,
    /// What is learned of how many requests each host works on, by id; where the config asks for it.
    pub limits: Vec<Limit>,
    /// The last answers, and the selection that rests on them; where the config asks for it.
    pub recent: Option<Recent>,
    /// Kinds of requests that ended runners; absent until one does.
    pub quarantine: Option<Quarantine>,
    /// Loads ahead of demand.
    pub prefetch: PrefetchFacts,
    /// Number of the next action on a host.
    pub next_action: ActionId,
    /// Actions on hosts that placement and sync asked for.
    pub errands: Errands,
    /// What placement rests on.
    pub placement: PlacementFacts,
    /// Contents of names.
    pub sync: SyncFacts,
    /// What autoscaling rests on.
    pub scale: ScaleFacts,
    /// Whether a request has demanded by itself something that depends on what hosts are doing: that is followed from then on.
    pub demands_dynamic: bool,
    /// Hosts that are kept out by what they did, and when they get another chance.
    pub trials: Trials,
    /// Whether the operator has stopped all that changes by itself.
    pub frozen: bool,
}

/// Counts of requests; they conserve: arrived = queued + running + the ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Came in at the door.
    pub arrived: u64,
    /// Waiting.
    pub queued: u64,
    /// Let out to a host.
    pub running: u64,
    /// Answered in full.
    pub finished: u64,
    /// Turned away.
    pub rejected: u64,
    /// Failed for good.
    pub failed: u64,
    /// Left by their clients.
    pub cancelled: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Messages about attempts that had already ended.
    pub late: u64,
}

impl Facts {
    /// A number for another action on a host.
    pub(crate) fn new_action(&mut self) -> ActionId {
        let id = self.next_action;
        self.next_action = ActionId(id.0 + 1);
        id
    }
}

impl Counters {
    /// Whether each request that arrived is in exactly one place.
    #[must_use]
    pub const fn conserve(&self) -> bool {
        self.arrived
            == self.queued + self.running + self.finished + self.rejected + self.failed + self.cancelled
    }
}
