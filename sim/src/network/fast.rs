//! The optimised twin: it looks at what a change can reach, and moves flows of one rate as one.
//!
//! - Flows that got their rate on the same link have the same rate: they are the **group** of that link. The group counts the
//!   units that each of its flows was served since it was; a flow ends when that count reaches its **tag**, so a new rate of
//!   a thousand flows is one number, and one end among the ends of groups (as in Demers, Keshav and Shenker, Analysis and
//!   simulation of a fair queueing algorithm, 1989). A flow at its own cap is served alone.
//! - A change is carried no further than links and flows hang together (`fill`). A link is **roomy** while it could carry
//!   the most that its flows can ever take and a byte a second more for each: its share is then always above what some flow on it
//!   gets elsewhere, so it decides nothing and joins nothing.
//! - Where only the group with the highest level gains or loses a flow, nothing else changes (`top`).

mod fill;
mod top;

use std::collections::BTreeMap;

use control::index::heap::{Heap, Positions};
use control::units::{Bytes, Instant};

use self::top::Top;
use super::{Flow, FlowId, LinkId, ROUTE_MAX, Rate, cap_of, end_of, served, units, whole_bytes};

/// In place of a link: a flow is served alone.
const ALONE: u32 = u32::MAX;

/// Units that each flow of a group was served.
#[derive(Clone, Copy, Debug, Default)]
struct Service {
    since: Instant,
    /// Until `since`.
    units: u128,
    rate: u64,
}

impl Service {
    fn at(&self, now: Instant) -> u128 {
        self.units + served(self.rate, self.since, now)
    }

    fn set_rate(&mut self, now: Instant, rate: u64) {
        *self = Self { since: now, units: self.at(now), rate };
    }

    fn end(&self, tag: u128) -> Option<Instant> {
        end_of(self.since, tag.saturating_sub(self.units), self.rate)
    }
}

#[derive(Debug, Default)]
struct Link {
    capacity: u64,
    /// Slots of the flows on it.
    members: Vec<u32>,
    /// Those that have their rate from it, by tag.
    group: Heap<u128>,
    service: Service,
    /// The tag whose end stands among the ends of groups.
    next_tag: Option<u128>,
    /// The sum of the most that its flows can take, one more for each.
    demand: u128,
    /// Units of flows that are gone.
    carried: u128,
    top: Top,
    /// While filling: capacity without the rates given so far, and flows without a rate.
    rest: u64,
    open: u64,
    /// While filling: how many of its flows were met, where it is passed by.
    met: usize,
}

impl Link {
    fn is_roomy(&self) -> bool {
        self.demand <= self.capacity.into()
    }

    /// What each of its flows, of which there are some, can have of it at least.
    fn share_of_all(&self) -> u64 {
        self.capacity / self.members.len() as u64
    }
}

#[derive(Debug)]
struct Moving {
    id: FlowId,
    flow: Flow,
    /// Where it stands among the members of each of its links.
    places: [u32; ROUTE_MAX],
    /// The least of its cap and the capacities of its links.
    most: u64,
    /// The link whose group it is in, or [`ALONE`].
    group: u32,
    /// The service of its group at which it ends.
    tag: u128,
    /// Its service where it is alone.
    alone: Service,
    /// While filling: it has no rate yet.
    open: bool,
}

/// Links with groups of flows.
#[derive(Debug, Default)]
pub struct Groups {
    links: Vec<Link>,
    flows: Vec<Moving>,
    /// Slots of flows that are gone.
    free: Vec<u32>,
    slots: BTreeMap<FlowId, u32>,
    started: u64,
    /// Where each slot stands in the group of a link.
    tags: Positions,
    /// The next end in each group, by link.
    group_ends: Heap<Instant>,
    group_positions: Positions,
    /// The ends of flows that are alone, by slot.
    alone_ends: Heap<Instant>,
    alone_positions: Positions,
    fillings: u64,
    scratch: fill::Scratch,
    visits: u64,
}

impl Groups {
    pub(super) fn add_link(&mut self, capacity: Rate) -> LinkId {
        self.links.push(Link { capacity: capacity.0, ..Link::default() });
        LinkId(self.links.len() as u32 - 1)
    }

