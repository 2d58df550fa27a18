//! The least score is the same on threads. Here, since `control` itself is built without them.

use control::ids::HostId;
use control::index::argmin::{Executor, Scored, Sequential, least, least_k};
use proptest::prelude::*;

/// So many threads, each with its share of the chunks.
struct Threads(usize);

impl Executor for Threads {
    fn width(&self) -> usize {
        self.0
    }

    fn map(
        &self,
        chunks: usize,
        score: &(dyn Fn(usize) -> Option<Scored> + Sync),
        into: &mut [Option<Scored>],
    ) {
        let share = chunks.div_ceil(self.0).max(1);
        std::thread::scope(|scope| {
            for (thread, into) in into.chunks_mut(share).enumerate() {
                scope.spawn(move || {
                    into.iter_mut().zip(thread * share..).for_each(|(into, chunk)| *into = score(chunk));
                });
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_number_of_threads_finds_what_one_finds(
        scores in prop::collection::vec(prop::option::weighted(0.9, 0u128..5), 0..80),
        count in 0usize..90,
    ) {
        let hosts: Vec<HostId> = (0..scores.len() as u32).rev().map(HostId).collect();
        let score = |host: HostId| scores[host.index()];
        for width in 1..=8 {
            let threads = Threads(width);
            prop_assert_eq!(least(&threads, &hosts, 0, score), least(&Sequential, &hosts, 0, score));
            prop_assert_eq!(
                least_k(&threads, &hosts, 0, count, score),
                least_k(&Sequential, &hosts, 0, count, score)
            );
        }
    }
}
