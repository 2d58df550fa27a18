//! What can be changed. Each change is told in the log with the name of the key that made it.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::access::Caller;
use super::{Admin, No, json};
use crate::gateway::config::Role;
use crate::gateway::operator::{Changed, Decision, Refused};
use crate::gateway::reload;
use crate::reply::Body;
use crate::server::{self, Unreadable};

/// A change that can be asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Change {
    AddHost,
    RemoveHost(String),
    Drain(String, bool),
    Resolve(String),
    Strategy,
    Flag,
    Experiment,
    Rollback,
    Freeze(bool),
    LogLevel,
    Reload,
}

impl Change {
    fn of(method: &Method, path: &str) -> Result<Self, No> {
        let Some(what) = path.strip_prefix("/api/v1/") else { return Err(No::UnknownPath) };
        let post = method == Method::POST;
        let change = match what {
            "hosts" => Self::AddHost,
            "strategy" => Self::Strategy,
            "flags" => Self::Flag,
            "experiments" => Self::Experiment,
            "rollback" => Self::Rollback,
            "freeze" => Self::Freeze(true),
            "unfreeze" => Self::Freeze(false),
            "log-level" => Self::LogLevel,
            "reload" => Self::Reload,
            "status" | "models" | "placement" | "queue" | "decisions" | "strategies" | "caller"
            | "config" | "events" => {
                return Err(No::WrongMethod);
            }
            _ => {
                let (kind, named) = what.split_once('/').ok_or(No::UnknownPath)?;
                let (name, deed) = named.split_once('/').unwrap_or((named, ""));
                let name = percent_decode_str(name).decode_utf8().map_err(|_| No::UnknownPath)?.into_owned();
                return match (kind, deed, post) {
                    ("hosts", "", false) if method == Method::DELETE => Ok(Self::RemoveHost(name)),
                    ("hosts", "drain", true) => Ok(Self::Drain(name, true)),
                    ("hosts", "undrain", true) => Ok(Self::Drain(name, false)),
                    ("models", "resolve", true) => Ok(Self::Resolve(name)),
                    ("hosts", "" | "drain" | "undrain", _) | ("models", "resolve", _) => Err(No::WrongMethod),
                    _ => Err(No::UnknownPath),
                };
            }
        };
        if post { Ok(change) } else { Err(No::WrongMethod) }
    }

    fn needs(&self) -> Role {
        match self {
            Self::AddHost | Self::RemoveHost(_) | Self::Reload => Role::Admin,
            _ => Role::Operate,
        }
    }
}

pub(super) async fn answer(
    admin: &Arc<Admin>,
    caller: Caller,
    request: Request<Incoming>,
) -> Result<Response<Body>, No> {
    let change = Change::of(request.method(), request.uri().path())?;
    let needs = change.needs();
    if caller.role < needs {
        return Err(No::Role { has: caller.role, needs });
    }
    let body = server::read_body(request.into_body(), super::BODY_BYTES_MAX).await.map_err(unreadable)?;
    let body = match &body[..] {
        [] => Map::new(),
        body => match serde_json::from_slice(body) {
            Ok(Value::Object(body)) => body,
            Ok(_) => return Err(wrong("found another value, expected a JSON object".into())),
            Err(error) => return Err(wrong(format!("the body is no JSON: {error}"))),
        },
    };
    let admin = Arc::clone(admin);
    // A change that was begun is made, whether or not whoever asked waits for it.
    let made = tokio::spawn(async move { make(&admin, change, body).await }).await;
    let changed = made.map_err(|_| Refused::Stopping)??;
    tracing::info!(by = caller.name, changed = changed.changed.join("; "), "an operator changed something");
    Ok(json(&changed))
}

async fn make(admin: &Admin, change: Change, mut body: Map<String, Value>) -> Result<Changed, No> {
    let operator = &admin.operator;
    let takes_body = matches!(
        change,
        Change::AddHost
            | Change::Resolve(_)
            | Change::Strategy
            | Change::Flag
            | Change::Experiment
            | Change::LogLevel
    );
    if !takes_body && let Some(key) = body.keys().next() {
        return Err(wrong(format!("found the key {key:?}, expected an empty body")));
    }
    let changed = match change {
        Change::AddHost => operator.add_host(&Value::Object(body)).await,
        Change::RemoveHost(name) => operator.remove_host(&name).await,
        Change::Drain(name, drained) => operator.drain(&name, drained).await,
        Change::Resolve(model) => operator.decide(&model, decision(&body)?).await,
        Change::Strategy => operator.set_control(body).await,
        Change::Flag | Change::Experiment => {
            let table = if change == Change::Flag { "flags" } else { "experiments" };
            let Some(Value::String(name)) = body.remove("name") else {
                return Err(wrong(format!("name: expected the name in control.{table}")));
            };
            let remove = body.remove("remove");
            match remove {
                None | Some(Value::Bool(false)) => {
                    operator.set_entry(table, &name, Some(Value::Object(body))).await
                }
                Some(Value::Bool(true)) if body.is_empty() => operator.set_entry(table, &name, None).await,
                Some(_) => return Err(wrong("remove: expected true, and nothing besides the name".into())),
            }
        }
        Change::Rollback => operator.rollback().await,
        Change::Freeze(frozen) => operator.freeze(frozen).await,
        Change::LogLevel => set_log_level(admin, &body),
        Change::Reload => {
            let changed = reload::reload(operator, admin.file.as_deref()).await;
            changed.inspect(reload::tell)
        }
    };
    Ok(changed?)
}

/// What is decided of a content: exactly one key says it.
fn decision(body: &Map<String, Value>) -> Result<Decision, Refused> {
    let mut keys = body.iter().map(|(key, value)| (key.as_str(), value));
    match (keys.next(), keys.next()) {
        (Some(("digest", Value::String(digest))), None) => Ok(Decision::Digest(digest.clone())),
        (Some(("keep", Value::String(holder))), None) => Ok(Decision::Of(holder.clone())),
        (Some(("withdraw", Value::Bool(true))), None) => Ok(Decision::Withdraw),
        _ => Err(Refused::Wrong(
            "expected one of digest (its first digits), keep (a host, or registry), and withdraw (true)"
                .into(),
        )),
    }
}

fn set_log_level(admin: &Admin, body: &Map<String, Value>) -> Result<Changed, Refused> {
    let Some(Value::String(level)) = body.get("level") else {
        return Err(Refused::Wrong("level: expected error, warn, info, debug or trace, or a filter".into()));
    };
    let Some(set) = &admin.set_log_level else {
        return Err(Refused::Conflict("this program's log has no level that can be set".into()));
    };
    set(level).map_err(|why| Refused::Wrong(format!("level: found {level:?}, {why}")))?;
    Ok(Changed { changed: vec![format!("log level {level}")], ..Changed::default() })
}

fn wrong(message: String) -> No {
    No::Refused(Refused::Wrong(message))
}

fn unreadable(unreadable: Unreadable) -> No {
    let (status, message) = match unreadable {
        Unreadable::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "request body too large"),
        Unreadable::TooSlow => (StatusCode::REQUEST_TIMEOUT, "request body too slow"),
        Unreadable::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, "too many bodies at once"),
        Unreadable::Broken => (StatusCode::BAD_REQUEST, "unexpected end of the body"),
    };
    No::Unreadable { status, message: message.into() }
}
