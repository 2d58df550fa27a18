//! The way of a request that a model answers: from its body through control's decisions to the answer of a host.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use control::ids::{HostId, RequestId, SessionId};
use control::request::{Failure, HostOptions, Reject};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::time::Instant;

use super::{REQUEST_HEADER, SOON, Shared, authorization, busy, cloud_refusal, try_again, unread};
use crate::gateway::config::MayAssert;
use crate::gateway::control_task::Arrival;
use crate::gateway::keys::Caller;
use crate::gateway::relay::{self, Asked, Attempt, Refusal};
use crate::gateway::ticket::{Decision, Ticket};
use crate::gateway::turn::Turn;
use crate::gateway::unix_millis;
use crate::reply::{self, Body};
use crate::server::{self, Held};
use crate::wire;
use crate::wire::capped::{self, Caps};
use crate::wire::dialect::Dialect;
use crate::wire::request::{self, BadBody, RequestFacts, Route};

/// Whose the request is, in place of the key's tenant.
const TENANT_HEADER: HeaderName = HeaderName::from_static("x-herder-tenant");
/// How urgent it is, in place of the key's priority.
const PRIORITY_HEADER: HeaderName = HeaderName::from_static("x-herder-priority");
/// Seconds until something may have changed that does not change by itself.
const LATER: u16 = 60;
/// Longest name of a tenant that a header may tell.
const TENANT_BYTES_MAX: usize = 64;

/// Larger bodies are read on a thread of their own: some milliseconds in which nothing else would go on.
const LOOKED_AT_HERE_BYTES_MAX: usize = 1 << 20;

/// Bytes of prompt in a hashed block.
const PREFIX_BLOCK_BYTES: usize = 1_024;
/// Hashed blocks of a prompt at most.
const PREFIX_BLOCKS_MAX: usize = 128;

/// Answers.
pub(super) async fn infer(
    shared: &Shared,
    route: Route,
    headers: &HeaderMap,
    body: Incoming,
) -> Response<Body> {
    let dialect = route.dialect();
    let refused = |status, message: &str| reply::error_in(dialect, status, message);
    let (body, held) = match server::read_body_in(body, shared.body_bytes_max, &shared.bodies).await {
        Ok(read) => read,
        Err(unreadable) => return unread(unreadable, dialect, shared.body_bytes_max),
    };
    // Not before: a client that sends slowly takes a connection, but no other's turn.
    let Ok(permit) = Arc::clone(&shared.requests).try_acquire_owned() else {
        return busy(dialect, wire::BUSY);
    };
    let facts = match looked_at(route, &body, shared.key).await {
        Ok(facts) => facts,
        Err(error) => {
            let (status, message) = error.told(route);
            return refused(StatusCode::from_u16(status).expect("a status"), &message);
        }
    };
    let Some(model) = shared.admitted(facts.model, &facts.model_written) else {
        return refused(StatusCode::FORBIDDEN, &cloud_refusal(&facts.model_written));
    };
    let caller = match shared.keys.check(unix_millis(), authorization(headers), Some(&model)) {
        Ok(caller) => caller,
        Err(denied) => return denied.answer(dialect),
    };
    let (tenant, priority) = match asserted(headers, &caller) {
        Ok(asserted) => asserted,
        Err(message) => return refused(StatusCode::BAD_REQUEST, &message),
    };
    let demands = match shared.demanded.told(headers, &caller) {
        Ok(demands) => demands,
        Err((status, message)) => return refused(status, &message),
    };
    let arrival = Arrival {
        kind: route.kind(),
        whole: !facts.stream,
        session: facts.session,
        prompt_bytes: facts.prompt_bytes,
        num_predict: facts.num_predict,
        options: facts.options,
        demands,
        prefix: facts.prefix,
        model,
        tenant,
        priority,
    };
    let (model, stream) = (facts.model_written, facts.stream);
    let body = within(caps_of(&caller), route, body);
    let turn = Turn::new(caller, permit);
    let number = shared.tickets.fetch_add(1, Ordering::Relaxed);
    let Some(ticket) = Ticket::arrive(number, arrival, &shared.events) else {
        return busy(dialect, "the gateway is stopping");
    };
    let errand = Errand { shared, route, model, asked: Asked { route, body, stream, until: None }, held };
    errand.run(ticket, turn).await
}

