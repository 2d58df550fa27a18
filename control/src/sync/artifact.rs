//! A model as one host has it under a name, and who says so.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::version::Version;
use crate::digest::Digest;
use crate::ids::HostId;
use crate::units::Bytes;

/// Who says what a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The catalogue that operators write.
    Catalogue,
    /// A host, of what it has.
    Host(HostId),
}

/// How many writes of each origin a writer knew of (Parker et al., Detection of mutual inconsistency in distributed systems,
/// 1983). Compared as knowledge: less where the other knew all that this one did and more, nothing where each knew more.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<Origin, u64>")]
pub struct VersionVector {
    /// Without zeros.
    writes: BTreeMap<Origin, u64>,
}

impl VersionVector {
    /// How many writes of an origin are known.
    #[must_use]
    pub fn writes(&self, origin: Origin) -> u64 {
        self.writes.get(&origin).copied().unwrap_or_default()
    }

    /// Counts one more write of an origin.
    pub fn advance(&mut self, origin: Origin) {
        let writes = self.writes.entry(origin).or_default();
        *writes = writes.saturating_add(1);
    }

    /// Learns what the other knew.
    pub fn join(&mut self, other: &Self) {
        for (origin, writes) in &other.writes {
            let ours = self.writes.entry(*origin).or_default();
            *ours = (*ours).max(*writes);
        }
    }

    /// Whether neither knew of the other. Vectors that are equal say nothing of who was first, so they are concurrent, too.
    #[must_use]
    pub fn is_concurrent(&self, other: &Self) -> bool {
        !matches!(self.partial_cmp(other), Some(Ordering::Less | Ordering::Greater))
    }

    fn knows_all_of(&self, other: &Self) -> bool {
        other.writes.iter().all(|(origin, writes)| self.writes(*origin) >= *writes)
    }
}

impl PartialOrd for VersionVector {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.knows_all_of(other), other.knows_all_of(self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }
}

impl From<BTreeMap<Origin, u64>> for VersionVector {
    fn from(mut writes: BTreeMap<Origin, u64>) -> Self {
        writes.retain(|_, writes| *writes > 0);
        Self { writes }
    }
}

/// What a model is, as its manifest says. Texts are empty and numbers 0 where they are not known.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Details {
    /// Its architecture: `llama`, `qwen2`.
    pub family: Box<str>,
    /// How many parameters it has.
    pub parameters: u64,
    /// How its weights are stored: `Q4_K_M`.
    pub quantisation: Box<str>,
}

/// Who may use a model, the strictest last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Everybody may use and replace it.
    #[default]
    Open,
    /// Everybody may use it, operators replace it.
    ReadOnly,
    /// Operators only.
    Private,
}

/// A model under a name at one origin.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Artifact {
    /// Of the manifest.
    pub digest: Digest,
    /// Of the layer with the weights.
    pub weights: Digest,
    /// What it is.
    pub details: Details,
    /// Of template, system prompt and parameters; [`Digest::UNKNOWN`] where it has none.
    pub settings: Digest,
    /// The manifest that it was made from.
    pub base: Option<Digest>,
    /// The version that it is.
    pub version: Version,
    /// When it was written, in nanoseconds since 1970 by the origin's clock.
    pub modified_unix_nanos: u64,
    /// What its writer knew of.
    pub vector: VersionVector,
    /// All of its layers.
    pub size: Bytes,
    /// Who may use it.
    pub permission: Permission,
}

impl Artifact {
    /// The hash of all its fields: the last word between two that are otherwise as good.
    ///
    /// # Panics
    /// Never: nothing of an artifact cannot be written.
    #[must_use]
    pub fn content(&self) -> Digest {
        let bytes = postcard::to_allocvec(self).expect("an artifact can be written");
        Digest(*blake3::hash(&bytes).as_bytes())
    }

    /// Whether both differ in nothing but when they were written, who knew of what, and who may use them.
    #[must_use]
    pub fn is_same_content(&self, other: &Self) -> bool {
        (self.digest, self.weights, self.settings, self.size)
            == (other.digest, other.weights, other.settings, other.size)
            && (&self.details, self.base, &self.version) == (&other.details, other.base, &other.version)
    }

    /// The greater of each field, where what is known is greater than what is not, and of two vectors what both knew: a join,
    /// so that it does not matter who merges what first. For artifacts with the same weights.
    ///
    /// Whoever carries it out builds a manifest of it, whose digest is then another.
    #[must_use]
    pub fn join(mut self, other: &Self) -> Self {
        fn greater<T: Ord + Clone>(ours: &mut T, theirs: &T) {
            if *theirs > *ours {
                *ours = theirs.clone();
            }
        }
        greater(&mut self.digest, &other.digest);
        greater(&mut self.weights, &other.weights);
        greater(&mut self.details.family, &other.details.family);
        greater(&mut self.details.parameters, &other.details.parameters);
        greater(&mut self.details.quantisation, &other.details.quantisation);
        greater(&mut self.settings, &other.settings);
        greater(&mut self.base, &other.base);
        greater(&mut self.version, &other.version);
        greater(&mut self.modified_unix_nanos, &other.modified_unix_nanos);
        greater(&mut self.size, &other.size);
        greater(&mut self.permission, &other.permission);
        self.vector.join(&other.vector);
        self
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
pub(super) mod tests;
