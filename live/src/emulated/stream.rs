//! The bodies of answers: tokens, paced; and what faults make of a body.
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

use super::dialect::{End, Voice};
use super::driver::{Flight, Told};
use super::faults::{Garble, Harm, LONG_LINE_BYTES};
use super::generate::CRASHED;
use crate::reply::BrokenOff;

/// What comes after the frames that are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    End,
    /// What was sent goes out first: the server drops what is not flushed when a body fails.
    Flush,
    Break,
    Stall,
}

impl Then {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self {
            Self::End => Poll::Ready(None),
            Self::Flush => {
                *self = Self::Break;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Break => Poll::Ready(Some(Err(BrokenOff))),
            // Nothing wakes it: it is dropped when the client leaves.
            Self::Stall => Poll::Pending,
        }
    }
}

/// A harm that is to be done to a streamed answer.
#[derive(Clone, Copy, Debug)]
struct Planned {
    harm: Harm,
    after_tokens: u32,
}

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
    planned: Option<Planned>,
    then: Option<Then>,
}

impl AnswerBody {
    /// An answer whose first token is out now. `tokens` is how long it is to be, the cap included; `harm` is done to it
    /// after as many tokens.
    pub(super) fn new(
        flight: Flight,
        voice: Voice,
        pace: Duration,
        tokens: u32,
        harm: Option<(Harm, u32)>,
    ) -> Self {
        let first_at = Instant::now();
        Self {
            flight,
            voice,
            pace: pace.max(Duration::from_nanos(1)),
            first_at,
            timer: Box::pin(tokio::time::sleep_until(first_at)),
            sent: 0,
            before_end: tokens.saturating_sub(1).max(1),
            planned: harm.map(|(harm, after_tokens)| Planned { harm, after_tokens }),
            then: None,
        }
    }

    /// Tokens that the pace allows by now.
    fn due(&self) -> u32 {
        let paces = self.first_at.elapsed().as_nanos() / self.pace.as_nanos();
        u32::try_from(paces).unwrap_or(u32::MAX).saturating_add(1).min(self.before_end)
    }

    /// Lines of the tokens before `count`; fewer where the answer breaks off.
    fn lines_until(&mut self, count: u32) -> Vec<u8> {
        let mut lines = Vec::new();
        while self.sent < count && self.then.is_none() {
            let planned = self.planned.filter(|planned| planned.after_tokens <= self.sent);
            let start = lines.len();
            if let Some(Planned { harm, .. }) = planned {
                self.harm(harm, &mut lines);
            }
            if self.then.is_none() {
                self.voice.token(self.sent, &mut lines);
                self.sent += 1;
            }
            if let Some(Planned { harm: Harm::Garble(garble), .. }) = planned {
                self.garble(garble, start, &mut lines);
            }
        }
        lines
    }

    /// Does what breaks the answer off before the next token.
    fn harm(&mut self, harm: Harm, lines: &mut Vec<u8>) {
        match harm {
            Harm::Stall => self.then = Some(Then::Stall),
            Harm::Cut => self.then = Some(Then::Flush),
            Harm::Garble(Garble::LongLine) => self.voice.other(&"x".repeat(LONG_LINE_BYTES), lines),
            Harm::Garble(_) => {}
        }
    }

    /// Does what is done to a line that is there.
    fn garble(&mut self, garble: Garble, start: usize, lines: &mut Vec<u8>) {
        match garble {
            Garble::TruncatedLine => {
                lines.truncate(start + (lines.len() - start) / 2);
                self.then = Some(Then::End);
            }
            Garble::BadUtf8 => spoil(start, lines),
            Garble::LongLine => {}
            // That is done at the end.
            Garble::NoFinalLine => return,
        }
        self.planned = None;
    }

    fn finish(&mut self, end: &End) -> Vec<u8> {
        let mut lines = self.lines_until(end.usage.output_tokens);
        // An answer that is shorter than the fault's tokens is harmed at its end.
        if let (None, Some(Planned { harm, .. })) = (self.then, self.planned) {
            self.harm(harm, &mut lines);
        }
        if self.then.is_none() {
            let start = lines.len();
            self.voice.end(end, &mut lines);
            self.then = Some(Then::End);
            match self.planned.map(|planned| planned.harm) {
                Some(Harm::Garble(Garble::NoFinalLine)) => lines.truncate(start),
                Some(Harm::Garble(garble)) => self.garble(garble, start, &mut lines),
                _ => {}
            }
        }
        lines
    }
}

/// Puts bytes that are no UTF-8 into the first string from `start` on.
fn spoil(start: usize, lines: &mut Vec<u8>) {
    let at = lines[start..].iter().position(|&byte| byte == b'"').map_or(start, |at| start + at + 1);
    lines.splice(at..at, [0xff, 0xfe]);
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        if let Some(then) = &mut this.then {
            return then.poll(cx);
        }
        let last = match this.flight.poll_told(cx) {
            Poll::Ready(Some(Told::Finished { usage, total })) => Some(this.finish(&End { usage, total })),
            Poll::Ready(Some(Told::Crashed)) => {
                let mut lines = Vec::new();
                this.voice.error(CRASHED, &mut lines);
                this.then = Some(Then::End);
                Some(lines)
            }
            Poll::Ready(Some(Told::Error(_)) | None) => {
                this.then = Some(Then::Flush);
                Some(Vec::new())
            }
            Poll::Ready(Some(Told::FirstToken { .. })) | Poll::Pending => None,
        };
        if let Some(lines) = last {
            return match &mut this.then {
                Some(then) if lines.is_empty() => then.poll(cx),
                _ => Poll::Ready(Some(Ok(Frame::data(lines.into())))),
            };
        }
        loop {
            let due = this.due();
            if due > this.sent {
                let lines = this.lines_until(due);
                if !lines.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(lines.into()))));
                }
                if let Some(then) = &mut this.then {
                    return then.poll(cx);
                }
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

/// A body that was whole, and was harmed.
pub(super) struct HarmedBody {
    frame: Option<Bytes>,
    then: Then,
}

impl HarmedBody {
    /// Harms a body of one line. Nothing of it comes where it is to stall, half of it where it is cut.
    pub(super) fn new(harm: Harm, mut body: Vec<u8>) -> Self {
        let then = match harm {
            Harm::Stall => {
                body.clear();
                Then::Stall
            }
            Harm::Cut => {
                body.truncate(body.len() / 2);
                Then::Flush
            }
            Harm::Garble(garble) => {
                match garble {
                    Garble::TruncatedLine => body.truncate(body.len() / 2),
                    Garble::BadUtf8 => spoil(0, &mut body),
                    // Blanks may stand before a value.
                    Garble::LongLine => drop(body.splice(0..0, vec![b' '; LONG_LINE_BYTES])),
                    Garble::NoFinalLine => body.clear(),
                }
                Then::End
            }
        };
        Self { frame: (!body.is_empty()).then(|| body.into()), then }
    }
}

impl Body for HarmedBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.frame.take() {
            Some(frame) => Poll::Ready(Some(Ok(Frame::data(frame)))),
            None => self.then.poll(cx),
        }
    }
}
