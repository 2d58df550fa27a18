//! The plain twin: the values themselves, walked through for every question.

use alloc::vec::Vec;

use super::Sums;

/// Values in a list.
#[derive(Clone, Debug, Default)]
pub struct Values {
    values: Vec<u32>,
}

impl Values {
    /// A value comes.
    pub fn add(&mut self, value: u32) {
        self.values.push(value);
    }

    /// A value that is there goes.
    ///
    /// # Panics
    /// Where it is not there.
    pub fn remove(&mut self, value: u32) {
        let at = self.values.iter().position(|other| *other == value).expect("a value that goes came before");
        self.values.swap_remove(at);
    }

    /// Their sums.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let squares = self.values.iter().map(|value| u128::from(*value) * u128::from(*value));
        Sums {
            count: self.values.len() as u32,
            sum: self.values.iter().map(|value| u64::from(*value)).sum(),
            squares: squares.sum(),
        }
    }
}
