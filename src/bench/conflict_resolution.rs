//! Who is right about many names: each worked out, or kept from before; and by two threads.

use control::digest::Digest;
use control::draw::{Draw, mix};
use control::ids::{Epoch, HostId};
use control::index::Implementation;
use control::index::argmin::Sequential;
use control::sync::artifact::{Artifact, Details, Origin, Permission, VersionVector};
use control::sync::conflict::Policy;
use control::sync::register::{Register, Verdict};
use control::sync::resolve::Resolver;
use control::sync::version::Version;
use control::units::Bytes;

use super::fit::Complexity;
use super::least_score::Two;
use super::{Case, Clock, Component, Subject, digest};

/// Hosts that have each name.
const REPLICAS: u32 = 5;

pub(super) fn components() -> Vec<Component> {
    vec![
        Component {
            name: "conflict-resolution/cache".into(),
            forms: ["every name worked out", "verdicts kept by content"],
            operation: "a host writes one name, all names are resolved by version",
            scale: "names, of five hosts each",
            claimed: [Complexity::Linear; 2],
            clock: Clock::Cpu,
            counted: None,
            build: Box::new(|case| {
                let capacity = if case.is_baseline() { 0 } else { 2 * case.scale as u32 };
                Box::new(Names::new(case, Resolver::new(case.implementation, capacity), false))
            }),
        },
        Component {
            name: "conflict-resolution/threads".into(),
            forms: ["one thread", "two threads, one started for each batch"],
            operation: "all names are resolved by version, none from before",
            scale: "names, of five hosts each",
            claimed: [Complexity::Linear; 2],
            clock: Clock::Wall,
            counted: None,
            build: Box::new(|case| {
                let resolver = Resolver::new(Implementation::Optimised, 0);
                Box::new(Names::new(case, resolver, !case.is_baseline()))
            }),
        },
    ]
}

struct Names {
    registers: Vec<Register>,
    resolver: Resolver,
    on_threads: bool,
    written: u64,
    draw: Draw,
}

impl Names {
    fn new(case: Case, resolver: Resolver, on_threads: bool) -> Self {
        let registers = vec![Register::default(); case.scale];
        let mut names = Self { registers, resolver, on_threads, written: 0, draw: case.draw() };
        for name in 0..case.scale {
            (0..REPLICAS).for_each(|host| names.write(name, host));
        }
        names
    }

    /// A host writes a name.
    fn write(&mut self, name: usize, host: u32) {
        self.written += 1;
        let bits = self.draw.bits();
        let artifact = Artifact {
            digest: digest(bits),
            weights: digest(bits),
            details: Details { family: "llama".into(), parameters: 8, quantisation: "Q4_K_M".into() },
            settings: Digest::UNKNOWN,
            base: None,
            version: Version::of(&format!("1.{}.{}", bits % 4, bits / 4 % 4)),
            modified_unix_nanos: self.written,
            vector: VersionVector::default(),
            size: Bytes(1),
            permission: Permission::Open,
        };
        self.registers[name].say(Origin::Host(HostId(host)), self.written, Some(artifact));
    }
}

impl Subject for Names {
    fn operate(&mut self, operations: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..operations {
            let name = self.draw.below(self.registers.len() as u32) as usize;
            let host = self.draw.below(REPLICAS);
            self.write(name, host);
            let registers: Vec<&Register> = self.registers.iter().collect();
            let (policy, epoch) = (Policy::HighestVersion, Epoch(0));
            let verdicts = if self.on_threads {
                self.resolver.resolve(&Two, &registers, &policy, epoch)
            } else {
                self.resolver.resolve(&Sequential, &registers, &policy, epoch)
            };
            let winners = verdicts.into_iter().fold(0, |winners, verdict| {
                let Verdict::Winner(Origin::Host(host)) = verdict else { panic!("hosts have every name") };
                mix(winners ^ u64::from(host.0))
            });
            sum = sum.wrapping_add(winners);
        }
        sum
    }
}
