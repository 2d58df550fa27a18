//! What the admin API and the metrics show of control at a moment. Made in the task that owns control, on demand; written
//! out by whoever asked. The field names are the API's: `docs/serving.md` describes them.

mod contents;
mod placement;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use control::Control;
use control::config::arms::Role;
use control::door::{BreakerState, Part};
use control::facts::Counters;
use control::facts::arms::ArmFacts;
use control::facts::ledger::State;
use control::ids::{HostId, ModelId, TenantId};
use control::strategy;
use control::units::Instant;
use serde::Serialize;

use super::metrics::Recorder;
pub(super) use contents::{Held, held};
pub(super) use placement::PlacementView;

/// Waiting requests that are listed one by one.
const WAITING_MAX: usize = 100;

/// Everything but the decisions.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Survey {
    pub(super) status: Status,
    pub(super) hosts: Vec<HostView>,
    pub(super) models: Vec<ModelView>,
    pub(super) queue: QueueView,
    pub(super) experiments: Experiments,
}

/// The gateway as a whole.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Status {
    pub(super) version: &'static str,
    pub(super) uptime_seconds: u64,
    /// When all of this was so, by the clock of [`DecisionRecord`](super::metrics::DecisionRecord)s.
    pub(super) now_unix_millis: u64,
    /// Set by the admin side: the gateway takes no new requests.
    pub(super) draining: bool,
    /// Number of the config in force.
    pub(super) epoch: u32,
    pub(super) frozen: bool,
    pub(super) scheduler: &'static str,
    pub(super) balancer: &'static str,
    /// Parts whose plain form decides, since the other was found at fault.
    pub(super) fallen_back: Vec<Part>,
    /// Steps broke so often that all of them decide in their plain form until the gateway starts anew.
    pub(super) safe_mode: bool,
    pub(super) hosts_up: usize,
    /// Hosts that get no new requests since an operator said so, up or not.
    pub(super) hosts_drained: usize,
    pub(super) hosts: usize,
    pub(super) counters: Counters,
    pub(super) steps: u64,
    /// Steps that are missing in the decision log.
    pub(super) log_steps_lost: u64,
    /// Whether the decision log is written: `off`, `writing`, `failed`.
    pub(super) log: &'static str,
}

/// One host.
#[derive(Clone, Debug, Serialize)]
pub(super) struct HostView {
    pub(super) id: u32,
    pub(super) name: String,
    /// Set by the admin side, which knows addresses.
    pub(super) address: String,
    /// Set by the admin side: it was taken out of the fleet and only keeps its number.
    pub(super) removed: bool,
    pub(super) up: bool,
    pub(super) drained: bool,
    pub(super) breaker: BreakerState,
    /// Breakers of models there that are not closed.
    pub(super) model_breakers: Vec<ModelBreakerView>,
    /// Attempts sent there.
    pub(super) dispatches: u64,
    /// Attempts that failed there.
    pub(super) failures: u64,
    pub(super) version: String,
    pub(super) in_flight: u32,
    /// Most requests let out to it now.
    pub(super) limit: u32,
    /// Slots as declared.
    pub(super) slots: u32,
    pub(super) outstanding_tokens: u64,
    pub(super) gpu: String,
    pub(super) memory_bytes: u64,
    pub(super) weight: u32,
    pub(super) tier: u8,
    pub(super) zone: String,
    pub(super) loaded: Vec<LoadedView>,
    pub(super) stored: Vec<String>,
}

/// The breaker of a model on a host.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ModelBreakerView {
    pub(super) model: String,
    pub(super) state: BreakerState,
}

/// A model in a host's memory.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LoadedView {
    pub(super) model: String,
    pub(super) bytes: u64,
    pub(super) vram_bytes: u64,
}

/// One model that is on a host, or was asked for.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ModelView {
    pub(super) name: String,
    pub(super) loaded_on: Vec<String>,
    pub(super) stored_on: Vec<String>,
    pub(super) queued: u32,
    pub(super) running: u32,
    pub(super) answers: u64,
    pub(super) output_tokens: u64,
}

/// Who waits.
#[derive(Clone, Debug, Serialize)]
pub(super) struct QueueView {
    pub(super) queued: u64,
    pub(super) running: u64,
    pub(super) oldest_wait_millis: u64,
    /// By tenant and model; the largest of them, at most [`WAITING_MAX`].
    pub(super) groups: Vec<WaitingGroup>,
    /// The first of them, in order of arrival.
    pub(super) waiting: Vec<WaitingView>,
}

/// Those of a tenant that wait for a model.
#[derive(Clone, Debug, Serialize)]
pub(super) struct WaitingGroup {
    pub(super) tenant: String,
    pub(super) model: String,
    pub(super) queued: u32,
    pub(super) oldest_wait_millis: u64,
}

