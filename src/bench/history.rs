//! The history of the last requests: a vector whose front is dropped, or a ring with indexes by time and by request.

use control::draw::{Draw, mix};
use control::ids::RequestId;
use control::index::ring::{History, Record};
use control::units::Instant;

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject};

/// Nanoseconds between completions, and how late a record may come: a few places out of order.
const STEP: u64 = 1_000;
const LATE: u32 = 4_000;

/// The span of time that is asked for, in completions, and how many of the newest.
const SPAN: u64 = 16;
const NEWEST: usize = 8;

/// Records of a request, on average: its attempts.
const ATTEMPTS: u32 = 4;

pub(super) fn components() -> Vec<Component> {
    vec![Component {
        name: "history".into(),
        forms: ["a vector that is filtered", "a ring, indexed by time and request"],
        operation: "take a record in, ask for a span of time, a request's records and the newest",
        scale: "records kept",
        claimed: [Complexity::Linear, Complexity::Logarithmic],
        clock: Clock::Cpu,
        counted: None,
        build: Box::new(|case| Box::new(Completions::new(case))),
    }]
}

struct Completions {
    history: History<u32>,
    draw: Draw,
    requests: u32,
    completed: u64,
}

impl Completions {
    fn new(case: Case) -> Self {
        let capacity = case.scale as u32;
        let history = History::new(case.implementation, capacity);
        let requests = capacity.div_ceil(ATTEMPTS);
        let mut completions = Self { history, draw: case.draw(), requests, completed: 0 };
        for _ in 0..capacity {
            completions.complete();
        }
        completions
    }

    fn complete(&mut self) {
        self.completed += 1;
        let at = Instant(self.completed * STEP + u64::from(self.draw.below(LATE)));
        let request = RequestId(u64::from(self.draw.below(self.requests)));
        self.history.insert(Record { at, request, value: self.draw.below(1_000) });
    }
}

impl Subject for Completions {
    fn operate(&mut self, operations: u64) -> u64 {
        let add = |answer: u64, record: &Record<u32>| {
            answer.wrapping_mul(31).wrapping_add(record.at.0 ^ record.request.0 ^ u64::from(record.value))
        };
        let mut sum = 0_u64;
        for _ in 0..operations {
            self.complete();
            let now = self.completed * STEP;
            let span = Instant(now.saturating_sub(SPAN * STEP))..Instant(now);
            let request = RequestId(u64::from(self.draw.below(self.requests)));
            let mut answer = self.history.between(span).fold(0, add);
            answer = self.history.of(request).fold(answer, add);
            answer = self.history.newest(NEWEST).fold(answer, add);
            sum = sum.wrapping_add(mix(answer));
        }
        sum
    }
}
