//! The gateway's side of Ollama's API: one exact table of paths, and the way of a request from its body to its answer.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use control::request::{Failure, Reject};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};

use super::config::ServeConfig;
use super::control_task::{Arrival, Event};
use super::hosts::Hosts;
use super::keys::Keys;
use super::relay::{self, Attempt, Refusal};
use super::ticket::{Decision, Ticket};
use super::unix_millis;
use super::upstream::Upstream;
use crate::reply::{self, Body};
use crate::server;
use crate::wire;
use crate::wire::request::{RequestFacts, Route};

/// Bytes of prompt in a hashed block.
const PREFIX_BLOCK_BYTES: usize = 1_024;
/// Hashed blocks of a prompt at most.
const PREFIX_BLOCKS_MAX: usize = 128;

struct Shared {
    upstream: Upstream,
    hosts: Arc<Hosts>,
    events: mpsc::UnboundedSender<Event>,
    /// Key of the hashes of prompts: never written down, so that a log tells nothing of them.
    key: [u8; 32],
    keys: Arc<Keys>,
    body_bytes_max: usize,
    room: Arc<Semaphore>,
    tickets: AtomicU64,
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
        Self(Arc::new(Shared {
            upstream,
            hosts,
            events,
            key,
            keys,
            body_bytes_max: config.body_bytes_max,
            room: Arc::new(Semaphore::new(config.requests_max)),
            tickets: AtomicU64::new(0),
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
    let authorization = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if let Err(denied) = shared.keys.check(unix_millis(), authorization, None) {
        return denied.answer();
    }
    let get = matches!(*request.method(), Method::GET | Method::HEAD);
    let post = request.method() == Method::POST;
    // The path as it was sent: one that is written in another way is another path, and unknown.
    match request.uri().path() {
        "/" if get => reply::greeting(),
        "/api/version" if get => list(&shared.hosts.version()),
        "/api/tags" if get => list(&shared.hosts.tags()),
        "/api/ps" if get => list(&shared.hosts.ps()),
        "/api/chat" if post => generate(shared, Route::Chat, request.into_body()).await,
        "/api/generate" if post => generate(shared, Route::Generate, request.into_body()).await,
        "/" | "/api/version" | "/api/tags" | "/api/ps" | "/api/chat" | "/api/generate" => {
            reply::wrong_method()
        }
        _ => reply::unknown_path(),
    }
}

fn list(value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(value).expect("lists have string keys only");
    reply::whole(StatusCode::OK, reply::JSON, text)
}

fn busy(message: &str) -> Response<Body> {
    let mut response = reply::error(StatusCode::SERVICE_UNAVAILABLE, message);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

async fn generate(shared: &Shared, route: Route, body: Incoming) -> Response<Body> {
    // Taken before the body is read: bodies in memory are bounded by it too.
    let Ok(permit) = Arc::clone(&shared.room).try_acquire_owned() else { return busy(wire::BUSY) };
    let body = match server::read_body(body, shared.body_bytes_max).await {
        Ok(body) => body,
        Err(unreadable) => return unreadable.answer(shared.body_bytes_max),
    };
    let facts = match RequestFacts::read(route, &body) {
        Ok(facts) => facts,
        Err(error) => return reply::error(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let prefix = facts.prompt.block_hashes(&shared.key, PREFIX_BLOCK_BYTES, PREFIX_BLOCKS_MAX);
    let arrival = Arrival {
        model: facts.model,
        prompt_bytes: facts.prompt.bytes(),
        num_predict: facts.num_predict,
        options: facts.options,
        prefix: prefix.into(),
    };
    let model = facts.model_written;
    let number = shared.tickets.fetch_add(1, Ordering::Relaxed);
    match Ticket::arrive(number, arrival, &shared.events) {
        Some(ticket) => carry(shared, ticket, route, body, &model, permit).await,
        None => busy("the gateway is stopping"),
    }
}

/// Does what control decides about a request until its answer begins, or it has none. Dropped before, it tells control
/// that the client left, and closes the connection to the host.
async fn carry(
    shared: &Shared,
    mut ticket: Ticket,
    route: Route,
    body: Bytes,
    model: &str,
    permit: tokio::sync::OwnedSemaphorePermit,
) -> Response<Body> {
    let mut refusal: Option<Refusal> = None;
    loop {
        let lease = match ticket.decision().await {
            Some(Decision::Dispatch(lease)) => lease,
            // The attempt has ended already.
            Some(Decision::Cancel { .. }) => continue,
            Some(Decision::Reject(reason)) => return rejected(reason, model),
            Some(Decision::Fail(failure)) => return failed(failure, refusal),
            None => return busy("the gateway is stopping"),
        };
        match relay::attempt(&shared.upstream, &mut ticket, lease, route.path(), body.clone()).await {
            Attempt::Begun(answer) => {
                ticket.first_byte(lease.attempt);
                return answer.relay(ticket, lease, permit);
            }
            Attempt::Failed(failure, said) => {
                refusal = said;
                ticket.failed(lease.attempt, failure, false);
            }
            Attempt::Decided(Decision::Reject(reason)) => return rejected(reason, model),
            Attempt::Decided(Decision::Fail(failure)) => return failed(failure, None),
            // Control goes on with another decision, or the channel ends.
            Attempt::Decided(Decision::Cancel { .. } | Decision::Dispatch(_)) => {}
        }
    }
}

fn rejected(reason: Reject, model: &str) -> Response<Body> {
    match reason {
        Reject::QueueFull => busy(wire::BUSY),
        Reject::NoHostHasModel => reply::error(StatusCode::NOT_FOUND, &wire::model_missing(model)),
        Reject::QueueTimeout => busy("server busy, please try again.  waited too long for a host"),
        Reject::DemandsUnmet => {
            reply::error(StatusCode::SERVICE_UNAVAILABLE, "no host meets what is demanded for this request")
        }
        Reject::DeadlinePassed => reply::error(StatusCode::GATEWAY_TIMEOUT, "the deadline has passed"),
    }
}

/// The host's own words where it gave an error, else ours.
fn failed(failure: Failure, refusal: Option<Refusal>) -> Response<Body> {
    if let Some(refusal) = refusal {
        let mut response = reply::whole(refusal.status, reply::JSON, refusal.body);
        if refusal.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        return response;
    }
    let (status, message) = match failure {
        Failure::Busy => return busy(wire::BUSY),
        Failure::Unreachable => (StatusCode::BAD_GATEWAY, "the host could not be reached"),
        Failure::FirstByteTimeout => (StatusCode::GATEWAY_TIMEOUT, "the host did not answer in time"),
        Failure::Broken => (StatusCode::BAD_GATEWAY, "the connection to the host broke"),
        _ => (StatusCode::BAD_GATEWAY, "the host did not answer as it should"),
    };
    reply::error(status, message)
}
