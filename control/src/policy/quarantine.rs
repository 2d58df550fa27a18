//! Quarantine: a request that ended the runner of a model on two hosts, or twice on one, would end the next as well. Its kind (model,
//! options, prompt) is turned away for a while, so that one client cannot take a fleet down host by host.

use serde::{Deserialize, Serialize};

use crate::draw::mix;
use crate::index::Implementation;
use crate::index::lru::{Limits, Lru};
use crate::request::Arrive;
use crate::units::{Instant, Nanos};

/// Kinds that are remembered: a kind that ended a runner once and never came again makes room.
const KINDS_MAX: u32 = 4_096;
/// Runners that a kind may end before it is turned away: it is tried once more, not twice.
const ENDED_MAX: u32 = 2;

/// Kinds of requests that ended runners of late.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Quarantine {
    /// How many runners a kind ended.
    ended: Lru<u32>,
}

impl Quarantine {
    /// Nothing is known.
    #[must_use]
    pub fn new(implementation: Implementation, lasts: Nanos) -> Self {
        Self { ended: Lru::new(implementation, Limits { capacity: KINDS_MAX, ttl: Some(lasts) }) }
    }

    /// A request of this kind ended a runner. Whether it is in quarantine now.
    pub fn on_runner_gone(&mut self, now: Instant, arrive: &Arrive) -> bool {
        let kind = kind(arrive);
        let ended = self.ended.get(kind, now).copied().unwrap_or_default() + 1;
        self.ended.put(kind, ended, now);
        ended >= ENDED_MAX
    }

    /// Whether requests of this kind are turned away.
    #[must_use]
    pub fn holds(&self, now: Instant, arrive: &Arrive) -> bool {
        !self.ended.is_empty() && self.ended.peek(kind(arrive), now).is_some_and(|ended| *ended >= ENDED_MAX)
    }

    /// How many kinds are remembered, those among them that have expired and were not met since.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ended.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty()
    }
}

/// What makes two requests alike: the model, what the host must honour by loading, and the prompt as far as it is known (the
/// last of its chained hashes stands for all of it; its size where there are none).
fn kind(arrive: &Arrive) -> u64 {
    let prompt = arrive.prefix.last().copied().unwrap_or(arrive.prompt_bytes.0);
    let options = arrive.options();
    let part = |value: Option<u32>| value.map_or(0, |value| u64::from(value) + 1);
    let parts = [part(options.num_ctx), part(options.num_batch), part(options.num_gpu), options.others];
    parts.into_iter().fold(mix(prompt ^ mix(u64::from(arrive.model.0))), |hash, part| mix(hash ^ part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ModelId;
    use crate::request::{HostOptions, Particulars};

    fn at(seconds: u64) -> Instant {
        Instant::ZERO.saturating_add(Nanos::from_secs(seconds))
    }

    fn request(model: u32, last: u64, num_ctx: Option<u32>) -> Arrive {
        let options = HostOptions { num_ctx, ..HostOptions::default() };
        let particulars = Particulars { options, ..Particulars::default() }.boxed();
        Arrive { model: ModelId(model), prefix: [9, last].into(), particulars, ..Arrive::default() }
    }

    #[test]
    fn a_kind_that_ended_two_runners_is_turned_away_for_its_time() {
        let mut quarantine = Quarantine::new(Implementation::Optimised, Nanos::from_secs(600));
        let deadly = request(1, 7, None);
        assert!(!quarantine.holds(at(0), &deadly));
        assert!(!quarantine.on_runner_gone(at(0), &deadly), "it is tried once more");
        assert!(!quarantine.holds(at(1), &deadly));
        assert!(quarantine.on_runner_gone(at(2), &deadly));
        for other in [request(2, 7, None), request(1, 8, None), request(1, 7, Some(9))] {
            assert!(!quarantine.holds(at(3), &other), "another model, prompt or window is another kind");
        }
        assert!(quarantine.holds(at(601), &deadly));
        assert!(!quarantine.holds(at(602), &deadly), "ten minutes after the last");
        assert!(!quarantine.on_runner_gone(at(700), &deadly), "what is over is forgotten");
    }
}
