//! Versions of names: a list, or a radix tree over names with an ordered map of versions at each.

use std::cmp::Ordering;

use control::digest::Digest;
use control::draw::{Draw, mix};
use control::sync::store::Store;
use control::sync::version::Version;

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject, count, digest};

/// Names among which versions are shared out.
const NAMES: usize = 4;

pub(super) fn components() -> Vec<Component> {
    vec![
        Component {
            name: "version-store/versions".into(),
            forms: ["a list", "an ordered map in a radix tree"],
            operation: "take out a version of a name, ask for the latest, put it back",
            scale: "versions of four names",
            claimed: [Complexity::Linear, Complexity::Logarithmic],
            clock: Clock::Cpu,
            counted: Some("comparisons of versions"),
            build: Box::new(|case| {
                if case.counting {
                    Box::new(Versions::<Counted>::new(case))
                } else {
                    Box::new(Versions::<Version>::new(case))
                }
            }),
        },
        Component {
            name: "version-store/names".into(),
            forms: ["a list", "a radix tree"],
            operation: "find the names, ten at most, that begin like one of them",
            scale: "names",
            claimed: [Complexity::Linear, Complexity::Constant],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(|case| Box::new(Names::new(case))),
        },
    ]
}

/// A version of which every comparison is counted.
#[derive(Clone, PartialEq, Eq)]
struct Counted(Version);

impl Ord for Counted {
    fn cmp(&self, other: &Self) -> Ordering {
        count::add(1);
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Counted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<&str> for Counted {
    fn from(tag: &str) -> Self {
        Self(Version::of(tag))
    }
}

struct Versions<K> {
    store: Store<K>,
    /// By name, at least one each.
    versions: [Vec<K>; NAMES],
    draw: Draw,
}

fn name(number: usize) -> String {
    format!("registry.example/llama-{number}")
}

impl<K: Ord + Clone + for<'a> From<&'a str>> Versions<K> {
    fn new(case: Case) -> Self {
        let each = case.scale.div_ceil(NAMES);
        let versions = std::array::from_fn(|_| {
            (0..each).map(|at| K::from(format!("{}.{}.{}", at % 3, at / 3 % 20, at / 60).as_str())).collect()
        });
        let mut draw = case.draw();
        let mut store = Store::new(case.implementation);
        for (number, versions) in versions.iter().enumerate() {
            let versions: &Vec<K> = versions;
            for version in versions {
                store.insert(&name(number), version.clone(), digest(draw.bits()));
            }
        }
        Self { store, versions, draw }
    }
}

fn number_of(digest: Option<Digest>) -> u64 {
    digest.map_or(0, |digest| u64::from(digest.0[0]) + 1)
}

impl<K: Ord + Clone> Subject for Versions<K> {
    fn operate(&mut self, operations: u64) -> u64 {
        let names: [String; NAMES] = std::array::from_fn(name);
        let mut sum = 0_u64;
        for _ in 0..operations {
            let number = self.draw.below(NAMES as u32) as usize;
            let (name, versions) = (&names[number], &self.versions[number]);
            let version = &versions[self.draw.below(versions.len() as u32) as usize];
            let removed = self.store.remove(name, version);
            let latest = self.store.latest(name).map(|(_, digest)| digest);
            self.store.insert(name, version.clone(), digest(self.draw.bits()));
            sum = sum.wrapping_add(mix(number_of(removed) << 16 | number_of(latest)));
        }
        sum
    }
}

struct Names {
    store: Store,
    names: u32,
    draw: Draw,
}

fn numbered(number: u32) -> String {
    format!("registry.example/llama-{number:06}")
}

impl Names {
    fn new(case: Case) -> Self {
        let mut store = Store::new(case.implementation);
        for number in 0..case.scale as u32 {
            store.insert(&numbered(number), Version::of("latest"), digest(u64::from(number)));
        }
        Self { store, names: case.scale as u32, draw: case.draw() }
    }
}

impl Subject for Names {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let mut prefix = numbered(self.draw.below(self.names));
            prefix.pop();
            let found = self.store.names(&prefix);
            let last = found.last().map_or(0, |name| u64::from(name.as_bytes()[name.len() - 1]));
            sum = sum.wrapping_add(mix(found.len() as u64 ^ last << 32));
        }
        sum
    }
}
