//! A cache of what was used last: a vector that is scanned, or a hash table over a linked list.

use control::draw::{Draw, mix};
use control::index::lru::{Limits, Lru};
use control::units::{Instant, Nanos};

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject};

/// Keys that are in use for each entry that there is room for.
const KEYS: u32 = 2;

/// Entries expire after so many operations for each that there is room for.
const LIFETIME: u64 = 8;

pub(super) fn components() -> Vec<Component> {
    vec![Component {
        name: "lru".into(),
        forms: ["a vector in order of use", "a hash table over a linked list"],
        operation: "get one of twice as many keys as fit, and put it where it was missed",
        scale: "entries",
        claimed: [Complexity::Linear, Complexity::Constant],
        clock: Clock::Cpu,
        counted: None,
        build: Box::new(|case| Box::new(Cache::new(case))),
    }]
}

struct Cache {
    lru: Lru<u64>,
    draw: Draw,
    keys: u32,
    now: u64,
}

impl Cache {
    fn new(case: Case) -> Self {
        let capacity = case.scale as u32;
        let ttl = Some(Nanos(LIFETIME * u64::from(capacity)));
        let lru = Lru::new(case.implementation, Limits { capacity, ttl });
        let mut cache = Self { lru, draw: case.draw(), keys: capacity.saturating_mul(KEYS), now: 0 };
        for _ in 0..capacity {
            cache.ask();
        }
        cache
    }

    /// The value that was found, or 0 where it had to be made.
    fn ask(&mut self) -> u64 {
        self.now += 1;
        let now = Instant(self.now);
        // The lesser of two draws: low keys are used most.
        let key = mix(u64::from(self.draw.below(self.keys).min(self.draw.below(self.keys))));
        if let Some(value) = self.lru.get(key, now) {
            return *value;
        }
        self.lru.put(key, key ^ self.now, now);
        0
    }
}

impl Subject for Cache {
    fn operate(&mut self, operations: u64) -> u64 {
        (0..operations).fold(0, |sum: u64, _| sum.wrapping_add(mix(self.ask())))
    }
}
