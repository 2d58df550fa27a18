use alloc::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::sync::artifact::Permission;
use crate::sync::artifact::tests::{artifact, digest, host, origin, plain};

/// What a replica hears.
#[derive(Clone, Debug)]
enum Heard {
    Said(Origin, u64, Option<Box<Artifact>>),
    Decided(Decision),
}

fn heard() -> impl Strategy<Value = Vec<Heard>> {
    let said = (origin(), 0u64..3, prop::option::weighted(0.8, artifact()));
    let decided = (0u64..3, prop::option::of((0u8..4).prop_map(digest)));
    let one = prop_oneof![
        6 => said.prop_map(|(origin, sequence, artifact)| Heard::Said(origin, sequence, artifact.map(Box::new))),
        1 => decided.prop_map(|(number, keep)| Heard::Decided(Decision { number, keep })),
    ];
    prop::collection::vec(one, 0..12)
}

fn register<'a>(heard: impl IntoIterator<Item = &'a Heard>) -> Register {
    let mut register = Register::default();
    for heard in heard {
        match heard.clone() {
            Heard::Said(origin, sequence, artifact) => {
                register.say(origin, sequence, artifact.map(|artifact| *artifact))
            }
            Heard::Decided(decision) => register.decide(decision),
        };
    }
    register
}

fn policies() -> [Policy; 9] {
    use crate::sync::conflict::Preference::{HigherVersion, MoreReplicas, Older, Smaller, Zone};
    [
        Policy::LastWriter,
        Policy::FirstWriter,
        Policy::VersionVector,
        Policy::HighestVersion,
        Policy::Majority,
        Policy::Custom(Vec::new()),
        Policy::Custom([MoreReplicas, HigherVersion, Older].into()),
        Policy::Custom([Smaller, Zone([(host(1), 1), (Origin::Catalogue, 2)].into())].into()),
        Policy::Manual,
    ]
}

proptest! {
    #[test]
    fn merging_does_not_depend_on_order_or_repetition(a in heard(), b in heard(), c in heard()) {
        let merge = |ours: &Register, theirs: &Register| {
            let mut merged = ours.clone();
            assert_eq!(merged.merge(theirs), merged != *ours, "a change is told");
            merged
        };
        let all = register(a.iter().chain(&b).chain(&c));
        let [a, b, c] = [a, b, c].map(|heard| register(&heard));
        prop_assert_eq!(merge(&a, &b), merge(&b, &a));
        prop_assert_eq!(merge(&merge(&a, &b), &c), merge(&a, &merge(&b, &c)));
        prop_assert_eq!(merge(&a, &a), a.clone());
        prop_assert_eq!(merge(&merge(&a, &b), &c), all, "one that heard it all itself");
    }

    #[test]
    fn content_tells_registers_apart_and_survives_writing(a in heard(), b in heard()) {
        let [a, b] = [a, b].map(|heard| register(&heard));
        let parts = |register: &Register| (register.said.clone(), register.decision);
        prop_assert_eq!(a.content() == b.content(), parts(&a) == parts(&b));
        let bytes = postcard::to_allocvec(&a).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Register>(&bytes).unwrap(), a);
    }

    #[test]
    fn the_winner_is_one_that_has_the_name(heard in heard()) {
        let register = register(&heard);
        for policy in policies() {
            match register.winner(&policy) {
                Verdict::Winner(origin) => {
                    let winner = register.artifact(origin).expect("a winner has the name");
                    if let Some(keep) = register.decision().keep {
                        let held = register.artifacts().any(|(_, artifact)| artifact.digest == keep);
                        prop_assert!(!held || winner.digest == keep, "an operator decided otherwise");
                    }
                }
                Verdict::Nobody => prop_assert_eq!(register.artifacts().count(), 0),
                Verdict::Undecided => {
                    prop_assert_eq!(&policy, &Policy::Manual);
                    let digests: BTreeSet<_> =
                        register.artifacts().map(|(_, artifact)| artifact.digest).collect();
                    prop_assert!(digests.len() > 1 && register.decision().keep.is_none());
                }
                Verdict::Awaited => {
                    prop_assert_eq!(&policy, &Policy::Manual);
                    let keep = register.decision().keep.expect("something was decided");
                    prop_assert!(register.artifacts().all(|(_, artifact)| artifact.digest != keep));
                }
            }
        }
    }

    #[test]
    fn replicas_of_a_pair_come_to_one_winner(ours in artifact(), theirs in artifact()) {
        let mut here = Register::default();
        here.say(host(0), 0, Some(ours.clone()));
        let mut there = Register::default();
        there.say(host(1), 0, Some(theirs.clone()));
        let (before_here, before_there) = (here.clone(), there.clone());
        here.merge(&before_there);
        there.merge(&before_here);
        for policy in policies() {
            prop_assert_eq!(here.winner(&policy), there.winner(&policy));
            for (merge, branch) in [(false, false), (false, true), (true, false), (true, true)] {
                let handling = Handling { policy: policy.clone(), merge, branch };
                let resolutions =
                    (here.resolve(host(0), "8b", &handling), there.resolve(host(1), "8b", &handling));
                match &resolutions {
                    (Resolution::Merge(ours), Resolution::Merge(theirs)) => prop_assert_eq!(ours, theirs),
                    (Resolution::Manual, Resolution::Manual) => prop_assert_eq!(&policy, &Policy::Manual),
                    (Resolution::UseLocal, Resolution::UseLocal) => {
                        let kind = Kind::between(&ours, &theirs);
                        prop_assert!(matches!(kind, None | Some(Kind::Timestamp)));
                    }
                    (Resolution::UseLocal, Resolution::UseRemote(winner)) => prop_assert_eq!(*winner, host(0)),
                    (Resolution::UseRemote(winner), Resolution::UseLocal) => prop_assert_eq!(*winner, host(1)),
                    (Resolution::UseLocal, Resolution::Branch { winner, .. }) => {
                        prop_assert!(branch && *winner == host(0) && ours.weights != theirs.weights);
                    }
                    (Resolution::Branch { winner, .. }, Resolution::UseLocal) => {
                        prop_assert!(branch && *winner == host(1) && ours.weights != theirs.weights);
                    }
                    _ => prop_assert!(false, "{:?}", resolutions),
                }
            }
        }
    }
}

