//! Messages between control and hosts as they arrive, and the driver's timers.

use control::door::{Deed, Input};
use control::ids::{HostId, RequestId};
use control::request::{Failure, Outcome};
use control::units::Instant;
use sim_host::api::{HostEvent, Message};

use super::{Simulation, Timer, ToControl, ToHost};
use crate::engine::Order;
use crate::simulation::flights::{self, Handle};
use crate::simulation::supply::News;
use crate::simulation::{RunError, Sink, ports};

impl<S: Sink> Simulation<'_, S> {
    /// A message reaches a host.
    pub(super) fn deliver(&mut self) -> Result<(), RunError> {
        let (_, (host, message)) = self.to_host.pop().expect("its key was the least");
        self.arrive_at(host, message)
    }

    /// A message is at a host.
    pub(super) fn arrive_at(&mut self, host: HostId, message: ToHost) -> Result<(), RunError> {
        if self.is_down(host) {
            self.refuse(host, message);
            return Ok(());
        }
        let message = match message {
            ToHost::Cancel(request, attempt) => Message::Cancel(flights::key(request, attempt)),
            ToHost::Act(action) if !matches!(action.deed, Deed::Load(_) | Deed::Unload) => {
                return self.begin_supply(action);
            }
            ToHost::Act(action) => Message::Request(ports::action_request(&action)),
            ToHost::Abandon(action) => Message::Cancel(flights::action_key(action)),
            ToHost::Request(request, attempt) => {
                // Its client may have left while it was on its way; then the cancel follows right behind.
                let Some((_, flight)) = self.flights.find(request) else { return Ok(()) };
                if self.faults.is_some() && !flight.hears(attempt) {
                    return Ok(());
                }
                Message::Request(ports::host_request(request, attempt, &flight.job))
            }
        };
        self.hosts.deliver(self.now, host, message, &mut self.host_events);
        self.after_host(host)
    }

    pub(super) fn after_host(&mut self, host: HostId) -> Result<(), RunError> {
        self.send_host_events(host);
        let poll = self.hosts.poll_wanted(self.now, host);
        if poll.is_some() || self.checker.always() {
            self.hosts.check(host).map_err(|what| self.broken(what))?;
        }
        if let Some(at) = poll {
            self.poll_at(at, host);
        }
        Ok(())
    }

    /// Polls a host and tells what is news. When it must be polled again, where its metrics change by themselves.
    pub(super) fn poll(&mut self, host: HostId) -> Option<Instant> {
        let polled = self.hosts.poll(self.now, host);
        if let Some(observation) = polled.observation {
            self.tell(host, ToControl::Observed(host, Box::new(observation)));
        }
        if let Some(utilisation) = polled.utilisation {
            self.tell(host, ToControl::Measured(host, utilisation));
        }
        polled.again
    }

    pub(super) fn poll_at(&mut self, at: Instant, host: HostId) {
        let order = Order { at, kind: 2, entity: host.0.into(), count: 0 };
        self.timers.push(order, Timer::Poll(host));
    }

    /// What hosts let their clients see goes back to control.
    fn send_host_events(&mut self, host: HostId) {
        let mut events = std::mem::take(&mut self.host_events);
        for event in events.drain(..) {
            if self.faults.is_some() {
                self.feel(host, &event);
            }
            let (HostEvent::FirstToken { key }
            | HostEvent::Finished { key, .. }
            | HostEvent::Error { key, .. }) = event;
            let (request, attempt) = match flights::handle_of(key) {
                Handle::Attempt(request, attempt) => (request, attempt),
                Handle::Action(action) => {
                    if let Some(outcome) = ports::action_outcome(&event) {
                        self.tell(host, ToControl::Acted(action, outcome));
                    }
                    continue;
                }
            };
            let message = match event {
                HostEvent::FirstToken { .. } => ToControl::FirstByte(request, attempt),
                HostEvent::Finished { usage, cached_tokens, truncated, .. } => {
                    let usage = self.counted(host, usage);
                    if let Some((_, flight)) = self.flights.find(request)
                        && flight.hears(attempt)
                    {
                        flight.cached_tokens = cached_tokens;
                        flight.truncated = truncated;
                    }
                    ToControl::Finished(request, attempt, usage)
                }
                HostEvent::Error { error, .. } => ToControl::Failed(request, attempt, ports::failure(error)),
            };
            self.tell(host, message);
        }
        self.host_events = events;
    }

    /// A message of a host reaches the gateway. The client sees it at the same time.
    pub(super) fn hear(&mut self, message: ToControl) -> Result<(), RunError> {
        match message {
            ToControl::FirstByte(request, attempt) => {
                let Some((_, flight)) = self.flights.find(request) else { return Ok(()) };
                if !flight.hears(attempt) {
                    return Ok(());
                }
                if flight.first_token.is_some() && self.faults.is_some() {
                    return Ok(());
                }
                if flight.first_token.replace(self.now).is_some() {
                    return Err(self.broken(format!("request {} has two first tokens", request.0)));
                }
                let tokens = [flight.timeout.take(), flight.patience.take()];
                for token in tokens.into_iter().flatten() {
                    self.timers.cancel(token);
                }
                if self.faults.is_some() {
                    self.stream_begins(request, attempt);
                }
                self.step(Input::FirstByte { request, attempt })
            }
            ToControl::Finished(request, attempt, usage) => {
                let Some((place, flight)) = self.flights.find(request) else { return Ok(()) };
                if !flight.hears(attempt) {
                    return Ok(());
                }
                flight.usage = usage;
                self.step(Input::Finished { request, attempt, usage })?;
                self.land(place, Outcome::Finished);
                Ok(())
            }
            ToControl::Failed(request, attempt, failure) => self.fail(request, attempt, failure),
            ToControl::Acted(action, outcome) => self.step(Input::Acted { action, outcome }),
            ToControl::Observed(host, observation) => {
                self.step(Input::Observed { host, observation: *observation })
            }
            ToControl::Published(news) => {
                let News { model, manifest, modified_nanos } = *news;
                self.step(Input::Published { model, manifest, modified_nanos })
            }
            ToControl::Measured(host, utilisation) => self.step(Input::Measured { host, utilisation }),
        }
    }

    pub(super) fn fail(&mut self, request: RequestId, attempt: u8, failure: Failure) -> Result<(), RunError> {
        let Some((_, flight)) = self.flights.find(request) else { return Ok(()) };
        if !flight.hears(attempt) {
            return Ok(());
        }
        flight.closed = true;
        if let Some(token) = flight.timeout.take() {
            self.timers.cancel(token);
        }
        self.step(Input::Failed { request, attempt, failure })
    }

    pub(super) fn fire(&mut self) -> Result<(), RunError> {
        let (_, timer) = self.timers.pop().expect("its key was the least");
        match timer {
            Timer::Fault(timer) => self.fire_fault(*timer),
            Timer::FirstByte(request, attempt) => {
                let (_, flight) = self.flights.find(request).expect("a time-out ends with its flight");
                flight.timeout = None;
                flight.closed = true;
                let host = flight.host.expect("a time-out belongs to an attempt");
                // The driver closes the connection, then tells control.
                self.ask(host, ToHost::Cancel(request, attempt));
                self.step(Input::Failed { request, attempt, failure: Failure::FirstByteTimeout })
            }
            Timer::Patience(request) => {
                let (place, flight) = self.flights.find(request).expect("patience ends with its flight");
                flight.patience = None;
                self.step(Input::Gone { request })?;
                self.land(place, Outcome::Cancelled);
                Ok(())
            }
            Timer::AskRegistry => {
                self.ask_registry();
                Ok(())
            }
            Timer::Poll(host) if !self.is_polled(host) => Ok(()),
            Timer::Poll(host) => {
                if let Some(at) = self.poll(host) {
                    self.poll_at(at, host);
                }
                Ok(())
            }
        }
    }
}
