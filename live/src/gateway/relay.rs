//! One attempt on a host: until the first byte it can fail and be repeated elsewhere; from then on its bytes go to the
//! client as they come, no faster than the client reads.

mod body;

use std::time::Duration;

use bytes::Bytes;
use control::door::Dispatch;
use control::request::Failure;
use control::units::Nanos;
use http_body_util::{BodyExt, Limited};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::time::Instant;

use super::ticket::{Decision, Ticket};
use super::turn::Turn;
use super::upstream::{Answer, Upstream};
use crate::reply::{self, Body};
use crate::wire::answer::{Form, failure_of};
use crate::wire::request::Route;
use body::{Limit, RelayBody};

/// Largest error of a host that is read, in bytes.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// What is said of an unstreamed answer that is not there in time.
pub(super) const TOO_LONG: &str = "the host's answer took too long";

/// What is asked of hosts.
pub(super) struct Asked {
    pub(super) route: Route,
    pub(super) body: Bytes,
    /// Token by token. Else nothing comes before all is there, and the times of a lease say nothing.
    pub(super) stream: bool,
    /// When all must have come, where it is not streamed.
    pub(super) until: Option<Instant>,
}

/// An error that a host answered with.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) content_type: HeaderValue,
    pub(super) body: Bytes,
}

/// How an attempt went until the first byte.
pub(super) enum Attempt {
    /// The first byte came.
    Begun(Begun),
    /// It failed; where the host said why, with its words.
    Failed(Failure, Option<Refusal>),
    /// Control decided otherwise meanwhile.
    Decided(Decision),
}

/// An answer whose first chunk is here.
pub(super) struct Begun {
    content_type: HeaderValue,
    first: Bytes,
    rest: Answer,
}

/// Makes an attempt, up to the first byte.
pub(super) async fn attempt(
    upstream: &Upstream,
    ticket: &mut Ticket,
    lease: Dispatch,
    asked: &Asked,
) -> Attempt {
    let answer = async {
        match upstream.post(lease.host, asked.route.path(), asked.body.clone()).await {
            Ok(response) if response.status() == StatusCode::OK => first_chunk(response).await,
            Ok(response) => refusal(response, asked.route).await,
            Err(error) => {
                tracing::debug!(%error, host = lease.host.0, "an attempt failed");
                let failure = if error.is_connect() { Failure::Unreachable } else { Failure::Broken };
                Attempt::Failed(failure, None)
            }
        }
    };
    let (until, late) = match asked.until {
        Some(until) => (until, Failure::IdleTimeout),
        None => (Instant::now() + wall(lease.first_byte_timeout), Failure::FirstByteTimeout),
    };
    tokio::select! {
        attempt = tokio::time::timeout_at(until, answer) => attempt.unwrap_or(Attempt::Failed(late, None)),
        Some(decision) = ticket.decision() => Attempt::Decided(decision),
    }
}

fn wall(span: Nanos) -> Duration {
    Duration::from_nanos(span.0)
}

async fn first_chunk(response: Response<Answer>) -> Attempt {
    let content_type = response.headers().get(CONTENT_TYPE).cloned();
    let mut rest = response.into_body();
    loop {
        match rest.frame().await {
            Some(Ok(frame)) => {
                let Ok(first) = frame.into_data() else { continue };
                if !first.is_empty() {
                    let content_type = content_type.unwrap_or(HeaderValue::from_static(reply::NDJSON));
                    return Attempt::Begun(Begun { content_type, first, rest });
                }
            }
            Some(Err(_)) => return Attempt::Failed(Failure::Broken, None),
            // A success that says nothing is none.
            None => return Attempt::Failed(Failure::ServerError, None),
        }
    }
}

async fn refusal(response: Response<Answer>, route: Route) -> Attempt {
    let status = response.status();
    let content_type =
        response.headers().get(CONTENT_TYPE).cloned().unwrap_or(HeaderValue::from_static(reply::JSON));
    let ours = |status: StatusCode, message: &str| Refusal {
        status,
        content_type: HeaderValue::from_static(reply::JSON),
        body: route.dialect().error(status.as_u16(), message).into(),
    };
    if !status.is_client_error() && !status.is_server_error() {
        // Other successes and redirects are nothing that Ollama answers with, and not followed.
        let message = format!("the host answered with status {}", status.as_u16());
        return Attempt::Failed(Failure::ServerError, Some(ours(StatusCode::BAD_GATEWAY, &message)));
    }
    match Limited::new(response.into_body(), REFUSAL_BYTES_MAX).collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            let failure = failure_of(status.as_u16(), &body);
            Attempt::Failed(failure, Some(Refusal { status, content_type, body }))
        }
        Err(_) => {
            let said = ours(status, "the host's error could not be read");
            Attempt::Failed(failure_of(status.as_u16(), &[]), Some(said))
        }
    }
}

impl Begun {
    /// The answer to the client. The turn is held until it ends.
    pub(super) fn relay(self, ticket: Ticket, lease: Dispatch, asked: &Asked, turn: Turn) -> Response<Body> {
        let form = Form::of(self.content_type.as_bytes());
        let limit = match asked.until {
            Some(until) => Limit::Until(until),
            None => Limit::Idle(wall(lease.idle_timeout)),
        };
        let dialect = asked.route.dialect();
        let body = RelayBody::new(ticket, lease, (form, dialect), (self.first, self.rest), limit, turn);
        let mut response = reply::typed(StatusCode::OK, self.content_type, body.boxed_unsync());
        if form == Form::Events {
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        response
    }
}
