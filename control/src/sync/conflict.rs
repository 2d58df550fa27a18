//! How two artifacts of one name disagree, and which of many is right under a policy.
//!
//! Whatever the policy, who is right follows from the set of candidates alone and ends with the hash of their content, so
//! that everyone who knows of the same ones comes to the same winner.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};

use serde::{Deserialize, Serialize};

use super::artifact::{Artifact, Origin};
use crate::digest::Digest;

/// How two artifacts disagree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One manifest, but other weights or another size: one of them is damaged.
    Checksum,
    /// Other weights of another family, number of parameters or quantisation: they cannot stand in for each other.
    Structural,
    /// Made from different manifests.
    Dependency,
    /// Different versions.
    Version,
    /// Other weights, all else alike.
    Content,
    /// The same weights under another manifest, other details or other settings.
    Metadata,
    /// Only who may use them differs.
    Permission,
    /// Only the time of writing differs.
    Timestamp,
}

impl Kind {
    /// All, the gravest first.
    pub const ALL: [Self; 8] = [
        Self::Checksum,
        Self::Structural,
        Self::Dependency,
        Self::Version,
        Self::Content,
        Self::Metadata,
        Self::Permission,
        Self::Timestamp,
    ];

    /// The gravest way in which two artifacts disagree, the same seen from either.
    #[must_use]
    pub fn between(ours: &Artifact, theirs: &Artifact) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.holds(ours, theirs))
    }

    fn holds(self, ours: &Artifact, theirs: &Artifact) -> bool {
        let other_weights = ours.weights != theirs.weights;
        match self {
            Self::Checksum => ours.digest == theirs.digest && (other_weights || ours.size != theirs.size),
            Self::Structural => other_weights && ours.details != theirs.details,
            Self::Dependency => ours.base != theirs.base,
            Self::Version => ours.version.precedence(&theirs.version).is_ne(),
            Self::Content => other_weights,
            Self::Metadata => {
                ours.digest != theirs.digest
                    || ours.details != theirs.details
                    || ours.settings != theirs.settings
            }
            Self::Permission => ours.permission != theirs.permission,
            Self::Timestamp => ours.modified_unix_nanos != theirs.modified_unix_nanos,
        }
    }
}

/// Who is right.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The one written last, by the origins' clocks.
    #[default]
    LastWriter,
    /// The one written first, by the origins' clocks.
    FirstWriter,
    /// The one whose writer knew of all others; where several knew not of each other, content decides among these.
    VersionVector,
    /// The highest version.
    HighestVersion,
    /// The manifest that most origins have.
    Majority,
    /// The first of these to prefer one.
    Custom(Vec<Preference>),
    /// Nobody but an operator, unless all have one manifest.
    Manual,
}

/// One rule of a custom policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// What this origin says.
    Origin(Origin),
    /// What the origin with the lowest rank says, those that have none last.
    Zone(BTreeMap<Origin, u32>),
    /// The higher version.
    HigherVersion,
    /// The one written later.
    Newer,
    /// The one written earlier.
    Older,
    /// More bytes.
    Larger,
    /// Fewer bytes.
    Smaller,
    /// The manifest that more origins have.
    MoreReplicas,
}

/// An artifact in the choice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) origin: Origin,
    pub(super) artifact: &'a Artifact,
    /// [`Artifact::content`].
    pub(super) content: Digest,
}

impl Candidate<'_> {
    /// The last word: content, and where that is the same, too, the lower origin.
    pub(super) fn last_word(&self) -> (Digest, Reverse<Origin>) {
        (self.content, Reverse(self.origin))
    }
}

impl Policy {
    /// The one that is right; none where nobody but an operator knows, or there is none to choose from.
    pub(super) fn choose<'a>(&self, candidates: &[Candidate<'a>]) -> Option<Candidate<'a>> {
        match self {
            Self::Manual => {
                let mut pairs = candidates.iter().zip(candidates.iter().skip(1));
                let agreed = pairs.all(|(ours, theirs)| ours.artifact.digest == theirs.artifact.digest);
                if agreed { most_preferred(candidates, &[]) } else { None }
            }
            Self::VersionVector => {
                let is_known = |ours: &Candidate<'_>| {
                    candidates.iter().any(|theirs| ours.artifact.vector < theirs.artifact.vector)
                };
                let mut unknown = candidates.to_vec();
                unknown.retain(|candidate| !is_known(candidate));
                most_preferred(&unknown, &[])
            }
            Self::LastWriter => most_preferred(candidates, &[Preference::Newer]),
            Self::FirstWriter => most_preferred(candidates, &[Preference::Older]),
            Self::HighestVersion => most_preferred(candidates, &[Preference::HigherVersion]),
            Self::Majority => most_preferred(candidates, &[Preference::MoreReplicas]),
            Self::Custom(preferences) => most_preferred(candidates, preferences),
        }
    }
}

/// The first by these preferences, and by content where none of them tells.
fn most_preferred<'a>(candidates: &[Candidate<'a>], preferences: &[Preference]) -> Option<Candidate<'a>> {
    let mut replicas: BTreeMap<Digest, u32> = BTreeMap::new();
    if preferences.contains(&Preference::MoreReplicas) {
        candidates.iter().for_each(|candidate| *replicas.entry(candidate.artifact.digest).or_default() += 1);
    }
    let order = |ours: &&Candidate<'_>, theirs: &&Candidate<'_>| {
        let orders = preferences.iter().map(|preference| preference.order(ours, theirs, &replicas));
        orders.fold(Ordering::Equal, Ordering::then).then_with(|| ours.last_word().cmp(&theirs.last_word()))
    };
    candidates.iter().max_by(order).copied()
}

impl Preference {
    /// Greater where ours is preferred.
    fn order(
        &self,
        ours: &Candidate<'_>,
        theirs: &Candidate<'_>,
        replicas: &BTreeMap<Digest, u32>,
    ) -> Ordering {
        let (our, their) = (ours.artifact, theirs.artifact);
        match self {
            Self::Origin(origin) => (ours.origin == *origin).cmp(&(theirs.origin == *origin)),
            Self::Zone(ranks) => {
                let rank =
                    |candidate: &Candidate<'_>| ranks.get(&candidate.origin).copied().unwrap_or(u32::MAX);
                rank(theirs).cmp(&rank(ours))
            }
            Self::HigherVersion => our.version.precedence(&their.version),
            Self::Newer => our.modified_unix_nanos.cmp(&their.modified_unix_nanos),
            Self::Older => their.modified_unix_nanos.cmp(&our.modified_unix_nanos),
            Self::Larger => our.size.cmp(&their.size),
            Self::Smaller => their.size.cmp(&our.size),
            Self::MoreReplicas => replicas.get(&our.digest).cmp(&replicas.get(&their.digest)),
        }
    }
}

#[cfg(test)]
mod tests;
