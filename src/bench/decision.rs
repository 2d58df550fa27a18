//! A whole request in control (arrival, choice of host, first byte, end) under each balancer, by number of hosts.

use control::balance;
use control::config::ControlFile;
use control::ids::SessionId;
use control::request::Arrive;
use control::units::Bytes;

use super::fit::Complexity;
use super::plane::{Fleet, Plane};
use super::{Case, Clock, Component, Subject};

/// Requests under way on each host, on average.
const BUSY: usize = 4;

const SLOTS: u32 = 64;

/// Conversations in turn.
const SESSIONS: u64 = 5_000;

pub(super) fn components() -> Vec<Component> {
    let component = |strategy: &control::strategy::Strategy| {
        let (name, grows) = (strategy.name, claimed(strategy.cost));
        Component {
            name: format!("decision/{name}"),
            forms: ["control, baseline structures", "control, optimised structures"],
            operation: "take a request in, choose its host, end it",
            scale: "hosts",
            claimed: [grows; 2],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(move |case| Box::new(Decision::new(name, case))),
        }
    };
    balance::ALL.iter().map(|(_, strategy)| component(strategy)).collect()
}

/// What a balancer says of its cost (`O(log n), O(n) where most are full`), up to the first closing bracket.
fn claimed(cost: &str) -> Complexity {
    let term = cost.split(')').next().unwrap_or_default();
    let words: Vec<&str> = term.split(['(', ' ']).collect();
    match words.iter().position(|word| *word == "n") {
        None => Complexity::Constant,
        Some(at) if at > 0 && words[at - 1] == "log" => Complexity::Logarithmic,
        Some(_) => Complexity::Linear,
    }
}

struct Decision {
    plane: Plane,
    hosts: usize,
    arrived: u64,
    prefix: bool,
}

impl Decision {
    fn new(balancer: &str, case: Case) -> Self {
        let fleet = Fleet { hosts: case.scale as u32, slots: SLOTS, models: 1, tenants: 0 };
        let file = |balancer: &str| ControlFile { balancer: balancer.into(), ..ControlFile::default() };
        // Filled in turn, whoever decides afterwards: every balancer begins with the same load on every host.
        let plane = Plane::new(&file("round-robin"), &fleet, case.seed);
        let prefix = balancer == "prefix-affinity";
        let mut decision = Self { plane, hosts: case.scale, arrived: 0, prefix };
        for _ in 0..case.scale * BUSY {
            decision.arrive();
        }
        let implementation = case.implementation;
        decision.plane.install(&ControlFile { implementation: implementation.into(), ..file(balancer) });
        decision
    }

    fn arrive(&mut self) {
        let session = self.arrived % SESSIONS;
        self.arrived += 1;
        let prefix =
            if self.prefix { (0..4).map(|block| session << 8 | block).collect() } else { Box::default() };
        let session = Some(SessionId(session));
        self.plane.arrive(Arrive { session, prompt_bytes: Bytes(3_200), prefix, ..Arrive::default() });
    }
}

impl Subject for Decision {
    fn operate(&mut self, operations: u64) -> u64 {
        let before = self.plane.sum();
        for _ in 0..operations {
            self.arrive();
            while self.plane.running_len() > self.hosts * BUSY {
                self.plane.finish();
            }
        }
        self.plane.sum().wrapping_sub(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_from_what_balancers_say() {
        assert_eq!(claimed("O(1), O(n) where most are full"), Complexity::Constant);
        assert_eq!(claimed("O(log n), O(n) where most are full"), Complexity::Logarithmic);
        assert_eq!(claimed("O(levels × n / 64)"), Complexity::Linear);
        assert_eq!(claimed("O(n log m)"), Complexity::Linear);
        assert_eq!(claimed("O(probes)"), Complexity::Constant);
    }
}
