//! What is known of contents: what the registry holds under each name, what its manifests are made of, and what an operator decided
//! between contents.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::door::Manifest;
use crate::ids::ModelId;

/// Contents of names.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SyncFacts {
    /// What the registry holds under each name.
    pub published: BTreeMap<ModelId, Manifest>,
    /// Which content an operator wants under a name, whatever the policy says.
    pub decided: BTreeMap<ModelId, Digest>,
}

impl SyncFacts {
    /// The registry holds this under a name now.
    pub(crate) fn publish(&mut self, model: ModelId, manifest: Option<Manifest>) {
        match manifest {
            Some(manifest) => self.published.insert(model, manifest),
            None => self.published.remove(&model),
        };
    }
}
