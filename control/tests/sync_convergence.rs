//! Replicas that hear of each other in any order end alike: what they know, who is right, and what the resolver says of it on
//! threads. Here, since `control` itself is built without them.

#[path = "common/threads.rs"]
mod threads;

use control::digest::Digest;
use control::ids::{Epoch, HostId};
use control::index::Implementation;
use control::index::argmin::Sequential;
use control::sync::artifact::{Artifact, Details, Origin, Permission};
use control::sync::conflict::{Policy, Preference};
use control::sync::register::{Decision, Handling, Register, Resolution};
use control::sync::resolve::Resolver;
use control::sync::version::Version;
use control::units::Bytes;
use proptest::prelude::*;
use threads::Threads;

const REPLICAS: usize = 4;

/// What happens to replicas, each of which is a host with the name.
#[derive(Clone, Debug)]
enum Event {
    /// A host writes what it has, knowing what its replica knows.
    Write { at: usize, manifest: u8, weights: u8, tag: String, modified: u64 },
    /// A host loses the name.
    Lose { at: usize },
    /// An operator decides at a replica.
    Decide { at: usize, keep: Option<u8> },
    /// One replica hears of another, unless they are on different sides.
    Hear { at: usize, of: usize },
    /// From now on replicas hear only of those on their side.
    Part { sides: [bool; REPLICAS] },
}

#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
fn event() -> impl Strategy<Value = Event> {
    let at = || 0..REPLICAS;
    prop_oneof![
        4 => (at(), 0u8..4, 0u8..2, "1\\.[0-2]", 0u64..4).prop_map(|(at, manifest, weights, tag, modified)| {
            Event::Write { at, manifest, weights, tag, modified }
        }),
        1 => at().prop_map(|at| Event::Lose { at }),
        1 => (at(), prop::option::of(0u8..5)).prop_map(|(at, keep)| Event::Decide { at, keep }),
        4 => (at(), at()).prop_map(|(at, of)| Event::Hear { at, of }),
        1 => any::<[bool; REPLICAS]>().prop_map(|sides| Event::Part { sides }),
    ]
}

fn digest(byte: u8) -> Digest {
    Digest([byte; 32])
}

fn host(at: usize) -> Origin {
    Origin::Host(HostId(at as u32))
}

fn write(replica: &mut Register, at: usize, mut artifact: Artifact) {
    artifact.vector = replica.artifacts().fold(artifact.vector, |mut known, (_, other)| {
        known.join(&other.vector);
        known
    });
    artifact.vector.advance(host(at));
    replica.say(host(at), replica.next_sequence(host(at)), Some(artifact));
}

fn artifact(manifest: u8, weights: u8, tag: &str, modified: u64) -> Artifact {
    Artifact {
        digest: digest(manifest),
        weights: digest(weights),
        details: Details::default(),
        settings: digest(manifest / 2),
        base: None,
        version: Version::of(tag),
        modified_unix_nanos: modified,
        vector: Default::default(),
        size: Bytes(100),
        permission: Permission::Open,
    }
}

/// The replicas after these events, still apart.
fn live(events: &[Event]) -> Vec<Register> {
    let mut replicas = vec![Register::default(); REPLICAS];
    let mut side = [true; REPLICAS];
    for event in events {
        match event {
            Event::Write { at, manifest, weights, tag, modified } => {
                write(&mut replicas[*at], *at, artifact(*manifest, *weights, tag, *modified));
            }
            Event::Lose { at } => {
                let sequence = replicas[*at].next_sequence(host(*at));
                replicas[*at].say(host(*at), sequence, None);
            }
            Event::Decide { at, keep } => {
                let number = replicas[*at].decision().number + 1;
                replicas[*at].decide(Decision { number, keep: keep.map(digest) });
            }
            Event::Hear { at, of } => {
                let heard = replicas[*of].clone();
                if side[*at] == side[*of] {
                    replicas[*at].merge(&heard);
                }
            }
            Event::Part { sides } => side = *sides,
        }
    }
    replicas
}

/// All replicas hear of all others, one after the other in this order, until nobody hears anything new.
fn heal(replicas: &mut [Register], order: &[usize]) {
    let mut changed = true;
    while std::mem::take(&mut changed) {
        for &at in order {
            for &of in order {
                let heard = replicas[of].clone();
                changed |= replicas[at].merge(&heard);
            }
        }
    }
}