fn two(ours: Artifact, theirs: Artifact) -> Register {
    let mut register = Register::default();
    register.say(host(0), 0, Some(ours));
    register.say(host(1), 0, Some(theirs));
    register
}

#[test]
fn what_loses_is_kept_under_another_tag() {
    let (ours, mut theirs) = (plain(1), plain(2));
    theirs.modified_unix_nanos = 9;
    let register = two(ours, theirs);
    let handling = Handling { branch: true, ..Handling::default() };
    let branch = Resolution::Branch { tag: "8b-010101010101".into(), winner: host(1) };
    assert_eq!(register.resolve(host(0), "8b", &handling), branch);
    assert_eq!(register.resolve(host(0), "8b", &Handling::default()), Resolution::UseRemote(host(1)));
    assert_eq!(register.resolve(host(1), "8b", &handling), Resolution::UseLocal);
    assert_eq!(register.resolve(host(2), "8b", &handling), Resolution::UseRemote(host(1)));
}

#[test]
fn metadata_of_the_same_weights_is_merged_where_writers_knew_not_of_each_other() {
    let (mut ours, mut theirs) = (plain(1), plain(2));
    theirs.weights = ours.weights;
    ours.settings = digest(7);
    theirs.permission = Permission::Private;
    theirs.details.family = "".into();
    let handling = Handling { merge: true, ..Handling::default() };
    let register = two(ours.clone(), theirs.clone());
    let merged = Resolution::Merge(Box::new(ours.clone().join(&theirs)));
    assert_eq!(register.resolve(host(0), "8b", &handling), merged);
    assert_eq!(register.resolve(host(1), "8b", &handling), merged);
    assert_eq!(register.resolve(host(2), "8b", &handling), register.resolve(host(3), "8b", &handling));

    let mut decided = register.clone();
    decided.decide(Decision { number: 1, keep: Some(ours.digest) });
    assert_eq!(decided.resolve(host(1), "8b", &handling), Resolution::UseRemote(host(0)));

    ours.vector.advance(host(0));
    ours.modified_unix_nanos = 9;
    let register = two(ours, theirs);
    assert_eq!(register.resolve(host(1), "8b", &handling), Resolution::UseRemote(host(0)), "the winner knew");
}

#[test]
fn an_operator_decides_until_it_is_withdrawn() {
    let handling = Handling { policy: Policy::Manual, merge: true, branch: false };
    let mut register = two(plain(1), plain(2));
    let resolved = |register: &Register| register.resolve(host(0), "8b", &handling);
    assert_eq!(resolved(&register), Resolution::Manual);
    assert!(register.decide(Decision { number: 1, keep: Some(digest(1)) }));
    assert_eq!(resolved(&register), Resolution::UseLocal);
    assert!(register.decide(Decision { number: 2, keep: Some(digest(3)) }));
    assert_eq!(resolved(&register), Resolution::Pending, "nobody is known to have it");
    assert!(!register.decide(Decision { number: 1, keep: Some(digest(2)) }), "an earlier one");
    register.say(host(2), 0, Some(plain(3)));
    assert_eq!(resolved(&register), Resolution::UseRemote(host(2)));
    assert!(register.decide(Decision { number: 3, keep: None }));
    assert_eq!(resolved(&register), Resolution::Manual);
    assert_eq!(Register::default().resolve(host(0), "8b", &handling), Resolution::Pending);
}

#[test]
fn what_a_host_has_no_longer_does_not_win() {
    let mut register = two(plain(1), plain(2));
    let Verdict::Winner(winner) = register.winner(&Policy::LastWriter) else { panic!("there are two") };
    assert!(register.say(winner, register.next_sequence(winner), None));
    let other = if winner == host(0) { host(1) } else { host(0) };
    assert_eq!(register.winner(&Policy::LastWriter), Verdict::Winner(other));
    assert!(!register.say(winner, 0, Some(plain(5))), "an earlier statement comes late");
    assert!(register.say(other, 1, None));
    assert_eq!(register.winner(&Policy::LastWriter), Verdict::Nobody);
}

#[test]
fn a_damaged_copy_is_replaced_and_not_kept() {
    let mut ours = plain(1);
    ours.weights = digest(9);
    let mut register = two(ours, plain(1));
    register.decide(Decision { number: 1, keep: Some(digest(1)) });
    let Verdict::Winner(winner) = register.winner(&Policy::Majority) else {
        panic!("both have the manifest")
    };
    let loser = if winner == host(0) { host(1) } else { host(0) };
    let handling = Handling { policy: Policy::Majority, merge: true, branch: true };
    assert_eq!(register.resolve(loser, "8b", &handling), Resolution::UseRemote(winner));
}
