//! What must hold of every decision log, whoever decided: I1 conservation (each request ends exactly once, as its record
//! says), I2 capacity (no host is given more than its limit), I3 time (the clock never goes back), I4 single service (at most
//! one attempt of a request gets past its first byte). Knows nothing of control but its log.

use std::collections::{BTreeMap, BTreeSet};

use control::config::{Config, DispatchLimit};
use control::door::{Action, ActionOutcome, Change, Deed, Dispatch, Input, Observation, Output};
use control::ids::{ActionId, HostId, RequestId};
use control::log::Record as LogRecord;
use control::request::{Arrive, Failure, Outcome};
use control::units::Instant;
use traces::record::Record;

/// How often what is to be checked has come up.
#[derive(Clone, Copy, Default, Debug)]
pub struct Seen {
    /// Requests that came.
    pub requests: usize,
    /// Those that were answered in full.
    pub finished: usize,
    /// Those that control turned away.
    pub rejected: usize,
    /// Those whose last attempt failed.
    pub failed: usize,
    /// Those whose clients left.
    pub cancelled: usize,
    /// Attempts after the first.
    pub retries: usize,
    /// Attempts that hosts were too busy for.
    pub busy: usize,
    /// First bytes that came too late.
    pub timeouts: usize,
    /// Configs that were installed under way.
    pub swaps: usize,
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, more: Self) {
        self.requests += more.requests;
        self.finished += more.finished;
        self.rejected += more.rejected;
        self.failed += more.failed;
        self.cancelled += more.cancelled;
        self.retries += more.retries;
        self.busy += more.busy;
        self.timeouts += more.timeouts;
        self.swaps += more.swaps;
    }
}

/// Checks a run from its log and its records.
///
/// # Errors
/// The first thing that does not hold, and where.
pub fn hold(log: impl Iterator<Item = LogRecord<'static>>, records: &[Record]) -> Result<Seen, String> {
    let mut witness = Witness::default();
    for record in log {
        witness.read(&record)?;
    }
    witness.ended_as_recorded(records)?;
    Ok(witness.seen())
}

/// Reads a decision log as it is written.
#[derive(Debug, Default)]
pub struct Witness {
    world: Option<World>,
    records: u64,
}

impl Witness {
    /// The next record.
    ///
    /// # Errors
    /// What does not hold, and where.
    pub fn read(&mut self, record: &LogRecord<'_>) -> Result<(), String> {
        let at = self.records;
        self.records += 1;
        match record {
            LogRecord::Open { snapshot, .. } => {
                self.world.get_or_insert_with(|| World::new(snapshot.config.clone()));
                Ok(())
            }
            LogRecord::Step { now, input, outputs } => {
                let world = self.world.as_mut().ok_or("a step before a snapshot")?;
                let checked = world.step(*now, input, outputs);
                checked.map_err(|what| format!("step {at} at {now}: {what}: {input:?} gave {outputs:?}"))
            }
            LogRecord::Gap { .. } => Err("a gap in the log of a simulation".into()),
        }
    }

    /// At the end: each request has ended once, in the log and in the records alike (I1), and its times are in order (I3).
    ///
    /// # Errors
    /// What does not hold.
    pub fn ended_as_recorded(&self, records: &[Record]) -> Result<(), String> {
        self.world.as_ref().ok_or("an empty log")?.ended_as_recorded(records)
    }

    /// How often what is to be checked has come up.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.world.as_ref().map(|world| world.seen).unwrap_or_default()
    }

    /// Hosts that are to be on, and that control was told do not answer, and not yet that they do again.
    pub fn silent(&self) -> impl Iterator<Item = HostId> {
        let hosts = self.world.iter().flat_map(|world| world.hosts.iter().enumerate());
        hosts
            .filter(|(_, host)| host.silent && host.power == Power::On)
            .map(|(index, _)| HostId(index as u32))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Queued,
    Running { streams: bool },
    Ended(Outcome),
}

#[derive(Debug)]
struct Request {
    arrive: Arrive,
    state: State,
    tried: Vec<HostId>,
}

/// Whether a host is on, as far as control was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Power {
    #[default]
    On,
    Off,
    /// Provisioned, and not heard yet.
    Coming,
}

