//! Which versions there are of each name that sync manages: for operators; nothing is decided by it.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Bound;

use super::Control;
use crate::digest::Digest;
use crate::door::Part;
use crate::ids::ModelId;
use crate::sync::store::Store;
use crate::sync::version::{Version, name_and_tag};

impl Control {
    /// All of them anew.
    pub(super) fn index_versions(&mut self) {
        self.indexes.versions = Store::new(self.implementation(Part::Hosts));
        let models: Vec<ModelId> = self.facts.sync.registers.keys().copied().collect();
        models.into_iter().for_each(|model| self.index_version(model));
    }

    /// Brings the one that a model is up to date: it counts where anybody has it, by its right content or, where none is right yet, by
    /// the first that was heard of.
    pub(super) fn index_version(&mut self, model: ModelId) {
        let sync = &self.facts.sync;
        let held = || sync.registers.get(&model)?.artifacts().next().map(|(_, artifact)| artifact.digest);
        let digest = sync.right.get(&model).map(|(_, digest)| *digest).or_else(held);
        let (name, version) = Version::of_model(&self.facts.models[model.index()].name);
        match digest {
            Some(digest) => self.indexes.versions.insert(name, version, digest),
            None => self.indexes.versions.remove(name, &version),
        };
    }

    /// The versions of a model's name that sync knows of, the least first, with the digest of each.
    #[must_use]
    pub fn versions(&self, model: ModelId) -> Vec<(&Version, Digest)> {
        self.indexes.versions.range(name_and_tag(&self.facts.models[model.index()].name).0, ..)
    }

    /// The newest version of a model's name, where that is newer than the model: of the same kind, one that has an order, and no
    /// prerelease unless the model is one.
    #[must_use]
    pub fn newer_version(&self, model: ModelId) -> Option<&Version> {
        let (name, own) = Version::of_model(&self.facts.models[model.index()].name);
        if !own.kind().has_order() {
            return None;
        }
        let above = self.indexes.versions.range(name, (Bound::Excluded(&own), Bound::Unbounded));
        let newer = |other: &&Version| {
            other.kind() == own.kind()
                && other.precedence(&own) == Ordering::Greater
                && (own.is_prerelease() || !other.is_prerelease())
        };
        above.into_iter().map(|(version, _)| version).rev().find(newer)
    }
}
