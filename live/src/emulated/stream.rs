//! The body of an answer: lines of tokens, paced.
//!
//! **The pacing rule.** The host model tells when the first token is out and when all are. The tokens between them go
//! out one pace apart, counted from the first (the pace is the model's decode step when the first token came), but
//! never the last before the model says that all are out; what is missing then goes out at once. Where a timer is
//! coarser than the pace, the tokens that are due go out together.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::driver::{Flight, Told};
use super::http::Voice;
use crate::reply::BrokenOff;

/// A streamed answer, from its first token on.
pub(super) struct AnswerBody {
    flight: Flight,
    voice: Voice,
    pace: Duration,
    first_at: Instant,
    timer: Pin<Box<Sleep>>,
    /// Tokens that went out.
    sent: u32,
    /// Tokens that may go out before the model is done.
    before_end: u32,
    ended: bool,
}

impl AnswerBody {
    /// An answer whose first token is out now. `tokens` is how long it is to be, the cap included.
    pub(super) fn new(flight: Flight, voice: Voice, pace: Duration, tokens: u32) -> Self {
        let first_at = Instant::now();
        Self {
            flight,
            voice,
            pace: pace.max(Duration::from_nanos(1)),
            first_at,
            timer: Box::pin(tokio::time::sleep_until(first_at)),
            sent: 0,
            before_end: tokens.saturating_sub(1).max(1),
            ended: false,
        }
    }

    /// Tokens that the pace allows by now.
    fn due(&self) -> u32 {
        let paces = self.first_at.elapsed().as_nanos() / self.pace.as_nanos();
        u32::try_from(paces).unwrap_or(u32::MAX).saturating_add(1).min(self.before_end)
    }

    fn lines_until(&mut self, count: u32) -> Vec<u8> {
        let mut lines = Vec::new();
        while self.sent < count {
            self.voice.token_line(self.sent, &mut lines);
            self.sent += 1;
        }
        lines
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        match this.flight.poll_told(cx) {
            Poll::Ready(Some(Told::Finished { usage, total })) => {
                this.ended = true;
                let mut lines = this.lines_until(usage.output_tokens);
                this.voice.last_line(&usage, total, "", &mut lines);
                return Poll::Ready(Some(Ok(Frame::data(lines.into()))));
            }
            Poll::Ready(Some(Told::Error(_)) | None) => {
                this.ended = true;
                return Poll::Ready(Some(Err(BrokenOff)));
            }
            Poll::Ready(Some(Told::FirstToken { .. })) | Poll::Pending => {}
        }
        loop {
            let due = this.due();
            if due > this.sent {
                let lines = this.lines_until(due);
                return Poll::Ready(Some(Ok(Frame::data(lines.into()))));
            }
            if this.sent >= this.before_end {
                return Poll::Pending;
            }
            let next = this.first_at + this.pace.saturating_mul(this.sent);
            this.timer.as_mut().reset(next);
            ready!(this.timer.as_mut().poll(cx));
        }
    }
}
