use alloc::format;

use proptest::prelude::*;

use super::*;

fn digest(byte: u8) -> Digest {
    Digest([byte; 32])
}

fn both() -> [Contents; 2] {
    [Implementation::Optimised, Implementation::Baseline].map(Contents::new)
}

/// What is done to keys: 0 removes, all else writes; the key; the digest.
type Edits = Vec<(u8, u8, u8)>;

fn edits(most: usize) -> impl Strategy<Value = Edits> {
    // Enough keys that some share the first branches of their paths.
    prop::collection::vec((0u8..5, any::<u8>(), 0u8..3), 0..most)
}

fn apply(contents: &mut Contents, edits: &Edits) {
    for (operation, key, byte) in edits {
        let key = format!("model:{key}");
        if *operation == 0 {
            contents.remove(&key);
        } else {
            contents.set(&key, digest(*byte));
        }
    }
}

proptest! {
    #[test]
    fn tree_and_map_agree(edits in edits(250)) {
        let [mut merkle, mut listed] = both();
        for (operation, key, byte) in edits {
            let key = format!("model:{key}");
            if operation == 0 {
                prop_assert_eq!(merkle.remove(&key), listed.remove(&key));
            } else {
                prop_assert_eq!(merkle.set(&key, digest(byte)), listed.set(&key, digest(byte)));
            }
            prop_assert_eq!(merkle.len(), listed.len());
            prop_assert_eq!(merkle.is_empty(), listed.is_empty());
            for byte in 0..3 {
                let held = merkle.holds(&key, digest(byte));
                prop_assert_eq!(held, listed.holds(&key, digest(byte)));
                prop_assert_eq!(held, merkle.get(&key) == Some(digest(byte)));
            }
        }
        prop_assert_eq!(merkle.root(), listed.root());
        prop_assert!(merkle.in_order().eq(listed.in_order()));
        prop_assert!(listed.in_order().all(|(key, digest)| merkle.get(key) == Some(digest)));
        let bytes = postcard::to_allocvec(&merkle).unwrap();
        prop_assert_eq!(&bytes, &postcard::to_allocvec(&listed).unwrap());
        prop_assert!(postcard::from_bytes::<Contents>(&bytes).unwrap() == listed);
        let counters = merkle.counters();
        prop_assert_eq!(counters.asked, listed.counters().asked);
        prop_assert!(counters.turned_away + counters.false_positives <= counters.asked);
    }

    #[test]
    fn the_difference_of_trees_is_that_of_sets(shared in edits(200), ours in edits(40), theirs in edits(40)) {
        let [before, after] = [&ours, &theirs].map(|own| {
            both().map(|mut contents| {
                apply(&mut contents, &shared);
                apply(&mut contents, own);
                contents
            })
        });
        let (expected, _) = diff(&before[1], &after[1]);
        let (found, compared) = diff(&before[0], &after[0]);
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(&diff(&before[0], &after[1]).0, &expected, "a tree and a map");
        prop_assert_eq!(before[0].root() == after[0].root(), expected.is_empty());
        prop_assert_eq!(before[0].root() == after[1].root(), expected.is_empty());
        if expected.is_empty() {
            prop_assert!(compared.hashes <= 1);
        }
        let turned = |change| match change {
            Change::Added => Change::Removed,
            Change::Removed => Change::Added,
            Change::Changed => Change::Changed,
        };
        let back: Vec<_> = found
            .into_iter()
            .map(|difference| Difference { change: turned(difference.change), ..difference })
            .collect();
        prop_assert_eq!(diff(&after[0], &before[0]), (back, compared));
    }

    #[test]
    fn equal_sets_have_equal_roots_however_they_came(
        keys in prop::collection::btree_map(any::<u16>(), 0u8..3, 0..150),
        order in any::<u64>(),
        strangers in prop::collection::btree_set(any::<u16>(), 0..40),
    ) {
        let [mut one, mut other] = [0, 1].map(|_| Contents::new(Implementation::Optimised));
        for (key, byte) in &keys {
            one.set(&format!("{key}"), digest(*byte));
        }
        let mut turned: Vec<_> = keys.iter().collect();
        turned.sort_by_key(|(key, _)| crate::draw::mix(order ^ u64::from(**key)));
        strangers.iter().for_each(|key| { other.set(&format!("{key}"), digest(9)); });
        strangers.iter().filter(|key| !keys.contains_key(key)).for_each(|key| { other.remove(&format!("{key}")); });
        turned.iter().for_each(|(key, byte)| { other.set(&format!("{key}"), digest(**byte)); });
        prop_assert_eq!(one.root(), other.root());
        let empty = Contents::new(Implementation::Baseline).root();
        prop_assert_eq!(one.root() == empty, keys.is_empty());
    }
}

fn of_keys(keys: u32) -> Contents {
    let mut contents = Contents::new(Implementation::Optimised);
    (0..keys).for_each(|key| {
        contents.set(&format!("model:{key}"), digest(1));
    });
    contents
}

#[test]
fn few_changes_cost_few_hashes() {
    for (keys, hashes_max) in [(100, 60), (1_000, 80), (10_000, 90), (100_000, 110)] {
        let before = of_keys(keys);
        let mut after = before.clone();
        after.set("model:7", digest(2));
        let (found, compared) = diff(&before, &after);
        assert_eq!(found, [Difference { key: "model:7".into(), change: Change::Changed }]);
        assert!(compared.hashes <= hashes_max, "{compared:?} of {keys} keys");
        assert_eq!(compared.bytes(), 32 * compared.hashes);
    }
}

#[test]
fn a_filter_that_filled_up_with_changes_tells_apart_again() {
    let mut contents = of_keys(1_000);
    for round in 2..20 {
        (0..1_000).for_each(|key| {
            contents.set(&format!("model:{key}"), digest(round));
        });
    }
    assert!((0..1_000).all(|key| contents.holds(&format!("model:{key}"), digest(19))));
    assert_eq!(contents.counters().turned_away, 0);
    assert!(!(0..10_000).any(|stranger| contents.holds(&format!("stranger:{stranger}"), digest(19))));
    let counters = contents.counters();
    assert_eq!(counters.turned_away + counters.false_positives, 10_000);
    assert!(counters.false_positives <= 200, "{counters:?}");
}

#[test]
fn what_a_hash_is_of_and_where_a_child_stands_count() {
    let zeros = [0; 32];
    let text = core::str::from_utf8(&[0; 64]).unwrap();
    assert_ne!(leaf_hash(&zeros, Digest(zeros)), path(text), "the same bytes, but for the first");
    let (first, second) = ([Some(&zeros), None], [None, Some(&zeros)]);
    assert_ne!(inner_hash(first.into_iter()), inner_hash(second.into_iter()));
}

#[test]
fn a_list_with_a_key_twice_is_an_error() {
    let entry = ("llama", digest(1));
    assert!(postcard::from_bytes::<Contents>(&postcard::to_allocvec(&[entry].to_vec()).unwrap()).is_ok());
    assert!(
        postcard::from_bytes::<Contents>(&postcard::to_allocvec(&[entry, entry].to_vec()).unwrap()).is_err()
    );
}
