//! What differs between two catalogues: all digests compared, or trees of hashes; and the filter before single questions.

use control::digest::Digest;
use control::draw::{Draw, mix};
use control::sync::detect::{Change, Contents, diff};

use super::fit::Complexity;
use super::{Case, Clock, Component, FORMS, Subject, count, digest};

pub(super) fn components() -> Vec<Component> {
    let filter = |name: &str, operation, unknown_in_ten| Component {
        name: format!("change-detection/{name}"),
        forms: ["a tree of hashes", "the same behind a bloom filter"],
        operation,
        scale: "keys",
        claimed: [Complexity::Logarithmic, Complexity::Logarithmic],
        clock: Clock::Cpu,
        counted: None,
        build: Box::new(move |case| Box::new(Told::new(case, unknown_in_ten))),
    };
    vec![
        Component {
            name: "change-detection/diff".into(),
            forms: ["every digest compared", "trees of hashes, compared where they differ"],
            operation: "change a key on one side, find what differs, bring the other up to date",
            scale: "keys",
            claimed: [Complexity::Linear, Complexity::Logarithmic],
            clock: Clock::Cpu,
            counted: Some("hashes compared"),
            build: Box::new(|case| Box::new(Sides::new(case))),
        },
        // The filter's best case and its worst.
        filter("filter-news", "ask for a key with its digest, of which nine in ten are not held", 9),
        filter("filter-known", "ask for a key with its digest, of which one in ten is not held", 1),
    ]
}

fn key(number: usize) -> String {
    format!("registry.example/llama-{number}:8b-instruct-q4_K_M")
}

struct Sides {
    ours: Contents,
    theirs: Contents,
    keys: Vec<String>,
    draw: Draw,
}

impl Sides {
    fn new(case: Case) -> Self {
        let (mut draw, keys) = (case.draw(), (0..case.scale).map(key).collect::<Vec<_>>());
        let mut ours = Contents::new(case.implementation);
        for key in &keys {
            ours.set(key, digest(draw.bits()));
        }
        Self { theirs: ours.clone(), ours, keys, draw }
    }
}

impl Subject for Sides {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let key = &self.keys[self.draw.below(self.keys.len() as u32) as usize];
            // One change in eight takes a key out, or puts it back.
            let bits = self.draw.bits();
            if bits.is_multiple_of(8) {
                self.ours.remove(key);
            } else {
                self.ours.set(key, digest(bits));
            }
            let (differences, compared) = diff(&self.theirs, &self.ours);
            count::add(compared.hashes);
            for difference in &differences {
                match self.ours.get(&difference.key) {
                    Some(digest) => self.theirs.set(&difference.key, digest),
                    None => self.theirs.remove(&difference.key),
                };
                let change = match difference.change {
                    Change::Added => 1,
                    Change::Removed => 2,
                    Change::Changed => 3,
                };
                sum = sum.wrapping_add(mix(bits ^ change));
            }
        }
        sum
    }
}

/// A set that is told of keys with their digests.
struct Told {
    contents: Contents,
    is_filtered: bool,
    held: Vec<(String, Digest)>,
    /// Of ten digests, those that are not the key's.
    unknown_in_ten: u32,
    draw: Draw,
}

impl Told {
    fn new(case: Case, unknown_in_ten: u32) -> Self {
        let mut draw = case.draw();
        let held: Vec<_> = (0..case.scale).map(|number| (key(number), digest(draw.bits()))).collect();
        // Both are trees.
        let mut contents = Contents::new(FORMS[1]);
        held.iter().for_each(|(key, digest)| {
            contents.set(key, *digest);
        });
        Self { contents, is_filtered: !case.is_baseline(), held, unknown_in_ten, draw }
    }
}

impl Subject for Told {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let (key, held) = &self.held[self.draw.below(self.held.len() as u32) as usize];
            let is_news = self.draw.below(10) < self.unknown_in_ten;
            let told = if is_news { digest(self.draw.bits()) } else { *held };
            let holds = if self.is_filtered {
                self.contents.holds(key, told)
            } else {
                self.contents.get(key) == Some(told)
            };
            sum = sum.wrapping_add(mix(u64::from(holds)));
        }
        sum
    }
}
