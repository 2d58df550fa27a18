//! Loads under way, as far as a gateway can tell: one begins with a request for a model that its host does not hold in memory, and ends
//! with the first byte of an answer of that model there. What `/api/ps` lists is no end: some versions of Ollama list a model that
//! they still load. Only where all answers that wait for it come whole, long after the load, the list is better than nothing.
//!
//! A load is remembered while requests of it run, so that a model that answered counts as loaded before a poll says so.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{HostId, ModelId};
use crate::units::Instant;

/// A model on a host.
pub type Place = (HostId, ModelId);

/// One load.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Load {
    /// Requests on the host that asked for the model before it was known to be loaded; at least 1.
    pub requests: u32,
    /// Those of them whose first byte tells of their first token.
    pub streamed: u32,
    /// When the first was sent.
    pub began: Instant,
    /// Whether the model has given a first byte since, or is taken to be loaded.
    pub answered: bool,
}

/// All loads; few, since a host loads little at a time. Whatever asks is O(log loads), and nothing where there is none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Loading {
    loads: BTreeMap<Place, Load>,
}

impl Loading {
    /// Whether nothing is being loaded, or was by a request that still runs.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.loads.is_empty()
    }

    /// The load of a model on a host.
    #[must_use]
    #[inline]
    pub fn get(&self, place: Place) -> Option<Load> {
        self.loads.get(&place).copied()
    }

    /// All loads, by host and model.
    pub fn iter(&self) -> impl Iterator<Item = (Place, Load)> + '_ {
        self.loads.iter().map(|(place, load)| (*place, *load))
    }

    /// Models that a host was asked for and that have not answered yet.
    #[must_use]
    #[inline]
    pub fn outstanding(&self, host: HostId) -> u32 {
        if self.loads.is_empty() {
            return 0;
        }
        let of_host = self.loads.range((host, ModelId(0))..=(host, ModelId(u32::MAX)));
        of_host.filter(|(_, load)| !load.answered).count() as u32
    }

    /// A request joins a load, or begins one.
    pub(crate) fn join(&mut self, now: Instant, place: Place, whole: bool) {
        let begun = Load { requests: 0, streamed: 0, began: now, answered: false };
        let load = self.loads.entry(place).or_insert(begun);
        load.requests += 1;
        load.streamed += u32::from(!whole);
    }

    /// A host lists these models as loaded.
    pub(crate) fn listed(&mut self, host: HostId, is_listed: impl Fn(ModelId) -> bool) {
        if self.loads.is_empty() {
            return;
        }
        let of_host = self.loads.range_mut((host, ModelId(0))..=(host, ModelId(u32::MAX)));
        for ((_, model), load) in of_host.filter(|(_, load)| load.streamed == 0) {
            load.answered |= is_listed(*model);
        }
    }

    /// A model gave a first byte on a host. Whether that ended a load.
    pub(crate) fn answer(&mut self, place: Place) -> bool {
        let load = self.loads.get_mut(&place);
        load.is_some_and(|load| !core::mem::replace(&mut load.answered, true))
    }

    /// A request that had joined ends; the load is forgotten with its last.
    pub(crate) fn leave(&mut self, place: Place, whole: bool) {
        let load = self.loads.get_mut(&place).expect("a load stays as long as requests of it run");
        load.requests -= 1;
        load.streamed -= u32::from(!whole);
        if load.requests == 0 {
            self.loads.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_outstanding_until_its_first_byte_and_remembered_until_its_last_request_ends() {
        let (first, second, elsewhere) =
            ((HostId(1), ModelId(4)), (HostId(1), ModelId(9)), (HostId(2), ModelId(4)));
        let mut loading = Loading::default();
        for place in [first, first, second, elsewhere] {
            loading.join(Instant(7), place, false);
        }
        let outstanding = |loading: &Loading| [0, 1, 2].map(|host| loading.outstanding(HostId(host)));
        assert_eq!(outstanding(&loading), [0, 2, 1]);
        assert!(loading.answer(first) && !loading.answer(first), "it ends once");
        assert_eq!(outstanding(&loading), [0, 1, 1]);
        loading.leave(first, false);
        assert_eq!(
            loading.get(first),
            Some(Load { requests: 1, streamed: 1, began: Instant(7), answered: true })
        );
        loading.leave(first, false);
        loading.leave(second, false);
        assert_eq!((loading.get(first), outstanding(&loading)), (None, [0, 0, 1]));
        assert!(!loading.answer(second), "what nobody waits for any more is no load");
        loading.leave(elsewhere, false);
        assert!(loading.is_empty());
    }

    #[test]
    fn a_list_ends_the_loads_for_which_only_whole_answers_wait() {
        let (whole, both) = ((HostId(1), ModelId(4)), (HostId(1), ModelId(5)));
        let mut loading = Loading::default();
        for (place, is_whole) in [(whole, true), (both, true), (both, false)] {
            loading.join(Instant(7), place, is_whole);
        }
        loading.listed(HostId(0), |_| true);
        loading.listed(HostId(1), |_| false);
        assert_eq!(loading.outstanding(HostId(1)), 2);
        loading.listed(HostId(1), |_| true);
        assert_eq!(loading.get(whole).map(|load| load.answered), Some(true));
        assert_eq!(loading.get(both).map(|load| load.answered), Some(false), "its first byte will tell");
        loading.leave(both, false);
        loading.listed(HostId(1), |_| true);
        assert_eq!(loading.outstanding(HostId(1)), 0);
    }
}
