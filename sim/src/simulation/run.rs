//! The main loop: the next event of all that can happen, carried out, again.

pub(super) mod ahead;
mod faults;
mod messages;
mod power;
mod step;
mod supplies;

use std::collections::VecDeque;

use control::Control;
use control::door::{Action, ActionOutcome, Change, Input, Observation, Outputs, Utilisation};
use control::ids::{ActionId, ArmId, HostId, ModelId, RequestId, TenantId};
use control::index::argmin::Executor;
use control::request::{Failure, Outcome, Usage};
use control::strategy::Requires;
use control::units::{Instant, Nanos};
use sim_host::api::HostEvent;
use traces::record::Sample;
use workloads::source::Source;

use super::conflicts::Conflicts;
use super::faults::Faults;
use super::flights::{Flight, Flights};
use super::hosts::{Hosts, pack, unpack};
use super::power::Power;
use super::supply::{News, Supply};
use super::{OperatorDeed, Progress, RunEnd, RunError, Setup, Sink, ports};
use crate::check::Checker;
use crate::engine::{Digest, EventQueue, Lane, Order};
use crate::network::FlowId;
use ahead::Ahead;
use faults::FaultTimer;

/// Kinds of events, in their order at one time.
pub(super) mod kind {
    pub(crate) const BOUNDARY: u8 = 0;
    pub(crate) const HOST_TIMER: u8 = 1;
    pub(crate) const TO_HOST: u8 = 2;
    pub(crate) const TO_CONTROL: u8 = 3;
    pub(crate) const ARRIVE: u8 = 4;
    pub(crate) const OPERATOR: u8 = 8;
    pub(crate) const TIMER: u8 = 5;
    pub(crate) const WAKE: u8 = 6;
    pub(crate) const SAMPLE: u8 = 7;
    pub(crate) const HOST_START: u8 = 9;
    pub(crate) const TRANSFER: u8 = 10;
    pub(crate) const RELEASE: u8 = 11;
    pub(crate) const FAULT: u8 = 12;
}

/// A pending timer of the driver.
#[derive(Debug)]
enum Timer {
    /// The first byte of this request's attempt is late.
    FirstByte(RequestId, u8),
    /// Its client loses patience.
    Patience(RequestId),
    /// A host is polled.
    Poll(HostId),
    /// The registry is asked what it holds.
    AskRegistry,
    /// Something that follows from a fault.
    Fault(Box<FaultTimer>),
}

/// Events between two signs of life.
const PROGRESS_EVENTS: u64 = 1 << 14;
/// Steps of control between two snapshots in the log, so that a replay can begin in the middle.
const SEGMENT_STEPS: u64 = 250_000;

/// One run.
pub struct Simulation<'a, S: Sink> {
    seed: u64,
    control: Control,
    source: &'a mut dyn Source,
    feedback: bool,
    /// Whether a strategy asks for what only a simulator knows.
    oracle: bool,
    sink: &'a mut S,
    logging: bool,
    steps_logged: u64,
    hosts: Hosts,
    conflicts: Conflicts,
    /// Registry, disks and transfers; absent where nothing can be pulled.
    supply: Option<Box<Supply>>,
    ahead: Ahead,
    /// What is broken; absent where nothing ever is.
    faults: Option<Box<Faults>>,
    power: Power,
    flights: Flights,
    to_host: Lane<(HostId, ToHost)>,
    to_control: Lane<ToControl>,
    timers: EventQueue<Timer>,
    sample_at: Option<Instant>,
    changes: VecDeque<(Instant, OperatorDeed)>,
    setup: Setup,
    digest: Digest,
    checker: Checker,
    arrived: u64,
    now: Instant,
    events: u64,
    outputs: Outputs,
    host_events: Vec<HostEvent>,
    /// Scratch: transfers that have ended.
    flows_ended: Vec<FlowId>,
    /// Whether the registry is to be asked on its next beat.
    registry_asked: bool,
}

/// A message on its way to a host. The request itself is built on arrival there, from its flight.
#[derive(Clone, Copy, Debug)]
pub(super) enum ToHost {
    Request(RequestId, u8),
    Cancel(RequestId, u8),
    Act(Action),
    Abandon(ActionId),
}

/// A message on its way to control; small, since many are under way.
#[derive(Clone, Debug)]
pub(super) enum ToControl {
    FirstByte(RequestId, u8),
    Finished(RequestId, u8, Usage),
    Failed(RequestId, u8, Failure),
    Observed(HostId, Box<Observation>),
    Acted(ActionId, ActionOutcome),
    Measured(HostId, Utilisation),
    Published(Box<News>),
}

/// Whether a config of the run, the first or one that the operator installs, decides by the true lengths of answers.
fn asks_oracle(setup: &Setup) -> bool {
    let later = setup.changes.iter().filter_map(|(_, deed)| match deed {
        OperatorDeed::Tell(Input::Policy(config)) => Some(&**config),
        _ => None,
    });
    std::iter::once(&setup.control)
        .chain(later)
        .any(|config| config.strategy_that(Requires::Oracle).is_some())
}

