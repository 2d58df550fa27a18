//! Plan, actions and contents, as `GET /api/v1/placement` shows them.

use control::Control;
use control::digest::Digest;
use control::door::{Action, Manifest};
use control::facts::errands::{Errand, Kind, Purpose};
use control::ids::{HostId, ModelId};
use control::place::problem::{Demand, Hindrance, Plan, Standing, Unmet, Why};
use control::policy::prefetch::PrefetchCounts;
use control::strategy;
use control::units::{Instant, Nanos};
use serde::Serialize;

use super::contents::{self, ContentsView};
use super::model_name;
use crate::gateway::act::{deed_name, failure_name};
use crate::gateway::metrics::Recorder;

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub(in crate::gateway) struct PlacementView {
    /// `null` where `[control.placement]` is absent.
    strategy: Option<&'static str>,
    /// Whether hosts are told to do what is planned.
    act: bool,
    /// Plans that differed from the one before.
    plans: u64,
    plan: Option<PlanView>,
    /// By action.
    under_way: Vec<ActionView>,
    /// The newest first; nothing is done.
    proposed: Vec<ProposedView>,
    resting: Vec<RestView>,
    counts: Vec<CountView>,
    /// Loads ahead of demand.
    prefetch: PrefetchCounts,
    published: Vec<PublishedView>,
    /// Whether hosts are told to take the right contents; `null` where `[control.sync]` is absent.
    sync_act: Option<bool>,
    contents: Vec<ContentsView>,
}

/// The plan in force.
#[derive(Clone, Debug, Serialize)]
struct PlanView {
    standing: Standing,
    replicas: Vec<ReplicaView>,
    unmet: Vec<UnmetView>,
}

/// A wanted replica.
#[derive(Clone, Debug, Serialize)]
struct ReplicaView {
    host: String,
    model: String,
    why: Why,
    /// Whether it is in memory, as far as polls tell.
    loaded: bool,
}

/// A demand that the plan does not meet.
#[derive(Clone, Debug, Serialize)]
struct UnmetView {
    model: String,
    /// The host that must have it; else so many replicas are missing.
    pinned: Option<String>,
    missing: Option<u32>,
    why: Hindrance,
}

/// An action under way.
#[derive(Clone, Debug, Serialize)]
struct ActionView {
    id: u64,
    deed: &'static str,
    model: String,
    host: String,
    /// `placement`, `sync`, `scale` or `prefetch`.
    purpose: &'static str,
    /// Since when; unknown of loads ahead of demand.
    seconds: Option<u64>,
}

/// What control would do.
#[derive(Clone, Debug, Serialize)]
struct ProposedView {
    unix_millis: u64,
    deed: &'static str,
    model: String,
    host: String,
}

/// A place that rests after a failure.
#[derive(Clone, Debug, Serialize)]
struct RestView {
    model: String,
    host: String,
    /// Until the next try.
    seconds: u64,
    failures: u32,
    last: &'static str,
}

/// Counts of a kind of action.
#[derive(Clone, Debug, Serialize)]
struct CountView {
    deed: &'static str,
    asked: u64,
    done: u64,
    failed: u64,
    /// Of those done, in all.
    done_seconds: f64,
}

/// What a registry holds under a name.
#[derive(Clone, Debug, Serialize)]
struct PublishedView {
    model: String,
    digest: String,
    bytes: u64,
    /// Hosts that have this content, and those that have another.
    same_on: Vec<String>,
    differs_on: Vec<String>,
}

