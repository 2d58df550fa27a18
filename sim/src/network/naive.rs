//! The plain twin: at each change all flows are brought up to date, the filling is done again over all links and all flows, as
//! it is defined, and a walk through all flows finds the next end.

use control::units::{Bytes, Instant};

use super::{Flow, FlowId, LinkId, Rate, cap_of, end_of, served, units, whole_bytes};

#[derive(Debug)]
struct Link {
    capacity: u64,
    /// Units of flows that are gone.
    carried: u128,
}

#[derive(Debug)]
struct Moving {
    id: FlowId,
    flow: Flow,
    /// Units still to move at the time of the last change.
    left: u128,
    rate: u64,
}

impl Moving {
    /// Units moved since its start, `since` being the last change.
    fn moved(&self, since: Instant, now: Instant) -> u128 {
        units(self.flow.size) - self.left.saturating_sub(served(self.rate, since, now))
    }
}

/// Links, and flows in order of their numbers.
#[derive(Debug, Default)]
pub struct Walk {
    links: Vec<Link>,
    flows: Vec<Moving>,
    started: u64,
    /// The time of the last change.
    since: Instant,
    next: Option<Instant>,
    visits: u64,
}

impl Walk {
    pub(super) fn add_link(&mut self, capacity: Rate) -> LinkId {
        self.links.push(Link { capacity: capacity.0, carried: 0 });
        LinkId(self.links.len() as u32 - 1)
    }

    pub(super) fn set_capacity(&mut self, now: Instant, link: LinkId, capacity: Rate) {
        self.settle(now);
        self.links[link.0 as usize].capacity = capacity.0;
        self.fill();
    }

    pub(super) fn start(&mut self, now: Instant, flows: &[Flow]) -> FlowId {
        self.settle(now);
        let first = FlowId(self.started);
        for &flow in flows {
            self.flows.push(Moving { id: FlowId(self.started), flow, left: units(flow.size), rate: 0 });
            self.started += 1;
        }
        self.fill();
        first
    }

    pub(super) fn cancel(&mut self, now: Instant, id: FlowId) -> Option<Bytes> {
        self.settle(now);
        let place = self.place(id)?;
        let moved = self.take_out(place);
        self.fill();
        Some(whole_bytes(moved))
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn finish(&mut self, now: Instant, ended: &mut Vec<FlowId>) {
        self.settle(now);
        let mut place = 0;
        while place < self.flows.len() {
            if self.flows[place].left > 0 {
                place += 1;
                continue;
            }
            ended.push(self.flows[place].id);
            self.take_out(place);
        }
        self.fill();
    }

    pub(super) fn rate(&self, id: FlowId) -> Option<Rate> {
        self.place(id).map(|place| Rate(self.flows[place].rate))
    }

    pub(super) fn moved(&self, now: Instant, id: FlowId) -> Option<Bytes> {
        self.place(id).map(|place| whole_bytes(self.flows[place].moved(self.since, now)))
    }

    pub(super) fn carried_units(&self, now: Instant, link: LinkId) -> u128 {
        let on_it = self.flows.iter().filter(|moving| moving.flow.route.links().contains(&link.0));
        let moving: u128 = on_it.map(|moving| moving.moved(self.since, now)).sum();
        self.links[link.0 as usize].carried + moving
    }

    pub(super) fn len(&self) -> usize {
        self.flows.len()
    }

    pub(super) fn visits(&self) -> u64 {
        self.visits
    }

    fn place(&self, id: FlowId) -> Option<usize> {
        self.flows.binary_search_by_key(&id, |moving| moving.id).ok()
    }

    /// Takes a flow out and gives the units that it moved.
    fn take_out(&mut self, place: usize) -> u128 {
        let gone = self.flows.remove(place);
        let moved = gone.moved(self.since, self.since);
        for &link in gone.flow.route.links() {
            self.links[link as usize].carried += moved;
        }
        moved
    }

    fn settle(&mut self, now: Instant) {
        for moving in &mut self.flows {
            moving.left = moving.left.saturating_sub(served(moving.rate, self.since, now));
        }
        self.visits += self.flows.len() as u64;
        self.since = now;
    }

    /// Gives every flow its rate.
    fn fill(&mut self) {
        let mut rest: Vec<u64> = self.links.iter().map(|link| link.capacity).collect();
        let mut open: Vec<usize> = (0..self.flows.len()).collect();
        while !open.is_empty() {
            self.visits += (self.links.len() + open.len()) as u64;
            let shares = self.shares(&rest, &open);
            let least = shares.iter().flatten().min().copied().unwrap_or(u64::MAX);
            let level = open.iter().map(|&place| cap_of(&self.flows[place].flow)).fold(least, u64::min);
            open.retain(|&place| {
                let moving = &mut self.flows[place];
                let links = moving.flow.route.links();
                let fixed = cap_of(&moving.flow) == level
                    || links.iter().any(|&link| shares[link as usize] == Some(level));
                if fixed {
                    moving.rate = level;
                    links.iter().for_each(|&link| rest[link as usize] -= level);
                }
                !fixed
            });
        }
        let ends = self.flows.iter().filter_map(|moving| end_of(self.since, moving.left, moving.rate));
        self.next = ends.min();
        self.visits += self.flows.len() as u64;
    }

    /// The shares of links that have flows without a rate.
    fn shares(&self, rest: &[u64], open: &[usize]) -> Vec<Option<u64>> {
        let mut without = vec![0; rest.len()];
        for &place in open {
            for &link in self.flows[place].flow.route.links() {
                without[link as usize] += 1;
            }
        }
        rest.iter().zip(without).map(|(rest, without)| rest.checked_div(without)).collect()
    }
}
