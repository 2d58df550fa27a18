//! Names as numbers: a list, a hash table, and a hash table behind a filter that proves names unknown.

use control::draw::{Draw, mix};
use control::index::hash;
use control::index::table::Table;
use control::index::vocabulary::Vocabulary;

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject};

pub(super) fn components() -> Vec<Component> {
    vec![
        Component {
            name: "vocabulary/find".into(),
            forms: ["a list of names", "a hash table behind a bloom filter"],
            operation: "find a name, of which every second is unknown",
            scale: "names",
            claimed: [Complexity::Linear, Complexity::Constant],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(|case| Box::new(Finding::new(case, Vocabulary::new(case.implementation), 5))),
        },
        // The filter's best case: if it gains nothing here, it gains nothing.
        Component {
            name: "vocabulary/filter".into(),
            forms: ["a hash table", "the same behind a bloom filter"],
            operation: "find a name, of which nine in ten are unknown",
            scale: "names",
            claimed: [Complexity::Constant; 2],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(|case| {
                if case.is_baseline() {
                    Box::new(Finding::new(case, Plain::default(), 9))
                } else {
                    Box::new(Finding::new(case, Vocabulary::new(case.implementation), 9))
                }
            }),
        },
    ]
}

trait Names {
    fn add(&mut self, name: &str);
    fn find(&mut self, name: &str) -> Option<u32>;
}

impl Names for Vocabulary {
    fn add(&mut self, name: &str) {
        self.intern(name);
    }
    fn find(&mut self, name: &str) -> Option<u32> {
        self.find(name)
    }
}

/// The table of the optimised vocabulary without its filter.
#[derive(Default)]
struct Plain {
    names: Vec<Box<str>>,
    table: Table,
}

impl Names for Plain {
    fn add(&mut self, name: &str) {
        self.table.insert(hash::of_bytes(name.as_bytes(), 0), self.names.len() as u32);
        self.names.push(name.into());
    }
    fn find(&mut self, name: &str) -> Option<u32> {
        self.table.find(hash::of_bytes(name.as_bytes(), 0), |id| *self.names[id as usize] == *name)
    }
}

struct Finding<N> {
    names: N,
    known: Vec<String>,
    unknown: Vec<String>,
    /// Of ten names that are asked for.
    unknown_in_ten: u32,
    draw: Draw,
}

impl<N: Names> Finding<N> {
    fn new(case: Case, mut names: N, unknown_in_ten: u32) -> Self {
        let listed = |family: &str| -> Vec<String> {
            (0..case.scale).map(|at| format!("registry.example/{family}-{at}:8b-instruct-q4_K_M")).collect()
        };
        let (known, unknown) = (listed("llama"), listed("gemma"));
        known.iter().for_each(|name| names.add(name));
        Self { names, known, unknown, unknown_in_ten, draw: case.draw() }
    }
}

impl<N: Names> Subject for Finding<N> {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let names = if self.draw.below(10) < self.unknown_in_ten { &self.unknown } else { &self.known };
            let name = &names[self.draw.below(names.len() as u32) as usize];
            let found = self.names.find(name).map_or(0, |id| u64::from(id) + 1);
            sum = sum.wrapping_add(mix(found));
        }
        sum
    }
}
