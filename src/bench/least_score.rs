//! The host with the least score, by one thread or by two. What threads gain is wall time; of CPU time they take more.
//!
//! Each search has its own two threads, one of which is the caller's: work that borrows can be handed to a thread that goes
//! on living only by unsafe code, which no part of this program has. So starting a thread is part of the price.

use control::draw::{Draw, mix};
use control::ids::HostId;
use control::index::argmin::{Executor, Scored, Sequential, least};

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject};

/// Rounds of [`mix`] in a score: about ten nanoseconds.
const ROUNDS: usize = 4;

pub(super) fn components() -> Vec<Component> {
    vec![Component {
        name: "least-score".into(),
        forms: ["one thread", "two threads, one started for each search"],
        operation: "score every host, some ten nanoseconds each, and find the least",
        scale: "hosts",
        claimed: [Complexity::Linear; 2],
        clock: Clock::Wall,
        counted: None,
        build: Box::new(|case| Box::new(Search::new(case))),
    }]
}

struct Search {
    is_baseline: bool,
    hosts: Vec<HostId>,
    loads: Vec<u64>,
    draw: Draw,
}

impl Search {
    fn new(case: Case) -> Self {
        let mut draw = case.draw();
        let hosts = (0..case.scale as u32).map(HostId).collect();
        let loads = (0..case.scale).map(|_| draw.bits()).collect();
        Self { is_baseline: case.is_baseline(), hosts, loads, draw }
    }
}

impl Subject for Search {
    fn operate(&mut self, operations: u64) -> u64 {
        let executor: &dyn Executor = if self.is_baseline { &Sequential } else { &Two };
        let mut sum = 0_u64;
        for _ in 0..operations {
            let (salt, loads) = (self.draw.bits(), &self.loads);
            let score = |host: HostId| {
                Some(u128::from((0..ROUNDS).fold(loads[host.index()] ^ salt, |score, _| mix(score))))
            };
            let found = least(executor, &self.hosts, 0, score).map_or(0, |host| u64::from(host.0) + 1);
            sum = sum.wrapping_add(mix(found));
        }
        sum
    }
}

/// Half of the chunks on a thread of their own, half here.
pub(super) struct Two;

impl Executor for Two {
    fn width(&self) -> usize {
        2
    }

    fn map(
        &self,
        chunks: usize,
        score: &(dyn Fn(usize) -> Option<Scored> + Sync),
        into: &mut [Option<Scored>],
    ) {
        let here = chunks / 2;
        let (ours, theirs) = into.split_at_mut(here);
        std::thread::scope(|scope| {
            scope.spawn(|| theirs.iter_mut().zip(here..).for_each(|(into, chunk)| *into = score(chunk)));
            ours.iter_mut().zip(0..).for_each(|(into, chunk)| *into = score(chunk));
        });
    }
}
