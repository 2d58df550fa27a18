//! Hosts of a large fleet evaluated by several threads: control's executor over rayon's pool. What is decided does not depend on it.

use control::index::argmin::{Executor, Scored};
use rayon::prelude::*;

/// A pool of threads of its own.
pub(super) struct Pool(rayon::ThreadPool);

impl Pool {
    /// So many threads.
    ///
    /// # Errors
    /// Where the system gives none.
    pub(super) fn new(threads: u32) -> Result<Self, rayon::ThreadPoolBuildError> {
        rayon::ThreadPoolBuilder::new().num_threads(threads as usize).build().map(Self)
    }
}

impl Executor for Pool {
    fn width(&self) -> usize {
        self.0.current_num_threads()
    }

    fn map(
        &self,
        chunks: usize,
        score: &(dyn Fn(usize) -> Option<Scored> + Sync),
        into: &mut [Option<Scored>],
    ) {
        let evaluate = || {
            into[..chunks].par_iter_mut().enumerate().for_each(|(chunk, into)| *into = score(chunk));
        };
        self.0.install(evaluate);
    }
}

#[cfg(test)]
mod tests {
    use control::ids::HostId;
    use control::index::argmin::{Sequential, least};

    use super::*;

    #[test]
    fn any_number_of_threads_finds_the_same_host() {
        let hosts: Vec<HostId> = (0..5_000).map(HostId).collect();
        let score = |host: HostId| (!host.0.is_multiple_of(7)).then(|| u128::from(host.0 * 7_919 % 613));
        let alone = least(&Sequential, &hosts, 1, score);
        for threads in 1..=3 {
            assert_eq!(least(&Pool::new(threads).expect("threads"), &hosts, 1, score), alone);
        }
    }
}
