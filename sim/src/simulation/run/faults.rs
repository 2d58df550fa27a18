//! Faults as events of the run: what they do to hosts, to connections and to messages on their way.

mod transfers;

use control::door::{Action, ActionFailure, ActionOutcome, Input};
use control::ids::{ActionId, HostId, RequestId};
use control::observe::Turn as Heard;
use control::request::{Failure, Usage};
use control::units::{Instant, Nanos};
use sim_host::api::{HostError, HostEvent, Message};
use sim_host::host::Fault as Breaks;

use super::{Simulation, Timer, ToControl, ToHost};
use crate::engine::Order;
use crate::faults::{Fault, FaultKind, Way};
use crate::simulation::faults::{CONNECT_TIMEOUT, Fate, STALL_TIMEOUT, Turn};
use crate::simulation::{RunError, Sink};

/// What is waited for because something is broken.
#[derive(Debug)]
pub(super) enum FaultTimer {
    /// A message to a host that is late, or that waits for a connection.
    ToHost(HostId, ToHost),
    /// A message to control that is late, or that was held up.
    ToControl(ToControl),
    /// Control has tried to connect for long enough.
    Connect(HostId, ToHost),
    /// A stream has stood still for long enough.
    Idle(RequestId, u8),
    /// A host that something is or was wrong with is polled.
    Watch(HostId),
    /// A host was provisioned, or is given back.
    Power(Action),
    /// Transfers have stood still since this time for long enough.
    Stalled(Instant),
}

/// Slowed down by this, in thousandths.
const SLOW_PERMILLE: u32 = 10_000;

