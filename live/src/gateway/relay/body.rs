//! An answer under way: each chunk goes on as it comes, read along for its end, and no end is made up.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use control::door::Dispatch;
use control::request::{Failure, Usage};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::TOO_LONG;
use crate::gateway::ticket::{Decision, Ticket};
use crate::gateway::turn::Turn;
use crate::gateway::upstream::Answer;
use crate::reply::BrokenOff;
use crate::wire;
use crate::wire::answer::{AnswerReader, Ending, Form};
use crate::wire::dialect::Dialect;

/// How long the rest of an answer may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Limit {
    /// It may stand still for this long.
    Idle(Duration),
    /// All must be there by then.
    Until(Instant),
}

/// Most bytes that are gathered before they are handed on.
const GATHERED_BYTES_MAX: usize = 64 << 10;

/// What the host's stream gave last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gave {
    /// Nothing more for now.
    Nothing,
    /// Enough for now.
    Enough,
    /// Its end.
    End,
    /// An error.
    Error,
}

/// How far the relaying is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Bytes go through.
    Relaying,
    /// What had come went on; the host's stream has ended, or broken.
    Over { broken: bool },
    /// The line that tells of a failure was handed over; it gets one turn to go out before the connection breaks.
    Told,
    /// The connection is to break off now.
    Breaking,
    /// Nothing follows.
    Ended,
}

/// The body of the answer to the client.
pub(super) struct RelayBody {
    ticket: Ticket,
    lease: Dispatch,
    dialect: Dialect,
    reader: AnswerReader,
    first: Option<Bytes>,
    upstream: Option<Answer>,
    limit: Limit,
    heard_at: Instant,
    timer: Pin<Box<Sleep>>,
    stage: Stage,
    turn: Turn,
}

type NextFrame = Poll<Option<Result<Frame<Bytes>, BrokenOff>>>;

impl RelayBody {
    /// An answer whose first chunk is here.
    pub(super) fn new(
        ticket: Ticket,
        lease: Dispatch,
        (form, dialect): (Form, Dialect),
        (first, rest): (Bytes, Answer),
        limit: Limit,
        turn: Turn,
    ) -> Self {
        let heard_at = Instant::now();
        let until = match limit {
            Limit::Idle(idle) => heard_at + idle,
            Limit::Until(until) => until,
        };
        Self {
            ticket,
            lease,
            dialect,
            reader: AnswerReader::new(form),
            first: Some(first),
            upstream: Some(rest),
            limit,
            heard_at,
            timer: Box::pin(tokio::time::sleep_until(until)),
            stage: Stage::Relaying,
            turn,
        }
    }

    fn data(&mut self, chunk: Bytes) -> NextFrame {
        self.reader.push(&chunk);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    /// All that is there, in one piece: tokens that came together go out together.
    fn gather(&mut self, cx: &mut Context<'_>) -> (Option<Bytes>, Gave) {
        let Some(upstream) = &mut self.upstream else { return (None, Gave::End) };
        let mut first: Option<Bytes> = None;
        let mut joined = BytesMut::new();
        let gave = loop {
            let chunk = match Pin::new(&mut *upstream).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Poll::Ready(Some(Err(_))) => break Gave::Error,
                Poll::Ready(None) => break Gave::End,
                Poll::Pending => break Gave::Nothing,
            };
            match &first {
                // Trailers, which nobody reads.
                _ if chunk.is_empty() => continue,
                None => first = Some(chunk),
                Some(first) => {
                    if joined.is_empty() {
                        joined.extend_from_slice(first);
                    }
                    joined.extend_from_slice(&chunk);
                }
            }
            if joined.len().max(first.as_ref().map_or(0, Bytes::len)) >= GATHERED_BYTES_MAX {
                break Gave::Enough;
            }
        };
        (if joined.is_empty() { first } else { Some(joined.freeze()) }, gave)
    }

    fn broke(&mut self, cx: &mut Context<'_>) -> NextFrame {
        self.failed(cx, Failure::Broken, "the connection to the host broke")
    }

    /// The host's stream has ended as a stream; whether it was whole is in its last lines.
    fn ended(&mut self, cx: &mut Context<'_>) -> NextFrame {
        match self.reader.ending() {
            Ending::Done(usage) => self.finished(usage),
            Ending::HostError => {
                self.stop(Failure::Broken);
                self.stage = Stage::Told;
                Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
            }
            Ending::Cut => self.failed(cx, Failure::Broken, "the host's answer broke off"),
        }
    }

