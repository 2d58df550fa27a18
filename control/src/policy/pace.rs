//! So many in an hour, of which some can be saved up: a token bucket in the form of the generic cell rate algorithm (ITU-T I.371): one
//! time instead of a level, and nothing is rounded.

use serde::{Deserialize, Serialize};

use crate::units::{Instant, Nanos};

const HOUR: Nanos = Nanos::from_secs(3_600);

/// When all so far are paid for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pace {
    paid_at: Instant,
}

impl Pace {
    /// Whether there may be one more, at so many an hour (0: none ever), of which `burst` (at least 1) can be saved up.
    #[must_use]
    pub fn allows(&self, now: Instant, per_hour: u32, burst: u32) -> bool {
        let Some(price) = HOUR.0.checked_div(per_hour.into()) else { return false };
        let saved = Nanos(price.saturating_mul(u64::from(burst.saturating_sub(1))));
        self.paid_at <= now.saturating_add(saved)
    }

    /// Pays for one.
    pub fn take(&mut self, now: Instant, per_hour: u32) {
        let price = HOUR.0.checked_div(per_hour.into()).unwrap_or(0);
        self.paid_at = self.paid_at.max(now).saturating_add(Nanos(price));
    }
}
