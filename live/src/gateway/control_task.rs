//! The one task that owns control. Everything that happens comes in as an [`Event`], goes through one step, and what was
//! decided goes out to the requests; each step is handed to the decision log.

mod event;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use control::door::{Change, Declaration, Input, Observation, Output, Outputs};
use control::facts::Counters;
use control::ids::{HostId, ModelId, RequestId, TenantId};
use control::log::Record;
use control::observe;
use control::request::{Arrive, Failure, Particulars, Reject};
use control::units::{Instant, Nanos};
use tokio::sync::{mpsc, watch};

use event::observed;
pub(super) use event::{Arrival, Event, Holds, Question};

use super::ServeSummary;
use super::act::{self, Actions};
use super::config::ServeConfig;
use super::decision_log::DecisionLog;
use super::guarded::{Broken, Guarded};
use super::keys::ANYONE;
use super::metrics::Recorder;
use super::metrics::text::LabelNames;
use super::notes;
use super::registry::managed_names;
use super::survey::{self, Around, PlacementView, Survey};
use super::ticket::{Decision, Sender, TicketNumber, Told};
use crate::clock::Clock;

/// Most names of models that are known; a client that asks for one more is told that no host has it.
pub const NAMES_MAX: usize = 65_536;

/// Most tenants that are told apart; those that keys may assert beyond them are served as [`ANYONE`].
const TENANTS_MAX: usize = 4_096;

/// Most events that are taken at once.
const BATCH: usize = 64;

/// How long control is not woken after a wake that it could not take.
const WAKE_PAUSE: Nanos = Nanos::from_secs(1);

/// A request under way.
struct Flight {
    request: RequestId,
    decisions: Sender<Told>,
}

/// Control and what surrounds it.
pub(super) struct ControlTask {
    control: Guarded,
    clock: Clock,
    seed: u64,
    last: Instant,
    no_wake_before: Instant,
    out: Outputs,
    actions: Actions,
    log: Option<DecisionLog>,
    segment_records: u64,
    models: BTreeMap<String, ModelId>,
    tenants: BTreeMap<String, TenantId>,
    /// By host, what control heard last; `None` where nothing yet, or the host is silent.
    heard: Vec<Option<Observation>>,
    flights: BTreeMap<TicketNumber, Flight>,
    tickets: BTreeMap<RequestId, TicketNumber>,
    requests: u64,
    steps: u64,
    counters: watch::Sender<Counters>,
    recorder: Recorder,
}

impl ControlTask {
    /// Control that knows the hosts of the config, and one tenant.
    pub(super) fn new(
        config: &ServeConfig,
        clock: Clock,
        log: Option<DecisionLog>,
        actions: Actions,
        counters: watch::Sender<Counters>,
        recorder: Recorder,
    ) -> Self {
        let mut task = Self {
            control: Guarded::new(config.control.clone(), config.seed),
            clock,
            seed: config.seed,
            last: Instant::ZERO,
            no_wake_before: Instant::ZERO,
            out: Outputs::new(),
            actions,
            log,
            segment_records: config.log_segment_records,
            models: BTreeMap::new(),
            tenants: BTreeMap::new(),
            heard: vec![None; config.hosts.len()],
            flights: BTreeMap::new(),
            tickets: BTreeMap::new(),
            requests: 0,
            steps: 0,
            counters,
            recorder,
        };
        task.tenant(ANYONE);
        for (index, host) in config.hosts.iter().enumerate() {
            let declaration: Declaration = host.declaration.clone();
            task.step(Input::HostDeclared { host: HostId(index as u32), declaration });
        }
        task
    }

