//! M/M/c in three forms with the same draws: a plain loop written by hand over a binary heap, the engine's event
//! queue, and the engine's tournament (one key for each server, as the simulator has one for each host).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use control::draw::{Component, Draw};
use control::units::Instant;
use sim::engine::{EventQueue, Order, Tournament};

/// Mean service time in nanoseconds.
const SERVICE: f64 = 1e6;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Servers.
    pub servers: usize,
    /// Load of each, below 1.
    pub load: f64,
    /// Jobs to serve.
    pub jobs: u64,
}

/// The draws of one run.
struct Draws {
    arrivals: Draw,
    services: Draw,
    gap: f64,
}

fn exponential(draw: &mut Draw, mean: f64) -> u64 {
    let uniform = ((draw.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    (-libm::log(uniform) * mean) as u64
}

impl Draws {
    fn new(case: Case) -> Self {
        Self {
            arrivals: Draw::new(1, Component::Network, 0, 0),
            services: Draw::new(1, Component::Network, 1, 0),
            gap: SERVICE / (case.load * case.servers as f64),
        }
    }

    fn gap(&mut self) -> u64 {
        exponential(&mut self.arrivals, self.gap)
    }

    fn service(&mut self) -> u64 {
        exponential(&mut self.services, SERVICE)
    }
}

/// By hand: total wait in nanoseconds.
#[must_use]
pub fn plain(case: Case) -> u64 {
    let mut draws = Draws::new(case);
    let mut departures: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    let mut waiting: VecDeque<u64> = VecDeque::new();
    let (mut arrival, mut free, mut begun, mut total) = (0, case.servers, 0, 0);
    while begun < case.jobs {
        let now = match departures.peek() {
            Some(Reverse(departure)) if *departure <= arrival => {
                free += 1;
                departures.pop().map_or(0, |departure| departure.0)
            }
            _ => {
                waiting.push_back(arrival);
                let now = arrival;
                arrival += draws.gap();
                now
            }
        };
        if free > 0
            && let Some(since) = waiting.pop_front()
        {
            free -= 1;
            begun += 1;
            total += now - since;
            departures.push(Reverse(now + draws.service()));
        }
    }
    total
}

/// The same on the engine's event queue, with arrivals beside it as in the simulator.
#[must_use]
pub fn event_queue(case: Case) -> u64 {
    let mut draws = Draws::new(case);
    let mut departures = EventQueue::default();
    let mut waiting: VecDeque<u64> = VecDeque::new();
    let (mut arrival, mut free, mut begun, mut total) = (0, case.servers, 0u64, 0);
    while begun < case.jobs {
        let now = match departures.peek() {
            Some(order) if order.at.0 <= arrival => {
                free += 1;
                departures.pop();
                order.at.0
            }
            _ => {
                waiting.push_back(arrival);
                let now = arrival;
                arrival += draws.gap();
                now
            }
        };
        if free > 0
            && let Some(since) = waiting.pop_front()
        {
            free -= 1;
            begun += 1;
            total += now - since;
            let at = Instant(now + draws.service());
            departures.push(Order { at, kind: 0, entity: 0, count: begun as u32 }, ());
        }
    }
    total
}

/// The same on the engine's tournament.
#[must_use]
pub fn tournament(case: Case) -> u64 {
    let mut draws = Draws::new(case);
    let mut departures = Tournament::new(case.servers);
    let mut idle: Vec<usize> = (0..case.servers).rev().collect();
    let mut waiting: VecDeque<u64> = VecDeque::new();
    let (mut arrival, mut begun, mut total) = (0, 0, 0);
    while begun < case.jobs {
        let departure = departures.least();
        let now = if departure <= arrival {
            let server = departures.winner();
            // A server that goes on with the next job changes its key once.
            if let Some(since) = waiting.pop_front() {
                begun += 1;
                total += departure - since;
                departures.set(server, departure + draws.service());
            } else {
                departures.set(server, u64::MAX);
                idle.push(server);
            }
            continue;
        } else {
            waiting.push_back(arrival);
            let now = arrival;
            arrival += draws.gap();
            now
        };
        if let Some(server) = idle.pop()
            && let Some(since) = waiting.pop_front()
        {
            begun += 1;
            total += now - since;
            departures.set(server, now + draws.service());
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_give_the_same_waits() {
        for (servers, load) in [(1, 0.5), (7, 0.9), (100, 0.95)] {
            let case = Case { servers, load, jobs: 20_000 };
            let total = plain(case);
            assert!(total > 0);
            assert_eq!(event_queue(case), total);
            assert_eq!(tournament(case), total);
        }
    }
}