impl PlacementView {
    pub(in crate::gateway) fn of(control: &Control, recorder: &Recorder, now: Instant) -> Self {
        let facts = control.facts();
        let config = control.config().placement.as_ref();
        let errands = facts.errands.under_way();
        let ahead = facts.prefetch.under_way.iter();
        let resting = facts.errands.resting.iter().filter(|(_, rest)| rest.until > now);
        Self {
            strategy: config.map(|config| strategy::of(&config.strategy, control::place::ALL).name),
            act: config.is_some_and(|config| config.act),
            plans: facts.placement.plans,
            plan: facts.placement.plan.as_ref().map(|plan| plan_view(control, plan)),
            under_way: errands
                .map(|errand| errand_view(control, errand, now))
                .chain(ahead.map(|action| action_view(control, action, "prefetch", None)))
                .collect(),
            proposed: recorder
                .proposed()
                .map(|(at, action)| ProposedView {
                    unix_millis: recorder.unix_millis(*at),
                    deed: deed_name(Kind::of(action.deed)),
                    model: model_name(control, action.model),
                    host: host_name(control, action.host),
                })
                .collect(),
            resting: resting
                .map(|((host, model), rest)| RestView {
                    model: model_name(control, *model),
                    host: host_name(control, *host),
                    seconds: whole_seconds(rest.until.since(now)),
                    failures: rest.failures,
                    last: failure_name(rest.last),
                })
                .collect(),
            counts: facts
                .errands
                .counts
                .iter()
                .map(|(kind, counts)| CountView {
                    deed: deed_name(*kind),
                    asked: counts.asked,
                    done: counts.done,
                    failed: counts.failed,
                    done_seconds: counts.done_nanos as f64 / 1e9,
                })
                .collect(),
            prefetch: facts.prefetch.counts,
            published: facts
                .sync
                .published
                .iter()
                .map(|(model, manifest)| published_view(control, *model, manifest))
                .collect(),
            sync_act: control.config().sync.as_ref().map(|config| config.act),
            contents: contents::of(control, now),
        }
    }
}

pub(super) fn host_name(control: &Control, host: HostId) -> String {
    control.facts().hosts[host.index()].declaration.name.clone()
}

const fn whole_seconds(span: Nanos) -> u64 {
    span.0 / 1_000_000_000
}

fn plan_view(control: &Control, plan: &Plan) -> PlanView {
    let hosts = &control.facts().hosts;
    let loaded = |host: HostId, model: ModelId| hosts[host.index()].observation.find_loaded(model).is_some();
    let replicas = plan.replicas.iter().map(|replica| ReplicaView {
        host: host_name(control, replica.host),
        model: model_name(control, replica.model),
        why: replica.why,
        loaded: loaded(replica.host, replica.model),
    });
    let unmet = plan.unmet.iter().map(|unmet| unmet_view(control, unmet));
    PlanView { standing: plan.standing, replicas: replicas.collect(), unmet: unmet.collect() }
}

fn unmet_view(control: &Control, unmet: &Unmet) -> UnmetView {
    let (pinned, missing) = match unmet.demand {
        Demand::Pinned(host) => (Some(host_name(control, host)), None),
        Demand::Minimum(missing) => (None, Some(missing)),
    };
    UnmetView { model: model_name(control, unmet.model), pinned, missing, why: unmet.why }
}

fn errand_view(control: &Control, errand: &Errand, now: Instant) -> ActionView {
    let purpose = match errand.purpose {
        Purpose::Placement => "placement",
        Purpose::Sync => "sync",
        Purpose::Scale => "scale",
    };
    action_view(control, &errand.action, purpose, Some(whole_seconds(now.since(errand.began))))
}

fn action_view(
    control: &Control,
    action: &Action,
    purpose: &'static str,
    seconds: Option<u64>,
) -> ActionView {
    ActionView {
        id: action.id.0,
        deed: deed_name(Kind::of(action.deed)),
        model: model_name(control, action.model),
        host: host_name(control, action.host),
        purpose,
        seconds,
    }
}

fn published_view(control: &Control, model: ModelId, manifest: &Manifest) -> PublishedView {
    let hosts = (0..control.facts().hosts.len() as u32).map(HostId);
    let held = |host: HostId| -> Option<Digest> {
        Some(control.facts().hosts[host.index()].observation.find_stored(model)?.digest)
    };
    let (mut same_on, mut differs_on) = (Vec::new(), Vec::new());
    for host in hosts {
        match held(host) {
            None => {}
            Some(digest) if digest == manifest.digest => same_on.push(host_name(control, host)),
            Some(_) => differs_on.push(host_name(control, host)),
        }
    }
    PublishedView {
        model: model_name(control, model),
        digest: manifest.digest.to_string(),
        bytes: manifest.bytes().0,
        same_on,
        differs_on,
    }
}
