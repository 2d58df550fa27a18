//! Runs the cells of a shard, on as many threads as there are.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Result, anyhow};

use super::manifest::Sweep;
use super::row::{self, Cell};
use super::shard::{Journal, Shard};
use crate::compare::cells::{measured, pool};

/// How far a shard is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Far {
    /// Cells that were there before.
    pub before: u64,
    /// Cells that ran now.
    pub ran: u64,
    /// Those of them that could not run.
    pub failed: u64,
    /// Cells of the shard.
    pub of: u64,
}

/// Runs what a shard lacks. `watch` is told how far it is. A cell that cannot run is told in its row, and the others go on.
///
/// # Errors
/// Where the shard's files cannot be read or written.
pub fn run(
    (folder, sweep): (&Path, &Sweep),
    shard: Shard,
    threads: usize,
    stop: &AtomicBool,
    watch: &(dyn Fn(Far) + Sync),
) -> Result<Far> {
    let of = shard.cells(sweep.cells).count() as u64;
    let Some(journal) = Journal::open(folder, &sweep.id, shard)? else {
        return Ok(Far { before: of, ran: 0, failed: 0, of });
    };
    let mut done: Vec<u64> = journal.done().collect();
    done.sort_unstable();
    let left: Vec<u64> = shard.cells(sweep.cells).filter(|cell| done.binary_search(cell).is_err()).collect();
    let kept = Mutex::new((journal, Far { before: done.len() as u64, ran: 0, failed: 0, of }));
    let next = AtomicUsize::new(0);
    let broken = Mutex::new(None);
    let work = || -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            let Some(cell) = left.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let Some(came) = cell_of(sweep, *cell, stop) else { break };
            let row = row::write(sweep, *cell, &came)?;
            let mut kept = kept.lock().map_err(|_| anyhow!("another thread broke off"))?;
            kept.0.add(*cell, &row)?;
            kept.1.ran += 1;
            kept.1.failed += u64::from(matches!(came, Cell::Failed(_)));
            watch(kept.1);
        }
        Ok(())
    };
    pool(threads)?.scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|_| {
                if let Err(error) = work() {
                    next.store(left.len(), Ordering::Relaxed);
                    if let Ok(mut broken) = broken.lock() {
                        broken.get_or_insert(error);
                    }
                }
            });
        }
    });
    if let Some(error) = broken.into_inner().map_err(|_| anyhow!("a thread broke off"))? {
        return Err(error);
    }
    let (journal, far) = kept.into_inner().map_err(|_| anyhow!("a thread broke off"))?;
    if far.before + far.ran == far.of {
        journal.finish()?;
    }
    Ok(far)
}

/// What comes of a cell; nothing where it was stopped.
fn cell_of(sweep: &Sweep, cell: u64, stop: &AtomicBool) -> Option<Cell> {
    match sweep.scenario(cell).and_then(|scenario| measured(scenario, stop)) {
        Ok(values) => values.map(Cell::Measured),
        Err(error) => Some(Cell::Failed(format!("{error:#}"))),
    }
}
