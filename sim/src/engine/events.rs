//! The event queue: an indexed heap in canonical order, with cancellation.

use control::index::heap::{Heap, Positions};
use control::units::Instant;

/// The place of an event: time, then kind, then entity, then the entity's own counter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Order {
    /// When.
    pub at: Instant,
    /// What kind; lower goes first at one time.
    pub kind: u8,
    /// Whose.
    pub entity: u64,
    /// How many such events the entity had before.
    pub count: u32,
}

/// An order in one number, which compares without a branch. Kinds stay below 2^4, entities below 2^44; of the counter the last 16
/// bits count, since an entity has few events pending at one time.
type Packed = u128;

impl Order {
    #[inline]
    fn pack(self) -> Packed {
        debug_assert!(self.kind < 16 && self.entity < 1 << 44, "kinds and entities fit their bits");
        let rest = u64::from(self.kind) << 60 | self.entity << 16 | u64::from(self.count as u16);
        u128::from(self.at.0) << 64 | u128::from(rest)
    }

    #[inline]
    fn unpack(packed: Packed) -> Self {
        let (at, rest) = ((packed >> 64) as u64, packed as u64);
        let (kind, entity) = ((rest >> 60) as u8, rest << 4 >> 20);
        Self { at: Instant(at), kind, entity, count: u32::from(rest as u16) }
    }
}

/// A scheduled event, for cancelling it. Never use one after its event was popped or cancelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token(u32);

/// Events to come.
#[derive(Debug)]
pub struct EventQueue<T> {
    heap: Heap<Packed>,
    positions: Positions,
    payloads: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        Self {
            heap: Heap::default(),
            positions: Positions::default(),
            payloads: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> EventQueue<T> {
    /// How many events are to come.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Schedules an event.
    pub fn push(&mut self, order: Order, payload: T) -> Token {
        let slot = if let Some(slot) = self.free.pop() {
            self.payloads[slot as usize] = Some(payload);
            slot
        } else {
            self.payloads.push(Some(payload));
            (self.payloads.len() - 1) as u32
        };
        self.heap.push(&mut self.positions, order.pack(), slot);
        Token(slot)
    }

    /// The place of the next event.
    #[must_use]
    #[inline]
    pub fn peek(&self) -> Option<Order> {
        self.heap.peek().map(|(packed, _)| Order::unpack(packed))
    }

    /// Takes the next event out.
    pub fn pop(&mut self) -> Option<(Order, T)> {
        let (packed, slot) = self.heap.pop(&mut self.positions)?;
        Some((Order::unpack(packed), self.release(slot)))
    }

    /// Takes an event out before its time.
    pub fn cancel(&mut self, token: Token) -> T {
        let removed = self.heap.remove(&mut self.positions, token.0);
        assert!(removed, "a token is used once, before its event is popped");
        self.release(token.0)
    }

    fn release(&mut self, slot: u32) -> T {
        self.free.push(slot);
        self.payloads[slot as usize].take().expect("a scheduled event has a payload")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn events_come_in_canonical_order_whatever_the_order_of_scheduling(
            mut events in prop::collection::vec((0u64..20, 0u8..3, 0u64..5), 1..80),
            cancelled in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            events.sort_unstable();
            events.dedup();
            let order = |&(at, kind, entity): &(u64, u8, u64)| Order { at: Instant(at), kind, entity, count: 0 };
            let mut queue = EventQueue::default();
            // Scheduled from the back, so that the order of scheduling is not the order of time.
            let mut tokens: Vec<_> = events.iter().rev().map(|e| Some(queue.push(order(e), *e))).collect();
            tokens.reverse();
            for index in cancelled {
                let index = index.index(events.len());
                if let Some(token) = tokens[index].take() {
                    prop_assert_eq!(queue.cancel(token), events[index]);
                }
            }
            let left: Vec<_> = events.iter().zip(&tokens).filter(|(_, t)| t.is_some()).map(|(e, _)| *e).collect();
            let popped: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(_, e)| e).collect();
            prop_assert_eq!(popped, left);
        }
    }
}
