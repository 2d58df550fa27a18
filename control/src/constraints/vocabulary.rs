//! Names of an open vocabulary as dense numbers.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

/// Names in the order in which they became known.
#[derive(Clone, Debug, Default)]
pub(super) struct Vocabulary {
    ids: BTreeMap<String, u32>,
}

impl Vocabulary {
    /// The number of a name; `None` where it is not known.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.ids.get(name).copied()
    }

    /// The number of a name, the next one where it is new.
    pub(super) fn intern(&mut self, name: &str) -> u32 {
        if let Some(id) = self.find(name) {
            return id;
        }
        let id = self.ids.len() as u32;
        self.ids.insert(name.to_string(), id);
        id
    }
}
