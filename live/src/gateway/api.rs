//! What clients meet: Ollama's API, OpenAI's and Anthropic's as Ollama offers them, from one exact table of paths.
//!
//! `routes` says what a request is for, `origins` whose pages may ask, `infer` takes a request that a model answers
//! through control to a host, `info` answers what is asked about the fleet, `manage` does what changes hosts' disks.
//!
//! Left out: `/api/me`, `/api/signout` and the web search of Ollama's cloud, images and sound, all of which belong to
//! one host or to somebody else's service.

mod demands;
mod infer;
mod info;
mod manage;
pub(super) mod origins;
mod routes;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use control::ids::HostId;
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::{Semaphore, mpsc};

use super::config::ServeConfig;
use super::control_task::Event;
use super::hosts::Hosts;
use super::keys::Keys;
use super::unix_millis;
use super::upstream::Upstream;
use crate::reply::{self, Body};
use crate::server::{Room, Unreadable};
use crate::wire::dialect::Dialect;
use crate::wire::name;
use demands::Demanded;
use manage::Manage;
use origins::Origins;
use routes::{Target, Unserved};

/// The host that answers.
const HOST_HEADER: HeaderName = HeaderName::from_static("x-herder-host");
/// The request's id, in decimal: the one in the decision log.
const REQUEST_HEADER: HeaderName = HeaderName::from_static("x-herder-request");

/// Seconds until there may be room again.
const SOON: u16 = 1;

struct Shared {
    upstream: Upstream,
    hosts: Arc<Hosts>,
    events: mpsc::UnboundedSender<Event>,
    /// Key of the hashes of prompts: never written down, so that a log tells nothing of them.
    key: [u8; 32],
    body_bytes_max: usize,
    bodies: Room,
    requests: Arc<Semaphore>,
    tickets: AtomicU64,
    demanded: Demanded,
    total_timeout: Duration,
    info_timeout: Duration,
    allow_cloud_models: bool,
    origins: Origins,
    keys: Arc<Keys>,
    manage: Manage,
    /// Whether clients are told the request's id and the host.
    tells: bool,
}

impl Shared {
    /// A model's name as hosts write it; `None` where it forwards prompts to a cloud service, which is not allowed.
    fn admitted(&self, model: String, written: &str) -> Option<String> {
        let is_cloud = name::is_cloud(written);
        let (model, forwards) = self.hosts.spelt(model);
        (self.allow_cloud_models || !(is_cloud || forwards)).then_some(model)
    }

    fn name_host(&self, headers: &mut HeaderMap, host: HostId) {
        if self.tells
            && let Some(name) = self.hosts.header(host)
        {
            headers.insert(HOST_HEADER, name);
        }
    }
}

/// Answers clients.
#[derive(Clone)]
pub(super) struct GatewayService(Arc<Shared>);

impl GatewayService {
    pub(super) fn new(
        config: &ServeConfig,
        upstream: Upstream,
        hosts: Arc<Hosts>,
        events: mpsc::UnboundedSender<Event>,
        key: [u8; 32],
        keys: Arc<Keys>,
    ) -> Self {
        let local_only = config.listen.ip().is_loopback() && !config.open_to_network;
        Self(Arc::new(Shared {
            upstream,
            hosts,
            events,
            key,
            body_bytes_max: config.body_bytes_max,
            bodies: Room::new(config.queued_body_bytes_max),
            requests: Arc::new(Semaphore::new(config.requests_max)),
            tickets: AtomicU64::new(0),
            demanded: Demanded::default(),
            total_timeout: Duration::from_secs(config.total_timeout_seconds),
            info_timeout: Duration::from_millis(config.poll_timeout_millis),
            allow_cloud_models: config.allow_cloud_models,
            origins: Origins::new(config.cors_origins.clone(), local_only),
            keys,
            manage: Manage::new(config, local_only),
            tells: config.response_headers,
        }))
    }
}

impl Service<Request<Incoming>> for GatewayService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { Ok(answer(&shared, request).await) })
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(origin) = shared.origins.check(&head.headers) else { return reply::empty(StatusCode::FORBIDDEN) };
    let mut response = match routes::find(&head.method, head.uri.path()) {
        Ok(target) if is_coded(&head.headers) => {
            let message = "the body has a content encoding, and none is known here";
            reply::error_in(target.dialect(), StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
        }
        // Before the body: a stranger has none of it read.
        Ok(target) if target != Target::Greeting => {
            match shared.keys.authenticate(unix_millis(), authorization(&head.headers)) {
                Ok(()) => reach(shared, (target, &head.method), &head.headers, body).await,
                Err(denied) => denied.answer(target.dialect()),
            }
        }
        Ok(_) => reply::greeting(),
        Err(Unserved::Unknown) => reply::unknown_path(),
        Err(Unserved::Method(_)) if head.method == Method::OPTIONS && origin.is_some() => {
            let mut response = reply::empty(StatusCode::NO_CONTENT);
            origins::allow_requests(response.headers_mut());
            response
        }
        Err(Unserved::Method(methods)) => reply::wrong_method(methods),
    };
    if let Some(origin) = origin {
        origins::allow(response.headers_mut(), origin.clone());
    }
    response
}

/// Who says that they are who.
fn authorization(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(AUTHORIZATION).map(HeaderValue::as_bytes)
}

/// Whether the body is compressed. What cannot be read here is not passed on: a host may be able to.
fn is_coded(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

async fn reach(
    shared: &Shared,
    (target, method): (Target<'_>, &Method),
    headers: &HeaderMap,
    body: Incoming,
) -> Response<Body> {
    match target {
        Target::Infer(route) => infer::infer(shared, route, headers, body).await,
        // Answered without a key, before.
        Target::Greeting => reply::greeting(),
        Target::Version => info::list(&shared.hosts.version()),
        Target::Tags => info::list(&shared.hosts.tags()),
        Target::Ps => info::list(&shared.hosts.ps()),
        Target::Show => info::show(shared, headers, body).await,
        Target::Models => info::models(shared),
        Target::Model(id) => info::model(shared, id),
        Target::Manage(managed) => manage::answer(shared, (managed, method), headers, body).await,
    }
}

/// 503, to be tried again.
fn busy(dialect: Dialect, message: &str) -> Response<Body> {
    try_again(SOON, reply::error_in(dialect, StatusCode::SERVICE_UNAVAILABLE, message))
}

/// Says in how many seconds to come again.
fn try_again(seconds: u16, mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The answer to a body that was not read to its end: there is no telling where the next request would begin.
fn unread(why: Unreadable, dialect: Dialect, bytes_max: usize) -> Response<Body> {
    let (status, message) = why.told(bytes_max);
    let mut response = reply::error_in(dialect, status, &message);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    if status == StatusCode::SERVICE_UNAVAILABLE { try_again(SOON, response) } else { response }
}

fn cloud_refusal(model: &str) -> String {
    format!("model '{model}' forwards prompts to a cloud service, which this gateway does not allow")
}
