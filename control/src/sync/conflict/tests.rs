use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::sync::artifact::tests::{artifact, digest, host, plain};
use crate::sync::artifact::{Permission, VersionVector};
use crate::sync::version::Version;
use crate::units::Bytes;

fn changed(change: impl Fn(&mut Artifact)) -> Artifact {
    let mut artifact = plain(1);
    change(&mut artifact);
    artifact
}

#[test]
fn each_kind_of_conflict_is_told() {
    let other_weights =
        |artifact: &mut Artifact| (artifact.digest, artifact.weights) = (digest(2), digest(2));
    let cases = [
        (Kind::Checksum, changed(|artifact| artifact.weights = digest(2))),
        (Kind::Checksum, changed(|artifact| artifact.size = Bytes(99))),
        (
            Kind::Structural,
            changed(|artifact| {
                other_weights(artifact);
                artifact.details.parameters = 70;
            }),
        ),
        (
            Kind::Dependency,
            changed(|artifact| {
                other_weights(artifact);
                artifact.base = Some(digest(9));
            }),
        ),
        (
            Kind::Version,
            changed(|artifact| {
                other_weights(artifact);
                artifact.version = Version::of("1.0.1");
            }),
        ),
        (Kind::Content, changed(other_weights)),
        (Kind::Metadata, changed(|artifact| artifact.digest = digest(2))),
        (Kind::Metadata, changed(|artifact| artifact.settings = digest(2))),
        (Kind::Metadata, changed(|artifact| artifact.details.family = "qwen2".into())),
        (Kind::Permission, changed(|artifact| artifact.permission = Permission::Private)),
        (Kind::Timestamp, changed(|artifact| artifact.modified_unix_nanos = 2)),
    ];
    for (kind, artifact) in cases {
        assert_eq!(Kind::between(&plain(1), &artifact), Some(kind), "{artifact:?}");
    }
    assert_eq!(Kind::between(&plain(1), &changed(|artifact| artifact.version = Version::of("v1.0"))), None);
    assert!(Kind::ALL.is_sorted(), "the gravest first");
}

fn winner(policy: &Policy, artifacts: &[Artifact]) -> Option<usize> {
    let candidates: Vec<_> = artifacts
        .iter()
        .zip(0..)
        .map(|(artifact, id)| Candidate { origin: host(id), artifact, content: artifact.content() })
        .collect();
    let found = policy.choose(&candidates)?;
    candidates.iter().position(|candidate| candidate.origin == found.origin)
}

#[test]
fn each_policy_chooses_as_its_name_says() {
    let mut artifacts = vec![plain(1), plain(2), plain(3), plain(3)];
    for (artifact, (modified, tag)) in
        artifacts.iter_mut().zip([(5, "2.0.0-rc.1"), (1, "1.9"), (3, "1"), (2, "2")])
    {
        artifact.modified_unix_nanos = modified;
        artifact.version = Version::of(tag);
    }
    artifacts[1].size = Bytes(1_000);
    let mut vector = VersionVector::default();
    artifacts.iter_mut().zip(0..).for_each(|(artifact, id)| {
        vector.advance(host(id));
        artifact.vector = vector.clone();
    });
    let zone = BTreeMap::from([(host(1), 2), (host(2), 1)]);
    let custom = |preferences: &[Preference]| Policy::Custom(preferences.to_vec());
    let cases = [
        (Policy::LastWriter, Some(0)),
        (Policy::FirstWriter, Some(1)),
        (Policy::HighestVersion, Some(0)),
        (Policy::VersionVector, Some(3)),
        (Policy::Manual, None),
        (custom(&[Preference::Origin(host(2)), Preference::Newer]), Some(2)),
        (custom(&[Preference::Origin(host(9)), Preference::Newer]), Some(0)),
        (custom(&[Preference::Zone(zone)]), Some(2)),
        (custom(&[Preference::MoreReplicas, Preference::Older]), Some(3)),
        (custom(&[Preference::Smaller, Preference::HigherVersion]), Some(0)),
        (custom(&[Preference::Larger]), Some(1)),
    ];
    for (policy, expected) in cases {
        assert_eq!(winner(&policy, &artifacts), expected, "{policy:?}");
    }
    let most = winner(&Policy::Majority, &artifacts).map(|at| artifacts[at].digest);
    assert_eq!(most, Some(digest(3)));
    assert!(winner(&Policy::Manual, &artifacts[2..]).is_some(), "one manifest needs no decision");
    assert_eq!(winner(&Policy::LastWriter, &[]), None);
}

#[test]
fn ties_end_with_the_content() {
    let artifacts = [1, 2, 3].map(plain);
    let greatest = (0..3).max_by_key(|at| artifacts[*at].content());
    for policy in [
        Policy::LastWriter,
        Policy::FirstWriter,
        Policy::HighestVersion,
        Policy::VersionVector,
        Policy::Majority,
        Policy::Custom(Vec::new()),
    ] {
        assert_eq!(winner(&policy, &artifacts), greatest, "{policy:?}");
    }
    assert_eq!(winner(&Policy::Manual, &artifacts), None);
}

proptest! {
    #[test]
    fn a_conflict_is_the_same_from_either_side(ours in artifact(), theirs in artifact()) {
        let kind = Kind::between(&ours, &theirs);
        prop_assert_eq!(kind, Kind::between(&theirs, &ours));
        prop_assert_eq!(Kind::between(&ours, &ours), None);
        for graver in Kind::ALL.into_iter().filter(|graver| kind.is_none_or(|kind| *graver < kind)) {
            prop_assert!(!graver.holds(&ours, &theirs));
        }
    }
}
