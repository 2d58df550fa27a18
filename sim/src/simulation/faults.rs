//! What is broken now: which hosts are down, which ways are cut, what is to happen to messages; and how often each kind of fault
//! made itself felt.

use std::collections::{BTreeMap, VecDeque};

use control::draw::{Component, Draw};
use control::ids::{ActionId, HostId, ModelId};
use control::observe::Liveness;
use control::units::{Instant, Nanos};

use super::run::ToControl;
use crate::config::{Fleet, FleetHost};
use crate::faults::{Fault, FaultKind, Way};

/// How long a driver tries to connect to a host that does not answer.
pub(super) const CONNECT_TIMEOUT: Nanos = Nanos::from_secs(5);
/// How long a transfer may stand still.
pub(super) const STALL_TIMEOUT: Nanos = Nanos::from_secs(60);
/// A lost message among so many, while messages are lost.
const LOST_ONE_IN: u32 = 10;
/// A late message comes later by up to this.
const LATE_MILLIS_MAX: u32 = 2_000;
/// Clocks are wrong by up to this, and run faster or slower by up to so many thousandths.
const SKEW_SECONDS_MAX: u32 = 600;
const DRIFT_PERMILLE_MAX: u32 = 50;

/// How often each kind of fault began, and how often it made itself felt (a host that went down, a message that was lost).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FaultCounts {
    /// Faults that began, by [`FaultKind`].
    pub began: [u64; FaultKind::ALL.len()],
    /// Times that one did something.
    pub felt: [u64; FaultKind::ALL.len()],
}

/// The end or the beginning of a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Turn {
    pub(super) fault: Fault,
    pub(super) begins: bool,
}

/// What is broken of a host; counts, since faults overlap.
#[derive(Clone, Debug, Default)]
pub(super) struct Broken {
    pub(super) down: u32,
    /// Whether it stands by; it counts as down then.
    off: bool,
    cut_to_host: u32,
    cut_to_control: u32,
    /// Whether the last cut was part of a swizzle.
    swizzled: bool,
    pub(super) slow: u32,
    pub(super) no_memory: u32,
    lossy: u32,
    doubling: u32,
    delaying: u32,
    flapping: u32,
    /// What the host's clock is ahead, in seconds.
    pub(super) skew_seconds: i64,
    /// What it counts too much, in thousandths.
    drift_permille: i64,
    /// What the driver believes of it.
    pub(super) liveness: Liveness,
    /// Whether it is polled on each beat, since something is or was wrong.
    pub(super) watched: bool,
}

impl Broken {
    /// Whether anything keeps its polls from going as usual.
    pub(super) fn is_odd(&self) -> bool {
        !self.is_reachable() || self.flapping > 0
    }

    /// Whether it can be connected to.
    pub(super) fn is_reachable(&self) -> bool {
        self.down + self.cut_to_host + self.cut_to_control == 0
    }

    /// Whether its polls are made as usual, when it has changed.
    pub(super) fn is_usual(&self) -> bool {
        !self.watched && !self.off
    }

    pub(super) fn is_cut(&self, way: Way) -> bool {
        match way {
            Way::ToHost => self.cut_to_host > 0,
            Way::ToControl => self.cut_to_control > 0,
            Way::Both => self.cut_to_host + self.cut_to_control > 0,
        }
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It comes as usual.
    Comes,
    /// It never comes.
    Lost,
    /// It comes twice.
    Twice,
    /// It comes later by so much.
    Late(Nanos),
}

/// Everything that is broken, and will be.
#[derive(Debug)]
pub(super) struct Faults {
    seed: u64,
    turns: VecDeque<(Instant, Turn)>,
    pub(super) hosts: Vec<Broken>,
    pub(super) registry_down: u32,
    /// Since when it is.
    pub(super) registry_down_at: Instant,
    /// Messages to control that a cut holds up, in order.
    pub(super) held: Vec<(HostId, ToControl)>,
    /// Which weights a fault damaged.
    pub(super) damaged: BTreeMap<Fault, ModelId>,
    /// Actions that hosts work on.
    pub(super) acting: BTreeMap<ActionId, HostId>,
    /// Messages that faults had a say in so far: keys their draws.
    messages: u64,
    /// Numbers timers, so that those of one time keep their order.
    pub(super) timers: u64,
    pub(super) counts: FaultCounts,
}

impl Faults {
    /// Where something is to break, or hosts stand by, which are down until they are provisioned.
    pub(super) fn new(fleet: &Fleet, seed: u64) -> Option<Self> {
        let standby = |host: &FleetHost| host.declaration.standby;
        if fleet.faults.is_empty() && !fleet.hosts.iter().any(standby) {
            return None;
        }
        let host = |host: &FleetHost| match standby(host) {
            true => Broken { down: 1, off: true, ..Broken::default() },
            false => Broken::default(),
        };
        let faults = &fleet.faults;
        let mut turns: Vec<(Instant, Turn)> = Vec::with_capacity(faults.len() * 2);
        for fault in faults {
            turns.push((fault.at, Turn { fault: *fault, begins: true }));
            turns.push((fault.until, Turn { fault: *fault, begins: false }));
        }
        // Stable: what is over at once ends after it began.
        turns.sort_by_key(|turn| turn.0);
        Some(Self {
            seed,
            turns: turns.into(),
            hosts: fleet.hosts.iter().map(host).collect(),
            registry_down: 0,
            registry_down_at: Instant::ZERO,
            held: Vec::new(),
            damaged: BTreeMap::new(),
            acting: BTreeMap::new(),
            messages: 0,
            timers: 0,
            counts: FaultCounts::default(),
        })
    }

