use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn record(at: u64, request: u64, value: u32) -> Record<u32> {
    Record { at: Instant(at), request: RequestId(request), value }
}

/// Few times, so that they tie and come in any order, with the ends of their range.
fn time() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0u64..6, 1 => Just(u64::MAX), 1 => Just(u64::MAX - 1)]
}

fn request() -> impl Strategy<Value = u64> {
    prop_oneof![5 => 0u64..5, 1 => Just(u64::MAX)]
}

proptest! {
    #[test]
    fn ring_and_list_agree(
        capacity in 0u32..9,
        records in prop::collection::vec((time(), request()), 0..60),
        range in (time(), time()),
        count in 0usize..12,
        written in 0u32..60,
    ) {
        let mut ring = History::new(Implementation::Optimised, capacity);
        let mut list = History::new(Implementation::Baseline, capacity);
        for (value, (at, request)) in (0u32..).zip(records) {
            ring.insert(record(at, request, value));
            list.insert(record(at, request, value));
            if value == written {
                let bytes = postcard::to_allocvec(&ring).unwrap();
                prop_assert_eq!(&bytes, &postcard::to_allocvec(&list).unwrap());
                let read: History<u32> = postcard::from_bytes(&bytes).unwrap();
                prop_assert_eq!(&read, &list);
                // From here on with what was read, whose ring begins anew.
                ring = read;
            }
            prop_assert_eq!(ring.len(), list.len());
            prop_assert_eq!(ring.is_empty(), list.is_empty());
            prop_assert!(ring.iter().eq(list.iter()));
            prop_assert!(ring.newest(count).eq(list.newest(count)));
            for (from, to) in [range, (range.1, range.0), (0, u64::MAX), (2, 4)] {
                let times = Instant(from)..Instant(to);
                let found: Vec<_> = ring.between(times.clone()).collect();
                prop_assert_eq!(found, list.between(times).collect::<Vec<_>>());
            }
            for request in [0, 1, 2, 3, 4, 5, u64::MAX].map(RequestId) {
                let found: Vec<_> = ring.of(request).collect();
                prop_assert_eq!(found, list.of(request).collect::<Vec<_>>());
            }
            if let History::Optimised(ring) = &ring {
                let requests: BTreeSet<RequestId> = ring.iter().map(|record| record.request).collect();
                prop_assert_eq!(ring.index_lens(), (ring.len(), requests.len()), "what goes leaves the indexes");
            }
        }
    }
}

#[test]
fn records_that_come_late_are_found_by_time_and_leave_by_insertion() {
    for implementation in [Implementation::Optimised, Implementation::Baseline] {
        let mut history = History::new(implementation, 3);
        for (value, (at, request)) in (0..).zip([(30, 1), (10, 2), (20, 1), (20, 0)]) {
            history.insert(record(at, request, value));
        }
        let values =
            |records: Vec<&Record<u32>>| records.into_iter().map(|record| record.value).collect::<Vec<_>>();
        assert_eq!(values(history.between(Instant(10)..Instant(30)).collect()), [1, 3, 2]);
        assert_eq!(values(history.of(RequestId(1)).collect()), [2]);
        assert_eq!(values(history.newest(2).collect()), [3, 2]);
    }
}

#[test]
fn a_content_beyond_its_capacity_is_an_error() {
    let content = Content { capacity: 1, records: vec![record(1, 1, 1), record(2, 2, 2)] };
    let bytes = postcard::to_allocvec(&content).unwrap();
    assert!(postcard::from_bytes::<History<u32>>(&bytes).is_err());
}
