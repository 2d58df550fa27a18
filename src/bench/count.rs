//! Counts of what a structure does: comparisons, visits, steps. A count is of one thread.

use std::cell::Cell;
use std::cmp::Ordering;

thread_local! {
    static TOTAL: Cell<u64> = const { Cell::new(0) };
}

/// What this thread counted so far.
#[must_use]
pub fn total() -> u64 {
    TOTAL.get()
}

/// Counts this many more.
pub fn add(more: u64) {
    TOTAL.set(TOTAL.get() + more);
}

/// A key that a structure orders by.
pub trait Key: Ord + Copy + 'static {
    /// The key of a number.
    fn of(value: u64) -> Self;
    /// The number.
    fn value(self) -> u64;
}

impl Key for u64 {
    fn of(value: u64) -> Self {
        value
    }
    fn value(self) -> u64 {
        self
    }
}

/// A key of which every comparison is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counted(u64);

impl Key for Counted {
    fn of(value: u64) -> Self {
        Self(value)
    }
    fn value(self) -> u64 {
        self.0
    }
}

impl Ord for Counted {
    fn cmp(&self, other: &Self) -> Ordering {
        add(1);
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Counted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_comparison_counts_whatever_its_form() {
        let (a, b) = (Counted::of(1), Counted::of(2));
        let before = total();
        assert!(a < b && a <= b && a.max(b) == b && b.cmp(&a) == Ordering::Greater);
        assert_eq!(total() - before, 4);
    }
}