    fn finished(&mut self, usage: Usage) -> NextFrame {
        self.turn.used(&usage);
        self.ticket.finished(self.lease.attempt, usage);
        self.upstream = None;
        self.stage = Stage::Ended;
        Poll::Ready(None)
    }

    fn stop(&mut self, failure: Failure) {
        self.ticket.failed(self.lease.attempt, failure, true);
        self.upstream = None;
    }

    /// Tells the client in one more line or event, where the answer has such; then breaks off, after what was handed over
    /// has had its turn to go out.
    fn failed(&mut self, cx: &mut Context<'_>, failure: Failure, message: &str) -> NextFrame {
        self.stop(failure);
        // Whatever came last may be half a line, or half an event.
        let text = match (self.reader.form(), self.reader.at_line_start()) {
            (Form::Whole, _) => {
                self.stage = Stage::Breaking;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            (Form::Lines, true) => format!("{}\n", wire::error_object(message)),
            (Form::Lines, false) => format!("\n{}\n", wire::error_object(message)),
            (Form::Events, true) => format!("\n{}", self.dialect.error_event(message)),
            (Form::Events, false) => format!("\n\n{}", self.dialect.error_event(message)),
        };
        self.stage = Stage::Told;
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }

    fn poll_limit(&mut self, cx: &mut Context<'_>) -> NextFrame {
        while self.timer.as_mut().poll(cx).is_ready() {
            let Limit::Idle(idle) = self.limit else {
                return self.failed(cx, Failure::IdleTimeout, TOO_LONG);
            };
            let until = self.heard_at + idle;
            if until <= Instant::now() {
                return self.failed(cx, Failure::IdleTimeout, "the host's answer stood still for too long");
            }
            self.timer.as_mut().reset(until);
        }
        Poll::Pending
    }
}

impl Body for RelayBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> NextFrame {
        let this = &mut *self;
        match this.stage {
            Stage::Relaying => {}
            Stage::Over { broken: false } => return this.ended(cx),
            Stage::Over { broken: true } => return this.broke(cx),
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
            return this.failed(cx, Failure::Broken, "the gateway ended this answer");
        }
        let (gathered, gave) = this.gather(cx);
        if let Some(chunk) = gathered {
            this.heard_at = Instant::now();
            match gave {
                Gave::End => this.stage = Stage::Over { broken: false },
                Gave::Error => this.stage = Stage::Over { broken: true },
                Gave::Nothing | Gave::Enough => {}
            }
            return this.data(chunk);
        }
        match gave {
            Gave::End => this.ended(cx),
            Gave::Error => this.broke(cx),
            Gave::Nothing | Gave::Enough => this.poll_limit(cx),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.upstream.as_ref().and_then(|upstream| upstream.size_hint().exact());
        match rest {
            // A stream must have room for one more line or event.
            Some(rest) if self.reader.form() == Form::Whole => {
                SizeHint::with_exact(rest + self.first.as_ref().map_or(0, |first| first.len() as u64))
            }
            _ => SizeHint::default(),
        }
    }
}

impl Drop for RelayBody {
    /// A client that has read the last line and closes before the closing chunk has had its answer; so has one whose
    /// answer's length was told, after which nobody asks for the end.
    fn drop(&mut self) {
        let over = match self.stage {
            Stage::Relaying if self.first.is_none() => false,
            Stage::Over { broken } => !broken,
            _ => return,
        };
        let all_came = over || self.upstream.as_ref().is_some_and(Body::is_end_stream);
        match self.reader.ending() {
            Ending::Done(usage) if all_came || self.reader.form() != Form::Whole => {
                self.turn.used(&usage);
                self.ticket.finished(self.lease.attempt, usage);
            }
            _ if all_came => self.ticket.failed(self.lease.attempt, Failure::Broken, true),
            // The client left in the middle: what it had is all that was of use.
            _ => {
                let tokens = self.reader.parts();
                self.turn.used(&Usage { output_tokens: tokens, ..Usage::default() });
                self.ticket.relayed(self.lease.attempt, tokens);
            }
        }
    }
}
