//! What the task that owns control is told: events of requests and hosts, questions of the operator's side.

use std::sync::Arc;

use control::constraints::Demands;
use control::digest::Digest;
use control::door::{ActionOutcome, Input, LoadedModel, Manifest, Observation, StoredModel};
use control::ids::{ActionId, HostId, ModelId, SessionId};
use control::request::{Failure, HostOptions, Kind, Usage};
use control::units::Bytes;
use tokio::sync::oneshot;

use crate::gateway::metrics::text::LabelNames;
use crate::gateway::metrics::{DecisionRecord, Metrics};
use crate::gateway::survey::{Held, PlacementView, Survey};
use crate::gateway::ticket::{Sender, TicketNumber, Told};
use crate::wire::lists::Entry;
use crate::wire::name;

/// What happened. The queue of events is bounded by the requests under way (`requests_max`), each of which has few
/// events, and by the hosts, each of which has one poll at a time.
#[derive(Debug)]
pub(in crate::gateway) enum Event {
    /// A request came in.
    Arrive { ticket: TicketNumber, arrival: Arrival, decisions: Sender<Told> },
    /// The first byte of its answer came.
    FirstByte { ticket: TicketNumber, attempt: u8 },
    /// Its answer was relayed in full.
    Finished { ticket: TicketNumber, attempt: u8, usage: Usage },
    /// An attempt failed.
    Failed { ticket: TicketNumber, attempt: u8, failure: Failure },
    /// Its client left, after so many tokens.
    Gone { ticket: TicketNumber, attempt: u8, tokens: u32 },
    /// A host said what it holds.
    Heard { host: HostId, holds: Holds },
    /// A host did not answer its last polls.
    Silent { host: HostId },
    /// An action on a host ended; `why` says more where it failed.
    Acted { action: ActionId, outcome: ActionOutcome, why: String },
    /// A registry has another content under a normalised name, or none any more.
    Published { model: String, manifest: Option<Manifest> },
    /// What the operator's side wants to see.
    Ask(Question),
    /// What an operator changes, checked before; answered when control has taken it.
    Operate { inputs: Vec<Input>, done: oneshot::Sender<()> },
    /// An operator decided which content of a normalised name is the one to keep, or withdrew that; answered when control has taken it.
    Decide { model: String, keep: Option<Digest>, done: oneshot::Sender<()> },
    /// Serving has ended; answered when all before was dealt with.
    Stop(oneshot::Sender<()>),
}

/// A question of the operator's side. Whoever asked may have left: then nobody reads the answer.
#[derive(Debug)]
pub(in crate::gateway) enum Question {
    /// How everything is.
    Survey(oneshot::Sender<Survey>),
    /// The same, with all counts.
    Metrics(oneshot::Sender<Box<(Survey, Metrics, LabelNames)>>),
    /// The last requests.
    Decisions { limit: usize, reply: oneshot::Sender<Vec<Arc<DecisionRecord>>> },
    /// Plan, actions and contents.
    Placement(oneshot::Sender<PlacementView>),
    /// Who has which content of the names that are kept the same.
    Held(oneshot::Sender<Held>),
    /// Names of managed models that registries may be asked for.
    ManagedNames(oneshot::Sender<Vec<String>>),
    /// Requests on a host.
    InFlight { host: HostId, reply: oneshot::Sender<u32> },
}

/// A request as control is told of it.
#[derive(Debug)]
pub(in crate::gateway) struct Arrival {
    /// Normalised name.
    pub(in crate::gateway) model: String,
    /// Whose it is.
    pub(in crate::gateway) tenant: String,
    pub(in crate::gateway) priority: i8,
    /// Whether the answer comes in one piece.
    pub(in crate::gateway) whole: bool,
    pub(in crate::gateway) kind: Kind,
    pub(in crate::gateway) session: Option<SessionId>,
    pub(in crate::gateway) prompt_bytes: Bytes,
    pub(in crate::gateway) num_predict: Option<u32>,
    pub(in crate::gateway) options: HostOptions,
    pub(in crate::gateway) demands: Demands,
    pub(in crate::gateway) prefix: Box<[u64]>,
}

/// What a host holds, by names.
#[derive(Debug)]
pub(in crate::gateway) struct Holds {
    pub(in crate::gateway) version: String,
    pub(in crate::gateway) loaded: Vec<Entry>,
    pub(in crate::gateway) stored: Vec<Entry>,
}

/// The same in control's words: ids for names, each model once. A model that gets no id is left out.
pub(super) fn observed(holds: &Holds, mut model: impl FnMut(&str) -> Option<ModelId>) -> Observation {
    let mut observation = Observation { version: holds.version.clone(), ..Observation::default() };
    let mut id = |entry: &Entry| name::normalise(&entry.name).and_then(|name| model(&name));
    for entry in &holds.loaded {
        if let Some(model) = id(entry) {
            let (bytes, vram) = (Bytes(entry.size), Bytes(entry.size_vram));
            observation.loaded.push(LoadedModel { model, bytes, vram });
        }
    }
    for entry in &holds.stored {
        if let Some(model) = id(entry) {
            let (bytes, digest) = (Bytes(entry.size), entry.digest());
            let modified_nanos = entry.modified_nanos();
            observation.stored.push(StoredModel { model, bytes, digest, modified_nanos });
        }
    }
    observation.loaded.sort_unstable();
    observation.loaded.dedup_by_key(|loaded| loaded.model);
    observation.stored.sort_unstable();
    observation.stored.dedup_by_key(|stored| stored.model);
    observation
}
