//! A lane: messages that all take the same time, so that they arrive in the order in which they were sent. A queue
//! without a heap.

use std::collections::VecDeque;

use control::units::{Instant, Nanos};

/// Messages under way over a link of constant latency.
#[derive(Debug)]
pub struct Lane<T> {
    latency: Nanos,
    messages: VecDeque<(Instant, T)>,
}

impl<T> Lane<T> {
    /// An empty lane.
    #[must_use]
    pub fn new(latency: Nanos) -> Self {
        Self { latency, messages: VecDeque::new() }
    }

    /// Sends a message at `now`, which never goes back.
    #[inline]
    pub fn send(&mut self, now: Instant, message: T) {
        let at = now.saturating_add(self.latency);
        debug_assert!(self.messages.back().is_none_or(|(last, _)| *last <= at), "time never goes back");
        self.messages.push_back((at, message));
    }

    /// When the next message arrives.
    #[must_use]
    #[inline]
    pub fn peek(&self) -> Option<Instant> {
        self.messages.front().map(|(at, _)| *at)
    }

    /// The messages that arrive before a time, the soonest first.
    pub fn until(&self, before: Instant) -> impl Iterator<Item = &(Instant, T)> {
        self.messages.iter().take_while(move |(at, _)| *at < before)
    }

    /// Takes the next message out.
    #[inline]
    pub fn pop(&mut self) -> Option<(Instant, T)> {
        self.messages.pop_front()
    }
}
