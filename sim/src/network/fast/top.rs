//! The common change, in the time that it takes to find a flow's place in a group: a flow comes to or leaves the group with the
//! highest level of all that hang together, such as the pulls that share a registry's egress.
//!
//! Nothing but that level changes where
//! - no other link is in the way: each has a share of at least the new level even if all of its flows had as much;
//! - the levels below stay below. The leader, whose group it is, had `pool` left for its group after the last of them, and before
//!   any of them also what it gave to others since, each at least that level. So its share is above all of them if `pool` has
//!   one more than the highest of them for each flow of the group, and one more for each of the others (for the rounding).

use control::units::Instant;

use super::super::cap_of;
use super::fill::{LastStep, Scratch};
use super::{ALONE, Groups, Link};

/// What a link remembers of the last filling that it was part of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Top {
    /// The number of that filling, where all flows of this link were in it or came to its leader's group since, and none has
    /// its rate from this link unless it leads; else 0. It says something while the leader has the same number: a link
    /// that came apart from its leader may have met higher levels since the leader was filled anew.
    filling: u64,
    /// Its group had the highest level, alone.
    leads: bool,
    /// Of the leader: what its group shares.
    pool: u64,
    /// One more than the highest level below, 0 where there is none.
    floor: u64,
    /// No link or cap is in the way up to this level.
    ceiling: u64,
}

impl Groups {
    /// After a filling.
    pub(super) fn remember_top(&mut self, last: LastStep, scratch: &mut Scratch) {
        self.fillings += 1;
        for &link in &scratch.links {
            let link = &mut self.links[link as usize];
            link.top =
                Top { filling: if link.group.is_empty() { self.fillings } else { 0 }, ..Top::default() };
        }
        for link in scratch.passed_by.drain(..) {
            let link = &mut self.links[link as usize];
            let all = std::mem::take(&mut link.met) == link.members.len();
            link.top.filling = if all { self.fillings } else { 0 };
        }
        let Some(leader) = last.link else { return };
        let links = scratch.links.iter().map(|&link| &self.links[link as usize]);
        let shares = links.filter(|link| link.group.is_empty()).map(Link::share_of_all);
        let in_group = |slot: u32| self.flows[slot as usize].group == leader;
        let cap =
            scratch.caps.iter().rev().find(|(_, slot)| in_group(*slot)).map_or(u64::MAX, |(cap, _)| *cap);
        let ceiling = shares.fold(cap, u64::min);
        let floor = last.below.map_or(0, |below| below + 1);
        self.links[leader as usize].top =
            Top { filling: self.fillings, leads: true, pool: last.pool, floor, ceiling };
    }

    /// Lets a new flow, alone until now, join the group with the highest level; false where more may change than that.
    pub(super) fn join_top(&mut self, now: Instant, slot: u32) -> bool {
        let flow = &self.flows[slot as usize].flow;
        let (route, cap) = (flow.route, cap_of(flow));
        self.visits += route.links().len() as u64;
        let leads = |link: &&u32| self.links[**link as usize].top.leads;
        let Some(&leader) = route.links().iter().find(leads) else { return false };
        let link = &self.links[leader as usize];
        let (sharing, members) = (link.group.len() as u64 + 1, link.members.len() as u64);
        let Top { filling, pool, floor, mut ceiling, .. } = link.top;
        ceiling = ceiling.min(cap);
        let others = || route.links().iter().filter(|link| **link != leader);
        // The new flow is on it already.
        let belongs = |link: &Link| link.members.len() == 1 || link.top.filling == filling;
        for link in others().map(|&other| &self.links[other as usize]).filter(|link| !link.is_roomy()) {
            if !belongs(link) {
                return false;
            }
            ceiling = ceiling.min(link.share_of_all());
        }
        let needed = u128::from(sharing) * u128::from(floor) + u128::from(members - sharing);
        if pool / sharing > ceiling || u128::from(pool) < needed {
            return false;
        }
        self.links[leader as usize].top.ceiling = ceiling;
        for &other in others() {
            let link = &mut self.links[other as usize];
            link.top.filling = if belongs(link) { filling } else { 0 };
        }
        self.join(now, slot, leader);
        self.set_level(now, leader, pool / sharing);
        true
    }

    /// After a flow left a group: sets the level of those that stay, where that is all that changes.
    pub(super) fn left_top(&mut self, now: Instant, group: u32) -> bool {
        self.visits += 1;
        if group == ALONE || !self.links[group as usize].top.leads {
            return false;
        }
        let link = &mut self.links[group as usize];
        let level = link.top.pool.checked_div(link.group.len() as u64);
        let Some(level) = level.filter(|level| *level <= link.top.ceiling) else {
            // The next filling may pass by a link that has no group any more.
            link.top.leads = false;
            return false;
        };
        self.set_level(now, group, level);
        true
    }
}