impl<'a, S: Sink> Simulation<'a, S> {
    /// A run that has not begun.
    pub fn new(setup: Setup, source: &'a mut dyn Source, sink: &'a mut S) -> Self {
        Self {
            seed: setup.seed,
            control: Control::new(setup.control.clone()),
            feedback: source.wants_feedback(),
            oracle: asks_oracle(&setup),
            source,
            logging: sink.wants_log(),
            steps_logged: 0,
            sink,
            ahead: Ahead::new(setup.fleet.hosts.len()),
            hosts: Hosts::new(&setup.fleet, setup.seed),
            conflicts: Conflicts::default(),
            supply: setup
                .fleet
                .registry
                .as_ref()
                .map(|registry| Box::new(Supply::new(&setup.fleet, registry))),
            faults: Faults::new(&setup.fleet, setup.seed).map(Box::new),
            power: Power::new(&setup.fleet.hosts),
            flights: Flights::default(),
            to_host: Lane::new(setup.fleet.network.latency),
            to_control: Lane::new(setup.fleet.network.latency),
            timers: EventQueue::default(),
            sample_at: setup.sample_every.map(|_| Instant::ZERO),
            changes: setup.changes.iter().cloned().collect(),
            checker: Checker::new(setup.checks),
            setup,
            digest: Digest::default(),
            arrived: 0,
            now: Instant::ZERO,
            events: 0,
            outputs: Outputs::new(),
            host_events: Vec::new(),
            flows_ended: Vec::new(),
            registry_asked: false,
        }
    }

    /// Who evaluates many hosts in this run; one after the other at first. It changes no byte.
    pub fn evaluate_with(&mut self, executor: Box<dyn Executor + Send>) {
        self.control.evaluate_with(executor);
    }

    /// Runs until nothing is left to do, or the sink stops it.
    ///
    /// # Errors
    /// Where the source or the log fails, or an invariant is broken.
    pub fn run(mut self) -> Result<RunEnd, RunError> {
        self.declare()?;
        let mut arrival = self.source.next_arrival()?;
        let mut stopped = false;
        loop {
            let next = self.next_key(arrival);
            if self.flights.len() == 0 && arrival.is_none() || next == u64::MAX {
                break;
            }
            let (at, kind) = unpack(next);
            if at < self.now {
                return Err(self.broken(format!("time went back, from {} to {at}", self.now)));
            }
            self.now = at;
            self.events += 1;
            if self.events.is_multiple_of(PROGRESS_EVENTS) && !self.sink.progress(&self.progress()) {
                stopped = true;
                break;
            }
            if at >= self.ahead.until {
                self.look_ahead();
            }
            match kind {
                kind::ARRIVE => {
                    self.arrive()?;
                    arrival = self.source.next_arrival()?;
                }
                kind::TO_HOST => self.deliver()?,
                kind::TO_CONTROL => {
                    let (_, message) = self.to_control.pop().expect("its key was the least");
                    self.hear(message)?;
                    if self.feedback {
                        arrival = self.source.next_arrival()?;
                    }
                }
                kind::TIMER => {
                    self.fire()?;
                    if self.feedback {
                        arrival = self.source.next_arrival()?;
                    }
                }
                kind::WAKE => {
                    self.step(Input::Wake)?;
                    if self.feedback {
                        arrival = self.source.next_arrival()?;
                    }
                }
                kind::TRANSFER => self.transfers_end()?,
                kind::RELEASE => self.release()?,
                kind::FAULT => self.turn()?,
                kind::SAMPLE => self.sample(),
                kind::OPERATOR => {
                    let (_, deed) = self.changes.pop_front().expect("its key was the least");
                    self.sink.operated(self.now);
                    if let Some(input) = self.operator_input(deed) {
                        self.conflicts.operated(&input);
                        self.step(input)?;
                    }
                    if self.feedback {
                        arrival = self.source.next_arrival()?;
                    }
                }
                _ => {
                    let host = self.hosts.advance(&mut self.host_events);
                    self.after_host(host)?;
                }
            }
        }
        self.end(stopped)
    }

    #[inline]
    fn next_key(&self, arrival: Option<Instant>) -> u64 {
        let key = |at: Option<Instant>, kind| at.map_or(u64::MAX, |at| pack(at.max(self.now), kind));
        let timer = self.timers.peek().map(|order| order.at);
        self.hosts
            .next_key()
            .min(key(self.to_host.peek(), kind::TO_HOST))
            .min(key(self.to_control.peek(), kind::TO_CONTROL))
            .min(key(arrival, kind::ARRIVE))
            .min(key(timer, kind::TIMER))
            .min(key(self.control.next_wake(), kind::WAKE))
            .min(key(self.supply.as_ref().and_then(|supply| supply.next_transfer()), kind::TRANSFER))
            .min(key(self.supply.as_ref().and_then(|supply| supply.next_release()), kind::RELEASE))
            .min(key(self.faults.as_ref().and_then(|faults| faults.next()), kind::FAULT))
            .min(key(self.sample_at, kind::SAMPLE))
            .min(key(self.changes.front().map(|change| change.0), kind::OPERATOR))
    }

