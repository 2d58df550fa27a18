use alloc::format;
use alloc::vec;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn hashed_and_listed_agree(operations in prop::collection::vec((0u8..4, "[ab\0]{0,3}|[a-c]{7,9}"), 0..200)) {
        let mut hashed = Vocabulary::new(Implementation::Optimised);
        let mut listed = Vocabulary::new(Implementation::Baseline);
        let (mut asked, mut absent) = (0, 0);
        for (operation, name) in operations {
            match operation {
                0 | 1 => prop_assert_eq!(hashed.intern(&name), listed.intern(&name)),
                2 => {
                    let found = hashed.find(&name);
                    prop_assert_eq!(found, listed.find(&name));
                    asked += 1;
                    absent += u64::from(found.is_none());
                }
                _ => {
                    let bytes = postcard::to_allocvec(&hashed).unwrap();
                    prop_assert_eq!(&bytes, &postcard::to_allocvec(&listed).unwrap());
                    prop_assert!(postcard::from_bytes::<Vocabulary>(&bytes).unwrap() == listed);
                }
            }
            prop_assert_eq!(hashed.peek(&name), listed.peek(&name));
            prop_assert_eq!(hashed.len(), listed.len());
            prop_assert!(hashed == listed);
            for (id, name) in (0..).zip(listed.names()) {
                prop_assert_eq!(hashed.name(id), Some(name));
                prop_assert_eq!(hashed.peek(name), Some(id), "no known name is turned away");
            }
            prop_assert_eq!(hashed.name(hashed.len() as u32), None);
            let counters = hashed.counters();
            prop_assert_eq!(counters.asked, asked);
            prop_assert_eq!(counters.turned_away + counters.false_positives, absent);
            prop_assert_eq!(listed.counters(), FilterCounters { asked, ..FilterCounters::default() });
        }
    }
}

#[test]
fn the_filter_turns_most_strangers_away_at_any_size() {
    for names in [10, 64, 65, 1_000, 5_000] {
        let mut vocabulary = Vocabulary::new(Implementation::Optimised);
        (0..names).for_each(|name| assert_eq!(vocabulary.intern(&format!("model:{name}")), name));
        for name in 0..names {
            assert_eq!(vocabulary.find(&format!("model:{name}")), Some(name));
        }
        assert_eq!(vocabulary.counters().turned_away, 0);
        for stranger in 0..20_000 {
            assert_eq!(vocabulary.find(&format!("stranger:{stranger}")), None);
        }
        let counters = vocabulary.counters();
        assert_eq!(counters.turned_away + counters.false_positives, 20_000);
        assert!(counters.false_positives <= 2 * 200, "{counters:?} with {names} names");
    }
}

#[test]
fn a_list_with_a_name_twice_is_an_error() {
    let bytes = postcard::to_allocvec(&vec!["a", "b", "a"]).unwrap();
    assert!(postcard::from_bytes::<Vocabulary>(&bytes).is_err());
}
