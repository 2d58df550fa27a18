//! The mean wait of a request for a slot: Erlang's formula for c servers, Poisson arrivals and exponential service (M/M/c),
//! in integers.
//!
//! With a = λs the offered load (arrivals a second times mean service), the chance that all c servers are busy when nobody
//! waits (Erlang B) follows from that of one server fewer, that of having to wait (Erlang C) from it, and the mean wait W:
//!
//! ```text
//! B(0) = 1,  B(c) = a B(c-1) / (c + a B(c-1))        C = c B / (c - a (1 - B))        W = C s / (c - a)
//! ```
//!
//! (Erlang 1917; Kleinrock: Queueing Systems 1, 1975, 3.5.) W falls with c and falls less with each server (Dyer, Proll: On the
//! validity of marginal analysis for allocating servers in M/M/c queues, Management Science 23(9), 1977).
//!
//! Two things are not Erlang's. Nearer to a than 1/64 of a server, c - a counts as 1/64: such a queue takes days to become
//! as long as the formula says. And where c ≤ a, the queue grows without end; then each server that is missing to the
//! least number c* > a counts as 64 services: W(c) = W(c*) + 64 s (c* - c), so that the wait still falls, and falls less,
//! with each server.

use alloc::vec::Vec;

use super::problem::{ARRIVALS_MICROS_MAX, SPAN_MAX};
use crate::units::Nanos;

/// Digits behind the point of a load.
const LOAD_DIGITS: u32 = 32;
/// Digits behind the point of a probability.
const CHANCE_DIGITS: u32 = 48;
/// Services that a server missing to stability counts as, and one over the least distance to saturation.
const SATURATION: u64 = 64;
/// Millionths times nanoseconds in a second.
const MICRO_NANOS: u128 = 1_000_000_000_000_000;

/// Requests for a model: how many, and how long each takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Traffic {
    /// Arrivals a second, in millionths; at most [`ARRIVALS_MICROS_MAX`] count.
    pub arrivals_micros: u64,
    /// Mean time in a slot; at most [`SPAN_MAX`] counts.
    pub service: Nanos,
}

impl Traffic {
    /// Arrivals as they count.
    pub(super) fn arrivals(self) -> u128 {
        self.arrivals_micros.min(ARRIVALS_MICROS_MAX).into()
    }

    fn service_nanos(self) -> u128 {
        self.service.min(SPAN_MAX).0.into()
    }

    /// The offered load in 2⁻³² servers: how many servers are busy on average.
    #[must_use]
    pub fn load(self) -> u128 {
        ((self.arrivals() * self.service_nanos()) << LOAD_DIGITS) / MICRO_NANOS
    }
}

/// Mean waits by the number of servers, in nanoseconds; beyond the last that is more than nothing there are none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waits {
    /// The least number of servers at which the queue does not grow without end.
    stable: u64,
    /// From there on.
    waits: Vec<u64>,
    /// By how much the wait grows with each server that is missing to stability.
    missing: u128,
}

impl Waits {
    /// For up to so many servers.
    #[must_use]
    pub fn new(traffic: Traffic, servers_max: u64) -> Self {
        let load = traffic.load();
        let stable = (load >> LOAD_DIGITS) as u64 + 1;
        let mut waits = Vec::new();
        if load > 0 && stable <= servers_max {
            let mut blocked: u128 = 1 << CHANCE_DIGITS;
            for servers in 1..=servers_max {
                blocked = with_another_server(blocked, load, servers);
                if servers >= stable {
                    match wait(blocked, load, servers, traffic.service_nanos()) {
                        0 => break,
                        nanos => waits.push(nanos),
                    }
                }
            }
        }
        Self { stable, waits, missing: u128::from(SATURATION) * traffic.service_nanos() }
    }

    /// The mean wait with so many servers, in nanoseconds. It never rises with their number.
    #[must_use]
    pub fn at(&self, servers: u64) -> u128 {
        let wait = |at: usize| u128::from(self.waits.get(at).copied().unwrap_or(0));
        match self.stable.saturating_sub(servers) {
            0 => wait((servers - self.stable) as usize),
            missing => wait(0) + self.missing * u128::from(missing),
        }
    }

    /// Whether so many servers are enough that the queue does not grow without end.
    #[must_use]
    pub fn carries(&self, servers: u64) -> bool {
        servers >= self.stable
    }
}