    /// What control is told of something that the operator does.
    fn operator_input(&self, deed: OperatorDeed) -> Option<Input> {
        let (model, of) = match deed {
            OperatorDeed::Tell(input) => return Some(input),
            OperatorDeed::Keep { model, of } => (model, of),
        };
        let named = self.setup.fleet.models.iter().position(|name| *name == model)?;
        let model = ModelId(named as u32);
        let digest = self.control.facts().sync.registers.get(&model)?.artifact(of)?.digest;
        Some(Input::Operator(Change::Resolve { model, digest: Some(digest) }))
    }

    /// Tells control of models, tenants and hosts, at the start.
    fn declare(&mut self) -> Result<(), RunError> {
        let fleet_models = self.setup.fleet.models.clone();
        for (index, name) in fleet_models.into_iter().enumerate() {
            self.step(Input::ModelNamed { model: ModelId(index as u32), name })?;
        }
        let tenants = self.source.tenants().to_vec();
        for (index, name) in tenants.into_iter().enumerate() {
            self.step(Input::TenantNamed { tenant: TenantId(index as u32), name })?;
        }
        self.declare_contents()?;
        for index in 0..self.hosts.len() {
            let host = HostId(index as u32);
            let declaration = self.setup.fleet.hosts[index].declaration.clone();
            self.step(Input::HostDeclared { host, declaration })?;
            let polled = self.hosts.poll(self.now, host);
            if let Some(observation) = polled.observation {
                self.step(Input::Observed { host, observation })?;
            }
            if let Some(utilisation) = polled.utilisation {
                self.step(Input::Measured { host, utilisation })?;
            }
        }
        Ok(())
    }

    fn arrive(&mut self) -> Result<(), RunError> {
        let Some(job) = self.source.take()? else { return Ok(()) };
        let request = RequestId(self.arrived);
        self.arrived += 1;
        let arrive = ports::arrive(self.seed, request, &job, self.oracle);
        let patience = job.patience.map(|patience| {
            let order =
                Order { at: job.arrival.saturating_add(patience), kind: 1, entity: request.0, count: 0 };
            self.timers.push(order, Timer::Patience(request))
        });
        self.flights.insert(Flight {
            request,
            job,
            dispatched: None,
            first_token: None,
            host: None,
            arm: ArmId::default(),
            attempts: 0,
            idle_timeout: Nanos::ZERO,
            held_until: Instant::ZERO,
            silent: false,
            closed: false,
            cached_tokens: 0,
            truncated: false,
            usage: Default::default(),
            timeout: None,
            patience,
        });
        self.step(Input::Arrive(arrive))
    }

    fn sample(&mut self) {
        let sample = self.take_sample();
        self.sink.sample(&sample);
        self.sample_at = self.setup.sample_every.map(|every| self.now.saturating_add(every));
    }

    fn take_sample(&self) -> Sample {
        let counters = self.control.facts().counters;
        Sample {
            at: self.now,
            queued: counters.queued as u32,
            in_flight: counters.running as u32,
            arrived: counters.arrived,
            finished: counters.finished,
            hosts_on: self.power.on(),
            hosts: self.hosts.sample(self.now),
        }
    }

    fn progress(&self) -> Progress {
        let ended = self.arrived - self.flights.len() as u64;
        Progress { now: self.now, arrived: self.arrived, ended, expected: self.source.len_hint() }
    }

    fn end(mut self, stopped: bool) -> Result<RunEnd, RunError> {
        if !stopped && self.flights.len() > 0 {
            return Err(self.broken(format!("{} requests wait for nothing", self.flights.len())));
        }
        self.checker.recount(&self.control).map_err(|what| self.broken(what))?;
        let last_sample = self.take_sample();
        self.sink.sample(&last_sample);
        for place in self.flights.places() {
            let record = self.flights.at(place).record(self.now, Outcome::Unfinished);
            self.sink.record(&record);
        }
        let (steps, boundaries) = self.hosts.loop_counts(self.now);
        let (supply, traffic) = self.supply.map(|supply| supply.finish(self.now)).unzip();
        let (host_time, on_by_host) = self.power.finish(self.now, &self.setup.fleet.hosts);
        Ok(RunEnd {
            digest: self.digest.finish(),
            ended_at: self.now,
            stopped,
            events: self.events,
            steps,
            boundaries,
            last_sample,
            prefetch: self.control.facts().prefetch.counts,
            selection: self.control.facts().recent.as_ref().map(|recent| *recent.selector.counters()),
            arms: self.control.facts().arms.clone(),
            errands: self.control.facts().errands.counts.clone(),
            host_time,
            on_by_host,
            faults: self.faults.as_ref().map(|faults| faults.counts),
            sync: self.control.config().sync.as_ref().map(|_| self.control.facts().sync.counts.clone()),
            conflicts: self.conflicts.finish(),
            supply,
            traffic,
            predictions: self.control.facts().predictions,
        })
    }

    fn broken(&self, what: String) -> RunError {
        RunError::Invariant { at: self.now, what }
    }
}
