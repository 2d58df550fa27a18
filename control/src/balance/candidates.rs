//! What a balancer sees: the hosts it may choose from.

use crate::draw::Draw;
use crate::facts::history::HostHistory;
use crate::facts::hosts::{HostFacts, HostLoad};
use crate::ids::HostId;
use crate::index::argmin::{self, Executor};
use crate::index::host_set::HostSet;
use crate::index::levels::Levels;
use crate::index::weights::Weights;
use crate::request::Arrive;
use crate::units::Instant;

/// The hosts that may be chosen for one request.
#[derive(Clone, Copy)]
pub struct Candidates<'a> {
    pub(crate) now: Instant,
    pub(crate) request: &'a Arrive,
    pub(crate) history: &'a [HostHistory],
    pub(crate) hosts: &'a [HostFacts],
    pub(crate) loads: &'a [HostLoad],
    /// On disk, answering and held back by no load, in order of id.
    pub(crate) eligible: &'a [HostId],
    pub(crate) eligible_set: &'a HostSet,
    /// Those that have the model in memory.
    pub(crate) loaded: &'a HostSet,
    /// Hosts that can be chosen by requests under way, where that is kept.
    pub(crate) levels: Option<&'a Levels>,
    /// Requests under way on the eligible hosts, where that is kept.
    pub(crate) in_flight_sum: Option<u64>,
    /// Weights of the open hosts, where they are kept.
    pub(crate) weights: Option<&'a Weights>,
    /// Who evaluates many hosts.
    pub(crate) executor: &'a dyn Executor,
    pub(crate) tried: &'a [HostId],
    pub(crate) prompt_tokens: u32,
}

/// Hosts from which on they are shared out: below, handing over costs more than it saves (`herder bench least-score`).
const HOSTS_MANY: usize = 2_048;
/// Draws before the open hosts are counted instead.
const DRAWS_MAX: u32 = 8;