#[derive(Debug, Default)]
struct Host {
    power: Power,
    slots: u32,
    said: Option<Observation>,
    silent: bool,
    drained: bool,
    in_flight: u32,
}

/// The world as the log tells it.
#[derive(Debug)]
struct World {
    now: Instant,
    config: Config,
    previous: Option<Config>,
    requests: Vec<Request>,
    hosts: Vec<Host>,
    /// Hosts that are being provisioned, by action.
    starts: BTreeMap<ActionId, HostId>,
    queued: usize,
    seen: Seen,
}

impl World {
    fn new(config: Config) -> Self {
        Self {
            now: Instant::ZERO,
            config,
            previous: None,
            requests: Vec::new(),
            hosts: Vec::new(),
            starts: BTreeMap::new(),
            queued: 0,
            seen: Seen::default(),
        }
    }

    fn step(&mut self, now: Instant, input: &Input, outputs: &[Output]) -> Result<(), String> {
        if now < self.now {
            return Err(format!("time went back from {} (I3)", self.now));
        }
        self.now = now;
        self.hear(input, outputs)?;
        for output in outputs {
            self.obey(input, output)?;
        }
        if let Input::Arrive(arrive) = input
            && self.request(arrive.request)?.state == State::Queued
            && self.queued > self.config.queue_requests_max as usize
        {
            return Err(format!("{} are queued, {} may be", self.queued, self.config.queue_requests_max));
        }
        Ok(())
    }

    fn request(&mut self, request: RequestId) -> Result<&mut Request, String> {
        self.requests.get_mut(request.0 as usize).ok_or(format!("request {} never came", request.0))
    }

    fn host(&mut self, host: HostId) -> Result<&mut Host, String> {
        self.hosts.get_mut(host.index()).ok_or(format!("host {} is not known", host.0))
    }

    fn end(&mut self, request: RequestId, outcome: Outcome) -> Result<(), String> {
        let entry = self.request(request)?;
        if let State::Ended(before) = entry.state {
            return Err(format!("request {} ends twice: {before:?}, then {outcome:?} (I1)", request.0));
        }
        let before = std::mem::replace(&mut entry.state, State::Ended(outcome));
        self.queued -= usize::from(before == State::Queued);
        match outcome {
            Outcome::Finished => self.seen.finished += 1,
            Outcome::Rejected(_) => self.seen.rejected += 1,
            Outcome::Failed(_) => self.seen.failed += 1,
            Outcome::Cancelled => self.seen.cancelled += 1,
            Outcome::Unfinished => return Err("control leaves nothing unfinished".into()),
        }
        Ok(())
    }

    /// The attempt of a request that runs; `None` where the one that is meant does not run any more.
    fn running(&mut self, request: RequestId, attempt: u8) -> Result<Option<(HostId, bool)>, String> {
        let entry = self.request(request)?;
        let State::Running { streams } = entry.state else { return Ok(None) };
        let current = entry.tried.len() == usize::from(attempt) + 1;
        Ok(current.then(|| (entry.tried[usize::from(attempt)], streams)))
    }

