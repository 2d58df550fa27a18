//! Events of the simulator: the queue of those to come, and the tournament over one event for each host.

use std::cmp::Reverse;

use control::draw::Draw;
use control::units::Instant;
use sim::engine::{EventQueue, Order, Tournament};

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject};

/// An event comes back at most so many nanoseconds later.
const SPAN: u32 = 1_000_000;

pub(super) fn components() -> Vec<Component> {
    vec![
        Component {
            name: "event-queue/any".into(),
            forms: ["a sorted vector, the next at its end", "an indexed heap over packed orders"],
            operation: "take the next event and schedule another",
            scale: "events to come",
            claimed: [Complexity::Linear, Complexity::Logarithmic],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(|case| {
                if case.is_baseline() {
                    Box::new(Hold::new(case, Plain::default()))
                } else {
                    Box::new(Hold::new(case, EventQueue::default()))
                }
            }),
        },
        Component {
            name: "event-queue/by-host".into(),
            forms: ["a walk through all hosts' next times", "a tournament tree"],
            operation: "find the host whose event is next and set its next one",
            scale: "hosts",
            claimed: [Complexity::Linear, Complexity::Logarithmic],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(by_host),
        },
    ]
}

/// What both queues do.
trait Queue {
    fn schedule(&mut self, order: Order);
    fn next(&mut self) -> Option<Order>;
}

/// Events in order of time, the next at the end: believed at sight.
#[derive(Default)]
struct Plain {
    events: Vec<Reverse<Order>>,
}

impl Queue for Plain {
    fn schedule(&mut self, order: Order) {
        let place = self.events.partition_point(|event| *event < Reverse(order));
        self.events.insert(place, Reverse(order));
    }
    fn next(&mut self) -> Option<Order> {
        self.events.pop().map(|event| event.0)
    }
}

impl Queue for EventQueue<()> {
    fn schedule(&mut self, order: Order) {
        self.push(order, ());
    }
    fn next(&mut self) -> Option<Order> {
        self.pop().map(|(order, ())| order)
    }
}

/// As many events as there were, each followed by one later (the hold model of Vaucher and Duval, 1975).
struct Hold<Q> {
    queue: Q,
    draw: Draw,
    count: u32,
}

impl<Q: Queue> Hold<Q> {
    fn new(case: Case, queue: Q) -> Self {
        let mut hold = Self { queue, draw: case.draw(), count: 0 };
        for _ in 0..case.scale {
            hold.schedule(0);
        }
        hold
    }

    fn schedule(&mut self, now: u64) {
        let at = Instant(now + u64::from(self.draw.below(SPAN)));
        // Of the counter 16 bits count, and no two events may share an order.
        let entity = u64::from(self.count >> 16);
        self.queue.schedule(Order { at, kind: 0, entity, count: self.count & 0xffff });
        self.count = self.count.wrapping_add(1);
    }
}

impl<Q: Queue> Subject for Hold<Q> {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let order = self.queue.next().expect("as many as there were");
            sum = sum.wrapping_add(order.at.0 ^ u64::from(order.count));
            self.schedule(order.at.0);
        }
        sum
    }
}

/// Next times of hosts.
trait Times {
    fn first(&self) -> (usize, u64);
    fn set(&mut self, host: usize, at: u64);
}

impl Times for Vec<u64> {
    fn first(&self) -> (usize, u64) {
        let (host, at) = self.iter().enumerate().min_by_key(|(_, at)| **at).expect("there is a host");
        (host, *at)
    }
    fn set(&mut self, host: usize, at: u64) {
        self[host] = at;
    }
}

impl Times for Tournament {
    fn first(&self) -> (usize, u64) {
        (self.winner(), self.least())
    }
    fn set(&mut self, host: usize, at: u64) {
        self.set(host, at);
    }
}

struct ByHost<T> {
    times: T,
    draw: Draw,
}

fn by_host(case: Case) -> Box<dyn Subject> {
    if case.is_baseline() {
        Box::new(ByHost::new(case, vec![0; case.scale]))
    } else {
        Box::new(ByHost::new(case, Tournament::new(case.scale)))
    }
}

impl<T: Times> ByHost<T> {
    fn new(case: Case, mut times: T) -> Self {
        let mut draw = case.draw();
        for host in 0..case.scale {
            times.set(host, u64::from(draw.below(SPAN)));
        }
        Self { times, draw }
    }
}

impl<T: Times> Subject for ByHost<T> {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let (host, at) = self.times.first();
            sum = sum.wrapping_add(at ^ host as u64);
            self.times.set(host, at + u64::from(self.draw.below(SPAN)));
        }
        sum
    }
}