/// One that waits.
#[derive(Clone, Debug, Serialize)]
pub(super) struct WaitingView {
    pub(super) id: u64,
    pub(super) model: String,
    pub(super) tenant: String,
    pub(super) priority: i8,
    pub(super) wait_millis: u64,
}

/// The arms of the config in force.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Experiments {
    /// Flags and experiments, each with its arms.
    pub(super) trials: Vec<TrialView>,
    /// Base, choices, and shadows.
    pub(super) arms: Vec<ArmView>,
}

/// A flag or an experiment.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TrialView {
    pub(super) name: String,
    /// Whether a guard takes back arms that do worse than the base.
    pub(super) guarded: bool,
    pub(super) arms: Vec<ArmView>,
}

/// An arm and what became of its requests.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ArmView {
    pub(super) name: String,
    /// `base`, `choice`, `variant` or `shadow`.
    pub(super) role: &'static str,
    pub(super) balancer: &'static str,
    /// Share of the units, where it has one.
    pub(super) share_permille: Option<u16>,
    pub(super) decided: u64,
    /// Of a shadow: how often it would have done the same.
    pub(super) agreed: u64,
    pub(super) finished: u64,
    pub(super) failed: u64,
    /// From dispatch to first byte.
    pub(super) ttft_mean_millis: Option<f64>,
    pub(super) rolled_back: bool,
    pub(super) broken: bool,
}

/// What surrounds control and is shown with it.
#[derive(Clone, Copy)]
pub(super) struct Around {
    pub(super) now: Instant,
    pub(super) steps: u64,
    pub(super) safe_mode: bool,
    pub(super) log_steps_lost: u64,
    pub(super) log: &'static str,
}

impl Survey {
    pub(super) fn of(control: &Control, recorder: &Recorder, around: Around) -> Self {
        let facts = control.facts();
        let config = control.config();
        let (queue, under_way) = queue(control, around.now);
        let hosts: Vec<HostView> =
            (0..facts.hosts.len()).map(|host| host_view(control, recorder, HostId(host as u32))).collect();
        let status = Status {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: around.now.0 / 1_000_000_000,
            now_unix_millis: recorder.unix_millis(around.now),
            draining: false,
            epoch: control.epoch().0,
            frozen: facts.frozen || config.frozen,
            scheduler: strategy::of(&config.scheduler, control::schedule::ALL).name,
            balancer: strategy::of(&config.arms[0].balancer, control::balance::ALL).name,
            fallen_back: facts.fallen_back.clone(),
            safe_mode: around.safe_mode,
            hosts_up: hosts.iter().filter(|host| host.up).count(),
            hosts_drained: hosts.iter().filter(|host| host.drained).count(),
            hosts: hosts.len(),
            counters: facts.counters,
            steps: around.steps,
            log_steps_lost: around.log_steps_lost,
            log: around.log,
        };
        let models = models(control, &hosts, &under_way);
        Self { status, hosts, models, queue, experiments: experiments(control) }
    }
}

fn model_name(control: &Control, model: ModelId) -> String {
    control.facts().models[model.index()].name.clone()
}

fn host_view(control: &Control, recorder: &Recorder, host: HostId) -> HostView {
    let facts = &control.facts().hosts[host.index()];
    let load = control.facts().loads[host.index()];
    let declared = &facts.declaration;
    let loaded = facts.observation.loaded.iter().map(|loaded| LoadedView {
        model: model_name(control, loaded.model),
        bytes: loaded.bytes.0,
        vram_bytes: loaded.vram.0,
    });
    let model_breakers = recorder.model_breakers(host);
    let counts = recorder.host_counts(host);
    HostView {
        id: host.0,
        name: declared.name.clone(),
        address: String::new(),
        removed: false,
        up: facts.is_up(),
        drained: facts.drained,
        breaker: recorder.breaker(host),
        model_breakers: model_breakers
            .map(|(model, state)| ModelBreakerView { model: model_name(control, model), state })
            .collect(),
        dispatches: counts.dispatches,
        failures: counts.failures.values().sum(),
        version: facts.observation.version.clone(),
        in_flight: load.in_flight,
        limit: load.limit,
        slots: declared.slots,
        outstanding_tokens: load.outstanding_tokens,
        gpu: declared.gpu.clone(),
        memory_bytes: declared.memory.0,
        weight: declared.weight,
        tier: declared.tier,
        zone: declared.zone.clone(),
        loaded: loaded.collect(),
        stored: facts.observation.stored.iter().map(|stored| model_name(control, stored.model)).collect(),
    }
}

/// By model: requests that wait, and that run.
type UnderWay = BTreeMap<ModelId, (u32, u32)>;