/// Erlang B with one server more.
fn with_another_server(blocked: u128, load: u128, servers: u64) -> u128 {
    let carried = (load * blocked) >> LOAD_DIGITS;
    (carried << CHANCE_DIGITS) / ((u128::from(servers) << CHANCE_DIGITS) + carried)
}

/// Mean wait in nanoseconds, from Erlang B; there are more servers than load.
fn wait(blocked: u128, load: u128, servers: u64, service_nanos: u128) -> u64 {
    let servers = u128::from(servers);
    let free = (servers << LOAD_DIGITS) - load;
    let waits = ((servers * blocked) << LOAD_DIGITS) / (free + ((load * blocked) >> CHANCE_DIGITS));
    let free = free.max((1 << LOAD_DIGITS) / u128::from(SATURATION));
    let nanos = (waits * service_nanos / free) >> (CHANCE_DIGITS - LOAD_DIGITS);
    nanos.min(u64::MAX.into()) as u64
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn traffic(arrivals_micros: u64, service_micros: u64) -> Traffic {
        Traffic { arrivals_micros, service: Nanos::from_micros(service_micros) }
    }

    /// Erlang's formula as the books have it: a sum of terms in floating point.
    fn exact_seconds(arrivals: f64, service: f64, servers: u32) -> f64 {
        let load = arrivals * service;
        let mut term = 1.0;
        let mut below = 0.0;
        for k in 0..servers {
            below += term;
            term *= load / f64::from(k + 1);
        }
        let full = term * f64::from(servers) / (f64::from(servers) - load);
        full / (below + full) * service / (f64::from(servers) - load)
    }

    proptest! {
        #[test]
        fn waits_are_those_of_the_formula(
            arrivals_micros in 1_000u64..20_000_000,
            service_micros in 1_000u64..10_000_000,
            more in 0u64..20,
        ) {
            let traffic = traffic(arrivals_micros, service_micros);
            let load = arrivals_micros as f64 * service_micros as f64 / 1e12;
            let servers = load as u64 + 1 + more;
            prop_assume!(servers as f64 - load > 1.0 / 64.0);
            let exact = exact_seconds(arrivals_micros as f64 / 1e6, service_micros as f64 / 1e6, servers as u32);
            let found = Waits::new(traffic, servers).at(servers) as f64 / 1e9;
            prop_assert!((found - exact).abs() <= 1e-5 * exact + 3e-9, "{found} s, exactly {exact} s");
        }

        #[test]
        fn waits_fall_with_each_server_and_fall_less_each_time(
            arrivals_micros in prop_oneof![0u64..10_000_000, Just(u64::MAX)],
            service_micros in prop_oneof![0u64..20_000_000, Just(u64::MAX / 1_000)],
        ) {
            let waits = Waits::new(traffic(arrivals_micros, service_micros), 300);
            for servers in 1..300 {
                let [more, here, fewer] = [servers + 1, servers, servers - 1].map(|servers| waits.at(servers));
                prop_assert!(more <= here && here <= fewer, "{servers} servers");
                // Rounding of probabilities shows where a wait is next to nothing.
                prop_assert!(here - more <= fewer - here + 10 + here / 1_000_000, "{servers} servers: {fewer} {here} {more}");
            }
        }
    }

    #[test]
    fn known_values_of_textbooks() {
        // One server half busy waits as long as it serves; two servers with a load of 1 wait a third of it.
        assert_eq!(Waits::new(traffic(500_000, 1_000_000), 9).at(1).div_ceil(1_000), 1_000_000);
        assert_eq!(Waits::new(traffic(1_000_000, 1_000_000), 9).at(2).div_ceil(1_000), 333_334);
    }

    #[test]
    fn nobody_waits_where_nobody_comes() {
        let waits = Waits::new(traffic(0, 5_000_000), 10);
        assert_eq!((1..9).map(|servers| waits.at(servers)).max(), Some(0));
    }

    #[test]
    fn each_server_short_of_the_load_costs_64_services() {
        let waits = Waits::new(traffic(10_500_000, 1_000_000), 20);
        assert_eq!(waits.at(9) - waits.at(10), 64_000_000_000);
        assert_eq!(waits.at(10) - waits.at(11), 64_000_000_000);
        assert!(waits.carries(11) && !waits.carries(10));
    }
}
