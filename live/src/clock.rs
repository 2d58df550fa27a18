//! Wall time as control counts it: nanoseconds since a start.

use std::time::Duration;

use control::units::Instant;
use tokio::time;

/// A clock that started at zero, and may run faster than the wall's.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: time::Instant,
    speed: u32,
}

impl Clock {
    /// A clock that starts now. `speed` is how many seconds pass on it in one of the wall's; at least 1.
    #[must_use]
    pub fn start(speed: u32) -> Self {
        Self { started: time::Instant::now(), speed: speed.max(1) }
    }

    /// The time on it.
    #[must_use]
    pub fn now(&self) -> Instant {
        let nanos = self.started.elapsed().as_nanos() * u128::from(self.speed);
        Instant(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The wall's time at which this clock shows `at`, or up to a nanosecond later; far times are a year away.
    #[must_use]
    pub fn wall(&self, at: Instant) -> time::Instant {
        const YEAR: Duration = Duration::from_secs(366 * 24 * 3_600);
        let wait = Duration::from_nanos(at.0.div_ceil(u64::from(self.speed)));
        self.started.checked_add(wait).unwrap_or(self.started + YEAR)
    }

    /// How much faster than the wall's clock it runs.
    #[must_use]
    pub const fn speed(&self) -> u32 {
        self.speed
    }
}
