//! The least score is the same on threads. Here, since `control` itself is built without them.

#[path = "common/threads.rs"]
mod threads;

use control::ids::HostId;
use control::index::argmin::{Sequential, least};
use proptest::prelude::*;
use threads::Threads;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_number_of_threads_finds_what_one_finds(
        scores in prop::collection::vec(prop::option::weighted(0.9, 0u128..5), 0..80),
    ) {
        let hosts: Vec<HostId> = (0..scores.len() as u32).rev().map(HostId).collect();
        let score = |host: HostId| scores[host.index()];
        for width in 1..=8 {
            let threads = Threads(width);
            prop_assert_eq!(least(&threads, &hosts, 0, score), least(&Sequential, &hosts, 0, score));
        }
    }
}
