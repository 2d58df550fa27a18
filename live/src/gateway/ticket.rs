//! A request's hold on control: what it tells, what it is told, and that it says goodbye.

mod mailbox;

use control::door::Dispatch;
use control::ids::RequestId;
use control::request::{Failure, Reject, Usage};
use tokio::sync::mpsc;

use super::control_task::{Arrival, Event};
pub(super) use mailbox::Sender;
use mailbox::{Receiver, mailbox};

/// What control decided about a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    /// Send it to a host and relay the answer.
    Dispatch(Dispatch),
    /// End this attempt.
    Cancel { attempt: u8 },
    /// Answer that it is turned away.
    Reject(Reject),
    /// Answer that it failed.
    Fail(Failure),
}

/// A decision about a request, by the id that control knows it under: the one in the decision log. Control never heard
/// of a request without one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Told {
    pub(super) request: Option<RequestId>,
    pub(super) decision: Decision,
}

/// A request's number among those of this gateway; control gives its own once it has heard of it.
pub(super) type TicketNumber = u64;

/// Held as long as a request is under way. Dropped before its end is told, it tells that the client left.
#[derive(Debug)]
pub(super) struct Ticket {
    number: TicketNumber,
    events: mpsc::UnboundedSender<Event>,
    decisions: Receiver<Told>,
    request: Option<RequestId>,
    /// The attempt whose answer is relayed, and tokens of it that the client was sent.
    relayed: (u8, u32),
    ended: bool,
}

impl Ticket {
    /// Tells control of a request. `None` where control has ended.
    pub(super) fn arrive(
        number: TicketNumber,
        arrival: Arrival,
        events: &mpsc::UnboundedSender<Event>,
    ) -> Option<Self> {
        let (sender, decisions) = mailbox();
        events.send(Event::Arrive { ticket: number, arrival, decisions: sender }).ok()?;
        Some(Self { number, events: events.clone(), decisions, request: None, relayed: (0, 0), ended: false })
    }

    /// Control's id of the request; `None` before the first decision.
    pub(super) fn request(&self) -> Option<RequestId> {
        self.request
    }

    /// The next decision; `None` where control has ended.
    pub(super) async fn decision(&mut self) -> Option<Decision> {
        std::future::poll_fn(|cx| self.poll_decision(cx)).await
    }

    /// The same, polled.
    pub(super) fn poll_decision(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Decision>> {
        let told = self.decisions.poll_recv(cx);
        if let std::task::Poll::Ready(Some(Told { request: Some(request), .. })) = told {
            self.request = Some(request);
        }
        let decision = told.map(|told| told.map(|told| told.decision));
        if let std::task::Poll::Ready(Some(Decision::Reject(_) | Decision::Fail(_)) | None) = decision {
            self.ended = true;
        }
        decision
    }

    /// The first byte of an attempt's answer came.
    pub(super) fn first_byte(&self, attempt: u8) {
        self.tell(Event::FirstByte { ticket: self.number, attempt });
    }

    /// How far an answer was when it was last looked at: told where the client leaves.
    pub(super) fn relayed(&mut self, attempt: u8, tokens: u32) {
        self.relayed = (attempt, tokens);
    }

    /// An answer was relayed in full: the end.
    pub(super) fn finished(&mut self, attempt: u8, usage: Usage) {
        self.ended = true;
        self.tell(Event::Finished { ticket: self.number, attempt, usage });
    }

    /// An attempt failed. Before the first byte a decision follows; after it this is the end.
    pub(super) fn failed(&mut self, attempt: u8, failure: Failure, after_first_byte: bool) {
        self.ended |= after_first_byte;
        self.tell(Event::Failed { ticket: self.number, attempt, failure });
    }

    fn tell(&self, event: Event) {
        // Where control has ended nobody is to be told: the gateway stops.
        let _ = self.events.send(event);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.ended {
            let (attempt, tokens) = self.relayed;
            self.tell(Event::Gone { ticket: self.number, attempt, tokens });
        }
    }
}
