//! What breaks of the supply: disks, the registry, hosts, and transfers with them.

use control::door::{Action, Deed};
use control::ids::HostId;
use control::units::Instant;

use super::{Supply, Transfer};
use crate::network::{FlowId, Rate};

impl Supply {
    /// A host's disk takes nothing more, or something again. Whose transfers to it broke off.
    pub(in crate::simulation) fn fill(&mut self, now: Instant, host: HostId, begins: bool) -> Vec<Action> {
        let full = &mut self.disks[host.index()].full;
        *full = full.wrapping_add_signed(if begins { 1 } else { -1 });
        if !begins {
            return Vec::new();
        }
        self.stop(now, |transfer| transfer.action.host == host && transfer.action.deed != Deed::Push)
    }

    /// Whether a fault keeps a host's disk from taking anything.
    pub(in crate::simulation) fn is_full(&self, host: HostId) -> bool {
        self.disks[host.index()].full > 0
    }

    /// What comes to a host is damaged on its way, or no longer.
    pub(in crate::simulation) fn corrupt(&mut self, host: HostId, begins: bool) {
        let corrupt = &mut self.disks[host.index()].corrupt;
        *corrupt = corrupt.wrapping_add_signed(if begins { 1 } else { -1 });
    }

    /// The registry cannot be reached, or can again.
    pub(in crate::simulation) fn reach_registry(&mut self, now: Instant, reached: bool) {
        self.meter.advance(now, &self.network, &self.transfers);
        self.registry_reached = reached;
        let capacity = if reached { self.capacity } else { Rate::default() };
        self.network.set_capacity(now, self.egress, capacity);
        self.network.set_capacity(now, self.ingress, capacity);
    }

    /// Transfers with the registry are given up: whose actions these were.
    pub(in crate::simulation) fn give_up(&mut self, now: Instant) -> Vec<Action> {
        self.stop(now, |transfer| !matches!(transfer.action.deed, Deed::Fetch(_)))
    }

    /// A host ends: nothing comes to it or from it, and what waited there is forgotten. Whose transfers from it broke off.
    pub(in crate::simulation) fn crash(&mut self, now: Instant, host: HostId) -> Vec<Action> {
        self.stop(now, |transfer| transfer.action.host == host);
        self.disks[host.index()].waiting.clear();
        self.stop(now, |transfer| transfer.action.deed == Deed::Fetch(host))
    }

    fn stop(&mut self, now: Instant, which: impl Fn(&Transfer) -> bool) -> Vec<Action> {
        let stopped = self.transfers.iter().filter(|(_, transfer)| which(transfer));
        let flows: Vec<FlowId> = stopped.map(|(flow, _)| *flow).collect();
        let mut actions = Vec::new();
        self.meter.advance(now, &self.network, &self.transfers);
        for flow in flows {
            let moved = self.network.cancel(now, flow).unwrap_or_default();
            let transfer = self.transfers.remove(&flow).expect("it is one of those under way");
            self.meter.count(&transfer, moved);
            self.counts.lost_bytes += moved.0;
            let Transfer { action, bytes, .. } = transfer;
            let disk = &mut self.disks[action.host.index()];
            disk.pulling -= 1;
            if action.deed != Deed::Push {
                disk.reserved -= bytes;
            }
            self.counts.failed += 1;
            actions.push(action);
        }
        actions
    }
}
