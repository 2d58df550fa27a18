use alloc::collections::BinaryHeap;
use alloc::format;
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

/// Spans of ten seconds, so that each run has some.
fn config() -> LimitConfig {
    LimitFile { baseline_millis: 10_000, ..LimitFile::default() }.check().expect("valid")
}

/// How many of the limits lie in the band.
fn share_inside(limits: &[u32], least: u32, most: u32) -> f64 {
    limits.iter().filter(|limit| (least..=most).contains(limit)).count() as f64 / limits.len() as f64
}

#[test]
fn the_servers_of_a_saturated_host_are_found_within_40_answers_each_and_held() {
    let config = config();
    for spread_percent in [20, 50] {
        for servers in [1u32, 2, 4, 8, 20, 64] {
            let (mut limit, mut host) = (Limit::default(), Host::new(servers as usize, spread_percent, None));
            let round = servers.max(8) as usize;
            host.run(&mut limit, &config, 40 * round);
            let limits = host.run(&mut limit, &config, 1_000 * round);
            let (least, most) = (servers, servers + servers / 4 + 4);
            let told = format!("{servers} servers, {spread_percent} % spread: {limits:?}");
            assert!(limits.iter().all(|limit| (least / 2..=most).contains(limit)), "outside: {told}");
            assert!(share_inside(&limits, least, most) > 0.9, "more than drains are below: {told}");
            // Without the drains it swings by a tenth and two.
            let calm = host_without_drains(&mut limit, &mut host, round);
            let (low, high) = (calm.iter().min().expect("some"), calm.iter().max().expect("some"));
            assert!(high - low <= servers / 10 + 3, "swings: {calm:?}");
        }
    }
}

/// Goes on for 200 rounds in which no span of the baseline ends.
fn host_without_drains(limit: &mut Limit, host: &mut Host, round: usize) -> Vec<u32> {
    let config = LimitConfig { baseline: Nanos::from_secs(1_000_000), ..config() };
    host.run(limit, &config, 20 * round);
    host.run(limit, &config, 200 * round)
}

#[test]
fn equal_times_in_lockstep_are_held_below_twice_the_servers() {
    for servers in [4, 8, 20] {
        let (config, mut limit, mut host) = (config(), Limit::default(), Host::new(servers, 0, None));
        host.run(&mut limit, &config, 40 * servers.max(8));
        let limits = host.run(&mut limit, &config, 500 * servers.max(8));
        let (least, most) = (servers as u32, 2 * servers as u32 + 2);
        assert!(share_inside(&limits, least, most) > 0.9, "{servers} servers: {limits:?}");
    }
}

#[test]
fn a_host_that_loses_servers_or_becomes_slower_is_found_again() {
    let (config, mut limit, mut host) = (config(), Limit::default(), Host::new(16, 20, None));
    host.run(&mut limit, &config, 1_000);
    host.free_at.truncate(6);
    host.run(&mut limit, &config, 600);
    let fewer = host.run(&mut limit, &config, 3_000);
    assert!(share_inside(&fewer, 6, 11) > 0.9, "{fewer:?}");
    // Three times as slow looks like a queue until the baseline is measured anew, twice.
    host.service *= 3;
    host.run(&mut limit, &config, 1_000);
    let slower = host.run(&mut limit, &config, 3_000);
    assert!(share_inside(&slower, 6, 11) > 0.9, "{slower:?}");
}

#[test]
fn arrivals_by_chance_at_nine_tenths_of_the_servers_are_let_out_to_all_of_them() {
    let (config, mut limit) = (config(), Limit::default());
    let mut host = Host::new(8, 20, Some(100 * MILLISECOND / 8 * 10 / 9));
    host.run(&mut limit, &config, 1_000);
    let limits = host.run(&mut limit, &config, 20_000);
    assert!(share_inside(&limits, 8, 14) > 0.9, "{limits:?}");
}

#[test]
fn a_limit_that_is_not_reached_does_not_rise() {
    let (config, mut limit) = (config(), Limit::default());
    for number in 0..1_000 {
        let requests = limit.on_first_byte(Instant(number), Nanos::from_millis(100), 3, &config);
        assert_eq!(requests, 4);
    }
    (0..8).for_each(|_| _ = limit.on_first_byte(Instant(1_000), Nanos::from_millis(100), 4, &config));
    assert_eq!(limit.requests(&config), 8, "one that is reached does");
}

#[test]
fn requests_that_differ_in_length_are_no_queue() {
    let (config, mut limit) = (config(), Limit::default());
    // Twenty that need no other, from 100 ms to a second: the least of each round is near the least of all.
    let mut draw = Draw::new(9, Component::Network, 0, 0);
    for number in 0..4_000 {
        let ttft = Nanos(100 * MILLISECOND + u64::from(draw.below(900)) * MILLISECOND);
        limit.on_first_byte(Instant(number * MILLISECOND), ttft, u32::MAX, &config);
    }
    assert!(limit.requests(&config) > 20, "{limit:?}");
}

#[test]
fn files_are_checked_and_name_the_key() {
    assert!(LimitFile::default().check().is_ok());
    let start = LimitFile { requests_start: 9, requests_max: 8, ..LimitFile::default() }.check();
    assert_eq!(start.unwrap_err().to_string(), "control.limit.requests_start: found 9, expected 1 to 8");
    let queue = LimitFile { queue_requests_min: 4, ..LimitFile::default() }.check();
    assert_eq!(
        queue.unwrap_err().to_string(),
        "control.limit.queue_requests_max: found 3, expected at least queue_requests_min"
    );
}

proptest! {
    #[test]
    fn the_limit_stays_between_least_and_most_whatever_comes(
        answers in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u32>(), 1usize..40), 1..60),
        (requests_min, more, most) in (1u32..20, 0u32..20, 0u32..20),
    ) {
        let (requests_start, requests_max) = (requests_min + more, requests_min + more + most);
        let file = LimitFile { requests_start, requests_min, requests_max, ..LimitFile::default() };
        let (config, mut limit) = (file.check().expect("valid"), Limit::default());
        for (now, ttft, in_flight, times) in answers {
            for _ in 0..times {
                let requests = limit.on_first_byte(Instant(now), Nanos(ttft), in_flight, &config);
                prop_assert!((requests_min..=requests_max).contains(&requests));
                prop_assert_eq!(requests, limit.requests(&config));
            }
        }
    }
}
