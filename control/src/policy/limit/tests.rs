use alloc::collections::{BinaryHeap, VecDeque};
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use proptest::prelude::*;

use super::*;
use crate::draw::{Component, Draw};

/// A host as a queue M/D/c, or with times of service spread evenly by `spread_percent`, before which requests wait for the
/// limit.
struct Host {
    now: u64,
    /// When each server is free.
    free_at: Vec<u64>,
    service: u64,
    spread_percent: u64,
    /// First bytes to come, with the times at which their requests were sent.
    coming: BinaryHeap<Reverse<(u64, u64)>>,
    /// Mean time between arrivals; `None`: there is always one waiting.
    between: Option<u64>,
    waiting: u32,
    next_arrival: u64,
    draw: Draw,
}

const MILLISECOND: u64 = 1_000_000;

impl Host {
    fn new(servers: usize, spread_percent: u64, between: Option<u64>) -> Self {
        Self {
            now: 0,
            free_at: vec![0; servers],
            service: 100 * MILLISECOND,
            spread_percent,
            coming: BinaryHeap::new(),
            between,
            waiting: 0,
            next_arrival: 0,
            draw: Draw::new(5, Component::Network, servers as u64, spread_percent),
        }
    }

    fn send(&mut self, limit: u32) {
        while (self.coming.len() as u32) < limit && (self.between.is_none() || self.waiting > 0) {
            self.waiting = self.waiting.saturating_sub(1);
            let spread = self.service * self.spread_percent / 100;
            let service = self.service - spread + u64::from(self.draw.below(1_001)) * 2 * spread / 1_000;
            let server = self.free_at.iter_mut().min().expect("a server");
            *server = (*server).max(self.now) + service;
            self.coming.push(Reverse((*server, self.now)));
        }
    }

    /// Runs until so many first bytes came and gives the limit after each.
    fn run(&mut self, limit: &mut Limit, config: &LimitConfig, answers: usize) -> Vec<u32> {
        let mut limits = Vec::new();
        while limits.len() < answers {
            self.send(limit.requests(config));
            let next_answer = self.coming.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
            if let Some(between) = self.between
                && self.next_arrival < next_answer
            {
                self.now = self.next_arrival;
                self.waiting += 1;
                let uniform = (f64::from(self.draw.below(1 << 30)) + 0.5) / f64::from(1 << 30);
                self.next_arrival += (-uniform.ln() * between as f64) as u64;
                continue;
            }
            let in_flight = self.coming.len() as u32;
            let Some(Reverse((at, sent))) = self.coming.pop() else { continue };
            self.now = at;
            limits.push(limit.on_first_byte(Instant(at), Nanos(at - sent), in_flight, config));
        }
        limits
    }
}

fn config() -> LimitConfig {
    LimitFile::default().check().expect("valid")
}

fn within_band(limits: &[u32], least: u32, most: u32) -> bool {
    limits.iter().all(|limit| (least..=most).contains(limit))
}

#[test]
fn a_saturated_host_is_found_within_20_rounds_and_held_within_three() {
    for servers in [1, 2, 4, 8, 20, 64] {
        let (config, mut limit, mut host) = (config(), Limit::default(), Host::new(servers, 0, None));
        host.run(&mut limit, &config, 20 * servers.max(8));
        let limits = host.run(&mut limit, &config, 50 * servers.max(8));
        let right = servers as u32;
        assert!(within_band(&limits, right, right + 3), "{servers} servers: {limits:?}");
    }
}
