use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

pub(crate) fn digest(byte: u8) -> Digest {
    Digest([byte; 32])
}

pub(crate) fn host(id: u32) -> Origin {
    Origin::Host(HostId(id))
}

/// An artifact that differs from all others of another number, but for what a test sets.
pub(crate) fn plain(number: u8) -> Artifact {
    Artifact {
        digest: digest(number),
        weights: digest(number),
        details: Details { family: "llama".into(), parameters: 8, quantisation: "Q4_K_M".into() },
        settings: Digest::UNKNOWN,
        base: None,
        version: Version::of("1.0.0"),
        modified_unix_nanos: 1,
        vector: VersionVector::default(),
        size: Bytes(100),
        permission: Permission::Open,
    }
}

pub(crate) fn origin() -> impl Strategy<Value = Origin> {
    (0u32..4).prop_map(|id| if id == 0 { Origin::Catalogue } else { host(id - 1) })
}

fn vector() -> impl Strategy<Value = VersionVector> {
    prop::collection::btree_map(origin(), 0u64..3, 0..4).prop_map(VersionVector::from)
}

/// Artifacts of few values, so that many share some.
pub(crate) fn artifact() -> impl Strategy<Value = Artifact> {
    let details = ("(llama)?", 0u64..2, "(Q4_0|Q4_K_M)?").prop_map(|(family, parameters, quantisation)| {
        Details { family: family.into(), parameters, quantisation: quantisation.into() }
    });
    let permission =
        prop_oneof![Just(Permission::Open), Just(Permission::ReadOnly), Just(Permission::Private)];
    let what = (0u8..3, 0u8..2, details, 0u8..2, prop::option::of(0u8..2));
    (what, "1\\.0(\\.0)?|1\\.1|v2", 0u64..3, vector(), 0u64..2, permission).prop_map(
        |(
            (manifest, weights, details, settings, base),
            tag,
            modified_unix_nanos,
            vector,
            size,
            permission,
        )| {
            Artifact {
                digest: digest(manifest),
                weights: digest(weights),
                details,
                settings: digest(settings),
                base: base.map(digest),
                version: Version::of(&tag),
                modified_unix_nanos,
                vector,
                size: Bytes(size),
                permission,
            }
        },
    )
}

proptest! {
    #[test]
    fn joining_does_not_depend_on_order_or_repetition(a in artifact(), b in artifact(), c in artifact()) {
        let join = |ours: &Artifact, theirs: &Artifact| ours.clone().join(theirs);
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(join(&a, &a), a.clone());
        prop_assert_eq!(join(&join(&a, &b), &b), join(&a, &b));
        prop_assert!(a.vector <= join(&a, &b).vector);
    }

    #[test]
    fn vectors_are_ordered_by_knowledge(a in vector(), b in vector(), c in vector()) {
        prop_assert_eq!(a.partial_cmp(&b), b.partial_cmp(&a).map(Ordering::reverse));
        prop_assert_eq!(a.partial_cmp(&b) == Some(Ordering::Equal), a == b);
        prop_assert_eq!(a.is_concurrent(&b), b.is_concurrent(&a));
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        let mut later = a.clone();
        later.join(&b);
        prop_assert!(a <= later && b <= later);
        later.advance(Origin::Catalogue);
        prop_assert!(a < later && b < later && !later.is_concurrent(&a));
    }

    #[test]
    fn content_is_the_same_where_artifacts_are(a in artifact(), b in artifact()) {
        prop_assert_eq!(a.content() == b.content(), a == b);
        let bytes = postcard::to_allocvec(&a).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Artifact>(&bytes).unwrap(), a);
    }
}

#[test]
fn what_is_known_wins_over_what_is_not() {
    let (mut known, mut unknown) = (plain(1), plain(1));
    unknown.details = Details::default();
    (known.settings, known.base) = (digest(7), Some(digest(8)));
    let joined = unknown.clone().join(&known);
    assert_eq!((joined.details, joined.settings, joined.base), (known.details, digest(7), Some(digest(8))));
}

#[test]
fn writers_that_knew_not_of_each_other_are_concurrent() {
    let mut first = VersionVector::default();
    first.advance(host(0));
    let (mut ours, mut theirs) = (first.clone(), first.clone());
    ours.advance(host(1));
    theirs.advance(host(2));
    assert!(first < ours && first < theirs);
    assert!(ours.is_concurrent(&theirs));
    assert_eq!(ours.partial_cmp(&theirs), None);
    let writes: Vec<u64> = (0..4).map(|id| ours.writes(host(id))).collect();
    assert_eq!(writes, [1, 1, 0, 0]);
}
