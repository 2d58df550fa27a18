//! The retry budget: a share of the arrivals plus so many a second, so that retries cannot multiply an outage
//! (Finagle's RetryBudget; the figures are the config's).

use serde::{Deserialize, Serialize};

use crate::units::Instant;

/// Hundredths of a retry.
const WHOLE: u64 = 100;
/// Seconds of the fixed rate, and arrivals of the share, that can be saved up.
const SAVED_SECONDS: u64 = 10;
const SECOND: u64 = 1_000_000_000;
const SAVED_ARRIVALS: u64 = 1_000;

/// Retries that may still be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RetryBudget {
    saved_by_time: u64,
    saved_by_arrivals: u64,
    /// Up to when the fixed rate was paid in; before the first retry nothing was.
    paid_until: Option<Instant>,
}

impl RetryBudget {
    /// A request arrived: its share is paid in.
    #[inline]
    pub fn on_arrival(&mut self, percent: u32) {
        let percent = u64::from(percent);
        self.saved_by_arrivals = (self.saved_by_arrivals + percent).min(percent * SAVED_ARRIVALS);
    }

    /// Takes one retry; false where none is left.
    pub fn take(&mut self, now: Instant, per_second: u32) -> bool {
        let per_second = u64::from(per_second) * WHOLE;
        // One second's worth is there from the start.
        let span = self.paid_until.map_or(SECOND, |until| now.since(until).0.min(SAVED_SECONDS * SECOND));
        let paid = (u128::from(span) * u128::from(per_second) / u128::from(SECOND)) as u64;
        if paid > 0 {
            self.saved_by_time = (self.saved_by_time + paid).min(per_second * SAVED_SECONDS);
            self.paid_until = Some(now);
        }
        for pot in [&mut self.saved_by_time, &mut self.saved_by_arrivals] {
            if *pot >= WHOLE {
                *pot -= WHOLE;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    #[test]
    fn budget_is_the_share_plus_the_rate() {
        let mut budget = RetryBudget::default();
        for _ in 0..50 {
            budget.on_arrival(20);
        }
        let now = Instant::ZERO + Nanos::from_secs(1);
        let granted = (0..100).filter(|_| budget.take(now, 3)).count();
        assert_eq!(granted, 10 + 3);
        assert!(budget.take(now + Nanos::from_secs(1), 3));
    }

    #[test]
    fn saved_budget_is_bounded() {
        let mut budget = RetryBudget::default();
        assert!(budget.take(Instant::ZERO, 10));
        (0..1_000_000).for_each(|_| budget.on_arrival(20));
        let late = Instant::ZERO + Nanos::from_secs(1_000_000);
        assert_eq!((0..10_000).filter(|_| budget.take(late, 10)).count(), 200 + 100);
    }
}
