//! The host with the fewest requests under way among those that have the model: a walk through all, or sets of bits by
//! number of requests.

use control::draw::Draw;
use control::ids::HostId;
use control::index::host_set::HostSet;
use control::index::levels::Levels;

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject};

/// Requests under way on each host at the start are below this.
const BUSY: u32 = 8;

pub(super) fn components() -> Vec<Component> {
    vec![Component {
        name: "host-choice".into(),
        forms: ["a walk through all hosts", "hosts by requests, as sets of bits"],
        operation: "choose the least loaded host, and end a request on another",
        scale: "hosts",
        claimed: [Complexity::Linear; 2],
        clock: Clock::Cpu,
        counted: None,
        build: Box::new(|case| {
            let fleet = Fleet::new(case);
            if case.is_baseline() { Box::new(Walk { fleet }) } else { Box::new(Bits::new(fleet)) }
        }),
    }]
}

/// Requests under way on each host, and who has the model: three of four.
struct Fleet {
    requests: Vec<u32>,
    eligible: Vec<HostId>,
    draw: Draw,
}

impl Fleet {
    fn new(case: Case) -> Self {
        let mut draw = case.draw();
        let hosts = case.scale as u32;
        let requests = (0..hosts).map(|_| draw.below(BUSY)).collect();
        // The first host always has it, so that there is one to choose.
        let eligible = (0..hosts).filter(|host| *host == 0 || draw.below(4) > 0).map(HostId).collect();
        Self { requests, eligible, draw }
    }

    /// A host by chance on which a request ends, if any is under way there.
    fn ending(&mut self) -> Option<HostId> {
        let host = HostId(self.draw.below(self.requests.len() as u32));
        (self.requests[host.index()] > 0).then_some(host)
    }
}

struct Walk {
    fleet: Fleet,
}

impl Subject for Walk {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let requests = &self.fleet.requests;
            let chosen = self.fleet.eligible.iter().min_by_key(|host| requests[host.index()]);
            let chosen = *chosen.expect("one has the model");
            self.fleet.requests[chosen.index()] += 1;
            if let Some(host) = self.fleet.ending() {
                self.fleet.requests[host.index()] -= 1;
            }
            sum = sum.wrapping_add(u64::from(chosen.0));
        }
        sum
    }
}

struct Bits {
    fleet: Fleet,
    levels: Levels,
    eligible: HostSet,
}

impl Bits {
    fn new(fleet: Fleet) -> Self {
        let (mut levels, mut eligible) = (Levels::default(), HostSet::default());
        for (host, requests) in fleet.requests.iter().enumerate() {
            levels.put(HostId(host as u32), Some(*requests));
        }
        for host in &fleet.eligible {
            eligible.set(*host, true);
        }
        Self { fleet, levels, eligible }
    }

    fn change(&mut self, host: HostId, requests: u32) {
        self.fleet.requests[host.index()] = requests;
        self.levels.put(host, Some(requests));
    }
}

impl Subject for Bits {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let chosen = self.levels.fewest(&[&self.eligible]).expect("one has the model");
            self.change(chosen, self.fleet.requests[chosen.index()] + 1);
            if let Some(host) = self.fleet.ending() {
                self.change(host, self.fleet.requests[host.index()] - 1);
            }
            sum = sum.wrapping_add(u64::from(chosen.0));
        }
        sum
    }
}
