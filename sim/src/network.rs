//! Bulk transfers (pulls of models) as flows that share links by max-min fairness (Bertsekas and Gallager, Data Networks,
//! 1992, section 6.5.2): no flow can have more unless one that has as little or less gives way. A flow moves at one rate
//! between two changes (a flow comes or goes, a link changes), as fluid does; packets, round trips and slow start are left out.
//!
//! **The allocation**, in whole bytes a second, is this progressive filling. While a flow has no rate yet:
//! 1. The share of a link is its capacity less the rates given to its flows so far, divided by the number of its flows without
//!    one, rounded down.
//! 2. The level is the least of all shares of links that have such flows, and of the caps of such flows.
//! 3. Each such flow that is on a link whose share is the level, or whose cap is the level, gets the level as its rate.
//!
//! Step 3 is done for all of them at once, so no order of links or flows matters: the rates are a function of capacities,
//! routes and caps. Rounding leaves less than one byte a second for each flow of a link unused; a link with more flows than
//! bytes a second moves none of them.
//!
//! **Progress** is exact, in byte-nanoseconds per second ([`UNITS`] to a byte). A flow ends at the first nanosecond at which all
//! of its bytes have moved; in that last nanosecond it moves no more than what was left.

mod fast;
mod naive;

use control::index::Implementation;
use control::units::{Bytes, Instant};

pub use fast::Groups;
pub use naive::Walk;

/// A rate in bytes a second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Rate(pub u64);

impl Rate {
    /// The highest capacity of a link or cap of a flow: progress over all of simulated time fits 128 bits.
    pub const MAX: Self = Self(1 << 62);
}

/// A link, numbered from 0 in the order of [`Network::add_link`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LinkId(pub u32);

/// A flow, numbered from 0 in the order of [`Network::start`]; never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FlowId(pub u64);

/// Links that a flow can be on.
pub const ROUTE_MAX: usize = 4;

/// The links that a flow is on: say a registry's egress, the uplink of a zone, a rack and the ingress of a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Route {
    links: [u32; ROUTE_MAX],
    len: u8,
}

impl Route {
    /// A route over these links, in any order.
    ///
    /// # Panics
    /// Where there are more than [`ROUTE_MAX`], or one comes twice.
    #[must_use]
    pub fn new(links: &[LinkId]) -> Self {
        let mut route = Self::default();
        for link in links {
            assert!(!route.links().contains(&link.0), "a link is on a route once");
            assert!(links.len() <= ROUTE_MAX, "a route has at most {ROUTE_MAX} links");
            route.links[usize::from(route.len)] = link.0;
            route.len += 1;
        }
        route
    }

    pub(crate) fn links(&self) -> &[u32] {
        &self.links[..usize::from(self.len)]
    }
}

/// A transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// Bytes to move. A flow of none ends when it starts.
    pub size: Bytes,
    /// Over which links; none only where there is a cap.
    pub route: Route,
    /// The most that its ends take, whatever the links give.
    pub cap: Option<Rate>,
}

/// Links and the flows on them. Time never goes back, and what has ended by [`Network::next`] is taken out
/// ([`Network::finish`]) before anything changes at a later time.
#[derive(Debug)]
pub enum Network {
    /// [`Groups`].
    Optimised(Box<Groups>),
    /// [`Walk`].
    Baseline(Walk),
}

impl Network {
    /// A network without links.
    #[must_use]
    pub fn new(implementation: Implementation) -> Self {
        match implementation {
            Implementation::Optimised => Self::Optimised(Box::default()),
            Implementation::Baseline => Self::Baseline(Walk::default()),
        }
    }

    /// Adds a link. A capacity of 0 is a link that is cut.
    ///
    /// # Panics
    /// Where the capacity is above [`Rate::MAX`].
    pub fn add_link(&mut self, capacity: Rate) -> LinkId {
        assert!(capacity <= Rate::MAX, "a link has at most Rate::MAX");
        match self {
            Self::Optimised(groups) => groups.add_link(capacity),
            Self::Baseline(walk) => walk.add_link(capacity),
        }
    }

    /// Changes the capacity of a link from now on; 0 cuts it, and its flows wait.
    ///
    /// # Panics
    /// Where the capacity is above [`Rate::MAX`].
    pub fn set_capacity(&mut self, now: Instant, link: LinkId, capacity: Rate) {
        assert!(capacity <= Rate::MAX, "a link has at most Rate::MAX");
        self.debug_assert_finished(now);
        match self {
            Self::Optimised(groups) => groups.set_capacity(now, link, capacity),
            Self::Baseline(walk) => walk.set_capacity(now, link, capacity),
        }
    }

