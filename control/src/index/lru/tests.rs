use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Get(u64),
    Peek(u64),
    Put(u64),
    Remove(u64),
    /// Time passes.
    Pass(u64),
    /// The clock is set.
    Set(u64),
    WriteAndRead,
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = || prop_oneof![9 => 0u64..9, 1 => Just(u64::MAX)];
    prop_oneof![
        6 => key().prop_map(Operation::Get),
        2 => key().prop_map(Operation::Peek),
        6 => key().prop_map(Operation::Put),
        2 => key().prop_map(Operation::Remove),
        3 => (0u64..3).prop_map(Operation::Pass),
        1 => prop_oneof![Just(0), Just(u64::MAX - 1), Just(u64::MAX)].prop_map(Operation::Set),
        1 => Just(Operation::WriteAndRead),
    ]
}

proptest! {
    #[test]
    fn linked_and_scanned_agree(
        capacity in 0u32..8,
        ttl in prop_oneof![Just(None), (0u64..6).prop_map(Some), Just(Some(u64::MAX))],
        operations in prop::collection::vec(operation(), 0..200),
    ) {
        let limits = Limits { capacity, ttl: ttl.map(Nanos) };
        let mut linked = Lru::new(Implementation::Optimised, limits);
        let mut scanned = Lru::new(Implementation::Baseline, limits);
        let (mut now, mut gets) = (Instant::ZERO, 0);
        for (value, operation) in (0u32..).zip(operations) {
            match operation {
                Operation::Get(key) => {
                    gets += 1;
                    let (found, expected) = (linked.get(key, now), scanned.get(key, now));
                    prop_assert_eq!(&found, &expected);
                    if let (Some(found), Some(expected)) = (found, expected) {
                        (*found, *expected) = (value, value);
                    }
                }
                Operation::Peek(key) => prop_assert_eq!(linked.peek(key, now), scanned.peek(key, now)),
                Operation::Put(key) => {
                    linked.put(key, value, now);
                    scanned.put(key, value, now);
                }
                Operation::Remove(key) => prop_assert_eq!(linked.remove(key), scanned.remove(key)),
                Operation::Pass(nanos) => now = now.saturating_add(Nanos(nanos)),
                Operation::Set(nanos) => now = Instant(nanos),
                Operation::WriteAndRead => {
                    let bytes = postcard::to_allocvec(&linked).unwrap();
                    prop_assert_eq!(&bytes, &postcard::to_allocvec(&scanned).unwrap());
                    linked = postcard::from_bytes(&bytes).unwrap();
                }
            }
            prop_assert!(linked == scanned, "{:?} and {:?}", linked, scanned);
            prop_assert_eq!(linked.len(), scanned.len());
            prop_assert!(linked.len() <= capacity as usize);
            prop_assert!(linked.iter(now).eq(scanned.iter(now)));
            let counters = linked.counters();
            prop_assert_eq!(counters.hits + counters.misses, gets);
        }
    }
}

fn both(limits: Limits, check: impl Fn(Lru<&'static str>)) {
    for implementation in [Implementation::Optimised, Implementation::Baseline] {
        check(Lru::new(implementation, limits));
    }
}

#[test]
fn what_was_not_used_for_longest_goes() {
    both(Limits { capacity: 2, ttl: None }, |mut lru| {
        lru.put(1, "one", Instant(0));
        lru.put(2, "two", Instant(1));
        assert_eq!(lru.get(1, Instant(2)), Some(&mut "one"));
        assert_eq!(lru.peek(2, Instant(3)), Some(&"two"), "a peek is no use");
        lru.put(3, "three", Instant(4));
        assert_eq!(lru.iter(Instant(5)).collect::<Vec<_>>(), [(1, &"one"), (3, &"three")]);
        assert_eq!(lru.counters(), Counters { hits: 1, misses: 0, evictions: 1, expirations: 0 });
    });
}

#[test]
fn a_value_expires_after_its_last_writing_and_not_after_its_last_use() {
    both(Limits { capacity: 2, ttl: Some(Nanos(10)) }, |mut lru| {
        lru.put(1, "one", Instant(0));
        assert_eq!(lru.get(1, Instant(9)), Some(&mut "one"));
        assert_eq!(lru.peek(1, Instant(10)), None);
        assert_eq!(lru.len(), 1, "a peek removes nothing");
        assert_eq!(lru.get(1, Instant(10)), None);
        assert_eq!(lru.len(), 0);
        lru.put(1, "again", Instant(10));
        lru.put(1, "and again", Instant(19));
        assert_eq!(lru.get(1, Instant(28)), Some(&mut "and again"));
        assert_eq!(lru.counters(), Counters { hits: 2, misses: 1, evictions: 0, expirations: 1 });
    });
}

#[test]
fn a_content_that_no_cache_can_have_is_an_error() {
    for (capacity, entries) in [
        (1, vec![(1, Instant(1), 1u32), (2, Instant(1), 2)]),
        (2, vec![(1, Instant(1), 1), (1, Instant(1), 2)]),
        (0, vec![(1, Instant(1), 1)]),
    ] {
        let limits = Limits { capacity, ttl: None };
        let bytes =
            postcard::to_allocvec(&Content { limits, counters: Counters::default(), entries }).unwrap();
        assert!(postcard::from_bytes::<Lru<u32>>(&bytes).is_err());
    }
}
