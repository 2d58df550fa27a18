//! Rates for the links and flows that a change can reach: the filling as it is defined, link by link in order of their shares.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use control::units::Instant;

use super::super::cap_of;
use super::Groups;

/// What the next filling starts from, and what it works with.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) reached_links: Vec<u32>,
    pub(super) reached_flows: Vec<u32>,
    pub(super) links: Vec<u32>,
    flows: Vec<u32>,
    /// Roomy links of those flows.
    pub(super) passed_by: Vec<u32>,
    /// Links by share. Shares only rise, so one that has risen since is put back when it comes up.
    shares: BinaryHeap<Reverse<(u64, u32)>>,
    /// Flows that have a cap, by it, the least last.
    pub(super) caps: Vec<(u64, u32)>,
    /// Links whose share is the level.
    stage: Vec<u32>,
}

/// The last step of a filling.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastStep {
    /// The only link whose flows got the level, where there was one, and no flow had it for its cap.
    pub(super) link: Option<u32>,
    /// What the link had to share.
    pub(super) pool: u64,
    pub(super) level: u64,
    /// The level before.
    pub(super) below: Option<u64>,
}

impl Groups {
    /// Fills what was reached.
    pub(super) fn fill(&mut self, now: Instant) {
        if self.scratch.reached_links.is_empty() && self.scratch.reached_flows.is_empty() {
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        self.gather(&mut scratch);
        self.visits += (scratch.links.len() + scratch.flows.len()) as u64;
        let last = self.give_rates(now, &mut scratch);
        self.remember_top(last, &mut scratch);
        scratch.links.clear();
        scratch.flows.clear();
        self.scratch = scratch;
    }

    /// All links and flows that hang together with what was reached.
    fn gather(&mut self, scratch: &mut Scratch) {
        for place in 0..scratch.reached_links.len() {
            self.gather_link(scratch.reached_links[place], &mut scratch.links);
        }
        for place in 0..scratch.reached_flows.len() {
            self.gather_flow(scratch.reached_flows[place], scratch);
        }
        scratch.reached_links.clear();
        scratch.reached_flows.clear();
        let mut next = 0;
        while let Some(&link) = scratch.links.get(next) {
            next += 1;
            for place in 0..self.links[link as usize].members.len() {
                self.gather_flow(self.links[link as usize].members[place], scratch);
            }
        }
    }

    fn gather_flow(&mut self, slot: u32, scratch: &mut Scratch) {
        let moving = &mut self.flows[slot as usize];
        if std::mem::replace(&mut moving.open, true) {
            return;
        }
        scratch.flows.push(slot);
        let route = moving.flow.route;
        for &link in route.links() {
            if self.gather_link(link, &mut scratch.links) {
                continue;
            }
            let met = &mut self.links[link as usize].met;
            *met += 1;
            if *met == 1 {
                scratch.passed_by.push(link);
            }
        }
    }

    /// A roomy link joins nothing; but one that had a group has flows that must find another.
    fn gather_link(&mut self, link: u32, links: &mut Vec<u32>) -> bool {
        let reached = &mut self.links[link as usize];
        if reached.is_roomy() && reached.group.is_empty() {
            return false;
        }
        if reached.open == 0 {
            reached.open = reached.members.len() as u64;
            reached.rest = reached.capacity;
            links.push(link);
        }
        true
    }

    fn give_rates(&mut self, now: Instant, scratch: &mut Scratch) -> LastStep {
        let Scratch { links, flows, shares, caps, stage, .. } = scratch;
        shares.extend(links.iter().map(|&link| Reverse((self.share(link), link))));
        let capped = flows.iter().map(|&slot| (cap_of(&self.flows[slot as usize].flow), slot));
        caps.clear();
        caps.extend(capped.filter(|(cap, _)| *cap < u64::MAX));
        caps.sort_unstable_by_key(|capped| Reverse(*capped));
        let mut last = LastStep::default();
        let mut open = flows.len();
        while open > 0 {
            let share = self.least_share(shares);
            while caps.pop_if(|(_, slot)| !self.flows[*slot as usize].open).is_some() {}
            let cap = caps.last().map(|(cap, _)| *cap);
            let level = share.into_iter().chain(cap).min().expect("a link or its cap limits each flow");
            stage.clear();
            while self.least_share(shares) == Some(level) {
                stage.extend(shares.pop().map(|Reverse((_, link))| link));
            }
            let below = (open < flows.len()).then_some(last.level);
            let only = (stage.len() == 1 && cap != Some(level)).then(|| stage[0]);
            let pool = only.map_or(0, |link| self.links[link as usize].rest);
            last = LastStep { link: only, pool, level, below };
            for &link in &*stage {
                open -= self.fix_members(now, link, level);
            }
            while let Some((_, slot)) = caps.pop_if(|(cap, _)| *cap == level) {
                if self.fix(slot, level) {
                    self.serve_alone(now, slot);
                    open -= 1;
                }
            }
        }
        shares.clear();
        for &link in &*links {
            if self.links[link as usize].group.is_empty() {
                self.set_level(now, link, 0);
            }
        }
        last
    }

    fn share(&self, link: u32) -> u64 {
        self.links[link as usize].rest / self.links[link as usize].open
    }

    /// The least share of links that have flows without a rate.
    fn least_share(&self, shares: &mut BinaryHeap<Reverse<(u64, u32)>>) -> Option<u64> {
        while let Some(mut least) = shares.peek_mut() {
            let Reverse((noted, link)) = *least;
            if self.links[link as usize].open == 0 {
                std::collections::binary_heap::PeekMut::pop(least);
                continue;
            }
            let share = self.share(link);
            if share == noted {
                return Some(share);
            }
            *least = Reverse((share, link));
        }
        None
    }

    /// Gives the flows of a link that have no rate the level, as its group; gives their number.
    fn fix_members(&mut self, now: Instant, link: u32, level: u64) -> usize {
        let mut fixed = 0;
        for place in 0..self.links[link as usize].members.len() {
            let slot = self.links[link as usize].members[place];
            if self.fix(slot, level) {
                self.join(now, slot, link);
                fixed += 1;
            }
        }
        self.set_level(now, link, level);
        fixed
    }

    /// Takes a flow's rate off its links; false where it was done.
    fn fix(&mut self, slot: u32, level: u64) -> bool {
        let moving = &mut self.flows[slot as usize];
        if !std::mem::replace(&mut moving.open, false) {
            return false;
        }
        for &link in moving.flow.route.links() {
            let link = &mut self.links[link as usize];
            // One that was not gathered decides nothing.
            if link.open > 0 {
                link.rest -= level;
                link.open -= 1;
            }
        }
        true
    }
}
