//! Hosts that are provisioned and given back.

use control::door::{Action, ActionOutcome, Deed};

use super::faults::FaultTimer;
use super::{Simulation, ToControl};
use crate::simulation::{RunError, Sink};

impl<S: Sink> Simulation<'_, S> {
    /// Whoever has the hosts is asked for one, or gets one back. A host is gone at once and comes when it is provisioned.
    pub(super) fn ask_provider(&mut self, action: Action) {
        let mut at = self.now;
        if action.deed == Deed::Start {
            self.power.switch_on(self.now, action.host);
            at = at.saturating_add(self.setup.fleet.hosts[action.host.index()].provision);
        }
        self.later(at, FaultTimer::Power(action));
    }

    /// A host is on or off from now on. Its disk stays as it is; what it had in memory is lost.
    pub(super) fn switch(&mut self, action: Action) -> Result<(), RunError> {
        let host = action.host;
        let on = action.deed == Deed::Start;
        if !on {
            self.power.switch_off(self.now, host);
            self.crash(host, true)?;
        }
        if let Some(faults) = &mut self.faults {
            faults.switch(host, on);
        }
        self.hosts.tell_anew(host);
        self.watch_on(host);
        self.to_control.send(self.now, ToControl::Acted(action.id, ActionOutcome::Done));
        Ok(())
    }
}