    /// A host that stands by was provisioned, or is given back.
    pub(super) fn switch(&mut self, host: HostId, on: bool) {
        let broken = &mut self.hosts[host.index()];
        if broken.off == on {
            broken.off = !on;
            broken.down = broken.down.wrapping_add_signed(if on { -1 } else { 1 });
        }
    }

    /// When the next fault begins or ends.
    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        self.turns.front().map(|turn| turn.0)
    }

    pub(super) fn pop(&mut self) -> Turn {
        self.turns.pop_front().expect("its time was the least").1
    }

    /// A fault did something.
    pub(super) fn felt(&mut self, kind: FaultKind) {
        self.counts.felt[kind as usize] += 1;
    }

    /// A draw for something that happens now.
    pub(super) fn draw(&mut self) -> Draw {
        self.messages += 1;
        Draw::new(self.seed, Component::Faults, 1 << 32, self.messages)
    }

    /// Takes in what a turn changes of ways, messages, polls and clocks. What else follows is the run's to carry out.
    pub(super) fn take_in(&mut self, turn: &Turn) {
        let Turn { fault, begins } = *turn;
        if begins {
            self.counts.began[fault.kind as usize] += 1;
        }
        let Some(host) = fault.host else { return };
        let mut draw = Draw::new(self.seed, Component::Faults, 2 << 32, fault.at.0 ^ u64::from(host.0) << 48);
        let broken = &mut self.hosts[host.index()];
        let step = |count: &mut u32| *count = count.wrapping_add_signed(if begins { 1 } else { -1 });
        match fault.kind {
            FaultKind::Partition | FaultKind::Swizzle => {
                broken.swizzled = fault.kind == FaultKind::Swizzle;
                if fault.way != Way::ToControl {
                    step(&mut broken.cut_to_host);
                }
                if fault.way != Way::ToHost {
                    step(&mut broken.cut_to_control);
                }
            }
            FaultKind::Crash | FaultKind::Restart => step(&mut broken.down),
            FaultKind::Slow => step(&mut broken.slow),
            FaultKind::NoMemoryAtLoad => step(&mut broken.no_memory),
            FaultKind::Lost => step(&mut broken.lossy),
            FaultKind::Duplicated => step(&mut broken.doubling),
            FaultKind::Delayed => step(&mut broken.delaying),
            FaultKind::Flapping => step(&mut broken.flapping),
            FaultKind::Clock => {
                let off = |most: u32, draw: &mut Draw| i64::from(draw.below(2 * most + 1)) - i64::from(most);
                (broken.skew_seconds, broken.drift_permille) = match begins {
                    true => (off(SKEW_SECONDS_MAX, &mut draw), off(DRIFT_PERMILLE_MAX, &mut draw)),
                    false => (0, 0),
                };
            }
            FaultKind::NoMemoryInDecode
            | FaultKind::RegistryDown
            | FaultKind::DiskFull
            | FaultKind::CorruptBlob => {}
        }
    }

    /// A host is watched. Whether it was not.
    pub(super) fn begin_watch(&mut self, host: HostId) -> bool {
        !std::mem::replace(&mut self.hosts[host.index()].watched, true)
    }

    /// Whether a watched host is to be watched on. One that stands by is not, once it is known to be silent.
    pub(super) fn goes_on(&mut self, host: HostId) -> bool {
        let broken = &mut self.hosts[host.index()];
        let is_odd = broken.is_odd() || broken.liveness != Liveness::default();
        broken.watched = is_odd && !(broken.off && broken.liveness.is_silent());
        broken.watched
    }

    /// Whether a host answers a poll that is made now.
    pub(super) fn answers(&mut self, host: HostId) -> bool {
        let broken = &self.hosts[host.index()];
        if !broken.is_reachable() {
            return false;
        }
        if broken.flapping > 0 && self.draw().below(2) == 0 {
            self.felt(FaultKind::Flapping);
            return false;
        }
        true
    }

    /// What a cut of a host counts as.
    pub(super) fn cut_by(&self, host: HostId) -> FaultKind {
        if self.hosts[host.index()].swizzled { FaultKind::Swizzle } else { FaultKind::Partition }
    }

    /// Whether a host's clock is wrong.
    pub(super) fn is_off(&self, host: HostId) -> bool {
        let broken = &self.hosts[host.index()];
        broken.skew_seconds != 0 || broken.drift_permille != 0
    }

    /// What becomes of a message between control and a host.
    pub(super) fn fate(&mut self, host: HostId, may_double: bool) -> Fate {
        let Broken { lossy, doubling, delaying, .. } = self.hosts[host.index()];
        if lossy + doubling + delaying == 0 {
            return Fate::Comes;
        }
        let mut draw = self.draw();
        if lossy > 0 && draw.below(LOST_ONE_IN) == 0 {
            self.felt(FaultKind::Lost);
            return Fate::Lost;
        }
        if delaying > 0 && draw.below(2) == 0 {
            self.felt(FaultKind::Delayed);
            return Fate::Late(Nanos::from_millis(u64::from(1 + draw.below(LATE_MILLIS_MAX))));
        }
        if doubling > 0 && may_double && draw.below(2) == 0 {
            self.felt(FaultKind::Duplicated);
            return Fate::Twice;
        }
        Fate::Comes
    }

    /// What a host's clock is ahead, in nanoseconds.
    pub(super) fn skew_nanos(&self, host: HostId) -> i64 {
        self.hosts[host.index()].skew_seconds * 1_000_000_000
    }

    /// A span as a host's clock counts it.
    pub(super) fn counted(&self, host: HostId, span: Nanos) -> Nanos {
        let drift = self.hosts[host.index()].drift_permille;
        Nanos((i128::from(span.0) * i128::from(1_000 + drift) / 1_000) as u64)
    }
}
