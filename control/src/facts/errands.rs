//! Actions on hosts that placement and sync asked for: which are under way, how many may still be begun, how they ended, and where
//! the next is tried only after a rest.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::loading::Place;
use crate::door::{Action, ActionFailure, ActionOutcome, Deed};
use crate::ids::{ActionId, HostId, ModelId};
use crate::policy::pace::Pace;
use crate::units::{Instant, Nanos};

/// Rest after a first failure; it doubles with each that follows.
const REST: Nanos = Nanos::from_secs(30);
/// Doublings at most: an hour or so.
const DOUBLINGS_MAX: u32 = 7;

/// Who asked for an action.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A replica that the plan wants, or room for it.
    Placement,
    /// A content that differs from what is wanted.
    Sync,
    /// More hosts, or fewer.
    Scale,
}

/// An action under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Errand {
    /// What.
    pub action: Action,
    /// For whom.
    pub purpose: Purpose,
    /// Since when.
    pub began: Instant,
}

/// Counts of a kind of action: asked = done + failed + under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ErrandCounts {
    /// Asked for.
    pub asked: u64,
    /// Done.
    pub done: u64,
    /// Failed.
    pub failed: u64,
    /// What was done took so long, in nanoseconds.
    pub done_nanos: u64,
}

/// A place where an action failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rest {
    /// Nothing is tried there before.
    pub until: Instant,
    /// Failures in a row.
    pub failures: u32,
    /// The last.
    pub last: ActionFailure,
}

/// Kinds of actions, by what is counted of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Loads.
    Load,
    /// Unloads.
    Unload,
    /// Pulls, and fetches from other hosts.
    Pull,
    /// Pushes.
    Push,
    /// Second names.
    Branch,
    /// Removals.
    Delete,
    /// Hosts provisioned.
    Start,
    /// Hosts given back.
    Stop,
}

impl Kind {
    /// The kind of a deed.
    #[must_use]
    pub const fn of(deed: Deed) -> Self {
        match deed {
            Deed::Load(_) => Self::Load,
            Deed::Unload => Self::Unload,
            Deed::Pull | Deed::Fetch(_) => Self::Pull,
            Deed::Push => Self::Push,
            Deed::Branch => Self::Branch,
            Deed::Delete => Self::Delete,
            Deed::Start => Self::Start,
            Deed::Stop => Self::Stop,
        }
    }
}

/// All actions but those of [`PrefetchFacts`](crate::policy::prefetch::PrefetchFacts).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Errands {
    /// Those under way by host, in the order in which they began.
    by_host: BTreeMap<HostId, Vec<Errand>>,
    /// The hosts of those under way.
    hosts: BTreeMap<ActionId, HostId>,
    /// Counts by kind.
    pub counts: BTreeMap<Kind, ErrandCounts>,
    /// Places that rest after a failure.
    pub resting: BTreeMap<Place, Rest>,
    /// Places where an action was done that no poll has told of yet, until when that is believed, and what was done.
    pub settling: BTreeMap<Place, (Instant, Kind)>,
    paces: BTreeMap<Purpose, Pace>,
}

impl Errands {
    /// Whether one more change may be made for a purpose, of so many an hour. A whole hour's changes can be saved up.
    #[must_use]
    pub fn allows(&self, now: Instant, purpose: Purpose, per_hour: u32) -> bool {
        let pace = self.paces.get(&purpose).copied().unwrap_or_default();
        pace.allows(now, per_hour, per_hour)
    }

    /// An action begins.
    pub(crate) fn begin(&mut self, now: Instant, errand: Errand, per_hour: u32) {
        self.paces.entry(errand.purpose).or_default().take(now, per_hour);
        self.counts.entry(Kind::of(errand.action.deed)).or_default().asked += 1;
        self.by_host.entry(errand.action.host).or_default().push(errand);
        self.hosts.insert(errand.action.id, errand.action.host);
    }

    /// An action ended. What it was, where it is known here.
    pub(crate) fn end(&mut self, now: Instant, id: ActionId, outcome: ActionOutcome) -> Option<Errand> {
        let errand = self.take(id)?;
        let counts = self.counts.entry(Kind::of(errand.action.deed)).or_default();
        let place = (errand.action.host, errand.action.model);
        match outcome {
            ActionOutcome::Done => {
                counts.done += 1;
                counts.done_nanos += now.since(errand.began).0;
                self.resting.remove(&place);
            }
            ActionOutcome::Failed(last) => {
                counts.failed += 1;
                let failures = self.resting.get(&place).map_or(0, |rest| rest.failures);
                let rest = Nanos(REST.0 << failures.min(DOUBLINGS_MAX));
                let until = now.saturating_add(rest);
                self.resting.insert(place, Rest { until, failures: failures.saturating_add(1), last });
            }
        }
        Some(errand)
    }

    fn take(&mut self, id: ActionId) -> Option<Errand> {
        let host = self.hosts.remove(&id)?;
        let of_host = self.by_host.get_mut(&host)?;
        let at = of_host.iter().position(|errand| errand.action.id == id)?;
        let errand = of_host.remove(at);
        if of_host.is_empty() {
            self.by_host.remove(&host);
        }
        Some(errand)
    }