/// What matters of a body.
struct Looked {
    model: String,
    model_written: String,
    stream: bool,
    num_predict: Option<u32>,
    options: HostOptions,
    session: Option<SessionId>,
    prompt_bytes: control::units::Bytes,
    prefix: Box<[u64]>,
}

/// Looks at a body, at a large one where that holds nobody up.
async fn looked_at(route: Route, body: &Bytes, key: [u8; 32]) -> Result<Looked, BadBody> {
    if body.len() <= LOOKED_AT_HERE_BYTES_MAX {
        return look(route, body, &key);
    }
    let body = body.clone();
    match tokio::task::spawn_blocking(move || look(route, &body, &key)).await {
        Ok(looked) => looked,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn look(route: Route, body: &[u8], key: &[u8; 32]) -> Result<Looked, BadBody> {
    let mended;
    let mut read = RequestFacts::read(route, body);
    if read.is_err()
        && let Some(text) = request::mended(body)
    {
        mended = text;
        read = RequestFacts::read(route, &mended);
    }
    let facts = read?;
    let prefix = facts.prompt.block_and_rest_hashes(key, PREFIX_BLOCK_BYTES, PREFIX_BLOCKS_MAX);
    Ok(Looked {
        session: facts.session.map(|session| SessionId(wire::prompt::keyed_hash(key, &session))),
        prompt_bytes: facts.prompt.bytes(),
        num_predict: facts.num_predict,
        options: facts.options,
        prefix: prefix.into(),
        model: facts.model,
        model_written: facts.model_written,
        stream: facts.stream,
    })
}

/// Whose the request is and how urgent: as its key says, or as its headers do where the key may assert that.
fn asserted(headers: &HeaderMap, caller: &Caller) -> Result<(String, i8), String> {
    let (mut tenant, mut priority) = (caller.tenant().to_owned(), caller.priority());
    let told = |name: HeaderName, what| headers.get(name).filter(|_| caller.may_assert(what));
    if let Some(told) = told(TENANT_HEADER, MayAssert::Tenant) {
        tenant = told
            .to_str()
            .ok()
            .filter(|name| (1..=TENANT_BYTES_MAX).contains(&name.len()))
            .ok_or_else(|| {
                format!("{TENANT_HEADER}: expected a name of 1 to {TENANT_BYTES_MAX} ASCII characters")
            })?
            .to_owned();
    }
    if let Some(told) = told(PRIORITY_HEADER, MayAssert::Priority) {
        priority = told
            .to_str()
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .ok_or_else(|| format!("{PRIORITY_HEADER}: expected a whole number from -128 to 127"))?;
    }
    Ok((tenant, priority))
}

fn caps_of(caller: &Caller) -> Caps {
    Caps { num_ctx: caller.num_ctx_max(), keep_alive_seconds: caller.keep_alive_max_seconds() }
}

/// The body within the caps of its key; other dialects than Ollama's have no such fields.
fn within(caps: Caps, route: Route, body: Bytes) -> Bytes {
    if caps == Caps::default() || route.dialect() != Dialect::Ollama {
        return body;
    }
    capped::capped(&body, caps).map_or(body, Bytes::from)
}

/// A request that control knows of.
struct Errand<'a> {
    shared: &'a Shared,
    route: Route,
    /// As the client wrote it.
    model: String,
    asked: Asked,
    held: Held,
}

impl Errand<'_> {
    /// Does what control decides until an answer begins, or there is none. Dropped before, it tells control that the
    /// client left, and closes the connection to the host.
    async fn run(mut self, mut ticket: Ticket, turn: Turn) -> Response<Body> {
        let mut refusal: Option<(HostId, Refusal)> = None;
        let response = loop {
            let lease = match ticket.decision().await {
                Some(Decision::Dispatch(lease)) => lease,
                // The attempt has ended already.
                Some(Decision::Cancel { .. }) => continue,
                Some(Decision::Reject(reason)) => break self.rejected(reason),
                Some(Decision::Fail(failure)) => break self.failed(failure, refusal),
                None => break busy(self.route.dialect(), "the gateway is stopping"),
            };
            if !self.asked.stream {
                // All attempts together: a client waits for the answer, not for a host.
                self.asked.until.get_or_insert(Instant::now() + self.shared.total_timeout);
            }
            match relay::attempt(&self.shared.upstream, &mut ticket, lease, &self.asked).await {
                Attempt::Begun(answer) => {
                    ticket.first_byte(lease.attempt);
                    // Nothing is tried again from here on.
                    drop(self.held);
                    let id = ticket.request();
                    let mut response = answer.relay(ticket, lease, &self.asked, turn);
                    self.shared.name_host(response.headers_mut(), lease.host);
                    return identified(self.shared, response, id);
                }
                Attempt::Failed(failure, said) => {
                    refusal = said.map(|said| (lease.host, said));
                    ticket.failed(lease.attempt, failure, false);
                }
                Attempt::Decided(Decision::Reject(reason)) => break self.rejected(reason),
                Attempt::Decided(Decision::Fail(failure)) => break self.failed(failure, None),
                // Control goes on with another decision, or the channel ends.
                Attempt::Decided(Decision::Cancel { .. } | Decision::Dispatch(_)) => {}
            }
        };
        identified(self.shared, response, ticket.request())
    }

    fn error(&self, status: StatusCode, message: &str) -> Response<Body> {
        reply::error_in(self.route.dialect(), status, message)
    }

    fn busy(&self, message: &str) -> Response<Body> {
        busy(self.route.dialect(), message)
    }

    fn rejected(&self, reason: Reject) -> Response<Body> {
        match reason {
            Reject::QueueFull => self.busy(wire::BUSY),
            Reject::NoHostHasModel => {
                self.error(StatusCode::NOT_FOUND, &self.route.model_missing(&self.model))
            }
            Reject::QueueTimeout => self.busy("server busy, please try again.  waited too long for a host"),
            Reject::DemandsUnmet => {
                try_again(LATER, self.busy("no host meets what is demanded for this request"))
            }
            Reject::Quarantined => try_again(
                LATER,
                self.busy("requests like this one ended the model's runners; it is not tried again for now"),
            ),
            Reject::DeadlinePassed => self.error(StatusCode::GATEWAY_TIMEOUT, "the deadline has passed"),
        }
    }

    /// The host's own words where it gave an error, else ours.
    fn failed(&self, failure: Failure, refusal: Option<(HostId, Refusal)>) -> Response<Body> {
        if let Some((host, refusal)) = refusal {
            let mut response = reply::whole(refusal.status, reply::JSON, refusal.body);
            self.shared.name_host(response.headers_mut(), host);
            response.headers_mut().insert(CONTENT_TYPE, refusal.content_type);
            let busy = refusal.status == StatusCode::SERVICE_UNAVAILABLE;
            return if busy { try_again(SOON, response) } else { response };
        }
        let (status, message) = match failure {
            Failure::Busy => return self.busy(wire::BUSY),
            Failure::Unreachable => (StatusCode::BAD_GATEWAY, "the host could not be reached"),
            Failure::FirstByteTimeout => (StatusCode::GATEWAY_TIMEOUT, "the host did not answer in time"),
            Failure::IdleTimeout => (StatusCode::GATEWAY_TIMEOUT, relay::TOO_LONG),
            Failure::Broken => (StatusCode::BAD_GATEWAY, "the connection to the host broke"),
            _ => (StatusCode::BAD_GATEWAY, "the host did not answer as it should"),
        };
        self.error(status, message)
    }
}

fn identified(shared: &Shared, mut response: Response<Body>, id: Option<RequestId>) -> Response<Body> {
    if let Some(id) = id.filter(|_| shared.tells) {
        response.headers_mut().insert(REQUEST_HEADER, HeaderValue::from(id.0));
    }
    response
}