    /// What the driver told.
    fn hear(&mut self, input: &Input, outputs: &[Output]) -> Result<(), String> {
        match input {
            Input::HostDeclared { host, declaration } => {
                if host.index() == self.hosts.len() {
                    let power = if declaration.standby { Power::Off } else { Power::On };
                    self.hosts.push(Host { power, ..Host::default() });
                }
                self.host(*host)?.slots = declaration.slots.max(1);
            }
            Input::Observed { host, observation } => {
                let host = self.host(*host)?;
                host.said = Some(observation.clone());
                host.silent = false;
                if host.power == Power::Coming {
                    host.power = Power::On;
                }
            }
            Input::Acted { action, outcome } => {
                let started = self.starts.remove(action).filter(|_| *outcome == ActionOutcome::Done);
                if let Some(host) = started {
                    self.host(host)?.power = Power::Coming;
                }
            }
            Input::Silent { host } => self.host(*host)?.silent = true,
            Input::Arrive(arrive) => {
                if arrive.request.0 != self.requests.len() as u64 {
                    return Err(format!("request {} is not the next (I1)", arrive.request.0));
                }
                let arrive = arrive.clone();
                self.requests.push(Request { arrive, state: State::Queued, tried: Vec::new() });
                self.queued += 1;
                self.seen.requests += 1;
            }
            Input::FirstByte { request, attempt } => match self.running(*request, *attempt)? {
                Some((_, false)) => self.request(*request)?.state = State::Running { streams: true },
                Some((_, true)) => return Err(format!("request {} has two first bytes (I4)", request.0)),
                None => return Err(format!("an attempt that ended has a first byte: {} (I4)", request.0)),
            },
            Input::Finished { request, attempt, .. } => {
                let Some((host, _)) = self.running(*request, *attempt)? else {
                    return Err(format!("request {} is answered, but not under way (I1)", request.0));
                };
                self.host(host)?.in_flight -= 1;
                self.end(*request, Outcome::Finished)?;
            }
            Input::Failed { request, attempt, failure } => {
                self.fail(*request, *attempt, *failure, outputs)?
            }
            Input::Gone { request } => self.leave(*request, outputs)?,
            Input::Policy(config) => {
                self.previous = Some(std::mem::replace(&mut self.config, (**config).clone()));
                self.seen.swaps += 1;
            }
            Input::Operator(Change::Drain { host, drained }) => self.host(*host)?.drained = *drained,
            Input::Operator(Change::Rollback) => {
                if let Some(config) = self.previous.take() {
                    self.config = config;
                }
            }
            Input::Operator(Change::Freeze(_) | Change::Resolve { .. })
            | Input::ModelNamed { .. }
            | Input::TenantNamed { .. }
            | Input::Progress { .. }
            | Input::Measured { .. }
            | Input::Verdict(_)
            | Input::Published { .. }
            | Input::Remembered(_)
            | Input::Wake => {}
        }
        Ok(())
    }

    /// An attempt failed: the request ends now, or is queued again.
    fn fail(
        &mut self,
        request: RequestId,
        attempt: u8,
        failure: Failure,
        outputs: &[Output],
    ) -> Result<(), String> {
        let Some((host, streams)) = self.running(request, attempt)? else {
            return Err(format!("an attempt failed that does not run: {}", request.0));
        };
        self.host(host)?.in_flight -= 1;
        self.seen.busy += usize::from(failure == Failure::Busy);
        self.seen.timeouts += usize::from(failure == Failure::FirstByteTimeout);
        let failed = |output: &Output| matches!(output, Output::Fail { request: it, .. } if *it == request);
        if outputs.iter().any(failed) {
            return self.end(request, Outcome::Failed(failure));
        }
        if streams {
            return Err(format!("request {} is tried again after its first byte (I4)", request.0));
        }
        if attempt + 1 >= self.config.attempts_max {
            return Err(format!(
                "request {} is tried more than {} times",
                request.0, self.config.attempts_max
            ));
        }
        self.request(request)?.state = State::Queued;
        self.queued += 1;
        Ok(())
    }

    /// A client left: what ran for it is cancelled.
    fn leave(&mut self, request: RequestId, outputs: &[Output]) -> Result<(), String> {
        let entry = self.request(request)?;
        let attempts = entry.tried.len();
        let host = entry.tried.last().copied().filter(|_| matches!(entry.state, State::Running { .. }));
        let cancelled =
            |output: &&Output| matches!(output, Output::Cancel { request: it, .. } if *it == request);
        let cancels: Vec<&Output> = outputs.iter().filter(cancelled).collect();
        let expected = host.map(|host| Output::Cancel { request, attempt: attempts as u8 - 1, host });
        if cancels != Vec::from_iter(&expected) {
            return Err(format!("its client left, so {expected:?} was to come"));
        }
        if let Some(host) = host {
            self.host(host)?.in_flight -= 1;
        }
        self.end(request, Outcome::Cancelled)
    }

    /// What control said.
    fn obey(&mut self, input: &Input, output: &Output) -> Result<(), String> {
        match output {
            Output::Dispatch(dispatch) => self.send(dispatch),
            Output::Reject { request, reason } => {
                if self.request(*request)?.state != State::Queued {
                    return Err(format!("request {} is turned away, but not queued (I1)", request.0));
                }
                self.end(*request, Outcome::Rejected(*reason))
            }
            Output::Fail { request, failure } => {
                if self.request(*request)?.state != State::Ended(Outcome::Failed(*failure)) {
                    return Err(format!("request {} fails without an attempt that did (I1)", request.0));
                }
                Ok(())
            }
            Output::Cancel { request, .. } => {
                let left = matches!(input, Input::Gone { request: it } if it == request);
                left.then_some(()).ok_or(format!("request {} is cancelled, but nobody left", request.0))
            }
            Output::Act(action) => self.switch(action),
            Output::Shadow(_) | Output::Proposed(_) | Output::Abandon(_) | Output::Note(_) => Ok(()),
        }
    }