fn queue(control: &Control, now: Instant) -> (QueueView, UnderWay) {
    let facts = control.facts();
    let mut under_way = UnderWay::new();
    let mut waiting = Vec::new();
    for (_, entry) in facts.ledger.iter() {
        let counts = under_way.entry(entry.arrive.model).or_default();
        if matches!(entry.state, State::Queued | State::Deferred) {
            counts.0 += 1;
            waiting.push(entry);
        } else {
            counts.1 += 1;
        }
    }
    waiting.sort_by_key(|entry| entry.arrive.request);
    let wait_millis = |since: Instant| now.since(since).0 / 1_000_000;
    // The first of each is its oldest.
    let mut groups: BTreeMap<(TenantId, ModelId), (u32, Instant)> = BTreeMap::new();
    for entry in &waiting {
        let group = groups.entry((entry.arrive.tenant, entry.arrive.model));
        group.or_insert((0, entry.arrived_at)).0 += 1;
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (queued, oldest))| (Reverse(*queued), *oldest));
    let view = QueueView {
        queued: facts.counters.queued,
        running: facts.counters.running,
        oldest_wait_millis: waiting.iter().map(|entry| wait_millis(entry.arrived_at)).max().unwrap_or(0),
        groups: groups
            .into_iter()
            .take(WAITING_MAX)
            .map(|((tenant, model), (queued, oldest))| WaitingGroup {
                tenant: facts.tenants[tenant.index()].clone(),
                model: model_name(control, model),
                queued,
                oldest_wait_millis: wait_millis(oldest),
            })
            .collect(),
        waiting: waiting
            .iter()
            .take(WAITING_MAX)
            .map(|entry| WaitingView {
                id: entry.arrive.request.0,
                model: model_name(control, entry.arrive.model),
                tenant: facts.tenants[entry.arrive.tenant.index()].clone(),
                priority: entry.arrive.priority,
                wait_millis: wait_millis(entry.arrived_at),
            })
            .collect(),
    };
    (view, under_way)
}

fn models(control: &Control, hosts: &[HostView], under_way: &UnderWay) -> Vec<ModelView> {
    let mut views: BTreeMap<&str, ModelView> = BTreeMap::new();
    for host in hosts.iter().filter(|host| host.up) {
        for loaded in &host.loaded {
            views.entry(&loaded.model).or_default().loaded_on.push(host.name.clone());
        }
        for stored in &host.stored {
            views.entry(stored).or_default().stored_on.push(host.name.clone());
        }
    }
    for (id, facts) in (0..).zip(&control.facts().models) {
        let counts = under_way.get(&ModelId(id)).copied();
        // Names that clients made up are no models.
        if counts.is_none() && facts.answers == 0 && !views.contains_key(facts.name.as_str()) {
            continue;
        }
        let view = views.entry(&facts.name).or_default();
        (view.queued, view.running) = counts.unwrap_or_default();
        (view.answers, view.output_tokens) = (facts.answers, facts.output_tokens);
    }
    views.into_iter().map(|(name, view)| ModelView { name: name.to_owned(), ..view }).collect()
}

fn experiments(control: &Control) -> Experiments {
    let config = control.config();
    let view = |at: usize, share_permille: Option<u16>| {
        let arm = &config.arms[at];
        let known = |facts: &&ArmFacts| facts.name == arm.name && facts.kind == arm.balancer.kind;
        let facts = control.facts().arms.iter().find(known);
        let counts = facts.map(|facts| facts.counts).unwrap_or_default();
        ArmView {
            name: arm.name.clone(),
            role: match arm.role {
                Role::Base => "base",
                Role::Choice => "choice",
                Role::Variant => "variant",
                Role::Shadow => "shadow",
            },
            balancer: strategy::of(&arm.balancer, control::balance::ALL).name,
            share_permille,
            decided: counts.decided,
            agreed: counts.agreed,
            finished: counts.finished,
            failed: counts.failed,
            ttft_mean_millis: (counts.first_bytes > 0)
                .then(|| counts.ttft_nanos as f64 / counts.first_bytes as f64 / 1e6),
            rolled_back: facts.is_some_and(|facts| facts.rolled_back),
            broken: facts.is_some_and(|facts| facts.broken),
        }
    };
    let trials = config.trials.iter().map(|trial| TrialView {
        name: trial.name.clone(),
        guarded: trial.guard.is_some(),
        arms: (trial.arms_from..)
            .zip(&trial.assignment.shares_permille)
            .map(|(at, share)| view(at, Some(*share)))
            .collect(),
    });
    let others = (0..config.arms.len()).filter(|at| config.arms[*at].role != Role::Variant);
    Experiments { trials: trials.collect(), arms: others.map(|at| view(at, None)).collect() }
}