    /// Those under way, by host.
    pub fn under_way(&self) -> impl Iterator<Item = &Errand> {
        self.by_host.values().flatten()
    }

    /// Whether nothing is to be tried with a model on a host now, since the last action there failed.
    #[must_use]
    pub fn rests(&self, now: Instant, place: Place) -> bool {
        self.resting.get(&place).is_some_and(|rest| rest.until > now)
    }

    /// What was done at a place is believed until then, or until the host says what it has.
    pub(crate) fn settle(&mut self, until: Instant, place: Place, deed: Deed) {
        self.settling.insert(place, (until, Kind::of(deed)));
    }

    /// A host said what it has.
    pub(crate) fn heard(&mut self, host: HostId) {
        let of_host = self.settling.range((host, ModelId(0))..=(host, ModelId(u32::MAX)));
        let of_host: Vec<Place> = of_host.map(|(place, _)| *place).collect();
        for place in of_host {
            self.settling.remove(&place);
        }
    }

    /// Whether something was done at a place of which its host has not told yet.
    #[must_use]
    pub fn settles(&self, now: Instant, place: Place) -> bool {
        self.settling.get(&place).is_some_and(|(until, _)| *until > now)
    }

    /// Whether a copy is being deleted, or was and its host has not told yet.
    #[must_use]
    pub fn leaves(&self, host: HostId, model: ModelId) -> bool {
        let deletes = |errand: &Errand| errand.action.model == model && errand.action.deed == Deed::Delete;
        self.settling.get(&(host, model)).is_some_and(|(_, kind)| *kind == Kind::Delete)
            || self.on_host(host).any(deletes)
    }

    /// Those under way on a host.
    pub fn on_host(&self, host: HostId) -> impl Iterator<Item = &Errand> {
        self.by_host.get(&host).into_iter().flatten()
    }

    /// Whether one is under way with a model on a host.
    #[must_use]
    pub fn concerns(&self, (host, model): Place) -> bool {
        self.on_host(host).any(|errand| errand.action.model == model)
    }

    /// How many of a kind are under way.
    #[must_use]
    pub fn of_kind(&self, kind: Kind) -> u64 {
        self.counts.get(&kind).map_or(0, |counts| counts.asked - counts.done - counts.failed)
    }

    /// Whether a model comes to a disk somewhere, or has come and its host has not told yet.
    #[must_use]
    pub fn comes(&self, now: Instant, model: ModelId) -> bool {
        let pulls =
            |errand: &Errand| errand.action.model == model && Kind::of(errand.action.deed) == Kind::Pull;
        self.under_way().any(pulls)
            || self
                .settling
                .iter()
                .any(|(place, (until, kind))| place.1 == model && *kind == Kind::Pull && *until > now)
    }

    /// Loads under way on a host.
    #[must_use]
    pub fn loads_on(&self, host: HostId) -> u32 {
        self.on_host(host).filter(|errand| matches!(errand.action.deed, Deed::Load(_))).count() as u32
    }

    /// Whether this model is being loaded there by one of these.
    #[must_use]
    pub fn loads(&self, host: HostId, model: ModelId) -> bool {
        self.on_host(host)
            .any(|errand| matches!(errand.action.deed, Deed::Load(_)) && errand.action.model == model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errand(id: u64, host: u32) -> Errand {
        let action = Action { id: ActionId(id), host: HostId(host), deed: Deed::Pull, model: ModelId(3) };
        Errand { action, purpose: Purpose::Sync, began: Instant::ZERO }
    }

    #[test]
    fn changes_are_bounded_by_the_hour() {
        let mut errands = Errands::default();
        let mut now = Instant::ZERO;
        for id in 0..4 {
            assert!(errands.allows(now, Purpose::Sync, 4));
            errands.begin(now, errand(id, 0), 4);
        }
        assert!(!errands.allows(now, Purpose::Sync, 4) && !errands.allows(now, Purpose::Sync, 0));
        assert!(errands.allows(now, Purpose::Placement, 4), "each purpose has its own");
        now += Nanos::from_secs(900);
        assert!(errands.allows(now, Purpose::Sync, 4), "a quarter of an hour pays for one of four");
    }

    #[test]
    fn a_place_rests_longer_after_each_failure_and_not_after_success() {
        let mut errands = Errands::default();
        let place = (HostId(1), ModelId(3));
        let failed = ActionOutcome::Failed(ActionFailure::DiskFull);
        let mut now = Instant::ZERO;
        for (id, seconds) in [(0, 30), (1, 60), (2, 120)] {
            errands.begin(now, errand(id, 1), 100);
            assert!(errands.end(now, ActionId(id), failed).is_some());
            now += Nanos::from_secs(seconds - 1);
            assert!(errands.rests(now, place));
            now += Nanos::from_secs(1);
            assert!(!errands.rests(now, place));
        }
        errands.begin(now, errand(3, 1), 100);
        errands.end(now, ActionId(3), ActionOutcome::Done);
        assert!(!errands.rests(now, place) && errands.resting.is_empty());
        assert_eq!(errands.end(now, ActionId(3), ActionOutcome::Done), None, "it ends once");
        let counts = errands.counts[&Kind::Pull];
        assert_eq!((counts.asked, counts.done, counts.failed), (4, 1, 3));
    }
}
