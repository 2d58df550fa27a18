//! The body of a host's answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use control::ids::HostId;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::link::Link;
use super::pool::Pool;

/// Read to its end, it gives its connection back; dropped before, it closes it.
pub(in crate::gateway) struct Answer {
    body: Incoming,
    /// `None` once given back.
    link: Option<Link>,
    home: Arc<Pool>,
    /// Which host, and since when it is where it is.
    place: (HostId, u32),
}

impl Answer {
    pub(super) fn new(body: Incoming, link: Link, home: Arc<Pool>, place: (HostId, u32)) -> Self {
        Self { body, link: Some(link), home, place }
    }

    fn give_back(&mut self) {
        if let Some(link) = self.link.take() {
            let (host, epoch) = self.place;
            self.home.keep(host, epoch, link);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let Some(link) = &mut this.link else { return Poll::Ready(None) };
        let next = link.poll_frame(&mut this.body, cx);
        if let Poll::Ready(None) = next {
            this.give_back();
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        self.link.is_none() || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    /// Of an answer whose length was told nobody asks for the end.
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }
}
