//! Time that a request takes on a host, from what was measured there.

use crate::facts::history::Pace;
use crate::facts::hosts::HostLoad;

/// How fast a host is with a model; measured, or assumed by who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Speed {
    /// What it takes until the model is loaded, in nanoseconds; 0 where it is.
    pub load_nanos: u64,
    /// Time of an evaluated prompt token, in picoseconds.
    pub prompt_token_picos: u64,
    /// Time of a generated token, in nanoseconds.
    pub output_token_nanos: u64,
}

/// What a host has to do before a request's first token, besides its prompt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy {
    /// Requests and tokens under way there.
    pub load: HostLoad,
    /// Requests that it works on at once; at least 1.
    pub slots: u32,
}

impl Speed {
    /// As measured; `None` where a part of it was not.
    #[must_use]
    #[inline]
    pub fn measured(pace: &Pace, loaded: bool) -> Option<Self> {
        Some(Self {
            load_nanos: if loaded { 0 } else { pace.cold_ttft.get()? },
            prompt_token_picos: pace.prompt_token_picos.get()?,
            output_token_nanos: pace.output_token.get()?,
        })
    }

    /// From dispatch to the first token, in nanoseconds.
    #[must_use]
    #[inline]
    pub fn until_first_token(&self, prompt_tokens: u32, busy: Busy) -> u64 {
        let Busy { load, slots } = busy;
        let evaluation = u64::from(prompt_tokens).saturating_mul(self.prompt_token_picos) / 1_000;
        // Work under way delays the first token only where it fills the slots; then by a slot's share of it.
        let wait = if load.in_flight < slots {
            0
        } else {
            load.outstanding_tokens.saturating_mul(self.output_token_nanos) / u64::from(slots)
        };
        // Running sequences slow each other down: a tenth for each.
        let crowded = evaluation / 10 * u64::from(load.in_flight);
        self.load_nanos.saturating_add(wait).saturating_add(evaluation).saturating_add(crowded)
    }

    /// From the first token to the last, in nanoseconds.
    #[must_use]
    #[inline]
    pub fn after_first_token(&self, output_tokens: u32) -> u64 {
        u64::from(output_tokens.saturating_sub(1)).saturating_mul(self.output_token_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_added_where_the_slots_are_full_and_a_load_where_it_must_be() {
        let speed = Speed { load_nanos: 0, prompt_token_picos: 2_000, output_token_nanos: 10 };
        let busy =
            |in_flight| Busy { load: HostLoad { in_flight, limit: 9, outstanding_tokens: 600 }, slots: 2 };
        assert_eq!(speed.until_first_token(100, busy(0)), 200);
        assert_eq!(speed.until_first_token(100, busy(1)), 200 + 20);
        assert_eq!(speed.until_first_token(100, busy(2)), 200 + 40 + 3_000);
        let cold = Speed { load_nanos: 7_000, ..speed };
        assert_eq!(cold.until_first_token(100, busy(0)), 7_200);
        assert_eq!([0, 1, 2].map(|tokens| speed.after_first_token(tokens)), [0, 0, 10]);
    }

    #[test]
    fn a_speed_is_known_where_all_parts_of_it_were_measured() {
        assert_eq!(Speed::measured(&Pace::default(), true), None);
    }
}
