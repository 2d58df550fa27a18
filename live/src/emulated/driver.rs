//! The one task that owns a host model: delivers requests to it, sleeps until its next event, and tells requests what
//! became of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use control::ids::ModelId;
use control::request::{HostOptions, KeepAlive, Kind, Usage};
use control::units::{Instant, Nanos};
use sim_host::api::{Due, HostError, HostEvent, HostRequest, Message, Phase, RequestKey};
use sim_host::host::{Host, HostSpec, ListedRunner};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;

/// Commands that wait for the driver at most; senders wait for room.
const COMMANDS_MAX: usize = 1_024;

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Told {
    /// Its first token is out; the next ones follow at this pace of the wall clock.
    FirstToken { pace: Duration },
    /// All is out.
    Finished { usage: Usage, total: Nanos },
    /// It gets an error instead.
    Error(HostError),
    /// Its runner has crashed.
    Crashed,
}

/// A runner as it is seen from outside.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Seen {
    /// The name under which a request brought it up.
    pub(super) name: String,
    /// What it holds.
    pub(super) runner: ListedRunner,
    /// Time of the wall clock until it goes by itself; `None` where it stays for ever.
    pub(super) expires_in: Option<Duration>,
}

enum Command {
    Submit(Submitted),
    Look(oneshot::Sender<Vec<Seen>>),
    Slow { permille: u32 },
}

struct Submitted {
    request: HostRequest,
    name: String,
    crashes: bool,
    told: mpsc::UnboundedSender<Told>,
}

/// The way to a driver.
#[derive(Clone)]
pub(super) struct Handle {
    spec: Arc<HostSpec>,
    commands: mpsc::Sender<Command>,
    /// Requests whose clients left. Each request is named at most once, so that these are no more than requests.
    cancels: mpsc::UnboundedSender<RequestKey>,
    next_key: Arc<AtomicU64>,
}

/// A request under way. Dropped before it has ended, it tells the host that its client left.
pub(super) struct Flight {
    key: RequestKey,
    /// What becomes of it. Two messages at most.
    told: mpsc::UnboundedReceiver<Told>,
    cancels: mpsc::UnboundedSender<RequestKey>,
    ended: bool,
}

impl Handle {
    pub(super) fn spec(&self) -> &HostSpec {
        &self.spec
    }

    /// Delivers a request for the model that the client calls `name`; its key is given here. Where it `crashes`, its
    /// runner goes down when its first token would come: all that is under way there is told, and the model is unloaded.
    /// `None` where the host has ended.
    pub(super) async fn submit(&self, name: &str, mut request: HostRequest, crashes: bool) -> Option<Flight> {
        let key = RequestKey(self.next_key.fetch_add(1, Ordering::Relaxed));
        request.key = key;
        let (sender, told) = mpsc::unbounded_channel();
        let name = name.to_owned();
        let submitted = Submitted { request, name, crashes, told: sender };
        self.commands.send(Command::Submit(submitted)).await.ok()?;
        Some(Flight { key, told, cancels: self.cancels.clone(), ended: false })
    }

    /// What is loaded. `None` where the host has ended.
    pub(super) async fn look(&self) -> Option<Vec<Seen>> {
        let (sender, seen) = oneshot::channel();
        self.commands.send(Command::Look(sender)).await.ok()?;
        seen.await.ok()
    }

    /// From now on each step takes this share of its normal time, in thousandths.
    pub(super) async fn slow(&self, permille: u32) {
        // A host that has ended is as slow as can be.
        let _ = self.commands.send(Command::Slow { permille }).await;
    }
}

impl Flight {
    /// The next message; `None` where the host has ended.
    pub(super) async fn told(&mut self) -> Option<Told> {
        std::future::poll_fn(|cx| self.poll_told(cx)).await
    }

