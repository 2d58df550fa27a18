//! The common change, in the time that it takes to find a flow's place in a group: a flow comes to or leaves the group with the
//! highest level of all that hang together, such as the pulls that share a registry's egress.
//!
//! Nothing but that level changes where
//! - no other link is in the way: each has a share of at least the new level even if all of its flows had as much,
//! - the levels below stay below: the link's share was above each of them when it was given. At the last of them it had `pool` for its
//!   group, and what the flows got that it had lost since, each at least that level; so it is enough if `pool` has one more than the
//!   highest level below for each flow of the group, and one for each flow that it lost.

use control::units::Instant;

use super::super::cap_of;
use super::fill::LastStep;
use super::{ALONE, Groups, Link};

/// What a link remembers of the last filling that it was part of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Top {
    /// The link whose group has the highest level of all that hang together with this link's flows, where it is this one or
    /// this one has no group.
    pub(super) owner: Option<u32>,
    /// Of the owner: what its group shares.
    pool: u64,
    /// One more than the highest level below, 0 where there is none.
    floor: u64,
    /// No link or cap is in the way up to this level.
    ceiling: u64,
}

impl Groups {
    /// After a filling, of these links, with these caps left, the least last.
    pub(super) fn remember_top(&mut self, last: LastStep, links: &[u32], caps: &[(u64, u32)]) {
        for &link in links {
            let link = &mut self.links[link as usize];
            link.top.owner = last.link.filter(|_| link.group.is_empty());
        }
        let Some(owner) = last.link else { return };
        let of_links = links.iter().map(|&link| &self.links[link as usize]);
        let shares = of_links.filter(|link| link.group.is_empty()).map(Link::share_of_all);
        let in_group = |slot: u32| self.flows[slot as usize].group == owner;
        let cap = caps.iter().rev().find(|(_, slot)| in_group(*slot)).map_or(u64::MAX, |(cap, _)| *cap);
        let ceiling = shares.fold(cap, u64::min);
        let floor = last.below.map_or(0, |below| below + 1);
        self.links[owner as usize].top = Top { owner: Some(owner), pool: last.pool, floor, ceiling };
    }

    /// Lets a new flow, alone until now, join the group with the highest level; false where more may change than that.
    pub(super) fn join_top(&mut self, now: Instant, slot: u32) -> bool {
        let flow = &self.flows[slot as usize].flow;
        let (route, cap) = (flow.route, cap_of(flow));
        self.visits += route.links().len() as u64;
        let owns = |link: &&u32| self.links[**link as usize].top.owner == Some(**link);
        let Some(&owner) = route.links().iter().find(owns) else { return false };
        let others = || route.links().iter().filter(|link| **link != owner);
        // All of a link's flows hang together with the group, not counting the new one.
        let belongs = |link: &Link| link.members.len() == 1 || link.top.owner == Some(owner);
        let mut ceiling = self.links[owner as usize].top.ceiling.min(cap);
        for link in others().map(|&other| &self.links[other as usize]).filter(|link| !link.is_roomy()) {
            if !belongs(link) {
                return false;
            }
            ceiling = ceiling.min(link.share_of_all());
        }
        let link = &self.links[owner as usize];
        let (sharing, members) = (link.group.len() as u64 + 1, link.members.len() as u64);
        let Top { pool, floor, .. } = link.top;
        let needed = u128::from(sharing) * u128::from(floor) + u128::from(members - sharing);
        if pool / sharing > ceiling || u128::from(pool) < needed {
            return false;
        }
        self.links[owner as usize].top.ceiling = ceiling;
        for &other in others() {
            let link = &mut self.links[other as usize];
            link.top.owner = belongs(link).then_some(owner);
        }
        self.join(now, slot, owner);
        self.set_level(now, owner, pool / sharing);
        true
    }

    /// After a flow left a group: sets the level of those that stay, where that is all that changes.
    pub(super) fn left_top(&mut self, now: Instant, group: u32) -> bool {
        self.visits += 1;
        if group == ALONE || self.links[group as usize].top.owner != Some(group) {
            return false;
        }
        let link = &mut self.links[group as usize];
        let level = link.top.pool.checked_div(link.group.len() as u64);
        let Some(level) = level.filter(|level| *level <= link.top.ceiling) else {
            // The next filling may pass by a link that has no group any more.
            link.top.owner = None;
            return false;
        };
        self.set_level(now, group, level);
        true
    }
}
