//! One of the twins, as the config says; and the answer to many demands at once.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Demands, HostView, Matcher, ModelNames, Record, Walk};
use crate::door::LoadedModel;
use crate::ids::HostId;
use crate::index::Implementation;
use crate::index::host_set::HostSet;

/// What demands say over the hosts of a fleet.
#[derive(Clone, Debug)]
pub enum Matching {
    /// [`Matcher`].
    Optimised(Box<Matcher>),
    /// [`Walk`].
    Baseline(Walk),
}

impl Matching {
    /// No hosts yet.
    #[must_use]
    pub fn new(implementation: Implementation) -> Self {
        match implementation {
            Implementation::Optimised => Self::Optimised(Box::default()),
            Implementation::Baseline => Self::Baseline(Walk::default()),
        }
    }

    /// Takes in all that is known of a host: when it is declared, or declared anew.
    pub fn update(&mut self, view: &HostView<'_>) {
        match self {
            Self::Optimised(matcher) => matcher.update(view),
            Self::Baseline(walk) => walk.update(view),
        }
    }

    /// Takes in what a host has in memory.
    ///
    /// # Panics
    /// Where the host was never updated as a whole.
    pub fn update_loaded(&mut self, host: HostId, loaded: &[LoadedModel]) {
        match self {
            Self::Optimised(matcher) => matcher.update_loaded(host, loaded),
            Self::Baseline(walk) => walk.update_loaded(host, loaded),
        }
    }

    /// Takes in what a host's answers taught: O(1), since it changes with every answer.
    ///
    /// # Panics
    /// Where the host was never updated as a whole.
    pub fn update_record(&mut self, host: HostId, record: Record) {
        match self {
            Self::Optimised(matcher) => matcher.update_record(host, record),
            Self::Baseline(walk) => walk.update_record(host, record),
        }
    }

    /// The hosts that will do.
    #[must_use]
    pub fn allowed(&self, demands: &Demands, models: ModelNames<'_>) -> HostSet {
        match self {
            Self::Optimised(matcher) => matcher.allowed(demands, models),
            Self::Baseline(walk) => walk.allowed(demands, models),
        }
    }

    /// Whether a host will do; `false` for one that was never updated.
    #[must_use]
    pub fn allows(&self, demands: &Demands, host: HostId, models: ModelNames<'_>) -> bool {
        match self {
            Self::Optimised(matcher) => matcher.allows(demands, host, models),
            Self::Baseline(walk) => walk.allows(demands, host, models),
        }
    }

    /// The hosts that are preferred, allowed or not; `None` where none is named.
    #[must_use]
    pub fn preferred(&self, demands: &Demands) -> Option<HostSet> {
        match self {
            Self::Optimised(matcher) => matcher.preferred(demands),
            Self::Baseline(walk) => walk.preferred(demands),
        }
    }

    /// The hosts that will do for each of many demands, as they are now. The optimised twin answers once for equal
    /// demands, the plain one for each.
    #[must_use]
    pub fn allowed_many(&self, demands: &[&Demands], models: ModelNames<'_>) -> Batch {
        let mut batch = Batch::default();
        match self {
            Self::Optimised(matcher) => {
                let mut asked: BTreeMap<&Demands, u32> = BTreeMap::new();
                for &demands in demands {
                    let set = *asked.entry(demands).or_insert_with(|| {
                        batch.sets.push(matcher.allowed(demands, models));
                        batch.sets.len() as u32 - 1
                    });
                    batch.set_of.push(set);
                }
            }
            Self::Baseline(walk) => {
                batch.sets.extend(demands.iter().map(|demands| walk.allowed(demands, models)));
                batch.set_of.extend(0..demands.len() as u32);
            }
        }
        batch
    }
}

/// The hosts that will do for each of many demands.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    sets: Vec<HostSet>,
    /// Which of the sets, in the order in which was asked.
    set_of: Vec<u32>,
}

impl Batch {
    /// How many were asked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.set_of.len()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set_of.is_empty()
    }

    /// The hosts that will do for the demands at that place.
    ///
    /// # Panics
    /// Where fewer were asked.
    #[must_use]
    pub fn get(&self, at: usize) -> &HostSet {
        &self.sets[self.set_of[at] as usize]
    }
}
