//! What all origins say of one name, as each replica knows it, and what to do about it.
//!
//! A register is a state-based replicated value (Shapiro et al., Conflict-free replicated data types, 2011): for each origin
//! the latest that it said, by its own numbers. Merging takes the later of both for each origin, so replicas that heard of the
//! same statements are equal, in whatever order and however often they heard of them. Who is right is no part of it, but
//! follows from it: see [`Register::winner`].

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::artifact::{Artifact, Origin};
use super::conflict::{Candidate, Kind, Policy};
use crate::digest::Digest;

/// What is said of one name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Register {
    said: BTreeMap<Origin, Said>,
    decision: Decision,
    /// The hash of all else.
    content: Digest,
}

/// The latest that an origin said.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Said {
    sequence: u64,
    /// [`Artifact::content`]; [`Digest::UNKNOWN`] where there is none.
    content: Digest,
    /// None where it has the name no longer.
    artifact: Option<Artifact>,
}

/// What an operator decided; of two the one with the higher number is in force, and of two with one number the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Decision {
    /// Counts decisions; 0 where there was none.
    pub number: u64,
    /// The manifest to keep; none withdraws what was decided before.
    pub keep: Option<Digest>,
}

/// Who is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nobody has the name.
    Nobody,
    /// An operator must decide.
    Undecided,
    /// An operator decided for a manifest that nobody is known to have.
    Awaited,
    /// What this origin says.
    Winner(Origin),
}

/// How disagreement is handled.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Handling {
    /// Who is right.
    pub policy: Policy,
    /// Whether artifacts that differ from the winner in metadata or permission only, and whose writers knew nothing of each
    /// other, are merged with it. Whoever carries a merge out says so with a new time and a vector that knows of all, so it
    /// stands under policies that ask for either; under others the winner may win over it, too.
    pub merge: bool,
    /// Whether weights that lose are kept under another tag.
    pub branch: bool,
}

/// What one replica does about a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resolution {
    /// It has what is right.
    UseLocal,
    /// It takes what this origin has.
    UseRemote(Origin),
    /// It makes this of what it has; others whose artifacts merge make the same.
    Merge(Box<Artifact>),
    /// It keeps what it has under this tag, then takes what this origin has.
    Branch {
        /// The tag, with the first digits of the manifest's digest.
        tag: String,
        /// Who has what is right.
        winner: Origin,
    },
    /// An operator must decide.
    Manual,
    /// It waits: for the manifest that an operator decided for, or for anyone to have the name.
    Pending,
}

impl Default for Register {
    fn default() -> Self {
        let mut register =
            Self { said: BTreeMap::new(), decision: Decision::default(), content: Digest::UNKNOWN };
        register.rehash();
        register
    }
}

impl Register {
    /// Hears what an origin said; `artifact` is none where it has the name no longer. What it said later stands. True where
    /// this changed anything.
    pub fn say(&mut self, origin: Origin, sequence: u64, artifact: Option<Artifact>) -> bool {
        let changed = self.hear(origin, Said::new(sequence, artifact));
        if changed {
            self.rehash();
        }
        changed
    }

    /// Hears of an operator's decision. True where it is in force.
    pub fn decide(&mut self, decision: Decision) -> bool {
        let changed = decision > self.decision;
        if changed {
            self.decision = decision;
            self.rehash();
        }
        changed
    }

    /// Hears all that another replica has heard. True where this changed anything.
    pub fn merge(&mut self, other: &Self) -> bool {
        let mut changed = other.decision > self.decision;
        self.decision = self.decision.max(other.decision);
        for (origin, said) in &other.said {
            let is_news = self.said.get(origin).is_none_or(|ours| said.rank() > ours.rank());
            changed |= is_news && self.hear(*origin, said.clone());
        }
        if changed {
            self.rehash();
        }
        changed
    }

    /// The number that an origin gives to what it says next.
    #[must_use]
    pub fn next_sequence(&self, origin: Origin) -> u64 {
        self.said.get(&origin).map_or(0, |said| said.sequence.saturating_add(1))
    }

    /// What an origin has.
    #[must_use]
    pub fn artifact(&self, origin: Origin) -> Option<&Artifact> {
        self.said.get(&origin)?.artifact.as_ref()
    }

    /// All that have the name.
    pub fn artifacts(&self) -> impl Iterator<Item = (Origin, &Artifact)> {
        self.candidates().map(|candidate| (candidate.origin, candidate.artifact))
    }

    /// What was decided.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// A hash of all that it knows, the same for all that know the same. Costs nothing.
    #[must_use]
    pub fn content(&self) -> Digest {
        self.content
    }

