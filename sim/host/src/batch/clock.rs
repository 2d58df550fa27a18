//! Time inside a busy period: whole picoseconds since its start, so that nothing is lost to rounding.

use control::units::Instant;

const PICOS_PER_NANO: u64 = 1_000;

/// Where a busy loop stands: a nanosecond and the picoseconds beyond it.
///
/// What happens there is seen at the nanosecond rounded **up**: a step never ends before it has taken its time, and
/// the first step of a busy period ends strictly after the event that started it. The remainder is carried from
/// step to step until the loop is idle; then it is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Clock {
    nanos: u64,
    /// Below 1,000.
    rest: u64,
}

impl Clock {
    /// A busy period begins.
    pub(super) fn new(at: Instant) -> Self {
        Self { nanos: at.0, rest: 0 }
    }

    /// The instant at which the present is seen.
    pub(super) fn now(self) -> Instant {
        Instant(self.nanos.saturating_add(u64::from(self.rest > 0)))
    }

    /// This clock `picos` later.
    pub(super) fn after(self, picos: u128) -> Self {
        let (nanos, rest) = match u64::try_from(picos + u128::from(self.rest)) {
            Ok(picos) => (picos / PICOS_PER_NANO, picos % PICOS_PER_NANO),
            Err(_) => {
                let picos = picos + u128::from(self.rest);
                let nanos = u64::try_from(picos / u128::from(PICOS_PER_NANO)).unwrap_or(u64::MAX);
                (nanos, (picos % u128::from(PICOS_PER_NANO)) as u64)
            }
        };
        Self { nanos: self.nanos.saturating_add(nanos), rest }
    }

    /// What takes more picoseconds than this, from now on, is seen strictly after `instant`.
    pub(super) fn picos_to(self, instant: Instant) -> u128 {
        let nanos = u128::from(instant.0.saturating_sub(self.nanos));
        (nanos * u128::from(PICOS_PER_NANO)).saturating_sub(u128::from(self.rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_rounded_up_and_the_remainder_carried() {
        let mut clock = Clock::new(Instant(5));
        let mut seen = Vec::new();
        for _ in 0..4 {
            clock = clock.after(1_500);
            seen.push(clock.now().0);
        }
        assert_eq!(seen, [7, 8, 10, 11]);
    }

    #[test]
    fn strictly_after_means_a_later_nanosecond() {
        let clock = Clock::new(Instant(5)).after(700);
        for instant in 6..9 {
            let picos = clock.picos_to(Instant(instant));
            assert_eq!(clock.after(picos).now(), Instant(instant));
            assert_eq!(clock.after(picos + 1).now(), Instant(instant + 1));
        }
    }

    #[test]
    fn more_than_64_bits_of_picoseconds_pass() {
        let picos = u128::from(u64::MAX) * 7 + 3;
        let clock = Clock::new(Instant(0)).after(picos);
        assert_eq!(u128::from(clock.nanos) * 1_000 + u128::from(clock.rest), picos);
    }
}