fn policies() -> Vec<Policy> {
    vec![
        Policy::LastWriter,
        Policy::FirstWriter,
        Policy::VersionVector,
        Policy::HighestVersion,
        Policy::Majority,
        Policy::Custom(vec![Preference::Origin(host(2)), Preference::MoreReplicas, Preference::Older]),
        Policy::Manual,
    ]
}

proptest! {
    #[test]
    fn replicas_converge_in_any_order(
        events in prop::collection::vec(event(), 0..60),
        orders in prop::array::uniform2(Just([0, 1, 2, 3]).prop_shuffle()),
    ) {
        let apart = live(&events);
        let healed = orders.map(|order| {
            let mut replicas = apart.clone();
            heal(&mut replicas, &order);
            replicas
        });
        let first = healed[0][0].clone();
        for replica in healed.iter().flatten() {
            prop_assert_eq!(replica, &first);
            prop_assert_eq!(replica.content(), first.content());
            for policy in policies() {
                prop_assert_eq!(replica.winner(&policy), first.winner(&policy));
            }
        }
    }

    /// Hosts do what they should and say so, until nobody has anything to do.
    #[test]
    fn hosts_that_carry_resolutions_out_end_with_one_artifact(
        events in prop::collection::vec(event(), 0..40),
        merge: bool,
        branch: bool,
    ) {
        let apart = live(&events);
        for policy in policies() {
            let handling = Handling { policy, merge, branch };
            let (mut replicas, mut rounds) = (apart.clone(), 0);
            loop {
                heal(&mut replicas, &[0, 1, 2, 3]);
                let resolutions: Vec<Resolution> =
                    replicas.iter().zip(0..).map(|(replica, at)| replica.resolve(host(at), "8b", &handling)).collect();
                for (at, resolution) in resolutions.iter().enumerate() {
                    let replica = &mut replicas[at];
                    match resolution {
                        Resolution::UseLocal | Resolution::Manual | Resolution::Pending => {}
                        Resolution::UseRemote(winner) | Resolution::Branch { winner, .. } => {
                            let taken = replica.artifact(*winner).expect("a winner has the name").clone();
                            replica.say(host(at), replica.next_sequence(host(at)), Some(taken));
                        }
                        Resolution::Merge(merged) => {
                            // Its manifest is another; time goes on.
                            let manifest = merged.content();
                            let modified_unix_nanos = merged.modified_unix_nanos + 1;
                            write(replica, at, Artifact { digest: manifest, modified_unix_nanos, ..(**merged).clone() });
                        }
                    }
                }
                let is_done = |resolution: &Resolution| {
                    matches!(resolution, Resolution::UseLocal | Resolution::Manual | Resolution::Pending)
                };
                if resolutions.iter().all(is_done) {
                    let kept: Vec<_> = resolutions.iter().filter(|resolution| **resolution == Resolution::UseLocal).collect();
                    prop_assert!(kept.is_empty() || kept.len() == REPLICAS, "{:?}", resolutions);
                    let digests: std::collections::BTreeSet<Digest> =
                        replicas[0].artifacts().map(|(_, artifact)| artifact.digest).collect();
                    prop_assert!(kept.is_empty() || digests.len() == 1);
                    break;
                }
                rounds += 1;
                prop_assert!(rounds < 10, "{:?} never end", handling);
            }
        }
    }
}

#[test]
fn any_number_of_threads_comes_to_the_same_verdicts() {
    let registers: Vec<Register> = (0..1_000_u64)
        .map(|number| {
            let mut register = Register::default();
            for at in 0..(number % 5) as usize {
                let mixed = control::draw::mix(number * 5 + at as u64);
                let tag = format!("1.{}", mixed % 3);
                write(&mut register, at, artifact((mixed >> 8) as u8 % 3, 1, &tag, mixed >> 60));
            }
            register
        })
        .collect();
    let batch: Vec<&Register> = registers.iter().collect();
    for policy in policies() {
        let mut chain = Resolver::new(Implementation::Baseline, 0);
        let expected = chain.resolve(&Sequential, &batch, &policy, Epoch(0));
        for width in 1..=8 {
            let mut cached = Resolver::new(Implementation::Optimised, 400);
            for _ in 0..2 {
                assert_eq!(
                    cached.resolve(&Threads(width), &batch, &policy, Epoch(0)),
                    expected,
                    "{policy:?}"
                );
            }
        }
    }
}
