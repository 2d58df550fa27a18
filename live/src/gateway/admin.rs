//! The operator's side of the gateway: metrics, health, the admin API, and its dashboard, on a listener of its own.
//!
//! Everything that is shown or changed goes through the task that owns control. Who may do what is in [`access`]; the
//! shapes of answers are in `survey` and in `docs/serving.md`. Left out: TLS, and anything for other origins than its own.

mod access;
mod dashboard;
mod events;
mod reads;
mod writes;

use std::convert::Infallible;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use tokio::sync::{Semaphore, broadcast, mpsc, watch};

use super::config::Role;
use super::control_task::Event;
use super::metrics::DecisionRecord;
use super::operator::{Operator, Refused};
use crate::reply::{self, Body};

/// Streams of events at once.
const STREAMS_MAX: usize = 32;
/// Largest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// How far the gateway's life is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) enum Phase {
    /// Hosts are asked for the first time.
    #[default]
    Starting,
    /// It serves.
    Serving,
    /// It takes nothing new, and ends what runs.
    Draining,
    /// It has ended.
    Ended,
}

/// Sets the level of the program's log lines; says what is wrong with a filter.
pub type SetLogLevel = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What the admin API works with.
pub(super) struct Admin {
    pub(super) operator: Arc<Operator>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) ended: broadcast::Sender<Arc<DecisionRecord>>,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) file: Option<PathBuf>,
    pub(super) allowed_hosts: Vec<String>,
    pub(super) set_log_level: Option<SetLogLevel>,
    pub(super) streams: Arc<Semaphore>,
}

impl Admin {
    /// Room for streams of events.
    pub(super) fn streams() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(STREAMS_MAX))
    }
}

/// Answers operators.
#[derive(Clone)]
pub(super) struct AdminService(Arc<Admin>);

impl AdminService {
    pub(super) fn new(admin: Admin) -> Self {
        Self(Arc::new(admin))
    }
}

impl Service<Request<Incoming>> for AdminService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let admin = Arc::clone(&self.0);
        Box::pin(async move {
            let answer = answer(&admin, request).await;
            Ok(answer.unwrap_or_else(|no| no.answer()))
        })
    }
}

/// Why a request gets no answer.
#[derive(Debug, thiserror::Error)]
enum No {
    #[error("unknown path; docs/serving.md lists them")]
    UnknownPath,
    #[error("this path is not for this method")]
    WrongMethod,
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("a key for the operator's side is needed: send the header Authorization: Bearer KEY")]
    KeyNeeded,
    #[error("this key may {} only, and this needs {}", role_name(*.has), role_name(*.needs))]
    Role { has: Role, needs: Role },
    #[error("expected content-type: application/json")]
    NotJson,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{message}")]
    Unreadable { status: StatusCode, message: String },
    #[error("too many streams of events: at most {STREAMS_MAX}")]
    Streams,
}

impl No {
    fn answer(&self) -> Response<Body> {
        let status = match self {
            Self::UnknownPath | Self::Refused(Refused::NotFound(_)) => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forbidden(_) | Self::Role { .. } => StatusCode::FORBIDDEN,
            Self::KeyNeeded => StatusCode::UNAUTHORIZED,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Refused(Refused::Wrong(_)) => StatusCode::BAD_REQUEST,
            Self::Refused(Refused::Conflict(_)) => StatusCode::CONFLICT,
            Self::Refused(Refused::State(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Refused(Refused::Stopping) | Self::Streams => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreadable { status, .. } => *status,
        };
        let mut answer = reply::error(status, &self.to_string());
        if status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::View => "view",
        Role::Operate => "operate",
        Role::Admin => "admin",
    }
}

async fn answer(admin: &Arc<Admin>, request: Request<Incoming>) -> Result<Response<Body>, No> {
    let text = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if !access::is_own_host(text(HOST), &admin.allowed_hosts) {
        return Err(No::Forbidden(
            "the Host header names another site; add the name to serve.admin.allowed_hosts if it is yours",
        ));
    }
    let get = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/healthz" if get => return Ok(reply::whole(StatusCode::OK, reply::JSON, "{\"alive\":true}")),
        "/readyz" if get => return Ok(reads::ready(admin).await),
        path if get && let Some(page) = dashboard::part(path) => return Ok(page),
        _ => {}
    }
    if !get {
        if request.headers().contains_key(ORIGIN) && !access::is_same_origin(text(ORIGIN), text(HOST)) {
            return Err(No::Forbidden("the Origin header names another site"));
        }
        if !access::is_json(text(CONTENT_TYPE)) {
            return Err(No::NotJson);
        }
    }
    let keys = admin.operator.admin_keys();
    let sent = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let caller = access::caller(&keys, sent).ok_or(No::KeyNeeded)?;
    if get {
        return reads::answer(admin, &caller, request.uri()).await;
    }
    writes::answer(admin, caller, request).await
}

fn json(value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(value).expect("answers have string keys only");
    reply::whole(StatusCode::OK, reply::JSON, text)
}