impl<S: Sink> Simulation<'_, S> {
    /// Sends something to a host.
    #[inline]
    pub(super) fn ask(&mut self, host: HostId, message: ToHost) {
        if self.faults.is_none() {
            self.to_host.send(self.now, (host, message));
        } else {
            self.ask_anyway(host, message);
        }
    }

    /// A host sends something to control.
    #[inline]
    pub(super) fn tell(&mut self, host: HostId, message: ToControl) {
        if self.faults.is_none() {
            self.to_control.send(self.now, message);
        } else {
            self.tell_anyway(host, message);
        }
    }

    pub(super) fn later(&mut self, at: Instant, timer: FaultTimer) {
        let Some(faults) = &mut self.faults else { return };
        faults.timers += 1;
        let order = Order { at, kind: 4, entity: faults.timers, count: 0 };
        self.timers.push(order, Timer::Fault(Box::new(timer)));
    }

    fn ask_anyway(&mut self, host: HostId, message: ToHost) {
        let Some(faults) = &mut self.faults else { return };
        match message {
            ToHost::Act(action) => {
                faults.acting.insert(action.id, host);
            }
            ToHost::Abandon(action) => {
                faults.acting.remove(&action);
            }
            _ => {}
        }
        let connects = matches!(message, ToHost::Request(..) | ToHost::Act(_));
        let broken = &faults.hosts[host.index()];
        if connects && broken.is_cut(Way::Both) {
            let kind = faults.cut_by(host);
            faults.felt(kind);
            return self.later(self.now.saturating_add(CONNECT_TIMEOUT), FaultTimer::Connect(host, message));
        }
        if broken.is_cut(Way::ToHost) {
            // The end of a connection that the host does not hear of.
            let kind = faults.cut_by(host);
            faults.felt(kind);
            return;
        }
        match faults.fate(host, false) {
            Fate::Comes | Fate::Twice => self.to_host.send(self.now, (host, message)),
            Fate::Late(by) => self.later(self.now.saturating_add(by), FaultTimer::ToHost(host, message)),
            Fate::Lost => {
                if let ToHost::Act(action) = message {
                    self.give_up_action(action.id);
                }
            }
        }
    }

    /// Nothing is heard of an action any more: the driver gives it up in time.
    fn give_up_action(&mut self, action: ActionId) {
        let outcome = ActionOutcome::Failed(ActionFailure::Stalled);
        let at = self.now.saturating_add(STALL_TIMEOUT);
        self.later(at, FaultTimer::ToControl(ToControl::Acted(action, outcome)));
    }

    fn tell_anyway(&mut self, host: HostId, message: ToControl) {
        let Some(faults) = &mut self.faults else { return };
        let attempt = match message {
            ToControl::FirstByte(request, attempt)
            | ToControl::Finished(request, attempt, _)
            | ToControl::Failed(request, attempt, _) => Some((request, attempt)),
            ToControl::Acted(action, _) => {
                faults.acting.remove(&action);
                None
            }
            // Polls that are not answered are not made, and what is late of them is out of date.
            ToControl::Observed(..) | ToControl::Measured(..) | ToControl::Published(_) => {
                return self.to_control.send(self.now, message);
            }
        };
        if faults.hosts[host.index()].is_cut(Way::ToControl) {
            let kind = faults.cut_by(host);
            faults.felt(kind);
            return faults.held.push((host, message));
        }
        let fate = faults.fate(host, true);
        let mut at = self.now;
        if let Some((request, attempt)) = attempt {
            let Some((_, flight)) = self.flights.find(request) else { return };
            if !flight.hears(attempt) || flight.silent {
                return;
            }
            if fate == Fate::Lost {
                flight.silent = true;
                let idle = flight.first_token.map(|_| self.now.saturating_add(flight.idle_timeout));
                if let Some(idle) = idle {
                    self.later(idle, FaultTimer::Idle(request, attempt));
                }
                return;
            }
            if let Fate::Late(by) = fate {
                flight.held_until = flight.held_until.max(self.now.saturating_add(by));
            }
            at = at.max(flight.held_until);
        } else if fate == Fate::Lost {
            if let ToControl::Acted(action, _) = message {
                self.give_up_action(action);
            }
            return;
        }
        if fate == Fate::Twice && at == self.now {
            self.to_control.send(self.now, message.clone());
        }
        if at > self.now {
            self.later(at, FaultTimer::ToControl(message));
        } else {
            self.to_control.send(self.now, message);
        }
    }

    /// Whether a host is down.
    #[inline]
    pub(super) fn is_down(&self, host: HostId) -> bool {
        self.faults.as_ref().is_some_and(|faults| faults.hosts[host.index()].down > 0)
    }

    /// A message reaches a machine on which nothing listens.
    pub(super) fn refuse(&mut self, host: HostId, message: ToHost) {
        match message {
            ToHost::Request(request, attempt) => {
                self.tell(host, ToControl::Failed(request, attempt, Failure::Unreachable));
            }
            ToHost::Act(action) => {
                let outcome = ActionOutcome::Failed(ActionFailure::Host(Failure::Unreachable));
                self.tell(host, ToControl::Acted(action.id, outcome));
            }
            ToHost::Cancel(..) | ToHost::Abandon(_) => {}
        }
    }

    /// A host's answer shows a fault.
    #[cold]
    pub(super) fn feel(&mut self, host: HostId, event: &HostEvent) {
        let Some(faults) = &mut self.faults else { return };
        let HostEvent::Error { error, .. } = event else { return };
        match error {
            HostError::OutOfMemory if faults.hosts[host.index()].no_memory > 0 => {
                faults.felt(FaultKind::NoMemoryAtLoad);
            }
            HostError::RunnerGone => faults.felt(FaultKind::NoMemoryInDecode),
            HostError::Damaged => faults.felt(FaultKind::CorruptBlob),
            _ => {}
        }
    }

    /// What a host reports of an answer, by its own clock.
    #[inline]
    pub(super) fn counted(&mut self, host: HostId, usage: Usage) -> Usage {
        let Some(faults) = &mut self.faults else { return usage };
        if !faults.is_off(host) {
            return usage;
        }
        faults.felt(FaultKind::Clock);
        let counted = |span: Nanos| faults.counted(host, span);
        Usage {
            load: counted(usage.load),
            prompt_eval: counted(usage.prompt_eval),
            eval: counted(usage.eval),
            ..usage
        }
    }

    /// Whether a poll of a host is made as usual: one that is watched is polled on each beat anyway.
    pub(super) fn is_polled(&mut self, host: HostId) -> bool {
        let Some(faults) = &mut self.faults else { return true };
        let polled = faults.hosts[host.index()].is_usual();
        if !polled {
            self.hosts.pass_poll(host);
        }
        polled
    }

    /// A fault begins or ends.
    pub(super) fn turn(&mut self) -> Result<(), RunError> {
        let faults = self.faults.as_mut().expect("a turn is a fault's");
        let turn = faults.pop();
        faults.take_in(&turn);
        let Turn { fault, begins } = turn;
        match fault.host {
            None => self.registry_turns(begins),
            Some(host) => {
                self.host_turns(host, &fault, begins)?;
                self.watch(host);
                Ok(())
            }
        }
    }

    fn host_turns(&mut self, host: HostId, fault: &Fault, begins: bool) -> Result<(), RunError> {
        let faults = self.faults.as_mut().expect("a turn is a fault's");
        let broken = &faults.hosts[host.index()];
        match fault.kind {
            FaultKind::Crash | FaultKind::Restart if begins => {
                faults.felt(fault.kind);
                self.crash(host, fault.kind == FaultKind::Crash)
            }
            FaultKind::Slow => {
                let permille = if broken.slow > 0 { SLOW_PERMILLE } else { 1_000 };
                if begins {
                    faults.felt(FaultKind::Slow);
                }
                self.deliver_fault(host, Message::Slowdown(permille))
            }
            FaultKind::NoMemoryAtLoad => {
                let lacks = broken.no_memory > 0;
                self.deliver_fault(host, Message::Fault(Breaks::NoMemory(lacks)))
            }
            FaultKind::NoMemoryInDecode if begins && broken.down == 0 => {
                self.deliver_fault(host, Message::Fault(Breaks::RunnerDies))
            }
            FaultKind::Partition | FaultKind::Swizzle if begins => {
                self.streams_stand(host);
                Ok(())
            }
            FaultKind::Partition | FaultKind::Swizzle => {
                self.release_held(host);
                Ok(())
            }
            FaultKind::DiskFull => self.disk_turns(host, begins),
            FaultKind::CorruptBlob => self.corrupt(host, fault, begins),
            _ => Ok(()),
        }
    }

    fn deliver_fault(&mut self, host: HostId, message: Message) -> Result<(), RunError> {
        self.hosts.deliver(self.now, host, message, &mut self.host_events);
        self.after_host(host)
    }

    /// All that a host was at work on is gone; whoever waits for it sees the connection break.
    pub(super) fn crash(&mut self, host: HostId, machine: bool) -> Result<(), RunError> {
        self.deliver_fault(host, Message::Fault(Breaks::Crash { machine }))?;
        let mut broken = Vec::new();
        for place in self.flights.places() {
            let flight = self.flights.at(place);
            let waits = flight.attempts > 0 && flight.host == Some(host) && !flight.closed;
            if waits {
                let streams = flight.first_token.is_some();
                let failure = if streams { Failure::Broken } else { Failure::Unreachable };
                broken.push((flight.request, flight.attempts - 1, failure));
            }
        }
        for (request, attempt, failure) in broken {
            self.tell(host, ToControl::Failed(request, attempt, failure));
        }
        let stopped = self.supply.as_mut().map(|supply| supply.crash(self.now, host)).unwrap_or_default();
        self.transfers_break(stopped, ActionFailure::Host(Failure::Unreachable))?;
        let faults = self.faults.as_mut().expect("a crash is a fault");
        let acting: Vec<ActionId> =
            faults.acting.iter().filter(|(_, at)| **at == host).map(|(action, _)| *action).collect();
        let outcome = ActionOutcome::Failed(ActionFailure::Host(Failure::Unreachable));
        for action in acting {
            self.tell(host, ToControl::Acted(action, outcome));
        }
        Ok(())
    }

    /// Streams of a host from which nothing comes any more are given up in time.
    fn streams_stand(&mut self, host: HostId) {
        for place in self.flights.places() {
            let flight = self.flights.at(place);
            if flight.host == Some(host) && flight.first_token.is_some() && !flight.closed {
                let (request, attempt) = (flight.request, flight.attempts - 1);
                let at = self.now.saturating_add(flight.idle_timeout);
                self.later(at, FaultTimer::Idle(request, attempt));
            }
        }
    }

    /// A first byte was heard. Where what follows it was lost or held up already, the stream is given up in time.
    pub(super) fn stream_begins(&mut self, request: RequestId, attempt: u8) {
        let Some((_, flight)) = self.flights.find(request) else { return };
        let (at, host) = (self.now.saturating_add(flight.idle_timeout), flight.host);
        if flight.silent || host.is_some_and(|host| self.is_cut_off(host)) {
            self.later(at, FaultTimer::Idle(request, attempt));
        }
    }

    /// Whether nothing comes from a host.
    fn is_cut_off(&self, host: HostId) -> bool {
        self.faults.as_ref().is_some_and(|faults| faults.hosts[host.index()].is_cut(Way::ToControl))
    }

    /// What was held up between a host and control comes now, in order.
    fn release_held(&mut self, host: HostId) {
        let Some(faults) = &mut self.faults else { return };
        if faults.hosts[host.index()].is_cut(Way::ToControl) {
            return;
        }
        let (released, held) = std::mem::take(&mut faults.held).into_iter().partition(|held| held.0 == host);
        faults.held = held;
        let released: Vec<(HostId, ToControl)> = released;
        for (host, message) in released {
            self.tell(host, message);
        }
    }

    fn watch(&mut self, host: HostId) {
        if self.faults.as_ref().is_some_and(|faults| faults.hosts[host.index()].is_odd()) {
            self.watch_on(host);
        }
    }

    /// A host is polled on each beat from now on, until all is well with it.
    pub(super) fn watch_on(&mut self, host: HostId) {
        let Some(faults) = &mut self.faults else { return };
        if faults.begin_watch(host) {
            let at = self.hosts.next_beat(self.now, host);
            self.later(at, FaultTimer::Watch(host));
        }
    }

    /// What was waited for because of a fault has come.
    pub(super) fn fire_fault(&mut self, timer: FaultTimer) -> Result<(), RunError> {
        match timer {
            FaultTimer::ToHost(host, message) => self.arrive_at(host, message),
            FaultTimer::ToControl(message) => {
                self.to_control.send(self.now, message);
                Ok(())
            }
            FaultTimer::Connect(host, message) => {
                let reachable =
                    self.faults.as_ref().is_some_and(|faults| faults.hosts[host.index()].is_reachable());
                if reachable { self.arrive_at(host, message) } else { self.not_connected(message) }
            }
            FaultTimer::Idle(request, attempt) => self.idle(request, attempt),
            FaultTimer::Watch(host) => self.watched(host),
            FaultTimer::Power(action) => self.switch(action),
            FaultTimer::Stalled(since) => self.stalled(since),
        }
    }

    /// The driver could not connect.
    fn not_connected(&mut self, message: ToHost) -> Result<(), RunError> {
        match message {
            ToHost::Request(request, attempt) => self.fail(request, attempt, Failure::Unreachable),
            ToHost::Act(action) => {
                if let Some(faults) = &mut self.faults {
                    faults.acting.remove(&action.id);
                }
                let outcome = ActionOutcome::Failed(ActionFailure::Host(Failure::Unreachable));
                self.step(Input::Acted { action: action.id, outcome })
            }
            ToHost::Cancel(..) | ToHost::Abandon(_) => Ok(()),
        }
    }

    /// A stream that has stood still for too long is closed.
    fn idle(&mut self, request: RequestId, attempt: u8) -> Result<(), RunError> {
        let Some((_, flight)) = self.flights.find(request) else { return Ok(()) };
        let Some(host) = flight.host.filter(|_| flight.hears(attempt)) else { return Ok(()) };
        if !flight.silent && !self.is_cut_off(host) {
            return Ok(());
        }
        let Some((_, flight)) = self.flights.find(request) else { return Ok(()) };
        flight.closed = true;
        self.ask(host, ToHost::Cancel(request, attempt));
        self.step(Input::Failed { request, attempt, failure: Failure::IdleTimeout })
    }

    /// A watched host is polled.
    fn watched(&mut self, host: HostId) -> Result<(), RunError> {
        let faults = self.faults.as_mut().expect("a watch is a fault's");
        let answers = faults.answers(host);
        let turn = faults.hosts[host.index()].liveness.polled(answers);
        let silent = faults.hosts[host.index()].liveness.is_silent();
        let goes_on = faults.goes_on(host);
        if goes_on {
            let at = self.hosts.next_beat(Instant(self.now.0 + 1), host);
            self.later(at, FaultTimer::Watch(host));
        }
        match turn {
            Some(Heard::Silent) => return self.step(Input::Silent { host }),
            Some(Heard::Heard) => self.hosts.tell_anew(host),
            None => {}
        }
        if answers && !silent {
            self.poll(host);
            // Its own polls go on when it is no longer watched.
            self.hosts.pass_poll(host);
            if !goes_on && let Some(at) = self.hosts.poll_wanted(Instant(self.now.0 + 1), host) {
                self.poll_at(at, host);
            }
        }
        Ok(())
    }
}
