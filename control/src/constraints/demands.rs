//! What is demanded of a host, checked and in a normal form.
//!
//! Demands are a conjunction with at most one [`Constraint`] of each kind: those of one kind are merged into the one that
//! says the same. So sets that were written differently are equal, and can be stored once.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem::discriminant;

use serde::{Deserialize, Serialize};

use crate::units::{Bytes, Nanos, Tokens};

/// One thing that must hold of a host. Lists are sorted, without repetition.
///
/// The order of the variants is the order of evaluation: first those that leave few hosts, and that a set of bits answers;
/// then columns of numbers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// It is one of these.
    RequireHosts(Vec<String>),
    /// It has all of these models in memory.
    WithModelLoaded(Vec<String>),
    /// Its GPU is one of these, as declared.
    Gpus(Vec<String>),
    /// It stands in one of these zones.
    RequireZones(Vec<String>),
    /// It has all of these capabilities.
    RequireCapabilities(Vec<String>),
    /// It is none of these.
    ExcludeHosts(Vec<String>),
    /// It stands in none of these zones.
    ExcludeZones(Vec<String>),
    /// It has none of these capabilities.
    ExcludeCapabilities(Vec<String>),
    /// It has none of these models in memory.
    WithoutModelLoaded(Vec<String>),
    /// Least declared memory for weights and caches.
    VramMin(Bytes),
    /// Least declared memory of the host itself.
    RamMin(Bytes),
    /// Least declared context.
    ContextMin(Tokens),
    /// Most that an hour may cost, in hundredths of the operator's currency.
    CostCentsPerHourMax(u32),
    /// Longest mean time to the first byte.
    TtftMax(Nanos),
    /// Least share of late attempts that were answered, in parts of a thousand.
    ReliabilityPermilleMin(u16),
}

impl Constraint {
    /// Whether the answer can change while nothing is declared anew: with what is loaded, or with what answers teach.
    #[must_use]
    pub const fn is_dynamic(&self) -> bool {
        match self {
            Self::WithModelLoaded(_)
            | Self::WithoutModelLoaded(_)
            | Self::TtftMax(_)
            | Self::ReliabilityPermilleMin(_) => true,
            Self::RequireHosts(_)
            | Self::Gpus(_)
            | Self::RequireZones(_)
            | Self::RequireCapabilities(_)
            | Self::ExcludeHosts(_)
            | Self::ExcludeZones(_)
            | Self::ExcludeCapabilities(_)
            | Self::VramMin(_)
            | Self::RamMin(_)
            | Self::ContextMin(_)
            | Self::CostCentsPerHourMax(_) => false,
        }
    }

    /// Makes this hold only where `other`, of the same kind, holds too.
    fn tighten(&mut self, other: &Self) {
        match (self, other) {
            (Self::RequireHosts(one), Self::RequireHosts(other))
            | (Self::Gpus(one), Self::Gpus(other))
            | (Self::RequireZones(one), Self::RequireZones(other)) => one.retain(|name| other.contains(name)),
            (Self::WithModelLoaded(one), Self::WithModelLoaded(other))
            | (Self::RequireCapabilities(one), Self::RequireCapabilities(other))
            | (Self::ExcludeHosts(one), Self::ExcludeHosts(other))
            | (Self::ExcludeZones(one), Self::ExcludeZones(other))
            | (Self::ExcludeCapabilities(one), Self::ExcludeCapabilities(other))
            | (Self::WithoutModelLoaded(one), Self::WithoutModelLoaded(other)) => unite(one, other),
            (Self::VramMin(one), Self::VramMin(other)) | (Self::RamMin(one), Self::RamMin(other)) => {
                *one = (*one).max(*other);
            }
            (Self::ContextMin(one), Self::ContextMin(other)) => *one = (*one).max(*other),
            (Self::CostCentsPerHourMax(one), Self::CostCentsPerHourMax(other)) => *one = (*one).min(*other),
            (Self::TtftMax(one), Self::TtftMax(other)) => *one = (*one).min(*other),
            (Self::ReliabilityPermilleMin(one), Self::ReliabilityPermilleMin(other)) => {
                *one = (*one).max(*other);
            }
            (one, other) => unreachable!("{one:?} and {other:?} are not of one kind"),
        }
    }
}

/// Adds names to a sorted list.
fn unite(names: &mut Vec<String>, others: &[String]) {
    names.extend_from_slice(others);
    names.sort_unstable();
    names.dedup();
}

/// What a request demands of its host, and when it may go; nothing by default.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Demands {
    /// At most one of each kind, in order of evaluation.
    pub(super) constraints: Vec<Constraint>,
    /// Sorted, without repetition.
    pub(super) prefer_hosts: Vec<String>,
    /// Sorted, without repetition.
    pub(super) prefer_zones: Vec<String>,
    pub(super) start_after: Option<Nanos>,
    pub(super) deadline: Option<Nanos>,
}

impl Demands {
    /// Whether nothing is demanded, preferred or timed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What must hold of a host, each kind at most once, in order of evaluation.
    #[must_use]
    #[inline]
    pub fn constraints(&self) -> &[Constraint] {
        &self.constraints
    }

    /// Whether some hosts are preferred: those that are named, and those in a zone that is named.
    #[must_use]
    #[inline]
    pub fn prefers(&self) -> bool {
        !(self.prefer_hosts.is_empty() && self.prefer_zones.is_empty())
    }

    /// Names of the hosts that are preferred, sorted.
    #[must_use]
    pub fn prefer_hosts(&self) -> &[String] {
        &self.prefer_hosts
    }

    /// The zones whose hosts are preferred, sorted.
    #[must_use]
    pub fn prefer_zones(&self) -> &[String] {
        &self.prefer_zones
    }

    /// The earliest start, after arrival.
    #[must_use]
    #[inline]
    pub const fn start_after(&self) -> Option<Nanos> {
        self.start_after
    }

    /// When the answer loses its worth, after arrival.
    #[must_use]
    #[inline]
    pub const fn deadline(&self) -> Option<Nanos> {
        self.deadline
    }

    /// Whether the hosts that are allowed can change while nothing is declared anew: with what is loaded, or with what
    /// answers teach.
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        self.constraints.iter().any(Constraint::is_dynamic)
    }

    /// Both: a host is allowed where each of the two allows it, preferred where one of them prefers it; the later start and
    /// the earlier deadline count.
    ///
    /// Two that cannot both hold are no error, since they may come from different people: no host is allowed then.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for constraint in &other.constraints {
            match both.constraints.iter_mut().find(|mine| discriminant(*mine) == discriminant(constraint)) {
                Some(mine) => mine.tighten(constraint),
                None => both.constraints.push(constraint.clone()),
            }
        }
        both.constraints.sort_unstable();
        unite(&mut both.prefer_hosts, &other.prefer_hosts);
        unite(&mut both.prefer_zones, &other.prefer_zones);
        both.start_after = both.start_after.max(other.start_after);
        both.deadline = [both.deadline, other.deadline].into_iter().flatten().min();
        both
    }
}
