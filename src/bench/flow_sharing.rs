//! Pulls that share links: one ends and another begins, where a registry's egress, the hosts or both limit them.

use control::draw::{Draw, mix};
use control::units::{Bytes, Instant};
use sim::network::{Flow, FlowId, LinkId, Network, Rate, Route};

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject, count};

const HOSTS_IN_RACK: u32 = 16;
const ZONES: u32 = 4;

/// What limits pulls.
#[derive(Clone, Copy)]
struct Limits {
    /// Bytes a second, for each pull of the scale.
    egress: u64,
    /// Of every second host, of the others, and of a rack's uplink, in bytes a second.
    hosts: [u64; 2],
    rack: u64,
}

/// The egress gives each far less than its host takes.
const EGRESS: Limits = Limits { egress: 10_000_000, hosts: [3_000_000_000; 2], rack: 12_500_000_000 };
/// Hosts and racks are full, the egress never is.
const HOSTS: Limits = Limits { egress: 10_000_000_000, ..EGRESS };
/// Every second host is slower than what the egress leaves to each of the others.
const BOTH: Limits = Limits { egress: 100_000_000, hosts: [50_000_000, 3_000_000_000], ..EGRESS };

pub(super) fn components() -> Vec<Component> {
    [("egress", EGRESS), ("hosts", HOSTS), ("both", BOTH)]
        .into_iter()
        .map(|(name, limits)| Component {
            name: format!("flow-sharing/{name}"),
            forms: [
                "rates of all flows anew at each change",
                "groups of one rate; only what a change can reach",
            ],
            operation: "take out the pulls that end next and start others for their hosts",
            scale: "pulls under way",
            claimed: [Complexity::Linear, claimed(name)],
            clock: Clock::Cpu,
            counted: Some("links and flows looked at"),
            build: Box::new(move |case| Box::new(Pulls::new(case, limits))),
        })
        .collect()
}

/// Of the optimised form: where both limit, a pull that its host limits changes what all others get.
fn claimed(name: &str) -> Complexity {
    if name == "both" { Complexity::Linear } else { Complexity::Logarithmic }
}

struct Pulls {
    network: Network,
    hosts: u32,
    /// By the number of the pull.
    host_of: Vec<u32>,
    draw: Draw,
    now: Instant,
    ended: Vec<FlowId>,
}

impl Pulls {
    fn new(case: Case, limits: Limits) -> Self {
        let hosts = case.scale as u32;
        let mut network = Network::new(case.implementation);
        let egress = Rate(limits.egress * u64::from(hosts));
        // Zones have room for all: each is a link on the way, and no limit.
        (0..=ZONES).for_each(|_| {
            network.add_link(egress);
        });
        (0..hosts.div_ceil(HOSTS_IN_RACK)).for_each(|_| {
            network.add_link(Rate(limits.rack));
        });
        (0..hosts as usize).for_each(|host| {
            network.add_link(Rate(limits.hosts[host % 2]));
        });
        let mut pulls = Self {
            network,
            hosts,
            host_of: Vec::new(),
            draw: case.draw(),
            now: Instant::ZERO,
            ended: Vec::new(),
        };
        let flows: Vec<Flow> = (0..hosts)
            .map(|_| {
                let host = pulls.draw.below(hosts);
                // In the middle of their pulls, as they are later on.
                pulls.pull(host, 0)
            })
            .collect();
        pulls.network.start_all(Instant::ZERO, &flows);
        pulls
    }

    /// A pull of at least so many bytes, and up to eight gigabytes more, for this host.
    fn pull(&mut self, host: u32, least: u64) -> Flow {
        self.host_of.push(host);
        let rack = host / HOSTS_IN_RACK;
        let racks_from = 1 + ZONES;
        let hosts_from = racks_from + self.hosts.div_ceil(HOSTS_IN_RACK);
        let links = [0, 1 + rack % ZONES, racks_from + rack, hosts_from + host].map(LinkId);
        let size = Bytes(least + 8 * u64::from(self.draw.below(1_000_000_000)));
        Flow { size, route: Route::new(&links), cap: None }
    }
}

impl Subject for Pulls {
    fn operate(&mut self, operations: u64) -> u64 {
        let before = self.network.visits();
        let mut sum = 0_u64;
        for _ in 0..operations {
            self.now = self.network.next().expect("pulls are under way, and no link is cut");
            self.network.finish(self.now, &mut self.ended);
            while let Some(FlowId(id)) = self.ended.pop() {
                sum = sum.wrapping_add(mix(self.now.0 ^ id << 32));
                // For the same host: else pulls would gather at slow ones as time goes on.
                let flow = self.pull(self.host_of[id as usize], 1_000_000_000);
                self.network.start(self.now, flow);
            }
        }
        count::add(self.network.visits() - before);
        sum
    }
}
