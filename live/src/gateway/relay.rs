//! One attempt on a host: until the first byte it can fail and be repeated elsewhere; from then on its bytes go to the
//! client as they come, no faster than the client reads.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use control::door::Dispatch;
use control::request::{Failure, Usage};
use control::units::Nanos;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use super::ticket::{Decision, Ticket};
use super::upstream::Upstream;
use crate::reply::{self, Body, BrokenOff};
use crate::wire;
use crate::wire::answer::{Ending, LastLine, failure_of};

/// Largest error of a host that is read, in bytes.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// An error that a host answered with.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
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
    rest: Incoming,
}

/// Makes an attempt, up to the first byte.
pub(super) async fn attempt(
    upstream: &Upstream,
    ticket: &mut Ticket,
    lease: Dispatch,
    path: &'static str,
    body: Bytes,
) -> Attempt {
    let answer = async {
        match upstream.post(lease.host, path, body).await {
            Ok(response) if response.status() == StatusCode::OK => first_chunk(response).await,
            Ok(response) => refusal(response).await,
            Err(error) => {
                tracing::debug!(%error, host = lease.host.0, "an attempt failed");
                let failure = if error.is_connect() { Failure::Unreachable } else { Failure::Broken };
                Attempt::Failed(failure, None)
            }
        }
    };
    tokio::select! {
        attempt = tokio::time::timeout(wall(lease.first_byte_timeout), answer) => {
            attempt.unwrap_or(Attempt::Failed(Failure::FirstByteTimeout, None))
        }
        Some(decision) = ticket.decision() => Attempt::Decided(decision),
    }
}

fn wall(span: Nanos) -> Duration {
    Duration::from_nanos(span.0)
}

async fn first_chunk(response: Response<Incoming>) -> Attempt {
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

async fn refusal(response: Response<Incoming>) -> Attempt {
    let status = response.status();
    let body = match Limited::new(response.into_body(), REFUSAL_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::from(wire::error_object("the host's error could not be read")),
    };
    // Other successes and redirects are nothing that Ollama answers with.
    let status =
        if status.is_client_error() || status.is_server_error() { status } else { StatusCode::BAD_GATEWAY };
    Attempt::Failed(failure_of(status.as_u16(), &body), Some(Refusal { status, body }))
}

impl Begun {
    /// The answer to the client. The permit is held until it ends.
    pub(super) fn relay(
        self,
        ticket: Ticket,
        lease: Dispatch,
        permit: OwnedSemaphorePermit,
    ) -> Response<Body> {
        let lines = self.content_type.as_bytes().starts_with(reply::NDJSON.as_bytes());
        let idle = wall(lease.idle_timeout);
        let heard_at = Instant::now();
        let body = RelayBody {
            ticket,
            lease,
            lines,
            first: Some(self.first),
            upstream: Some(self.rest),
            last: LastLine::new(),
            idle,
            heard_at,
            timer: Box::pin(tokio::time::sleep_until(heard_at + idle)),
            stage: Stage::Relaying,
            _permit: permit,
        };
        reply::typed(StatusCode::OK, self.content_type, body.boxed_unsync())
    }
}

/// How far the relaying is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Bytes go through.
    Relaying,
    /// The line that tells of a failure was handed over; it gets one turn to go out before the connection breaks.
    Told,
    /// The connection is to break off now.
    Breaking,
    /// Nothing follows.
    Ended,
}

struct RelayBody {
    ticket: Ticket,
    lease: Dispatch,
    /// A stream of lines: a failure can be told in one more. Else the broken framing tells it.
    lines: bool,
    first: Option<Bytes>,
    upstream: Option<Incoming>,
    last: LastLine,
    idle: Duration,
    heard_at: Instant,
    timer: Pin<Box<Sleep>>,
    stage: Stage,
    _permit: OwnedSemaphorePermit,
}

type NextFrame = Poll<Option<Result<Frame<Bytes>, BrokenOff>>>;

impl RelayBody {
    fn data(&mut self, chunk: Bytes) -> NextFrame {
        self.last.push(&chunk);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    /// The host's stream has ended as a stream; whether it was whole is in its last line.
    fn ended(&mut self) -> NextFrame {
        match self.last.ending() {
            Ending::Done(usage) => self.finished(usage),
            Ending::Unread => self.finished(Usage::default()),
            Ending::HostError => {
                self.stop(Failure::Broken);
                self.stage = Stage::Told;
                Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
            }
            Ending::Cut => self.failed(Failure::Broken, "the host's answer broke off"),
        }
    }

    fn finished(&mut self, usage: Usage) -> NextFrame {
        self.ticket.finished(self.lease.attempt, usage);
        self.upstream = None;
        self.stage = Stage::Ended;
        Poll::Ready(None)
    }

    fn stop(&mut self, failure: Failure) {
        self.ticket.failed(self.lease.attempt, failure, true);
        self.upstream = None;
    }

    fn failed(&mut self, failure: Failure, message: &str) -> NextFrame {
        self.stop(failure);
        if !self.lines {
            self.stage = Stage::Ended;
            return Poll::Ready(Some(Err(BrokenOff)));
        }
        self.stage = Stage::Told;
        // Whatever came last may be half a line.
        let line = format!("\n{}\n", wire::error_object(message));
        let whole_lines = self.last.at_line_start();
        let line = if whole_lines { line[1..].to_owned() } else { line };
        Poll::Ready(Some(Ok(Frame::data(line.into()))))
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> NextFrame {
        while self.timer.as_mut().poll(cx).is_ready() {
            let until = self.heard_at + self.idle;
            if until <= Instant::now() {
                return self.failed(Failure::IdleTimeout, "the host's answer stood still for too long");
            }
            self.timer.as_mut().reset(until);
        }
        Poll::Pending
    }
}

impl hyper::body::Body for RelayBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> NextFrame {
        let this = &mut *self;
        match this.stage {
            Stage::Relaying => {}
            Stage::Told => {
                this.stage = Stage::Breaking;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Stage::Breaking => {
                this.stage = Stage::Ended;
                return Poll::Ready(Some(Err(BrokenOff)));
            }
            Stage::Ended => return Poll::Ready(None),
        }
        if let Some(first) = this.first.take() {
            return this.data(first);
        }
        if let Poll::Ready(Some(Decision::Cancel { .. } | Decision::Fail(_) | Decision::Reject(_)) | None) =
            this.ticket.poll_decision(cx)
        {
            return this.failed(Failure::Broken, "the gateway ended this answer");
        }
        loop {
            let Some(upstream) = &mut this.upstream else { return Poll::Ready(None) };
            match Pin::new(upstream).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(chunk) = frame.into_data() else { continue };
                    this.heard_at = Instant::now();
                    return this.data(chunk);
                }
                Poll::Ready(Some(Err(_))) => {
                    return this.failed(Failure::Broken, "the connection to the host broke");
                }
                Poll::Ready(None) => return this.ended(),
                Poll::Pending => return this.poll_idle(cx),
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.upstream.as_ref().and_then(|upstream| upstream.size_hint().exact());
        match rest {
            // A stream of lines must have room for one more.
            Some(rest) if !self.lines => {
                SizeHint::with_exact(rest + self.first.as_ref().map_or(0, |first| first.len() as u64))
            }
            _ => SizeHint::default(),
        }
    }
}

impl Drop for RelayBody {
    /// A client that has read the last line and closes before the closing chunk has had its answer.
    fn drop(&mut self) {
        if self.stage == Stage::Relaying
            && self.first.is_none()
            && let Ending::Done(usage) = self.last.ending()
        {
            self.ticket.finished(self.lease.attempt, usage);
        }
    }
}
