//! Count, sum and sum of squares of numbers that come and go, exactly: how unevenly they are spread, without a division.

mod fast;
mod naive;

pub use fast::{Ratio, Sums};
pub use naive::Values;
use serde::{Deserialize, Serialize, Serializer};

use super::Implementation;

/// Fewer than 2^32 values, each may be there many times. Either twin serialises as its sums, and comes back optimised.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Sums")]
pub enum Moments {
    /// [`Sums`].
    Optimised(Sums),
    /// [`Values`].
    Baseline(Values),
}

impl Moments {
    /// Of no values.
    #[must_use]
    pub fn new(implementation: Implementation) -> Self {
        match implementation {
            Implementation::Optimised => Self::Optimised(Sums::default()),
            Implementation::Baseline => Self::Baseline(Values::default()),
        }
    }

    /// Count, sum and sum of squares, and what follows from them.
    #[must_use]
    pub fn sums(&self) -> Sums {
        match self {
            Self::Optimised(sums) => *sums,
            Self::Baseline(values) => values.sums(),
        }
    }

    /// A value comes.
    pub fn add(&mut self, value: u32) {
        match self {
            Self::Optimised(sums) => sums.add(value),
            Self::Baseline(values) => values.add(value),
        }
    }

    /// A value that is there goes.
    ///
    /// # Panics
    /// Where it is seen not to be there.
    pub fn remove(&mut self, value: u32) {
        match self {
            Self::Optimised(sums) => sums.remove(value),
            Self::Baseline(values) => values.remove(value),
        }
    }

    /// A value that is there becomes another.
    ///
    /// # Panics
    /// Where it is seen not to be there.
    pub fn change(&mut self, before: u32, after: u32) {
        self.remove(before);
        self.add(after);
    }
}

impl Serialize for Moments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.sums().serialize(serializer)
    }
}

impl From<Sums> for Moments {
    fn from(sums: Sums) -> Self {
        Self::Optimised(sums)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
mod tests;
