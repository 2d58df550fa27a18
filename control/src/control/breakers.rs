//! Breakers at work: they are told how attempts went, and hosts that are ejected leave their lanes.

use alloc::vec::Vec;

use super::Control;
use crate::door::{BreakerState, Note, Output, Outputs};
use crate::facts::breakers::{Breakers, Place};
use crate::facts::ledger::Slot;
use crate::ids::{HostId, ModelId};
use crate::policy::breaker::{Breaker, Scope, Span, State, Transition, Verdict, may_eject, verdict};
use crate::request::Failure;
use crate::units::{Instant, Nanos};

/// How an attempt ended, as far as breakers care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Answered { ttft: Nanos },
    Failed(Failure),
    Abandoned,
}

impl Control {
    /// Both breakers that an attempt concerns.
    fn places(host: HostId, model: ModelId) -> [(Place, Scope); 2] {
        [((host, None), Scope::Host), ((host, Some(model)), Scope::Model)]
    }

    /// An attempt was let out.
    pub(super) fn breakers_sent(&mut self, host: HostId, model: ModelId) {
        if self.config.breaker.is_none() {
            return;
        }
        for (place, _) in Self::places(host, model) {
            if let Some(breaker) = self.facts.breakers.at(place, false) {
                breaker.on_sent();
                if matches!(breaker.state(), State::HalfOpen { .. }) {
                    self.eject_or_admit(place);
                }
            }
        }
    }

    /// The running attempt in a slot ended.
    pub(super) fn breakers_ended(&mut self, now: Instant, slot: Slot, end: End, out: &mut Outputs) {
        let Some(config) = self.config.breaker.clone() else { return };
        let entry = self.facts.ledger.get(slot);
        let (model, sent) = (entry.arrive.model, self.facts.ledger.attempts(slot).dispatched_at);
        let Some(host) = self.facts.ledger.host(slot) else { return };
        let span = Span { sent, ended: now };
        for (place, scope) in Self::places(host, model) {
            let counts = matches!(end, End::Failed(failure) if verdict(scope, failure) == Verdict::Failure);
            let Some(breaker) = self.facts.breakers.at(place, counts) else { continue };
            let transition = match end {
                End::Answered { ttft } => breaker.on_success(span, ttft, &config),
                End::Failed(_) if counts => breaker.on_failure(span, &config),
                End::Failed(_) | End::Abandoned => {
                    breaker.on_abandoned(span.sent);
                    None
                }
            };
            let probing = matches!(breaker.state(), State::HalfOpen { .. });
            if let Some(transition) = transition {
                self.changed(place, transition, out);
            } else if probing {
                self.eject_or_admit(place);
            }
        }
    }

    /// Open breakers whose time is over let a few requests through. Whether one did.
    pub(super) fn breakers_on_time(&mut self, now: Instant, out: &mut Outputs) -> bool {
        let mut any = false;
        while self.indexes.breaker_wake.is_some_and(|wake| wake <= now) {
            let due =
                self.facts.breakers.iter().find(|(_, breaker)| breaker.wake().is_some_and(|at| at <= now));
            let (place, _) = due.expect("the earliest wake is that of a breaker");
            let breaker = self.facts.breakers.at(place, false).expect("it was found");
            if let Some(transition) = breaker.on_time(now) {
                self.changed(place, transition, out);
                any = true;
            }
        }
        any
    }

    fn changed(&mut self, place: Place, transition: Transition, out: &mut Outputs) {
        let state = match transition {
            Transition::Opened { .. } => BreakerState::Open,
            Transition::HalfOpened => BreakerState::HalfOpen,
            Transition::Closed => BreakerState::Closed,
        };
        out.push(Output::Note(Note::Breaker { host: place.0, model: place.1, state }));
        self.find_breaker_wake();
        self.eject_or_admit(place);
    }

    /// Finds out when the next breaker wants to be told of the time.
    pub(super) fn find_breaker_wake(&mut self) {
        let wakes = self.facts.breakers.iter().filter_map(|(_, breaker)| breaker.wake());
        self.indexes.breaker_wake = self.config.breaker.as_ref().and(wakes.min());
    }

    /// Brings what a breaker says of a host into its lanes. Never too many are ejected: beyond that a breaker is not heard.
    fn eject_or_admit(&mut self, place: Place) {
        let Some(config) = &self.config.breaker else { return };
        let (host, model) = place;
        let Some(breaker) = self.facts.breakers.at(place, false) else { return };
        let admits = breaker.admits(config);
        if admits != self.facts.breakers.ejected.contains(&place) {
            return;
        }
        if admits {
            self.facts.breakers.ejected.remove(&place);
        } else {
            let (ejected, hosts) = self.ejected_of(model);
            if !may_eject(ejected, hosts, config.ejected_percent_max) {
                return;
            }
            self.facts.breakers.ejected.insert(place);
        }
        match model {
            None => self.place_host(host),
            Some(model) => self.place(host, model),
        }
    }

    /// How many hosts breakers keep requests from, and of how many that could be chosen otherwise: of those that have the
    /// model, where it is one. A silent or drained host is no reserve.
    fn ejected_of(&self, model: Option<ModelId>) -> (u32, u32) {
        let ejected = &self.facts.breakers.ejected;
        let (mut out, mut all) = (0, 0);
        for (host, facts) in (0..).map(HostId).zip(&self.facts.hosts) {
            let has = model.is_none_or(|model| self.indexes.models[model.index()].stored.contains(host));
            if has && facts.is_offered() {
                all += 1;
                out += u32::from(ejected.contains(&(host, None)) || ejected.contains(&(host, model)));
            }
        }
        (out, all)
    }

    /// Brings what breakers keep in line with a new config: where it has none, nothing is left of them; where it lets
    /// another number of probes through, whoever may have requests now gets them.
    pub(super) fn prepare_breakers(&mut self) {
        let Some(config) = &self.config.breaker else {
            self.facts.breakers = Breakers::default();
            return;
        };
        let admits = |(place, breaker): (Place, &Breaker)| breaker.admits(config).then_some(place);
        let admitted: Vec<Place> = self.facts.breakers.iter().filter_map(admits).collect();
        for place in admitted {
            self.facts.breakers.ejected.remove(&place);
        }
    }
}
