//! Which hosts are on, and for how long each was.

use control::ids::HostId;
use control::units::{Instant, Nanos};
use traces::record::HostTime;

use crate::config::FleetHost;

/// Hours that each host is on. One that is being provisioned is on: whoever rents it out counts from there.
#[derive(Debug)]
pub(super) struct Power {
    since: Vec<Option<Instant>>,
    nanos: Vec<u64>,
    on_max: u32,
}

impl Power {
    /// All are on but those that stand by.
    pub(super) fn new(hosts: &[FleetHost]) -> Self {
        let since = |host: &FleetHost| (!host.declaration.standby).then_some(Instant::ZERO);
        let since: Vec<Option<Instant>> = hosts.iter().map(since).collect();
        let mut power = Self { nanos: vec![0; since.len()], since, on_max: 0 };
        power.on_max = power.on();
        power
    }

    pub(super) fn switch_on(&mut self, now: Instant, host: HostId) {
        self.since[host.index()].get_or_insert(now);
        self.on_max = self.on_max.max(self.on());
    }

    pub(super) fn switch_off(&mut self, now: Instant, host: HostId) {
        if let Some(since) = self.since[host.index()].take() {
            self.nanos[host.index()] += now.since(since).0;
        }
    }

    /// How many are on.
    pub(super) fn on(&self) -> u32 {
        self.since.iter().flatten().count() as u32
    }

    /// What it came to by now, in all and for each.
    pub(super) fn finish(mut self, now: Instant, hosts: &[FleetHost]) -> (HostTime, Vec<Nanos>) {
        for host in (0..hosts.len() as u32).map(HostId) {
            self.switch_off(now, host);
        }
        let mut time = HostTime { on_max: self.on_max, ..HostTime::default() };
        for (nanos, host) in self.nanos.iter().zip(hosts) {
            let cents = u128::from(host.declaration.cost_cents_per_hour);
            time.on_nanos += u128::from(*nanos);
            time.all_nanos += u128::from(now.0);
            time.cost_cent_nanos += u128::from(*nanos) * cents;
            time.all_cost_cent_nanos += u128::from(now.0) * cents;
            time.standby += u32::from(host.declaration.standby);
        }
        (time, self.nanos.into_iter().map(Nanos).collect())
    }
}