    /// Runs until told to stop.
    pub(super) async fn run(
        mut self,
        mut events: mpsc::UnboundedReceiver<Event>,
    ) -> (ServeSummary, Option<DecisionLog>) {
        let mut batch = Vec::with_capacity(BATCH);
        let done = 'serving: loop {
            let wake = self.control.next_wake().map(|wake| wake.max(self.no_wake_before));
            let wake_at = self.clock.wall(wake.unwrap_or(Instant::MAX));
            tokio::select! {
                count = events.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        break None;
                    }
                    for event in batch.drain(..) {
                        match event {
                            Event::Stop(done) => break 'serving Some(done),
                            event => self.take(event),
                        }
                    }
                }
                () = tokio::time::sleep_until(wake_at), if wake.is_some() => self.wake(),
            }
            // Once for all that came together: whoever looks is woken by it.
            if let Some(log) = &mut self.log {
                log.hand_over();
            }
            self.counters.send_replace(self.control.facts().counters);
        };
        let summary = ServeSummary {
            counters: self.control.facts().counters,
            steps: self.steps,
            log_steps_lost: self.log.as_mut().map_or(0, DecisionLog::close),
            connections_cut_off: 0,
        };
        if let Some(done) = done {
            // Nobody waits any more where the gateway was dropped.
            let _ = done.send(());
        }
        (summary, self.log)
    }

    fn wake(&mut self) {
        if !self.step(Input::Wake) {
            // It would ask again at once.
            self.no_wake_before = self.last.saturating_add(WAKE_PAUSE);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Arrive { ticket, arrival, decisions } => self.arrive(ticket, arrival, decisions),
            Event::FirstByte { ticket, attempt } => {
                if let Some(request) = self.request(ticket) {
                    self.tell(request, Input::FirstByte { request, attempt });
                }
            }
            Event::Finished { ticket, attempt, usage } => {
                if let Some(request) = self.request(ticket) {
                    self.tell(request, Input::Finished { request, attempt, usage });
                    self.forget(request);
                }
            }
            Event::Failed { ticket, attempt, failure } => {
                if let Some(request) = self.request(ticket) {
                    self.tell(request, Input::Failed { request, attempt, failure });
                }
            }
            Event::Gone { ticket, attempt, tokens } => {
                if let Some(request) = self.request(ticket) {
                    if tokens > 0 {
                        self.step(Input::Progress { request, attempt, tokens });
                    }
                    self.step(Input::Gone { request });
                    self.forget(request);
                }
            }
            Event::Heard { host, holds } => self.heard(host, &holds),
            Event::Silent { host } => {
                self.heard[host.index()] = None;
                self.step(Input::Silent { host });
            }
            Event::Acted { action, outcome, why } => {
                if self.actions.ended(action, outcome, &why) {
                    self.step(Input::Acted { action, outcome });
                }
            }
            Event::Published { model, manifest } => {
                if let Some(model) = self.model(&model) {
                    // What it held when it was asked first, it held before; what differs later is noticed now.
                    let is_first = !self.control.facts().sync.published.contains_key(&model);
                    let modified_nanos = if is_first { 0 } else { unix_nanos() };
                    self.step(Input::Published { model, manifest, modified_nanos });
                }
            }
            Event::Ask(question) => self.answer(question),
            Event::Operate { inputs, done } => {
                inputs.into_iter().for_each(|input| self.operate(input));
                // Whoever asked may have left; the change stays.
                let _ = done.send(());
            }
            Event::Decide { model, keep, done } => {
                if let Some(model) = self.model(&model) {
                    self.step(Input::Operator(Change::Resolve { model, digest: keep }));
                }
                let _ = done.send(());
            }
            Event::Stop(_) => {}
        }
    }

    fn operate(&mut self, input: Input) {
        if let Input::HostDeclared { host, .. } = &input
            && host.index() == self.heard.len()
        {
            self.heard.push(None);
        }
        self.step(input);
    }

    fn answer(&mut self, question: Question) {
        let facts = self.control.facts();
        // Nobody reads the answer where whoever asked has left.
        match question {
            Question::Survey(reply) => drop(reply.send(self.survey())),
            Question::Metrics(reply) => {
                let metrics = self.recorder.metrics();
                let names = LabelNames::of(facts, &metrics);
                let all = (self.survey(), metrics, names);
                drop(reply.send(Box::new(all)));
            }
            Question::Decisions { limit, reply } => drop(reply.send(self.recorder.decisions(limit, facts))),
            Question::Placement(reply) => {
                let now = self.clock.now().max(self.last);
                drop(reply.send(PlacementView::of(self.control.look(), &self.recorder, now)));
            }
            Question::Held(reply) => drop(reply.send(survey::held(self.control.look()))),
            Question::ManagedNames(reply) => {
                drop(reply.send(managed_names(facts, self.control.look().config())));
            }
            Question::InFlight { host, reply } => drop(reply.send(facts.loads[host.index()].in_flight)),
        }
    }

    fn survey(&self) -> Survey {
        let around = Around {
            now: self.clock.now().max(self.last),
            steps: self.steps,
            safe_mode: self.control.is_safe_mode(),
            log_steps_lost: self.log.as_ref().map_or(0, DecisionLog::lost),
            log: self.log.as_ref().map_or("off", |log| if log.failed() { "failed" } else { "writing" }),
        };
        Survey::of(self.control.look(), &self.recorder, around)
    }

    fn arrive(&mut self, ticket: TicketNumber, arrival: Arrival, decisions: Sender<Told>) {
        let Some(model) = self.model(&arrival.model) else {
            // Not a decision of control: it never hears of this model. A client that left reads nothing.
            let decision = Decision::Reject(Reject::NoHostHasModel);
            decisions.send(Told { request: None, decision });
            return;
        };
        let tenant = self.tenant(&arrival.tenant);
        let request = RequestId(self.requests);
        self.requests += 1;
        self.flights.insert(ticket, Flight { request, decisions });
        self.tickets.insert(request, ticket);
        let taken = self.step(Input::Arrive(Arrive {
            request,
            model,
            tenant,
            session: arrival.session,
            kind: arrival.kind,
            priority: arrival.priority,
            whole: arrival.whole,
            deadline: None,
            prompt_bytes: arrival.prompt_bytes,
            num_predict: arrival.num_predict,
            particulars: Particulars { options: arrival.options, demands: arrival.demands }.boxed(),
            prefix: arrival.prefix,
            hint_output_tokens: None,
        }));
        if !taken {
            // Control never heard of it: its id goes to the next.
            self.requests -= 1;
            self.give_up(request);
        }
    }

    /// Tells control of a request; one that it cannot be told of is over.
    fn tell(&mut self, request: RequestId, input: Input) {
        if !self.step(input) {
            self.step(Input::Gone { request });
            self.give_up(request);
        }
    }

    /// Ends a request that control does not know.
    fn give_up(&mut self, request: RequestId) {
        self.carry_out(Output::Fail { request, failure: Failure::ServerError });
    }

    /// The id of a name, which control is told of where it is new.
    pub(super) fn model(&mut self, name: &str) -> Option<ModelId> {
        if let Some(&model) = self.models.get(name) {
            return Some(model);
        }
        if self.models.len() >= NAMES_MAX {
            return None;
        }
        let model = ModelId(self.models.len() as u32);
        if !self.step(Input::ModelNamed { model, name: name.to_owned() }) {
            return None;
        }
        self.models.insert(name.to_owned(), model);
        Some(model)
    }

    /// The id of a tenant, whom control is told of where they are new. Beyond the bound, all are one.
    pub(super) fn tenant(&mut self, name: &str) -> TenantId {
        if let Some(&tenant) = self.tenants.get(name) {
            return tenant;
        }
        let tenant = TenantId(self.tenants.len() as u32);
        if self.tenants.len() >= TENANTS_MAX
            || !self.step(Input::TenantNamed { tenant, name: name.to_owned() })
        {
            return TenantId(0);
        }
        self.tenants.insert(name.to_owned(), tenant);
        tenant
    }

    fn heard(&mut self, host: HostId, holds: &Holds) {
        let observation = observed(holds, |name| self.model(name));
        if observe::is_news(self.heard[host.index()].as_ref(), &observation) {
            self.heard[host.index()] = Some(observation.clone());
            self.step(Input::Observed { host, observation });
        }
    }

    fn request(&self, ticket: TicketNumber) -> Option<RequestId> {
        self.flights.get(&ticket).map(|flight| flight.request)
    }

    fn forget(&mut self, request: RequestId) {
        if let Some(ticket) = self.tickets.remove(&request) {
            self.flights.remove(&ticket);
        }
    }

    /// One step of control, written down and carried out. False where control cannot take this input at all.
    pub(super) fn step(&mut self, input: Input) -> bool {
        // Two events may share a nanosecond; none may go back.
        let now = self.clock.now().max(self.last);
        self.last = now;
        match self.try_step(now, input) {
            Ok(()) => true,
            Err(broken) => self.recover(now, broken),
        }
    }

    /// # Errors
    /// Where it panicked; it is then as if it had not been.
    fn try_step(&mut self, now: Instant, input: Input) -> Result<(), Broken> {
        let control = &self.control;
        if let Some(log) = &mut self.log {
            let seed = self.seed;
            log.before_step(self.segment_records, || Record::Open {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                seed,
                snapshot: Box::new(control.snapshot()),
            });
        }
        let mut out = std::mem::take(&mut self.out);
        self.recorder.input(now, &input, self.control.facts());
        let stepped = self.control.step(now, input, &mut out);
        if let (Some(log), Ok(input)) = (&mut self.log, &stepped) {
            log.step(now, input, out.as_slice());
        }
        let stepped = stepped.map(drop);
        self.recorder.step_took(Duration::from_nanos(self.clock.now().since(now).0));
        for output in out.as_slice() {
            self.recorder.output(now, output, self.control.facts());
        }
        self.steps += u64::from(stepped.is_ok());
        for output in out.drain() {
            self.carry_out(output);
        }
        self.out = out;
        stepped
    }

    /// Lets plain forms decide in place of what broke, then all of them; an input that even those cannot take is given up.
    fn recover(&mut self, now: Instant, broken: Broken) -> bool {
        let mut input = *broken.input;
        for parts in [broken.parts, self.control.all_parts()] {
            tracing::error!(
                ?parts,
                "control broke in a step, and goes on with the plain form of these parts"
            );
            let safe = self.control.is_safe_mode().then_some(Input::Operator(Change::Freeze(true)));
            for verdict in parts.into_iter().map(Input::Verdict).chain(safe) {
                // Where even this breaks, control is as before, and the input is tried nevertheless.
                let _ = self.try_step(now, verdict);
            }
            match self.try_step(now, input) {
                Ok(()) => return true,
                Err(again) => input = *again.input,
            }
        }
        tracing::error!("control cannot take an input, which is given up");
        false
    }

    fn carry_out(&mut self, output: Output) {
        let (request, decision, ends) = match output {
            Output::Dispatch(lease) => (lease.request, Decision::Dispatch(lease), false),
            Output::Cancel { request, attempt, .. } => (request, Decision::Cancel { attempt }, false),
            Output::Reject { request, reason } => (request, Decision::Reject(reason), true),
            Output::Fail { request, failure } => (request, Decision::Fail(failure), true),
            Output::Note(note) => {
                notes::tell(&note, self.control.facts());
                return;
            }
            Output::Act(action) => {
                let control = self.control.look();
                self.actions.begin(action, control.facts(), control.config());
                return;
            }
            Output::Abandon(action) => {
                self.actions.abandon(&action);
                return;
            }
            Output::Proposed(action) => {
                act::tell_proposed(&action, self.control.facts());
                return;
            }
            // Shadows act in the log alone.
            Output::Shadow(_) => return,
        };
        if let Some(flight) = self.tickets.get(&request).and_then(|ticket| self.flights.get(ticket)) {
            // A client that left reads nothing; its goodbye is on its way here.
            flight.decisions.send(Told { request: Some(request), decision });
        }
        if ends {
            self.forget(request);
        }
    }
}

/// The time, by this machine's clock, in nanoseconds since 1970.
fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
