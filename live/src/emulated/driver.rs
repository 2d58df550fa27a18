//! The one task that owns a host model: delivers requests to it, sleeps until its next event, and tells requests what
//! became of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use control::door::Observation;
use control::request::Usage;
use control::units::{Instant, Nanos};
use sim_host::api::{Due, HostError, HostEvent, HostRequest, Message, Phase, RequestKey};
use sim_host::host::{Host, HostSpec};
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
}

enum Command {
    Submit { request: HostRequest, told: mpsc::UnboundedSender<Told> },
    Look(oneshot::Sender<Observation>),
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

    /// Delivers a request; its key is given here. `None` where the host has ended.
    pub(super) async fn submit(&self, mut request: HostRequest) -> Option<Flight> {
        let key = RequestKey(self.next_key.fetch_add(1, Ordering::Relaxed));
        request.key = key;
        let (sender, told) = mpsc::unbounded_channel();
        self.commands.send(Command::Submit { request, told: sender }).await.ok()?;
        Some(Flight { key, told, cancels: self.cancels.clone(), ended: false })
    }

    /// What the host would say of itself. `None` where it has ended.
    pub(super) async fn look(&self) -> Option<Observation> {
        let (sender, seen) = oneshot::channel();
        self.commands.send(Command::Look(sender)).await.ok()?;
        seen.await.ok()
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
        if let std::task::Poll::Ready(Some(Told::Finished { .. } | Told::Error(_)) | None) = told {
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
        decoding: vec![0; spec.models.len()],
        flights: BTreeMap::new(),
        events: Vec::new(),
    };
    let handle = Handle { spec, commands, cancels, next_key: Arc::new(AtomicU64::new(0)) };
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
}

struct Driver {
    host: Host,
    clock: Clock,
    /// The last event of the host happened then.
    executed: Instant,
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
            Command::Submit { request, told } => {
                // A client that left meanwhile has closed its end; its cancel would find nothing.
                if told.is_closed() {
                    return;
                }
                let (model, prompt_tokens) = (request.model.index(), request.prompt_tokens);
                let entry = Entry { told, model, prompt_tokens, arrived: now, decodes: false };
                self.flights.insert(request.key, entry);
                self.host.deliver(now, Message::Request(request), &mut self.events);
                self.tell(now);
            }
            // Nobody waits for the answer any more: nothing to do.
            Command::Look(seen) => drop(seen.send(self.host.observe())),
        }
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
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match event {
                HostEvent::FirstToken { key } => self.first_token(key),
                HostEvent::Finished { key, usage, .. } => {
                    if let Some(entry) = self.forget(key) {
                        let total = now.since(entry.arrived);
                        // A client that has just left reads nothing.
                        let _ = entry.told.send(Told::Finished { usage, total });
                    }
                }
                HostEvent::Error { key, error } => {
                    if let Some(entry) = self.forget(key) {
                        let _ = entry.told.send(Told::Error(error));
                    }
                }
            }
        }
        self.events = events;
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
        let pace = Duration::from_nanos(picos / 1_000 / u64::from(self.clock.speed()));
        let _ = entry.told.send(Told::FirstToken { pace });
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