    pub(super) fn set_capacity(&mut self, now: Instant, link: LinkId, capacity: Rate) {
        let link = link.0 as usize;
        self.links[link].capacity = capacity.0;
        for place in 0..self.links[link].members.len() {
            let slot = self.links[link].members[place];
            let most = self.most(&self.flows[slot as usize].flow);
            let before = std::mem::replace(&mut self.flows[slot as usize].most, most);
            let route = self.flows[slot as usize].flow.route;
            for &other in route.links() {
                let demand = &mut self.links[other as usize].demand;
                *demand = *demand - u128::from(before) + u128::from(most);
            }
            self.scratch.reached_flows.push(slot);
        }
        self.fill(now);
    }

    pub(super) fn start(&mut self, now: Instant, flows: &[Flow]) -> FlowId {
        let first = FlowId(self.started);
        for flow in flows {
            let slot = self.put_in(now, FlowId(self.started), *flow);
            self.started += 1;
            // Several are cheaper in one filling than one after the other, wherever that is needed at all.
            if !self.scratch.reached_flows.is_empty() || !self.join_top(now, slot) {
                self.scratch.reached_flows.push(slot);
            }
        }
        self.fill(now);
        first
    }

    pub(super) fn cancel(&mut self, now: Instant, id: FlowId) -> Option<Bytes> {
        let slot = *self.slots.get(&id)?;
        let moved = self.end(now, slot);
        self.fill(now);
        Some(whole_bytes(moved))
    }

    pub(super) fn next(&self) -> Option<Instant> {
        let ends = [self.group_ends.peek(), self.alone_ends.peek()];
        ends.into_iter().flatten().map(|(at, _)| at).min()
    }

    pub(super) fn finish(&mut self, now: Instant, ended: &mut Vec<FlowId>) {
        let before = ended.len();
        while let Some(slot) = self.ended_by(now) {
            ended.push(self.flows[slot as usize].id);
            self.end(now, slot);
        }
        ended[before..].sort_unstable();
        self.fill(now);
    }

    pub(super) fn rate(&self, id: FlowId) -> Option<Rate> {
        self.slots.get(&id).map(|&slot| Rate(self.service(slot).rate))
    }

    pub(super) fn moved(&self, now: Instant, id: FlowId) -> Option<Bytes> {
        self.slots.get(&id).map(|&slot| whole_bytes(self.moved_units(now, slot)))
    }