    /// Starts a flow.
    ///
    /// # Panics
    /// Where the flow has neither link nor cap, or a cap above [`Rate::MAX`].
    pub fn start(&mut self, now: Instant, flow: Flow) -> FlowId {
        self.start_all(now, &[flow])
    }

    /// Starts several flows at once, such as the layers of a model; gives the number of the first, which the others follow.
    ///
    /// # Panics
    /// As [`Network::start`].
    pub fn start_all(&mut self, now: Instant, flows: &[Flow]) -> FlowId {
        for flow in flows {
            assert!(flow.route.len > 0 || flow.cap.is_some(), "something limits a flow");
            assert!(flow.cap.is_none_or(|cap| cap <= Rate::MAX), "a cap is at most Rate::MAX");
        }
        self.debug_assert_finished(now);
        match self {
            Self::Optimised(groups) => groups.start(now, flows),
            Self::Baseline(walk) => walk.start(now, flows),
        }
    }

    /// Takes a flow out before its end and gives the whole bytes that it moved; `None` where it is not under way.
    pub fn cancel(&mut self, now: Instant, flow: FlowId) -> Option<Bytes> {
        self.debug_assert_finished(now);
        match self {
            Self::Optimised(groups) => groups.cancel(now, flow),
            Self::Baseline(walk) => walk.cancel(now, flow),
        }
    }

    /// When the next flow ends; `None` where none ever does as things stand, or not before [`Instant::MAX`].
    #[must_use]
    #[inline]
    pub fn next(&self) -> Option<Instant> {
        match self {
            Self::Optimised(groups) => groups.next(),
            Self::Baseline(walk) => walk.next(),
        }
    }

    /// Takes out all flows that have ended by now and adds them to `ended`, in order of their numbers.
    pub fn finish(&mut self, now: Instant, ended: &mut Vec<FlowId>) {
        self.debug_assert_finished(now);
        match self {
            Self::Optimised(groups) => groups.finish(now, ended),
            Self::Baseline(walk) => walk.finish(now, ended),
        }
    }

    /// The rate of a flow; `None` where it is not under way.
    #[must_use]
    pub fn rate(&self, flow: FlowId) -> Option<Rate> {
        match self {
            Self::Optimised(groups) => groups.rate(flow),
            Self::Baseline(walk) => walk.rate(flow),
        }
    }

    /// The whole bytes that a flow has moved by now; `None` where it is not under way.
    #[must_use]
    pub fn moved(&self, now: Instant, flow: FlowId) -> Option<Bytes> {
        match self {
            Self::Optimised(groups) => groups.moved(now, flow),
            Self::Baseline(walk) => walk.moved(now, flow),
        }
    }

    /// The whole bytes that a link has carried by now, of flows under way and of those that are gone. It asks every flow on the link.
    #[must_use]
    pub fn carried(&self, now: Instant, link: LinkId) -> u128 {
        let units = match self {
            Self::Optimised(groups) => groups.carried_units(now, link),
            Self::Baseline(walk) => walk.carried_units(now, link),
        };
        units / UNITS
    }

    /// How many flows are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Optimised(groups) => groups.len(),
            Self::Baseline(walk) => walk.len(),
        }
    }

    /// Whether no flow is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many links and flows were looked at so far to find rates and ends: what the twins save, counted.
    #[must_use]
    pub fn visits(&self) -> u64 {
        match self {
            Self::Optimised(groups) => groups.visits(),
            Self::Baseline(walk) => walk.visits(),
        }
    }

    fn debug_assert_finished(&self, now: Instant) {
        debug_assert!(self.next().is_none_or(|next| now <= next), "what ended before is finished first");
    }
}

/// Progress in a byte: at one byte a second, one unit moves in a nanosecond.
pub const UNITS: u128 = 1_000_000_000;

fn units(size: Bytes) -> u128 {
    u128::from(size.0) * UNITS
}

fn whole_bytes(units: u128) -> Bytes {
    Bytes((units / UNITS) as u64)
}

/// The cap of a flow as a number that no share exceeds where there is none.
fn cap_of(flow: &Flow) -> u64 {
    flow.cap.map_or(u64::MAX, |cap| cap.0)
}

/// The units that move at a rate from one time to another.
fn served(rate: u64, from: Instant, to: Instant) -> u128 {
    u128::from(rate) * u128::from(to.since(from).0)
}

/// The first nanosecond, from `now` on, at which so many units have moved at this rate; `None` where never or after
/// [`Instant::MAX`].
fn end_of(now: Instant, left: u128, rate: u64) -> Option<Instant> {
    if left == 0 {
        return Some(now);
    }
    if rate == 0 {
        return None;
    }
    let nanos = u64::try_from(left.div_ceil(rate.into())).ok()?;
    now.0.checked_add(nanos).map(Instant)
}

#[cfg(test)]
mod tests;
