//! What faults do to transfers, to disks and to the registry.

use control::door::{Action, ActionFailure, ActionOutcome};
use control::ids::HostId;
use control::units::Instant;
use sim_host::api::Message;
use sim_host::host::Fault as Breaks;

use super::super::{Simulation, ToControl};
use super::FaultTimer;
use crate::faults::{Fault, FaultKind};
use crate::simulation::faults::STALL_TIMEOUT;
use crate::simulation::{RunError, Sink};

impl<S: Sink> Simulation<'_, S> {
    /// The end of an action shows a fault.
    pub(in super::super) fn feel_action(&mut self, host: HostId, outcome: ActionOutcome) {
        let is_full = self.supply.as_ref().is_some_and(|supply| supply.is_full(host));
        let Some(faults) = &mut self.faults else { return };
        match outcome {
            ActionOutcome::Failed(ActionFailure::RegistryUnreachable | ActionFailure::Stalled) => {
                faults.felt(FaultKind::RegistryDown);
            }
            ActionOutcome::Failed(ActionFailure::DiskFull) if is_full => faults.felt(FaultKind::DiskFull),
            ActionOutcome::Failed(ActionFailure::DigestMismatch) => faults.felt(FaultKind::CorruptBlob),
            _ => {}
        }
    }

    /// Transfers that broke off: their hosts say so, and what waited for them begins.
    pub(super) fn transfers_break(
        &mut self,
        actions: Vec<Action>,
        failure: ActionFailure,
    ) -> Result<(), RunError> {
        for action in actions {
            let outcome = ActionOutcome::Failed(failure);
            self.feel_action(action.host, outcome);
            self.tell(action.host, ToControl::Acted(action.id, outcome));
            self.begin_waiting(action.host)?;
        }
        Ok(())
    }

    /// A disk is full, which ends what is being written there; or no longer.
    pub(super) fn disk_turns(&mut self, host: HostId, begins: bool) -> Result<(), RunError> {
        let Some(supply) = &mut self.supply else { return Ok(()) };
        let broken = supply.fill(self.now, host, begins);
        self.transfers_break(broken, ActionFailure::DiskFull)
    }

    /// Weights on a disk are damaged, and what comes there; or they are as before.
    pub(super) fn corrupt(&mut self, host: HostId, fault: &Fault, begins: bool) -> Result<(), RunError> {
        if let Some(supply) = &mut self.supply {
            supply.corrupt(host, begins);
        }
        let stored = self.hosts.stored(host);
        let Some(faults) = &mut self.faults else { return Ok(()) };
        let model = if begins {
            let at = (fault.at.0 / 1_000_000).checked_rem(stored.len() as u64);
            let model = at.map(|at| stored[at as usize]);
            faults.damaged.extend(model.map(|model| (*fault, model)));
            model
        } else {
            // The disk may hold others by now.
            faults.damaged.remove(fault)
        };
        let Some(model) = model else { return Ok(()) };
        self.deliver_fault(host, Message::Fault(Breaks::Damage(model, begins)))
    }

    /// The registry cannot be reached, or can again.
    pub(super) fn registry_turns(&mut self, begins: bool) -> Result<(), RunError> {
        let faults = self.faults.as_mut().expect("a turn is a fault's");
        faults.registry_down = faults.registry_down.wrapping_add_signed(if begins { 1 } else { -1 });
        if begins && faults.registry_down == 1 {
            faults.registry_down_at = self.now;
            faults.felt(FaultKind::RegistryDown);
            self.later(self.now.saturating_add(STALL_TIMEOUT), FaultTimer::Stalled(self.now));
        }
        let down = self.faults.as_ref().is_some_and(|faults| faults.registry_down > 0);
        if let Some(supply) = &mut self.supply {
            supply.reach_registry(self.now, !down);
        }
        Ok(())
    }

    /// Transfers that have stood still since the registry went away are given up.
    pub(super) fn stalled(&mut self, since: Instant) -> Result<(), RunError> {
        let Some(faults) = &self.faults else { return Ok(()) };
        if faults.registry_down == 0 || faults.registry_down_at != since {
            return Ok(());
        }
        let stalled = self.supply.as_mut().map(|supply| supply.give_up(self.now)).unwrap_or_default();
        self.transfers_break(stalled, ActionFailure::Stalled)
    }
}
