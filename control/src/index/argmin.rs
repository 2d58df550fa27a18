//! The host with the least score, evaluated in chunks by an executor.
//!
//! Scores are reduced by (score, id), so that neither how many chunks there are, nor which is done first, nor who does it can
//! change the answer. What threads there are is known to the driver alone: it hands in an [`Executor`].

use crate::ids::HostId;

/// Chunks at most, however wide an executor is.
const CHUNKS_MAX: usize = 64;

/// A score and the host that has it.
pub type Scored = (u128, u32);

/// Evaluates chunks, perhaps at the same time.
pub trait Executor: Sync {
    /// How many chunks it evaluates at the same time.
    fn width(&self) -> usize;

    /// Writes `score(chunk)` into `into[chunk]` for each chunk below `chunks`, in any order.
    fn map(
        &self,
        chunks: usize,
        score: &(dyn Fn(usize) -> Option<Scored> + Sync),
        into: &mut [Option<Scored>],
    );
}

/// One chunk after the other, here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sequential;

impl Executor for Sequential {
    fn width(&self) -> usize {
        1
    }

    fn map(
        &self,
        chunks: usize,
        score: &(dyn Fn(usize) -> Option<Scored> + Sync),
        into: &mut [Option<Scored>],
    ) {
        into.iter_mut().zip(0..chunks).for_each(|(into, chunk)| *into = score(chunk));
    }
}

/// The host with the least score, the lower id of two; hosts without a score are left out. Below `threshold` hosts, the
/// executor is not asked.
///
/// With n hosts and p threads: O(n / p + p).
#[must_use]
pub fn least(
    executor: &(impl Executor + ?Sized),
    hosts: &[HostId],
    threshold: usize,
    score: impl Fn(HostId) -> Option<u128> + Sync,
) -> Option<HostId> {
    let chunks = executor.width().min(CHUNKS_MAX).min(hosts.len());
    let least_of = |hosts: &[HostId]| hosts.iter().filter_map(|host| Some((score(*host)?, host.0))).min();
    let found = if chunks <= 1 || hosts.len() < threshold {
        least_of(hosts)
    } else {
        let chunk =
            |chunk: usize| least_of(&hosts[hosts.len() * chunk / chunks..hosts.len() * (chunk + 1) / chunks]);
        let mut into = [None; CHUNKS_MAX];
        executor.map(chunks, &chunk, &mut into[..chunks]);
        into.into_iter().flatten().min()
    };
    found.map(|(_, host)| HostId(host))
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
pub(crate) mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// The last chunk first, so many at a time.
    pub(crate) struct Reversed(pub(crate) usize);

    impl Executor for Reversed {
        fn width(&self) -> usize {
            self.0
        }

        fn map(
            &self,
            chunks: usize,
            score: &(dyn Fn(usize) -> Option<Scored> + Sync),
            into: &mut [Option<Scored>],
        ) {
            assert_eq!(into.len(), chunks, "there is a place for each chunk");
            (0..chunks).rev().for_each(|chunk| into[chunk] = score(chunk));
        }
    }

    /// None is asked.
    struct Unasked;

    impl Executor for Unasked {
        fn width(&self) -> usize {
            8
        }

        fn map(&self, _: usize, _: &(dyn Fn(usize) -> Option<Scored> + Sync), _: &mut [Option<Scored>]) {
            panic!("too few hosts to ask an executor");
        }
    }

    fn scores() -> impl Strategy<Value = Vec<Option<u128>>> {
        let score = prop_oneof![6 => 0u128..4, 1 => Just(u128::MAX)];
        prop::collection::vec(prop::option::weighted(0.8, score), 0..150)
    }

    proptest! {
        #[test]
        fn any_number_of_chunks_finds_what_a_sort_finds(
            scores in scores(),
            order in any::<u64>(),
            width in 0usize..100,
        ) {
            // Not in order of id.
            let mut hosts: Vec<HostId> = (0..scores.len() as u32).map(HostId).collect();
            hosts.sort_by_key(|host| crate::draw::mix(order ^ u64::from(host.0)));
            let score = |host: HostId| scores[host.index()];
            let mut sorted: Vec<(u128, HostId)> =
                hosts.iter().filter_map(|host| Some((score(*host)?, *host))).collect();
            sorted.sort();
            let first = sorted.first().map(|(_, host)| *host);

            prop_assert_eq!(least(&Sequential, &hosts, 0, score), first);
            for threshold in [0, scores.len()] {
                prop_assert_eq!(least(&Reversed(width), &hosts, threshold, score), first);
            }
            prop_assert_eq!(least(&Unasked, &hosts, scores.len() + 1, score), first);
        }
    }

    #[test]
    fn every_width_finds_the_lowest_id_of_a_tie() {
        let hosts: Vec<HostId> = (0..100).rev().map(HostId).collect();
        for width in 1..=100 {
            let score = |host: HostId| Some(u128::from(host.0 % 10 != 7));
            assert_eq!(least(&Reversed(width), &hosts, 0, score), Some(HostId(7)));
        }
    }
}
