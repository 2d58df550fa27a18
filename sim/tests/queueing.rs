//! The engine against queueing theory: the mean wait of M/M/1, M/M/c and M/D/1 lies inside the 99 % confidence
//! interval of the simulated one, and that interval is narrower than 2 % of it.

use std::collections::VecDeque;

use control::draw::{Component, Draw};
use control::units::Instant;
use sim::engine::{EventQueue, Order};

/// Mean service time in nanoseconds.
const SERVICE: f64 = 1e6;
const REPLICATIONS: usize = 24;
/// Quantile of Student's t with 23 degrees of freedom at 99.5 %.
const T: f64 = 2.807;

enum Event {
    Arrive,
    Depart,
}

/// An exponential time with this mean, in whole nanoseconds.
fn exponential(draw: &mut Draw, mean: f64) -> u64 {
    let uniform = ((draw.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    (-libm::log(uniform) * mean) as u64
}

/// Mean wait in a first-come, first-served station with `servers`, over `jobs` after a warm-up, in nanoseconds.
fn mean_wait(seed: u64, servers: usize, load: f64, exponential_service: bool, jobs: u64) -> f64 {
    let warmup = jobs / 10;
    let gap = SERVICE / (load * servers as f64);
    let mut arrivals = Draw::new(seed, Component::Network, 0, 0);
    let mut services = Draw::new(seed, Component::Network, 1, 0);
    let mut events = EventQueue::default();
    let mut waiting: VecDeque<Instant> = VecDeque::new();
    let (mut free, mut arrived, mut begun, mut total) = (servers, 0u64, 0u64, 0u64);
    let at = |at, kind, count| Order { at, kind, entity: 0, count };
    events.push(at(Instant(0), 1, 0), Event::Arrive);
    while begun < jobs + warmup {
        let (order, event) = events.pop().expect("arrivals never end");
        let now = order.at;
        match event {
            Event::Arrive => {
                waiting.push_back(now);
                arrived += 1;
                let next = Instant(now.0 + exponential(&mut arrivals, gap));
                events.push(at(next, 1, arrived as u32), Event::Arrive);
            }
            Event::Depart => free += 1,
        }
        while free > 0 {
            let Some(since) = waiting.pop_front() else { break };
            free -= 1;
            begun += 1;
            if begun > warmup {
                total += now.since(since).0;
            }
            let service =
                if exponential_service { exponential(&mut services, SERVICE) } else { SERVICE as u64 };
            events.push(at(Instant(now.0 + service), 0, begun as u32), Event::Depart);
        }
    }
    total as f64 / jobs as f64
}

/// Erlang's C: the share of arrivals that wait.
fn erlang_c(servers: usize, load: f64) -> f64 {
    let offered = load * servers as f64;
    let mut blocked = 1.0;
    for n in 1..=servers {
        blocked = offered * blocked / (n as f64 + offered * blocked);
    }
    blocked / (1.0 - load * (1.0 - blocked))
}

fn holds(name: &str, servers: usize, load: f64, exponential_service: bool, jobs: u64) {
    let mut theory = erlang_c(servers, load) * SERVICE / (servers as f64 * (1.0 - load));
    if !exponential_service {
        assert_eq!(servers, 1, "Pollaczek and Khinchine's formula is for one server");
        theory /= 2.0;
    }
    let means: Vec<f64> = (0..REPLICATIONS)
        .map(|seed| mean_wait(seed as u64, servers, load, exponential_service, jobs / REPLICATIONS as u64))
        .collect();
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (means.len() - 1) as f64;
    let half = T * (variance / means.len() as f64).sqrt();
    println!("{name} at load {load}: {mean:.0} ± {half:.0} ns, theory {theory:.0} ns");
    assert!(half < 0.02 * mean, "{name} at load {load}: interval ± {half:.0} of {mean:.0} ns is too wide");
    assert!(
        (mean - theory).abs() < half,
        "{name} at load {load}: {mean:.0} ± {half:.0} ns, theory {theory:.0} ns"
    );
}

#[test]
fn one_exponential_server_waits_as_theory_says() {
    holds("M/M/1", 1, 0.5, true, 1_200_000);
    holds("M/M/1", 1, 0.8, true, 4_800_000);
}

#[test]
fn many_exponential_servers_wait_as_erlang_says() {
    holds("M/M/4", 4, 0.5, true, 4_800_000);
    holds("M/M/4", 4, 0.8, true, 4_800_000);
}

#[test]
fn one_constant_server_waits_as_pollaczek_and_khinchine_say() {
    holds("M/D/1", 1, 0.5, false, 1_200_000);
    holds("M/D/1", 1, 0.8, false, 4_800_000);
}
