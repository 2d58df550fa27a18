//! An executor of threads, for tests: `control` itself is built without them.

use control::index::argmin::{Executor, Scored};

/// So many threads, each with its share of the chunks.
pub(crate) struct Threads(pub(crate) usize);

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