    /// A host that is given back has nothing to do, and has nothing from then on.
    fn switch(&mut self, action: &Action) -> Result<(), String> {
        let power = self.host(action.host)?.power;
        match action.deed {
            Deed::Start if power != Power::Off => Err(format!("host {} is on already", action.host.0)),
            Deed::Start => {
                self.starts.insert(action.id, action.host);
                Ok(())
            }
            Deed::Stop => {
                let host = self.host(action.host)?;
                host.power = Power::Off;
                match host.in_flight {
                    0 => Ok(()),
                    left => Err(format!("host {} is given back with {left} requests there", action.host.0)),
                }
            }
            _ => Ok(()),
        }
    }

    fn send(&mut self, dispatch: &Dispatch) -> Result<(), String> {
        let Dispatch { request, attempt, host: to, .. } = *dispatch;
        let (now, config) = (self.now, &self.config);
        let limit = |slots: u32| match config.dispatch {
            DispatchLimit::Slots => slots,
            DispatchLimit::Unlimited => u32::MAX,
            DispatchLimit::Learned => config.limit.requests_max,
            DispatchLimit::Requests(requests) => requests,
        };
        let host = self.hosts.get_mut(to.index()).ok_or("a host that is not known")?;
        let entry = self.requests.get_mut(request.0 as usize).ok_or("a request that never came")?;
        let stored = host.said.as_ref().map_or(&[][..], |said| &said.stored);
        let rules = [
            (entry.state == State::Queued, "it is not queued: single service (I4)"),
            (entry.tried.len() == usize::from(attempt), "its attempts are counted wrongly"),
            (!entry.tried.contains(&to), "it tried this host before"),
            (entry.arrive.deadline.is_none_or(|deadline| now < deadline), "its deadline has passed"),
            (host.in_flight < limit(host.slots), "the host has no room (I2)"),
            (host.said.is_some() && !host.silent && !host.drained, "the host is not offered"),
            (host.power == Power::On, "the host stands by"),
            (stored.iter().any(|stored| stored.model == entry.arrive.model), "the host lacks the model"),
        ];
        if let Some((_, what)) = rules.iter().find(|rule| !rule.0) {
            return Err(format!("request {} goes to host {}, but {what}", request.0, to.0));
        }
        entry.state = State::Running { streams: false };
        entry.tried.push(to);
        host.in_flight += 1;
        self.queued -= 1;
        self.seen.retries += usize::from(attempt > 0);
        Ok(())
    }

    /// Each request has ended once, in the log and in the records alike (I1), and its times are in order (I3).
    fn ended_as_recorded(&self, records: &[Record]) -> Result<(), String> {
        let ids: BTreeSet<u64> = records.iter().map(|record| record.request.0).collect();
        if ids.len() != records.len() || records.len() != self.requests.len() {
            let (ids, records, came) = (ids.len(), records.len(), self.requests.len());
            return Err(format!("{records} records of {ids} requests, and {came} came (I1)"));
        }
        if self.queued != 0 || self.hosts.iter().any(|host| host.in_flight != 0) {
            return Err(format!(
                "something is left at the end: {} queued, {:?} (I1)",
                self.queued, self.hosts
            ));
        }
        for record in records {
            let request = &self.requests[record.request.0 as usize];
            let ends = (State::Ended(record.outcome), usize::from(record.attempts), record.host);
            if ends != (request.state, request.tried.len(), request.tried.last().copied()) {
                return Err(format!("{record:?}, but the log says {request:?} (I1)"));
            }
            let times = [Some(record.arrival), record.dispatched, record.first_token, Some(record.ended)];
            if !times.iter().flatten().is_sorted() {
                return Err(format!("times are out of order: {record:?} (I3)"));
            }
        }
        Ok(())
    }
}
