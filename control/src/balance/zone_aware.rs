//! A conversation stays in one zone while that zone has room to spare; what has no home, or finds it too full, goes to the
//! zone with the largest share of its slots free. In the zone, the host with the model loaded and the fewest requests.
//!
//! A request has no zone here: one gateway stands for all. So "home" is what the conversation hashes to: the zone of its
//! host of highest random weight, which gives zones conversations in proportion to their hosts, and moves only the
//! conversations of a host that comes or goes. Turns then meet caches of their own zone, and what spills over takes the
//! zone that has most left, as Envoy's zone-aware routing spills in proportion to what is left elsewhere.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::{Balancer, Candidates, Pick};
use crate::door::Reason;
use crate::draw::{Draw, mix};
use crate::ids::HostId;
use crate::strategy::{Parameter, Parameters, Requires, Strategy};

/// What it says of itself.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "zone-aware",
    summary: "the conversation's zone while it is not too full, else the zone with the largest share free; there the \
              model loaded, then fewest requests",
    source: "Envoy, zone-aware routing with spillover; Thaler, Ravishankar 1998 (highest random weight)",
    cost: "O(n × zones)",
    needs: "declared zones and slots, sessions or hashes of prompt blocks, models loaded, requests under way",
    requires: Requires::Nothing,
    parameters: &[Parameter {
        name: "spill_percent",
        summary: "most requests in a conversation's zone, in percent of its slots",
        default: 90,
        least: 1,
        most: 10_000,
    }],
};

/// Zones by conversation, spilling over.
#[derive(Debug)]
pub(super) struct ZoneAware {
    spill_percent: u64,
    /// Names of zones met so far: what repeats from decision to decision is not compared host by host, nor allocated.
    names: Vec<String>,
    /// Of each of them, for the decision at hand.
    zones: Vec<Zone>,
}

/// One zone, over the eligible hosts in it.
#[derive(Clone, Copy, Debug, Default)]
struct Zone {
    slots: u64,
    in_flight: u64,
    /// Its best open host: model not loaded, requests, id.
    best: Option<(bool, u32, HostId)>,
}

impl Zone {
    /// Free slots in parts of a million.
    fn free_share(&self) -> u64 {
        self.slots.saturating_sub(self.in_flight) * 1_000_000 / self.slots.max(1)
    }
}

impl ZoneAware {
    pub(super) fn new(parameters: &Parameters) -> Self {
        Self { spill_percent: parameters.get(0).into(), names: vec![String::new()], zones: Vec::new() }
    }

    /// The place of a zone's name. Hosts without one are the first zone, and cost no comparison of texts.
    fn place(&mut self, name: &str) -> usize {
        if name.is_empty() {
            return 0;
        }
        self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        })
    }

    /// Sums up the zones; gives the place of the conversation's own.
    fn survey(&mut self, candidates: &Candidates<'_>) -> Option<usize> {
        let request = candidates.request();
        let key = request.session.map(|session| session.0).or(request.prefix.first().copied());
        let mut home: Option<(u64, usize)> = None;
        self.zones.clear();
        for &host in candidates.eligible() {
            let declaration = &candidates.host(host).declaration;
            let place = self.place(&declaration.zone);
            if place >= self.zones.len() {
                self.zones.resize(place + 1, Zone::default());
            }
            let zone = &mut self.zones[place];
            let in_flight = candidates.load(host).in_flight;
            zone.slots += u64::from(declaration.slots.max(1));
            zone.in_flight += u64::from(in_flight);
            if candidates.is_open(host) {
                let rank = (!candidates.is_loaded(host), in_flight, host);
                zone.best = Some(zone.best.map_or(rank, |best| best.min(rank)));
            }
            if let Some(key) = key {
                let height = mix(key ^ mix(u64::from(host.0) + 1));
                if home.is_none_or(|(highest, _)| height > highest) {
                    home = Some((height, place));
                }
            }
        }
        home.map(|(_, place)| place)
    }
}

impl Balancer for ZoneAware {
    fn pick(&mut self, candidates: &Candidates<'_>, _: &mut Draw) -> Pick {
        let home = self.survey(candidates);
        if let Some(zone) = home.map(|place| self.zones[place])
            && (zone.in_flight + 1) * 100 <= self.spill_percent * zone.slots
            && let Some((.., host)) = zone.best
        {
            return Pick { host, reason: Reason::HomeZone };
        }
        // Ties go to the zone with the lowest best host, which is the same whatever was met before.
        let open = self.zones.iter().filter_map(|zone| Some((zone.free_share(), zone.best?.2)));
        let (_, host) = open
            .max_by_key(|(free, host)| (*free, core::cmp::Reverse(*host)))
            .expect("a balancer is asked only where a host is open");
        Pick { host, reason: Reason::FreestZone }
    }
}