    pub(super) fn carried_units(&self, now: Instant, link: LinkId) -> u128 {
        let link = &self.links[link.0 as usize];
        let moving: u128 = link.members.iter().map(|&slot| self.moved_units(now, slot)).sum();
        link.carried + moving
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn visits(&self) -> u64 {
        self.visits
    }

    fn service(&self, slot: u32) -> &Service {
        let moving = &self.flows[slot as usize];
        if moving.group == ALONE { &moving.alone } else { &self.links[moving.group as usize].service }
    }

    fn left(&self, now: Instant, slot: u32) -> u128 {
        self.flows[slot as usize].tag.saturating_sub(self.service(slot).at(now))
    }

    fn moved_units(&self, now: Instant, slot: u32) -> u128 {
        units(self.flows[slot as usize].flow.size) - self.left(now, slot)
    }

    /// The most that a flow could ever take as capacities stand.
    fn most(&self, flow: &Flow) -> u64 {
        let capacities = flow.route.links().iter().map(|&link| self.links[link as usize].capacity);
        capacities.fold(cap_of(flow), u64::min)
    }

    /// A flow on its links, without a rate: alone, at 0.
    fn put_in(&mut self, now: Instant, id: FlowId, flow: Flow) -> u32 {
        let slot = self.free.pop().unwrap_or(self.flows.len() as u32);
        let most = self.most(&flow);
        let mut places = [0; ROUTE_MAX];
        for (place, &link) in places.iter_mut().zip(flow.route.links()) {
            let link = &mut self.links[link as usize];
            *place = link.members.len() as u32;
            link.members.push(slot);
            link.demand += u128::from(most) + 1;
        }
        let alone = Service { since: now, ..Service::default() };
        let tag = units(flow.size);
        let moving = Moving { id, flow, places, most, group: ALONE, tag, alone, open: false };
        if slot as usize == self.flows.len() {
            self.flows.push(moving);
        } else {
            self.flows[slot as usize] = moving;
        }
        self.slots.insert(id, slot);
        slot
    }

    /// Takes a flow out and gives the units that it moved. What that changes is done, or reached for the next filling.
    fn end(&mut self, now: Instant, slot: u32) -> u128 {
        let moved = self.moved_units(now, slot);
        let Moving { id, flow: Flow { route, .. }, places, most, group, .. } = self.flows[slot as usize];
        self.leave(now, slot);
        for (&link, place) in route.links().iter().zip(places) {
            let members = &mut self.links[link as usize].members;
            members.swap_remove(place as usize);
            if let Some(&last) = members.get(place as usize) {
                let last = &mut self.flows[last as usize];
                let at = last.flow.route.links().iter().position(|&other| other == link);
                last.places[at.expect("a member is on the link")] = place;
            }
            let link = &mut self.links[link as usize];
            link.demand -= u128::from(most) + 1;
            link.carried += moved;
        }
        self.slots.remove(&id);
        self.free.push(slot);
        if !self.left_top(now, group) {
            if group != ALONE {
                self.set_group_end(group);
            }
            self.scratch.reached_links.extend(route.links());
        }
        moved
    }

    /// A flow that has ended by now.
    fn ended_by(&self, now: Instant) -> Option<u32> {
        let ended = |ends: &Heap<Instant>| ends.peek().filter(|(at, _)| *at <= now).map(|(_, slot)| slot);
        ended(&self.alone_ends).or_else(|| {
            let link = ended(&self.group_ends)?;
            self.links[link as usize].group.peek().map(|(_, slot)| slot)
        })
    }

    /// Takes a flow out of its group, whose end is not set anew; it is alone, at 0.
    fn leave(&mut self, now: Instant, slot: u32) {
        let left = self.left(now, slot);
        let moving = &mut self.flows[slot as usize];
        let group = std::mem::replace(&mut moving.group, ALONE);
        moving.tag = left;
        moving.alone = Service { since: now, ..Service::default() };
        if group == ALONE {
            self.alone_ends.remove(&mut self.alone_positions, slot);
        } else {
            self.links[group as usize].group.remove(&mut self.tags, slot);
        }
    }

    /// Moves a flow to the group of a link.
    fn join(&mut self, now: Instant, slot: u32, link: u32) {
        if self.flows[slot as usize].group == link {
            return;
        }
        self.leave(now, slot);
        let moving = &mut self.flows[slot as usize];
        let joined = &mut self.links[link as usize];
        moving.group = link;
        moving.tag += joined.service.at(now);
        joined.group.push(&mut self.tags, moving.tag, slot);
    }

    /// Lets a flow be served alone, at its cap.
    fn serve_alone(&mut self, now: Instant, slot: u32) {
        let cap = cap_of(&self.flows[slot as usize].flow);
        if self.flows[slot as usize].group == ALONE && self.flows[slot as usize].alone.rate == cap && cap > 0
        {
            return;
        }
        self.leave(now, slot);
        let moving = &mut self.flows[slot as usize];
        moving.alone.rate = cap;
        if let Some(end) = moving.alone.end(moving.tag) {
            self.alone_ends.push(&mut self.alone_positions, end, slot);
        }
    }

    /// Sets the rate of the group of a link, which may have none.
    fn set_level(&mut self, now: Instant, link: u32, level: u64) {
        let Link { group, service, next_tag, .. } = &mut self.links[link as usize];
        if service.rate == level && *next_tag == group.peek().map(|(tag, _)| tag) {
            return;
        }
        service.set_rate(now, level);
        self.set_group_end(link);
    }

    fn set_group_end(&mut self, link: u32) {
        let Link { group, service, next_tag, .. } = &mut self.links[link as usize];
        *next_tag = group.peek().map(|(tag, _)| tag);
        let end = next_tag.and_then(|tag| service.end(tag));
        self.group_ends.remove(&mut self.group_positions, link);
        if let Some(end) = end {
            self.group_ends.push(&mut self.group_positions, end, link);
        }
    }
}