    /// The same, polled.
    pub(super) fn poll_told(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Told>> {
        let told = self.told.poll_recv(cx);
        if let std::task::Poll::Ready(Some(Told::Finished { .. } | Told::Error(_) | Told::Crashed) | None) =
            told
        {
            self.ended = true;
        }
        told
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.ended {
            // Nobody listens where the host has ended: then there is nothing to free.
            let _ = self.cancels.send(self.key);
        }
    }
}

/// A host that runs as long as the future is polled and a handle lives.
pub(super) fn start(spec: Arc<HostSpec>, speed: u32) -> (Handle, impl Future<Output = ()>) {
    let (commands, incoming) = mpsc::channel(COMMANDS_MAX);
    let (cancels, left) = mpsc::unbounded_channel();
    let driver = Driver {
        host: Host::new(Arc::clone(&spec)),
        clock: Clock::start(speed),
        executed: Instant::ZERO,
        permille: 1_000,
        names: vec![String::new(); spec.models.len()],
        decoding: vec![0; spec.models.len()],
        flights: BTreeMap::new(),
        events: Vec::new(),
    };
    // The first key is the driver's own, for requests that nobody waits for.
    let handle = Handle { spec, commands, cancels, next_key: Arc::new(AtomicU64::new(1)) };
    (handle, driver.run(incoming, left))
}

/// What the driver remembers of a request.
struct Entry {
    told: mpsc::UnboundedSender<Told>,
    /// Index of its model, which is its id.
    model: usize,
    prompt_tokens: u32,
    arrived: Instant,
    decodes: bool,
    crashes: bool,
}

struct Driver {
    host: Host,
    clock: Clock,
    /// The last event of the host happened then.
    executed: Instant,
    /// What each step takes of its normal time.
    permille: u32,
    /// By model: the name under which it was brought up last.
    names: Vec<String>,
    /// By model: answers between their first and last token.
    decoding: Vec<u32>,
    flights: BTreeMap<RequestKey, Entry>,
    events: Vec<HostEvent>,
}

impl Driver {
    async fn run(
        mut self,
        mut incoming: mpsc::Receiver<Command>,
        mut left: mpsc::UnboundedReceiver<RequestKey>,
    ) {
        loop {
            let wake = self.host.next().map(|due| self.clock.wall(due.at));
            let wake_at = wake.unwrap_or_else(|| self.clock.wall(Instant::MAX));
            tokio::select! {
                command = incoming.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                Some(key) = left.recv() => {
                    let now = self.catch_up();
                    self.forget(key);
                    self.host.deliver(now, Message::Cancel(key), &mut self.events);
                    self.tell(now);
                }
                () = tokio::time::sleep_until(wake_at), if wake.is_some() => {
                    self.catch_up();
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.catch_up();
        match command {
            Command::Submit(Submitted { request, name, crashes, told }) => {
                // A client that left meanwhile has closed its end; its cancel would find nothing.
                if told.is_closed() {
                    return;
                }
                let (model, prompt_tokens) = (request.model.index(), request.prompt_tokens);
                if !self.host.loaded().any(|(loaded, _)| loaded == request.model) {
                    self.names[model] = name;
                }
                let entry = Entry { told, model, prompt_tokens, arrived: now, decodes: false, crashes };
                self.flights.insert(request.key, entry);
                self.host.deliver(now, Message::Request(request), &mut self.events);
                self.tell(now);
            }
            // Nobody waits for the answer any more: nothing to do.
            Command::Look(seen) => drop(seen.send(self.seen(now))),
            Command::Slow { permille } => {
                self.permille = permille;
                self.host.deliver(now, Message::Slowdown(permille), &mut self.events);
                self.tell(now);
            }
        }
    }

    fn seen(&self, now: Instant) -> Vec<Seen> {
        let seen = |runner: ListedRunner| {
            let left = match (runner.expires, runner.keep_alive) {
                (Some(at), _) => Some(at.since(now)),
                (None, KeepAlive::For(span)) => Some(span),
                (None, KeepAlive::Forever) => None,
            };
            let expires_in = left.map(|span| Duration::from_nanos(span.0 / u64::from(self.clock.speed())));
            Seen { name: self.names[runner.model.index()].clone(), runner, expires_in }
        };
        self.host.listing().map(seen).collect()
    }

    /// Executes all that is due, and gives the time at which something can be delivered: after every event that was
    /// executed, since deliveries come before the starts of their own time.
    fn catch_up(&mut self) -> Instant {
        let wall = self.clock.now();
        let now = Instant(wall.0.max(self.executed.0 + 1));
        while let Some(due) = self.host.next()
            && due < (Due { at: now, phase: Phase::Delivery })
        {
            self.host.advance(due, &mut self.events);
            self.executed = self.executed.max(due.at);
            self.tell(due.at);
        }
        now
    }

    fn tell(&mut self, now: Instant) {
        let mut crashed = Vec::new();
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            let key = match event {
                HostEvent::FirstToken { key }
                | HostEvent::Finished { key, .. }
                | HostEvent::Error { key, .. } => key,
            };
            if self.flights.get(&key).is_some_and(|entry| entry.crashes) {
                crashed.push(self.crash(key));
                continue;
            }
            match event {
                HostEvent::FirstToken { .. } => self.first_token(key),
                HostEvent::Finished { usage, .. } => {
                    if let Some(entry) = self.forget(key) {
                        let total = now.since(entry.arrived);
                        // A client that has just left reads nothing.
                        let _ = entry.told.send(Told::Finished { usage, total });
                    }
                }
                HostEvent::Error { error, .. } => {
                    if let Some(entry) = self.forget(key) {
                        let _ = entry.told.send(Told::Error(error));
                    }
                }
            }
        }
        self.events = events;
        for (left, model) in crashed {
            self.unload(now, left, model);
        }
    }

    /// The pace of the tokens to come: what a step takes with the answers of this model that decode now and this
    /// one's context, its prompt.
    fn first_token(&mut self, key: RequestKey) {
        let Some(entry) = self.flights.get_mut(&key) else { return };
        entry.decodes = true;
        self.decoding[entry.model] += 1;
        let costs = &self.host.spec().models[entry.model].profile.costs;
        let context = u64::from(entry.prompt_tokens);
        let window = context.min(costs.window.into());
        let picos = costs
            .decode_step(self.decoding[entry.model])
            .saturating_add(costs.context.saturating_mul(context))
            .saturating_add(costs.window_context.saturating_mul(window));
        let nanos = u128::from(picos) * u128::from(self.permille) / 1_000_000;
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        let pace = Duration::from_nanos(nanos / u64::from(self.clock.speed()));
        let _ = entry.told.send(Told::FirstToken { pace });
    }

    /// A runner crashes under a request: it and all others there are told. Gives what is to be unloaded.
    fn crash(&mut self, key: RequestKey) -> (Vec<RequestKey>, ModelId) {
        let model = self.flights[&key].model;
        let hit: Vec<RequestKey> =
            self.flights.iter().filter(|(_, entry)| entry.model == model).map(|(key, _)| *key).collect();
        for key in &hit {
            if let Some(entry) = self.forget(*key) {
                // A client that has just left reads nothing.
                let _ = entry.told.send(Told::Crashed);
            }
        }
        (hit, ModelId(model as u32))
    }

    /// The host model knows no crash: whoever was on the runner leaves, then it is told to unload.
    fn unload(&mut self, now: Instant, left: Vec<RequestKey>, model: ModelId) {
        for key in left {
            self.host.deliver(now, Message::Cancel(key), &mut self.events);
        }
        if self.host.loaded().any(|(loaded, _)| loaded == model) {
            let embeds = self.host.spec().models[model.index()].profile.model.embedding_only;
            let keep_alive = Some(KeepAlive::For(Nanos::ZERO));
            let request = HostRequest {
                key: RequestKey(0),
                model,
                kind: if embeds { Kind::Embedding } else { Kind::Completion },
                prompt_tokens: 0,
                blocks: None,
                answer_block: 0,
                output_tokens: 0,
                num_predict: None,
                options: HostOptions { keep_alive, ..HostOptions::default() },
                truncate: true,
                shift: true,
                run_nanos: None,
            };
            self.host.deliver(now, Message::Request(request), &mut self.events);
        }
        self.tell(now);
    }

    fn forget(&mut self, key: RequestKey) -> Option<Entry> {
        let entry = self.flights.remove(&key)?;
        if entry.decodes {
            self.decoding[entry.model] -= 1;
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests;
