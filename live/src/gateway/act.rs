//! Actions on hosts that control asked for, carried out through Ollama's own API: loads, unloads, pulls, pushes, second names,
//! removals. Each has a task of its own and ends with one [`Event::Acted`]; one that is given up ends at once, and with it its
//! connection, by which the host learns of it.
//!
//! Control is not trusted alone: what may be done with a model is looked up in the config again (`permit`), and the other copies
//! of a model that is to be removed are asked for when it is removed (`deed`).
//!
//! Bounds: actions at a time ([`AT_ONCE_MAX`]), those that wait for their turn ([`WAITING_MAX`]), the time of each
//! ([`Limits`]). Left out: hosts that fetch from one another, start or stop, which Ollama cannot.

mod deed;
mod failure;
mod permit;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use control::config::Config;
use control::door::{Action, ActionFailure, ActionOutcome};
use control::facts::Facts;
use control::facts::errands::Kind;
use control::ids::ActionId;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::AbortHandle;

use super::config::ServeConfig;
use super::control_task::Event;
use super::hosts::Hosts;
use super::upstream::Upstream;
use deed::{Limits, Reach};
use failure::Wrong;

/// Actions at a time; more wait.
const AT_ONCE_MAX: usize = 64;
/// Actions that wait or are under way; more are refused.
const WAITING_MAX: usize = 4_096;

/// An action under way, for its last line of log.
struct UnderWay {
    task: AbortHandle,
    names: Names,
    began: tokio::time::Instant,
}

/// What an action is about, in words.
#[derive(Clone, Debug)]
struct Names {
    deed: &'static str,
    model: String,
    host: String,
}

/// Carries actions out. It belongs to the task that owns control; dropped, it gives up all of them.
pub(super) struct Actions {
    reach: Arc<Reach>,
    /// Registries that speak plain HTTP.
    insecure: Vec<String>,
    /// Weak: the queue ends with those who serve.
    events: mpsc::WeakUnboundedSender<Event>,
    turns: Arc<Semaphore>,
    under_way: BTreeMap<ActionId, UnderWay>,
}

impl Actions {
    /// Nothing is under way yet. `pushed` is told when a registry holds something new.
    pub(super) fn new(
        config: &ServeConfig,
        upstream: Upstream,
        hosts: Arc<Hosts>,
        events: &mpsc::UnboundedSender<Event>,
        pushed: Arc<Notify>,
    ) -> Self {
        let info_timeout = Duration::from_millis(config.poll_timeout_millis);
        let limits = Limits::default();
        Self {
            reach: Arc::new(Reach { upstream, hosts, pushed, info_timeout, limits }),
            insecure: config.insecure_registries.clone(),
            events: events.downgrade(),
            turns: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            under_way: BTreeMap::new(),
        }
    }

    /// Begins an action, or refuses it; either way its end is told.
    pub(super) fn begin(&mut self, action: Action, facts: &Facts, config: &Config) {
        let names = Names::of(&action, facts);
        let order = match permit::order(&action, facts, config, &self.insecure) {
            _ if self.under_way.len() >= WAITING_MAX => Err("too many actions are under way"),
            // Whatever its name says.
            _ if self.reach.hosts.spelt(names.model.clone()).1 => Err(permit::FORWARDS),
            order => order,
        };
        let Names { deed, model, host } = &names;
        tracing::info!(target: "herder::act", action = action.id.0, deed, ?model, ?host, "an action begins");
        let (reach, turns, events) = (Arc::clone(&self.reach), Arc::clone(&self.turns), self.events.clone());
        let task = tokio::spawn(async move {
            let done = match order {
                Ok(order) => {
                    let _turn = turns.acquire().await;
                    reach.carry_out(&order).await
                }
                Err(why) => Err(Wrong::refused(why)),
            };
            let (outcome, why) = match done {
                Ok(()) => (ActionOutcome::Done, String::new()),
                Err(wrong) => (ActionOutcome::Failed(wrong.failure), wrong.why),
            };
            if let Some(events) = events.upgrade() {
                // Where control has ended, nobody waits for it.
                let _ = events.send(Event::Acted { action: action.id, outcome, why });
            }
            // After it: a poll that tells more is to find that control knows what was done.
            reach.hosts.changed(action.host).notify_one();
        });
        let began = tokio::time::Instant::now();
        self.under_way.insert(action.id, UnderWay { task: task.abort_handle(), names, began });
    }

    /// An action has ended; `false` where it was given up before.
    pub(super) fn ended(&mut self, action: ActionId, outcome: ActionOutcome, why: &str) -> bool {
        let Some(UnderWay { names, began, .. }) = self.under_way.remove(&action) else { return false };
        let (Names { deed, model, host }, millis) = (names, began.elapsed().as_millis());
        // What hosts wrote is escaped: a line of log stays one.
        match outcome {
            ActionOutcome::Done => {
                let action = action.0;
                tracing::info!(target: "herder::act", action, deed, ?model, ?host, millis, "an action is done");
            }
            ActionOutcome::Failed(failure) => {
                let (action, failure) = (action.0, failure_name(failure));
                tracing::warn!(
                    target: "herder::act", action, deed, ?model, ?host, millis, failure, ?why, "an action failed"
                );
            }
        }
        true
    }

    /// Gives up an action that control no longer waits for.
    pub(super) fn abandon(&mut self, action: &Action) {
        let Some(UnderWay { task, names: Names { deed, model, host }, .. }) =
            self.under_way.remove(&action.id)
        else {
            return;
        };
        task.abort();
        tracing::info!(target: "herder::act", action = action.id.0, deed, ?model, ?host, "an action is given up");
        self.reach.hosts.changed(action.host).notify_one();
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        for under_way in self.under_way.values() {
            under_way.task.abort();
        }
    }
}

impl Names {
    fn of(action: &Action, facts: &Facts) -> Self {
        Self {
            deed: deed_name(Kind::of(action.deed)),
            model: facts.models[action.model.index()].name.clone(),
            host: facts.hosts[action.host.index()].declaration.name.clone(),
        }
    }
}

/// Says what control would do, were it allowed to.
pub(super) fn tell_proposed(action: &Action, facts: &Facts) {
    let Names { deed, model, host } = Names::of(action, facts);
    tracing::info!(target: "herder::act", deed, ?model, ?host, "an action is proposed, and not done");
}

/// A kind of action, in logs, metrics and the admin API.
pub(super) const fn deed_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Load => "load",
        Kind::Unload => "unload",
        Kind::Pull => "pull",
        Kind::Push => "push",
        Kind::Branch => "branch",
        Kind::Delete => "delete",
        Kind::Start => "start",
        Kind::Stop => "stop",
    }
}

/// Why an action failed, likewise.
pub(super) const fn failure_name(failure: ActionFailure) -> &'static str {
    match failure {
        ActionFailure::Host(failure) => super::metrics::failure_name(failure),
        ActionFailure::RegistryUnreachable => "registry_unreachable",
        ActionFailure::NotInRegistry => "not_in_registry",
        ActionFailure::DiskFull => "disk_full",
        ActionFailure::DigestMismatch => "digest_mismatch",
        ActionFailure::Stalled => "stalled",
        ActionFailure::Refused => "refused",
    }
}

#[cfg(test)]
mod tests;
