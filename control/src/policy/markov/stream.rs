//! The last requests of one stream, and how often each model followed each among them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::ModelId;
use crate::units::Instant;

/// A stream.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Stream {
    pub(super) seen_at: Instant,
    /// Its last requests, the oldest first.
    recent: VecDeque<ModelId>,
    /// What followed what among them and how often, by (model, follower).
    transitions: Vec<((ModelId, ModelId), u32)>,
}

impl Stream {
    pub(super) fn note(&mut self, model: ModelId, now: Instant, requests_max: usize) {
        self.seen_at = now;
        if let Some(last) = self.recent.back() {
            let pair = (*last, model);
            match self.place(pair) {
                Ok(at) => self.transitions[at].1 += 1,
                Err(at) => self.transitions.insert(at, (pair, 1)),
            }
        }
        self.recent.push_back(model);
        while self.recent.len() > requests_max {
            self.forget_oldest();
        }
    }

    /// What followed the last model, by id, and the count of all that did.
    pub(super) fn followers(&self) -> (impl Iterator<Item = (ModelId, u32)>, u32) {
        let last = self.recent.back().copied().unwrap_or_default();
        let from = self.transitions.partition_point(|((model, _), _)| *model < last);
        let to = self.transitions.partition_point(|((model, _), _)| *model <= last);
        let of_last = &self.transitions[from..to];
        let count = of_last.iter().map(|(_, times)| times).sum();
        (of_last.iter().map(|((_, follower), times)| (*follower, *times)), count)
    }

    fn forget_oldest(&mut self) {
        let (Some(oldest), Some(next)) = (self.recent.pop_front(), self.recent.front()) else { return };
        let Ok(at) = self.place((oldest, *next)) else { unreachable!("each pair of neighbours is counted") };
        self.transitions[at].1 -= 1;
        if self.transitions[at].1 == 0 {
            self.transitions.remove(at);
        }
    }

    fn place(&self, pair: (ModelId, ModelId)) -> Result<usize, usize> {
        self.transitions.binary_search_by_key(&pair, |(of, _)| *of)
    }
}
