//! The plain twin: a list, walked through for every name.

use alloc::string::String;
use alloc::vec::Vec;

use super::FilterCounters;

/// Names in a list.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    names: Vec<String>,
    asked: u64,
}

impl Listed {
    /// How many names it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The number of a name; counted.
    pub fn find(&mut self, name: &str) -> Option<u32> {
        self.asked += 1;
        self.peek(name)
    }

    /// The number of a name, not counted.
    #[must_use]
    pub fn peek(&self, name: &str) -> Option<u32> {
        self.names.iter().position(|known| known == name).map(|id| id as u32)
    }

    /// The number of a name, which is added where it is not known.
    pub fn intern(&mut self, name: &str) -> u32 {
        self.peek(name).unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() as u32 - 1
        })
    }

    /// The name with a number.
    #[must_use]
    pub fn name(&self, id: u32) -> Option<&str> {
        self.names.get(id as usize).map(String::as_str)
    }

    /// All names by number.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// What it was asked.
    #[must_use]
    pub fn counters(&self) -> FilterCounters {
        FilterCounters { asked: self.asked, ..FilterCounters::default() }
    }
}