impl Candidates<'_> {
    /// Hosts that have the model on disk, answer, and do not load too much else, in order of id, whether they have room or not.
    #[must_use]
    #[inline]
    pub fn eligible(&self) -> &[HostId] {
        self.eligible
    }

    /// Whether a host is one of them.
    #[must_use]
    #[inline]
    pub fn is_eligible(&self, host: HostId) -> bool {
        self.eligible_set.contains(host)
    }

    /// Whether a host has room for another request and was not tried yet.
    #[must_use]
    #[inline]
    pub fn is_open(&self, host: HostId) -> bool {
        self.loads[host.index()].has_room() && !self.tried.contains(&host)
    }

    /// The hosts that can be picked, in order of id.
    pub fn open(&self) -> impl Iterator<Item = HostId> + '_ {
        self.eligible.iter().copied().filter(|host| self.is_open(*host))
    }

    /// What is under way on a host.
    #[must_use]
    #[inline]
    pub fn load(&self, host: HostId) -> &HostLoad {
        &self.loads[host.index()]
    }

    /// The request that needs a host.
    #[must_use]
    pub const fn request(&self) -> &Arrive {
        self.request
    }

    /// When it is decided.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// What answers taught of a host.
    #[must_use]
    #[inline]
    pub fn history(&self, host: HostId) -> &HostHistory {
        &self.history[host.index()]
    }

    /// All that is known of a host.
    #[must_use]
    pub fn host(&self, host: HostId) -> &HostFacts {
        &self.hosts[host.index()]
    }

    /// Whether the request's model was in the host's memory when it was last heard.
    #[must_use]
    #[inline]
    pub fn is_loaded(&self, host: HostId) -> bool {
        self.loaded.contains(host)
    }

    /// Its declared weight, at least 1; 100 is normal.
    #[must_use]
    #[inline]
    pub fn weight(&self, host: HostId) -> u32 {
        self.hosts[host.index()].declaration.weight.max(1)
    }

    /// Expected tokens of the prompt.
    #[must_use]
    pub const fn prompt_tokens(&self) -> u32 {
        self.prompt_tokens
    }

    /// The most requests that a host may have for less than `percent` of the mean over the eligible, this one included;
    /// at least 1.
    #[must_use]
    pub fn bound(&self, percent: u64) -> u64 {
        let sum = self
            .in_flight_sum
            .unwrap_or_else(|| self.eligible.iter().map(|host| u64::from(self.load(*host).in_flight)).sum());
        ((sum + 1) * percent).div_ceil(100 * self.eligible.len() as u64).max(1)
    }

    /// The open host with the least value, ties to the lower id.
    ///
    /// # Panics
    /// Where none is open.
    #[must_use]
    pub fn least<T: Ord>(&self, value: impl Fn(HostId) -> T) -> HostId {
        self.open().min_by_key(|host| value(*host)).expect("a balancer is asked only where a host is open")
    }

    /// The open host with the least score, ties to the lower id. Many hosts are shared out by the driver's executor, which
    /// changes nothing but the time that it takes.
    ///
    /// # Panics
    /// Where none is open.
    #[must_use]
    pub fn least_score(&self, score: impl Fn(HostId) -> u128 + Sync) -> HostId {
        let open = |host| self.is_open(host).then(|| score(host));
        argmin::least(self.executor, self.eligible, HOSTS_MANY, open)
            .expect("a balancer is asked only where a host is open")
    }

    /// An open host by chance, in proportion to its declared weight.
    ///
    /// # Panics
    /// Where none is open.
    #[must_use]
    pub fn drawn_by_weight(&self, draw: &mut Draw) -> HostId {
        match self.weights.filter(|_| self.tried.is_empty()) {
            Some(weights) => {
                let at = weights.pick(draw.bits()).expect("a balancer is asked only where a host is open");
                HostId(at as u32)
            }
            None => self.drawn_by(draw, |host| u64::from(self.weight(host))),
        }
    }

    /// The open host with the fewest requests under way, ties to the lower id.
    ///
    /// # Panics
    /// Where none is open.
    #[must_use]
    pub fn fewest(&self) -> HostId {
        match self.levels.filter(|_| self.tried.is_empty()) {
            Some(levels) => {
                levels.fewest(&[self.eligible_set]).expect("a balancer is asked only where a host is open")
            }
            None => self.least(|host| self.load(host).in_flight),
        }
    }

    /// The same among hosts that have the model in memory; among all where none of those is open.
    ///
    /// # Panics
    /// Where none is open.
    #[must_use]
    pub fn fewest_loaded_first(&self) -> HostId {
        match self.levels.filter(|_| self.tried.is_empty()) {
            Some(levels) => levels.fewest(&[self.eligible_set, self.loaded]).unwrap_or_else(|| self.fewest()),
            None => self.least(|host| (!self.is_loaded(host), self.load(host).in_flight)),
        }
    }

    /// The first open host with nothing under way from this id on, and from 0 on where there is none.
    #[must_use]
    pub fn idle_from(&self, from: HostId) -> Option<HostId> {
        if let Some(levels) = self.levels.filter(|_| self.tried.is_empty()) {
            return levels.next_idle(from, self.eligible_set);
        }
        let (before, after) = self.eligible.split_at(self.eligible.partition_point(|host| *host < from));
        let idle = |host: &&HostId| self.load(**host).in_flight == 0 && self.is_open(**host);
        after.iter().chain(before).find(idle).copied()
    }

    /// An open host, each as likely.
    ///
    /// # Panics
    /// Where none is open.
    #[must_use]
    pub fn drawn(&self, draw: &mut Draw) -> HostId {
        for _ in 0..DRAWS_MAX {
            let host = self.eligible[draw.below(self.eligible.len() as u32) as usize];
            if self.is_open(host) {
                return host;
            }
        }
        let open = self.open().count() as u32;
        assert!(open > 0, "a balancer is asked only where a host is open");
        self.open().nth(draw.below(open) as usize).expect("drawn below the count")
    }

    /// An open host by chance, in proportion to its weight, which is at least 1.
    ///
    /// # Panics
    /// Where none is open.
    #[must_use]
    pub fn drawn_by(&self, draw: &mut Draw, weight: impl Fn(HostId) -> u64) -> HostId {
        let sum: u64 = self.open().map(&weight).sum();
        assert!(sum > 0, "a balancer is asked only where a host is open");
        let mut left = ((u128::from(draw.bits()) * u128::from(sum)) >> 64) as u64;
        for host in self.open() {
            match left.checked_sub(weight(host)) {
                None => return host,
                Some(rest) => left = rest,
            }
        }
        unreachable!("what is drawn lies below the sum")
    }
}
