//! Transfers and contents as events of the run: what begins, what ends, what control hears of it.

use control::door::{Action, ActionFailure, ActionOutcome, Deed, Input};
use control::ids::HostId;
use control::request::Failure;
use control::units::Instant;
use sim_host::api::Message;

use super::{Simulation, Timer, ToControl};
use crate::engine::Order;
use crate::simulation::supply::{Change, News};
use crate::simulation::{RunError, Sink};

impl<S: Sink> Simulation<'_, S> {
    /// Tells control what the registry holds, at the start.
    pub(super) fn declare_contents(&mut self) -> Result<(), RunError> {
        let Some(supply) = &mut self.supply else { return Ok(()) };
        for News { model, manifest, modified_nanos } in supply.news() {
            self.step(Input::Published { model, manifest, modified_nanos })?;
        }
        Ok(())
    }

    /// An action that concerns a disk reaches its host.
    pub(super) fn begin_supply(&mut self, action: Action) -> Result<(), RunError> {
        let failed = |failure| Some((ActionOutcome::Failed(failure), None));
        let from_nobody = matches!(action.deed, Deed::Fetch(from) if self.is_down(from));
        let skew = self.faults.as_ref().map_or(0, |faults| faults.skew_nanos(action.host));
        let ended = match &mut self.supply {
            _ if from_nobody => failed(ActionFailure::Host(Failure::Unreachable)),
            Some(supply) => supply.begin(self.now, action, skew),
            None => failed(ActionFailure::Refused),
        };
        while let Some((model, name)) = self.supply.as_mut().and_then(|supply| supply.next_name()) {
            self.step(Input::ModelNamed { model, name })?;
        }
        let Some((outcome, change)) = ended else { return Ok(()) };
        self.feel_action(action.host, outcome);
        self.tell(action.host, ToControl::Acted(action.id, outcome));
        change.map_or(Ok(()), |change| self.change_disk(change))
    }

    /// A host's disk changes.
    fn change_disk(&mut self, (host, model, change): Change) -> Result<(), RunError> {
        if let Some(supply) = &self.supply {
            supply.check(host).map_err(|what| self.broken(what))?;
        }
        self.hosts.deliver(self.now, host, Message::Disk(model, change), &mut self.host_events);
        self.after_host(host)
    }

    /// Transfers end, and what waited for them begins.
    pub(super) fn transfers_end(&mut self) -> Result<(), RunError> {
        let mut ended = std::mem::take(&mut self.flows_ended);
        let supply = self.supply.as_mut().expect("transfers are the supply's");
        supply.ended(self.now, &mut ended);
        for flow in ended.drain(..) {
            let supply = self.supply.as_mut().expect("transfers are the supply's");
            let host = supply.host_of(flow);
            let skew = self.faults.as_ref().map_or(0, |faults| faults.skew_nanos(host));
            let (action, outcome, change) = supply.end_transfer(self.now, flow, skew);
            if outcome == ActionOutcome::Done {
                self.conflicts.moved(action.model, action.deed);
            }
            self.feel_action(action.host, outcome);
            self.tell(action.host, ToControl::Acted(action.id, outcome));
            if let Some(change) = change {
                self.change_disk(change)?;
            }
            self.begin_waiting(action.host)?;
        }
        self.flows_ended = ended;
        self.ask_registry_soon();
        Ok(())
    }

    /// Transfers begin that wait on a host for their turn.
    pub(super) fn begin_waiting(&mut self, host: HostId) -> Result<(), RunError> {
        while let Some(next) = self.supply.as_mut().and_then(|supply| supply.next_waiting(host)) {
            self.begin_supply(next)?;
        }
        Ok(())
    }

    /// A content is made, in the registry or on a host.
    pub(super) fn release(&mut self) -> Result<(), RunError> {
        let supply = self.supply.as_mut().expect("contents are the supply's");
        let change = supply.release(self.now);
        self.ask_registry_soon();
        change.map_or(Ok(()), |change| self.change_disk(change))
    }

    /// Where the registry holds something that control has not heard of, it is asked on its next beat.
    fn ask_registry_soon(&mut self) {
        let (Some(supply), Some(registry)) = (&self.supply, &self.setup.fleet.registry) else { return };
        if supply.has_news() && !self.registry_asked {
            self.registry_asked = true;
            let at = Instant(self.now.0.next_multiple_of(registry.poll_period.0));
            let order = Order { at, kind: 3, entity: 0, count: 0 };
            self.timers.push(order, Timer::AskRegistry);
        }
    }

    /// What the registry holds is told.
    pub(super) fn ask_registry(&mut self) {
        self.registry_asked = false;
        let Some(supply) = &mut self.supply else { return };
        for news in supply.news() {
            self.to_control.send(self.now, ToControl::Published(Box::new(news)));
        }
    }
}
