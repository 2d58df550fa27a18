//! Names that nobody listed before, as dense numbers: capabilities, models, tags.
//!
//! Names are added as configs and hosts bring them and never removed; what a request names is only looked up, so that nobody
//! outside can make a vocabulary grow, and its hashes need no secret key.

mod fast;
mod naive;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub use fast::Hashed;
pub use naive::Listed;
use serde::{Deserialize, Serialize, Serializer};

use super::Implementation;
use super::twin::Twin;

/// What the filter before the table was worth; all but `asked` stay 0 where there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FilterCounters {
    /// Names that were asked for.
    pub asked: u64,
    /// Of those, names that the filter proved unknown.
    pub turned_away: u64,
    /// Unknown names that the filter let pass.
    pub false_positives: u64,
}

/// Names by number. Either twin serialises as the list of its names, and comes back optimised; counters begin anew.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Vec<Box<str>>")]
pub enum Vocabulary {
    /// [`Hashed`].
    Optimised(Hashed),
    /// [`Listed`].
    Baseline(Listed),
}

impl Vocabulary {
    /// One without names.
    #[must_use]
    pub fn new(implementation: Implementation) -> Self {
        match implementation {
            Implementation::Optimised => Self::Optimised(Hashed::default()),
            Implementation::Baseline => Self::Baseline(Listed::default()),
        }
    }

    /// How many names it has; they are numbered below that.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Optimised(hashed) => hashed.len(),
            Self::Baseline(listed) => listed.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of a name; counted.
    pub fn find(&mut self, name: &str) -> Option<u32> {
        match self {
            Self::Optimised(hashed) => hashed.find(name),
            Self::Baseline(listed) => listed.find(name),
        }
    }

    /// The number of a name, not counted.
    #[must_use]
    pub fn peek(&self, name: &str) -> Option<u32> {
        match self {
            Self::Optimised(hashed) => hashed.peek(name),
            Self::Baseline(listed) => listed.peek(name),
        }
    }

    /// The number of a name, which is added where it is not known; not counted.
    pub fn intern(&mut self, name: &str) -> u32 {
        match self {
            Self::Optimised(hashed) => hashed.intern(name),
            Self::Baseline(listed) => listed.intern(name),
        }
    }

    /// The name with a number.
    #[must_use]
    pub fn name(&self, id: u32) -> Option<&str> {
        match self {
            Self::Optimised(hashed) => hashed.name(id),
            Self::Baseline(listed) => listed.name(id),
        }
    }

    /// All names by number.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::Optimised(hashed) => Twin::Optimised(hashed.names()),
            Self::Baseline(listed) => Twin::Baseline(listed.names()),
        }
    }

    /// What [`find`](Self::find) was asked, and what the filter spared it.
    #[must_use]
    pub fn counters(&self) -> FilterCounters {
        match self {
            Self::Optimised(hashed) => hashed.counters(),
            Self::Baseline(listed) => listed.counters(),
        }
    }
}

/// Vocabularies are equal where they number the same names alike.
impl PartialEq for Vocabulary {
    fn eq(&self, other: &Self) -> bool {
        self.names().eq(other.names())
    }
}

impl Serialize for Vocabulary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names().collect::<Vec<_>>())
    }
}

impl TryFrom<Vec<Box<str>>> for Vocabulary {
    type Error = &'static str;

    fn try_from(names: Vec<Box<str>>) -> Result<Self, Self::Error> {
        let mut hashed = Hashed::default();
        for (id, name) in names.iter().enumerate() {
            if hashed.intern(name) as usize != id {
                return Err("a vocabulary has a name twice");
            }
        }
        Ok(Self::Optimised(hashed))
    }
}

#[cfg(test)]
mod tests;
