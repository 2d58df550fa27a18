//! What can be looked at.

use std::sync::Arc;

use control::strategy::{Line, Strategy};
use hyper::{Response, StatusCode, Uri};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::access::Caller;
use super::{Admin, No, Phase, events, json as answer_json};
use crate::gateway::control_task::{Event, Question};
use crate::gateway::metrics::{DecisionRecord, text};
use crate::gateway::operator::{Operated, Refused};
use crate::gateway::survey::Survey;
use crate::reply::{self, Body};

/// Decisions that are given where no `limit` is asked for.
const DECISIONS: usize = 100;

pub(super) async fn answer(admin: &Arc<Admin>, caller: &Caller, uri: &Uri) -> Result<Response<Body>, No> {
    let path = uri.path();
    if path == "/metrics" {
        return metrics(admin).await;
    }
    let Some(what) = path.strip_prefix("/api/v1/") else { return Err(No::UnknownPath) };
    Ok(match what {
        "status" => answer_json(&survey(admin).await?.status),
        "hosts" => answer_json(&json!({ "hosts": survey(admin).await?.hosts })),
        "models" => answer_json(&json!({ "models": survey(admin).await?.models })),
        "queue" => answer_json(&survey(admin).await?.queue),
        "placement" => answer_json(&ask(admin, Question::Placement).await?),
        "experiments" => answer_json(&survey(admin).await?.experiments),
        "decisions" => {
            let decisions = decisions(admin, limit(uri)?).await?;
            let decisions: Vec<&DecisionRecord> = decisions.iter().map(Arc::as_ref).collect();
            answer_json(&json!({ "decisions": decisions }))
        }
        "strategies" => answer_json(&strategies()),
        "caller" => answer_json(caller),
        "config" => answer_json(&config(&admin.operator.operated().await)),
        "events" => return events::stream(admin),
        "strategy" | "flags" | "rollback" | "freeze" | "unfreeze" | "log-level" | "reload" => {
            return Err(No::WrongMethod);
        }
        _ => return Err(No::UnknownPath),
    })
}

async fn ask<T>(admin: &Admin, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Result<T, No> {
    let (reply, answer) = oneshot::channel();
    let asked = admin.events.send(Event::Ask(question(reply)));
    asked.map_err(|_| Refused::Stopping)?;
    Ok(answer.await.map_err(|_| Refused::Stopping)?)
}

/// How everything is, with what the admin side knows beside control.
pub(super) async fn survey(admin: &Admin) -> Result<Survey, No> {
    let mut survey = ask(admin, Question::Survey).await?;
    complete(admin, &mut survey).await;
    Ok(survey)
}

async fn complete(admin: &Admin, survey: &mut Survey) {
    survey.status.draining = *admin.phase.borrow() >= Phase::Draining;
    let operated = admin.operator.operated().await;
    for (view, slot) in survey.hosts.iter_mut().zip(&operated.hosts) {
        view.address.clone_from(&slot.entry.authority);
        view.removed = slot.removed;
    }
    // One that is going is shown until it is gone.
    survey.hosts.retain(|host| !host.removed || host.in_flight > 0);
    let there = || survey.hosts.iter().filter(|host| !host.removed);
    let status = &mut survey.status;
    status.hosts = there().count();
    status.hosts_up = there().filter(|host| host.up).count();
    status.hosts_drained = there().filter(|host| host.drained).count();
}

/// The last requests, the newest first.
pub(super) async fn decisions(admin: &Admin, limit: usize) -> Result<Vec<Arc<DecisionRecord>>, No> {
    ask(admin, |reply| Question::Decisions { limit, reply }).await
}

fn limit(uri: &Uri) -> Result<usize, No> {
    let query = uri.query().unwrap_or_default();
    let Some(limit) = query.split('&').find_map(|pair| pair.strip_prefix("limit=")) else {
        return Ok(DECISIONS);
    };
    let number = limit.parse().ok().filter(|limit| (1..=10_000).contains(limit));
    Ok(number.ok_or_else(|| Refused::Wrong(format!("limit: found {limit:?}, expected 1 to 10000")))?)
}

async fn metrics(admin: &Admin) -> Result<Response<Body>, No> {
    let (mut survey, metrics, names) = *ask(admin, Question::Metrics).await?;
    complete(admin, &mut survey).await;
    Ok(reply::whole(StatusCode::OK, text::CONTENT_TYPE, text::write(&survey, &metrics, &names)))
}

/// Whether requests can be taken: control answers, a host is up and not drained, and the gateway is not stopping.
pub(super) async fn ready(admin: &Admin) -> Response<Body> {
    let phase = *admin.phase.borrow();
    let why = match (phase, survey(admin).await) {
        (Phase::Starting, _) => "the hosts are being asked for the first time",
        (Phase::Draining | Phase::Ended, _) => "the gateway is stopping",
        (_, Err(_)) => "the control plane does not answer",
        (_, Ok(survey)) if survey.status.hosts_up == 0 => "no host is up",
        (_, Ok(survey)) if !survey.hosts.iter().any(|host| host.up && !host.drained) => {
            "every host that is up is drained"
        }
        _ => return reply::whole(StatusCode::OK, reply::JSON, "{\"ready\":true}"),
    };
    let body = json!({ "ready": false, "why": why }).to_string();
    reply::whole(StatusCode::SERVICE_UNAVAILABLE, reply::JSON, body)
}

#[derive(Serialize)]
struct StrategyView {
    name: &'static str,
    summary: &'static str,
    cost: &'static str,
    /// What this gateway lacks for it; `null` where it can be chosen.
    requires: Option<&'static str>,
    parameters: Vec<ParameterView>,
}

#[derive(Serialize)]
struct ParameterView {
    name: &'static str,
    summary: &'static str,
    default: u32,
    least: u32,
    most: u32,
}

fn strategies() -> Value {
    fn views<Kind>(all: &[Line<Kind>]) -> Vec<StrategyView> {
        all.iter().map(|(_, strategy)| view(strategy)).collect()
    }
    json!({ "schedulers": views(control::schedule::ALL), "balancers": views(control::balance::ALL) })
}

fn view(strategy: &Strategy) -> StrategyView {
    let parameters = strategy.parameters.iter().map(|parameter| ParameterView {
        name: parameter.name,
        summary: parameter.summary,
        default: parameter.default,
        least: parameter.least,
        most: parameter.most,
    });
    StrategyView {
        name: strategy.name,
        summary: strategy.summary,
        cost: strategy.cost,
        requires: strategy.requires.told(),
        parameters: parameters.collect(),
    }
}

/// What is in force. Keys are named, never shown.
fn config(operated: &Operated) -> Value {
    let file = &operated.file;
    let keys: Vec<&str> = file.keys.iter().map(|key| key.name.as_str()).collect();
    json!({
        "control": operated.control,
        "control_in_file": file.control_file,
        "differs_from_file": operated.control != file.control_file,
        "can_roll_back": operated.before.is_some(),
        "file": file.file,
        "serve": {
            "listen": file.listen,
            "poll_millis": file.poll_millis,
            "requests_max": file.requests_max,
            "connections_max": file.connections_max,
            "threads": file.threads(),
            "body_bytes_max": file.body_bytes_max,
            "drain_seconds": file.drain_seconds,
            "log_dir": file.log_dir,
            "state_dir": file.state_dir,
            "manage": file.manage.enabled,
            "keys": keys,
        },
    })
}
