//! What of a poll is news: the pure difference that both drivers apply before they tell control.

use crate::door::Observation;

/// Whether control must hear of `new`, having heard `old` last (`None`: nothing, or the host was silent).
/// Both lists of each must be sorted by model.
#[must_use]
pub fn is_news(old: Option<&Observation>, new: &Observation) -> bool {
    debug_assert!(new.loaded.is_sorted() && new.stored.is_sorted(), "observations are sorted by model");
    old != Some(new)
}

/// Polls in a row without an answer after which a host counts as silent (HAProxy's `fall`).
pub const MISSES_MAX: u32 = 3;
/// Answers in a row after which a silent host counts as heard again (HAProxy's `rise`).
pub const ANSWERS_MIN: u32 = 2;

/// Whether a host lives, from how its polls went: three without an answer make it silent, two answers bring it back, so that
/// one lost packet does neither. What both drivers use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Liveness {
    /// Polls in a row that went against what is believed.
    against: u32,
    silent: bool,
}

/// What a poll changes of a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// It is silent from now on.
    Silent,
    /// It is heard from now on.
    Heard,
}

impl Liveness {
    /// Whether the host counts as silent.
    #[must_use]
    pub const fn is_silent(self) -> bool {
        self.silent
    }

    /// How a poll went, and what that changes.
    pub fn polled(&mut self, answered: bool) -> Option<Turn> {
        if answered != self.silent {
            self.against = 0;
            return None;
        }
        self.against += 1;
        if self.against < if self.silent { ANSWERS_MIN } else { MISSES_MAX } {
            return None;
        }
        *self = Self { against: 0, silent: !self.silent };
        Some(if self.silent { Turn::Silent } else { Turn::Heard })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// `+` an answer, `-` none; what comes of each: `S` silent, `H` heard, `.` nothing.
    fn turns(polls: &str) -> Vec<char> {
        let mut liveness = Liveness::default();
        let letter = |turn| match turn {
            Some(Turn::Silent) => 'S',
            Some(Turn::Heard) => 'H',
            None => '.',
        };
        polls.chars().map(|poll| letter(liveness.polled(poll == '+'))).collect()
    }

    #[test]
    fn three_misses_in_a_row_silence_a_host_and_two_answers_in_a_row_bring_it_back() {
        let is = |polls, said: &str| assert_eq!(turns(polls), said.chars().collect::<Vec<_>>(), "{polls}");
        is("++--+--+", "........");
        is("---", "..S");
        is("-----", "..S..");
        is("---+-++", "..S...H");
        is("---++---", "..S.H..S");
    }
}