    /// Who is right: what an operator decided for where someone has it, else what the policy says.
    #[must_use]
    pub fn winner(&self, policy: &Policy) -> Verdict {
        let mut candidates = Vec::with_capacity(self.said.len());
        candidates.extend(self.candidates());
        if let Some(kept) = self.kept() {
            return Verdict::Winner(kept.origin);
        }
        match policy.choose(&candidates) {
            _ if candidates.is_empty() => Verdict::Nobody,
            _ if *policy == Policy::Manual && self.decision.keep.is_some() => Verdict::Awaited,
            Some(winner) => Verdict::Winner(winner.origin),
            None => Verdict::Undecided,
        }
    }

    /// What the replica at an origin does, to whom the name is known under a tag.
    #[must_use]
    pub fn resolve(&self, here: Origin, tag: &str, handling: &Handling) -> Resolution {
        let origin = match self.winner(&handling.policy) {
            Verdict::Nobody | Verdict::Awaited => return Resolution::Pending,
            Verdict::Undecided => return Resolution::Manual,
            Verdict::Winner(origin) => origin,
        };
        let (Some(local), Some(winner)) = (self.artifact(here), self.artifact(origin)) else {
            return Resolution::UseRemote(origin);
        };
        if handling.merge
            && self.kept().is_none()
            && let Some(merged) = self.merged(local, winner)
        {
            return Resolution::Merge(Box::new(merged));
        }
        match Kind::between(local, winner) {
            None | Some(Kind::Timestamp) => Resolution::UseLocal,
            Some(Kind::Checksum) => Resolution::UseRemote(origin),
            Some(_) if handling.branch && local.weights != winner.weights => {
                Resolution::Branch { tag: format!("{tag}-{}", local.digest.short()), winner: origin }
            }
            Some(_) => Resolution::UseRemote(origin),
        }
    }

    /// What comes of the winner and all that merge with it, where `local` is one of these and that is more than the winner.
    fn merged(&self, local: &Artifact, winner: &Artifact) -> Option<Artifact> {
        let merges = |artifact: &&Artifact| {
            let is_light = Kind::between(artifact, winner).is_none_or(|kind| kind >= Kind::Metadata);
            is_light && artifact.vector.is_concurrent(&winner.vector)
        };
        if !merges(&local) {
            return None;
        }
        let all = self.candidates().map(|candidate| candidate.artifact).filter(merges);
        let merged = all.fold(winner.clone(), Artifact::join);
        Kind::between(&merged, winner).is_some_and(|kind| kind < Kind::Timestamp).then_some(merged)
    }

    /// The artifact that an operator decided for, where someone has it.
    fn kept(&self) -> Option<Candidate<'_>> {
        let keep = self.decision.keep?;
        self.candidates()
            .filter(|candidate| candidate.artifact.digest == keep)
            .max_by_key(Candidate::last_word)
    }

    fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        self.said.iter().filter_map(|(origin, said)| {
            let artifact = said.artifact.as_ref()?;
            Some(Candidate { origin: *origin, artifact, content: said.content })
        })
    }

    fn hear(&mut self, origin: Origin, said: Said) -> bool {
        match self.said.entry(origin) {
            Entry::Occupied(mut before) if before.get().rank() < said.rank() => {
                before.insert(said);
                true
            }
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(said);
                true
            }
        }
    }

    fn rehash(&mut self) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.decision.number.to_le_bytes());
        hasher.update(&[u8::from(self.decision.keep.is_some())]);
        hasher.update(&self.decision.keep.unwrap_or_default().0);
        for (origin, said) in &self.said {
            let number = match origin {
                Origin::Catalogue => 0,
                Origin::Host(host) => 1 + u64::from(host.0),
            };
            hasher.update(&number.to_le_bytes());
            hasher.update(&said.sequence.to_le_bytes());
            hasher.update(&said.content.0);
        }
        self.content = Digest(*hasher.finalize().as_bytes());
    }
}

impl Said {
    fn new(sequence: u64, artifact: Option<Artifact>) -> Self {
        let content = artifact.as_ref().map(Artifact::content).unwrap_or_default();
        Self { sequence, content, artifact }
    }

    /// Of two statements the later, and of two with one number the one with the greater content.
    fn rank(&self) -> (u64, Digest) {
        (self.sequence, self.content)
    }
}

/// What is written of a register.
#[derive(Serialize, Deserialize)]
struct Written {
    said: Vec<(Origin, u64, Option<Artifact>)>,
    decision: Decision,
}

impl From<Register> for Written {
    fn from(register: Register) -> Self {
        let said = register.said.into_iter();
        Self {
            said: said.map(|(origin, said)| (origin, said.sequence, said.artifact)).collect(),
            decision: register.decision,
        }
    }
}

impl From<Written> for Register {
    fn from(written: Written) -> Self {
        let mut register = Self { decision: written.decision, ..Self::default() };
        for (origin, sequence, artifact) in written.said {
            register.hear(origin, Said::new(sequence, artifact));
        }
        register.rehash();
        register
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
mod tests;
