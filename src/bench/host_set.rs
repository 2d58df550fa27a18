//! Sets of hosts: is one a member, and which are in three sets at once; by lists, or by bits.

use control::draw::Draw;
use control::ids::HostId;
use control::index::host_set::HostSet;

use super::fit::Complexity;
use super::{Case, Clock, Component, Subject};

pub(super) fn components() -> Vec<Component> {
    vec![
        Component {
            name: "host-set/member".into(),
            forms: ["a list that is scanned", "a bit for each host"],
            operation: "ask whether a host is a member",
            scale: "hosts",
            claimed: [Complexity::Linear, Complexity::Constant],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(|case| {
                let (mut draw, hosts) = (case.draw(), case.scale as u32);
                let set = list(&mut draw, case.scale);
                if case.is_baseline() {
                    Box::new(Member { set, hosts, draw })
                } else {
                    Box::new(Member { set: bits(&set), hosts, draw })
                }
            }),
        },
        Component {
            name: "host-set/common".into(),
            forms: ["a list, and a flag for each host in two others", "bits of three sets, a word at a time"],
            operation: "go through the hosts that three sets share",
            scale: "hosts",
            claimed: [Complexity::Linear; 2],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(common),
        },
    ]
}

/// Half of the hosts, in order of id.
fn list(draw: &mut Draw, hosts: usize) -> Vec<HostId> {
    (0..hosts as u32).filter(|_| draw.below(2) == 0).map(HostId).collect()
}

fn bits(list: &[HostId]) -> HostSet {
    let mut set = HostSet::default();
    for host in list {
        set.set(*host, true);
    }
    set
}

trait Has {
    fn has(&self, host: HostId) -> bool;
}

impl Has for Vec<HostId> {
    fn has(&self, host: HostId) -> bool {
        self.contains(&host)
    }
}

impl Has for HostSet {
    fn has(&self, host: HostId) -> bool {
        self.contains(host)
    }
}

struct Member<S> {
    set: S,
    hosts: u32,
    draw: Draw,
}

impl<S: Has> Subject for Member<S> {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0;
        for _ in 0..operations {
            let host = HostId(self.draw.below(self.hosts));
            sum += u64::from(self.set.has(host));
        }
        sum
    }
}

/// Hosts of the first list that are in both others.
struct Lists {
    list: Vec<HostId>,
    others: [Vec<bool>; 2],
}

impl Subject for Lists {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let [a, b] = &self.others;
            let common = self.list.iter().filter(|host| a[host.index()] && b[host.index()]);
            sum = common.fold(sum, |sum, host| sum.wrapping_add(u64::from(host.0)));
        }
        sum
    }
}

struct Bits {
    sets: [HostSet; 3],
}

impl Subject for Bits {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let [first, a, b] = &self.sets;
            sum = first.common(&[a, b]).fold(sum, |sum, host| sum.wrapping_add(u64::from(host.0)));
        }
        sum
    }
}

fn common(case: Case) -> Box<dyn Subject> {
    let mut draw = case.draw();
    let lists = [(); 3].map(|()| list(&mut draw, case.scale));
    if !case.is_baseline() {
        return Box::new(Bits { sets: lists.each_ref().map(|list| bits(list)) });
    }
    let [list, a, b] = lists;
    let flags = |list: Vec<HostId>| {
        let mut flags = vec![false; case.scale];
        list.iter().for_each(|host| flags[host.index()] = true);
        flags
    };
    Box::new(Lists { list, others: [flags(a), flags(b)] })
}
