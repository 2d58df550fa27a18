//! One Ollama host as a state machine: whoever drives it delivers messages and advances it to what it waits for.
//!
//! The files follow Ollama's parts: [`arrive`](self) (the handler before the scheduler), `pending` (the queue and its
//! loop), `load`, `serve` (requests on a runner), `release` (ends of requests, expiry, unloading), `share` (runners that
//! compute on one device). The batch loop of a runner is [`crate::batch`], what fits is [`crate::fit`].
//!
//! Left out: health pings that fail (a runner here never hangs), projectors, pulling from a registry, and v0.32.

mod arrive;
mod check;
mod disk;
mod fault;
mod flight;
mod load;
mod mixture;
mod pending;
mod prompt;
mod release;
pub mod rules;
mod runner;
mod serve;
mod share;
mod view;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use control::digest::Digest;
use control::ids::ModelId;
use control::request::KeepAlive;
use control::units::{Bytes, Instant};
use smallvec::SmallVec;

use crate::api::{Due, Engine, HostEvent, Message, Phase, RequestKey};
use crate::batch::LoopEvent;
use crate::fit::KvCache;
use crate::spec::{GpuSpec, Profile, Version};
use crate::tiers::Tiers;
use disk::Disk;
pub use disk::{DiskChange, StoredCopy};
pub use fault::Fault;
use flight::{Flights, Slot};
use runner::{Runner, RunnerId};
pub use view::ListedRunner;

/// What a host is: its machine, Ollama's settings on it, the models on its disk.
#[derive(Clone, PartialEq, Debug)]
pub struct HostSpec {
    /// Name for messages.
    pub name: String,
    /// Whose rules it follows.
    pub version: Version,
    /// Its GPUs; empty where it computes on its CPU.
    pub gpus: Vec<Arc<GpuSpec>>,
    /// Memory of the host.
    pub ram: Bytes,
    /// `OLLAMA_NUM_PARALLEL`.
    pub num_parallel: Option<u32>,
    /// `OLLAMA_MAX_QUEUE` (512).
    pub max_queue: u32,
    /// `OLLAMA_MAX_LOADED_MODELS`.
    pub max_loaded: Option<u32>,
    /// `OLLAMA_KEEP_ALIVE` (5 min).
    pub keep_alive: KeepAlive,
    /// `OLLAMA_CONTEXT_LENGTH`.
    pub num_ctx_default: Option<u32>,
    /// `OLLAMA_GPU_OVERHEAD` on each GPU.
    pub gpu_overhead: Bytes,
    /// `OLLAMA_SCHED_SPREAD`.
    pub sched_spread: bool,
    /// `OLLAMA_KV_CACHE_TYPE`.
    pub kv_cache: KvCache,
    /// `OLLAMA_MULTIUSER_CACHE`.
    pub multiuser_cache: bool,
    /// Room for weights in the host's page cache.
    pub page_cache: Bytes,
    /// Which batch loop engine runs.
    pub engine: Engine,
    /// Ollama, or what it is compared with.
    pub serving: Serving,
    /// Models that are, or may come, on its disk, each id once.
    pub models: Vec<HostModel>,
}

/// A model that a host can serve when it is on its disk.
#[derive(Clone, PartialEq, Debug)]
pub struct HostModel {
    /// Its name's id.
    pub model: ModelId,
    /// Its profile for the host's first GPU, or its CPU.
    pub profile: Arc<Profile>,
    /// What is on the disk under its name from the start.
    pub copy: Option<StoredCopy>,
}

impl HostModel {
    /// A model that is on the disk from the start, of no digest.
    #[must_use]
    pub fn stored(model: ModelId, profile: Arc<Profile>) -> Self {
        let copy = StoredCopy {
            digest: Digest::UNKNOWN,
            weights: Digest::UNKNOWN,
            bytes: profile.model.weights(),
            modified_nanos: 0,
        };
        Self { model, profile, copy: Some(copy) }
    }
}

/// How models are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Serving {
    /// As Ollama does.
    Ollama,
    /// The host's first model is always resident, in one batch loop without prefix cache: stands for a paged batching
    /// server (256 slots, 2,048 tokens). Options of requests, keep-alive, and memory of caches do not matter.
    Paged {
        /// Sequences in the batch.
        slots: u32,
        /// Tokens of a step.
        batch_tokens: u32,
    },
}

/// Sums since the host was made, and its state at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HostCounters {
    /// Requests on it: being prepared, pending, waiting for a slot, or in one.
    pub requests: u32,
    /// Requests in slots.
    pub running: u32,
    /// Time in which at least one runner computed, in nanoseconds.
    pub busy_nanos: u64,
    /// Loads begun.
    pub loads: u64,
    /// Runners told to go to make room for another model.
    pub evictions: u64,
    /// Requests that found their model in VRAM, loads from the page cache, from the disk, from a registry.
    pub tier_hits: [u64; 4],
    /// Prompt tokens evaluated.
    pub prompt_tokens: u64,
    /// Prompt tokens found in a slot's cache.
    pub cached_tokens: u64,
    /// Tokens generated.
    pub output_tokens: u64,
    /// Steps of batch loops.
    pub steps: u64,
    /// Events of batch loops that were executed.
    pub boundaries: u64,
}

/// What waits to be handled while a runner is unloaded: one at a time, in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Completed {
    /// A request no longer holds this runner.
    Finished(RunnerId),
    /// This runner's time is over.
    Expired(RunnerId),
}

/// What the pending loop waits for with a request in hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wait {
    /// Any runner to be unloaded.
    Unload,
    /// A runner that loads: its lock.
    Lock,
    /// The load of this runner for the request itself.
    Load(RunnerId),
}

/// One host.
#[derive(Debug)]
pub struct Host {
    spec: Arc<HostSpec>,
    disk: Disk,
    num_ctx_default: u32,
    loaded_max: usize,
    flights: Flights,
    runners: SmallVec<[Runner; 1]>,
    runners_made: u32,
    /// Requests being prepared, by the time at which they are.
    preparing: BinaryHeap<Reverse<(Instant, u64, Slot)>>,
    prepared: u64,
    /// The request in the pending loop's hand.
    hand: Option<(Slot, Wait)>,
    queue: VecDeque<Slot>,
    /// The runner that is being unloaded; ends and expiries wait meanwhile.
    unloading: Option<RunnerId>,
    completed: VecDeque<Completed>,
    /// The list of runners is locked, and who waits for it.
    locked: bool,
    gate: Vec<Slot>,
    tiers: Tiers,
    /// Loads find too little memory.
    no_memory: bool,
    /// What the driver said of the time that steps take, in thousandths.
    slowdown: u32,
    /// When runners must be told how they share devices.
    share_at: Option<Instant>,
    /// Runners that compute, and since when at least one does.
    active: u32,
    busy_since: Instant,
    next: Option<Due>,
    revision: u64,
    tally: HostCounters,
    loop_events: Vec<LoopEvent>,
}

impl Host {
    /// An idle host: nothing loaded, page cache empty (paged serving: its model loaded).
    #[must_use]
    pub fn new(spec: Arc<HostSpec>) -> Self {
        let mut host = Self {
            disk: Disk::new(&spec),
            num_ctx_default: rules::num_ctx_default(&spec),
            loaded_max: rules::loaded_max(&spec),
            flights: Flights::default(),
            runners: SmallVec::new(),
            runners_made: 0,
            preparing: BinaryHeap::new(),
            prepared: 0,
            hand: None,
            queue: VecDeque::new(),
            unloading: None,
            completed: VecDeque::new(),
            locked: false,
            gate: Vec::new(),
            tiers: Tiers::new(spec.page_cache),
            no_memory: false,
            slowdown: 1_000,
            share_at: None,
            active: 0,
            busy_since: Instant::ZERO,
            next: None,
            revision: 0,
            tally: HostCounters::default(),
            loop_events: Vec::new(),
            spec,
        };
        host.make_resident();
        host
    }

    /// The next internal event, `None` while nothing is under way.
    #[must_use]
    #[inline]
    pub fn next(&self) -> Option<Due> {
        self.next
    }

    /// Passes of [`Host::prefetch`].
    pub const PREFETCH_DEPTH: u32 = 4;

    /// Tells the processor which memory beyond the host's own the next event will touch. A hint, in passes: each finds
    /// its way by what the pass before has asked for. The last gives the request that the event is about.
    pub fn prefetch(&self, depth: u32) -> Option<RequestKey> {
        let due = self.next?;
        let runner = self.runners.iter().find(|runner| runner.due == Some(due))?;
        if depth == 0 {
            self.flights.prefetch_free();
        }
        let slot = runner.batch.prefetch(depth)?.0 as Slot;
        if depth + 1 == Self::PREFETCH_DEPTH {
            return self.flights.key(slot);
        }
        self.flights.prefetch(slot);
        None
    }

    /// Executes the internal event that [`Host::next`] announced, at exactly that time and phase. Where several fall on
    /// one time and phase, it executes at least the first.
    pub fn advance(&mut self, due: Due, out: &mut Vec<HostEvent>) {
        match due.phase {
            Phase::Boundary | Phase::Start => {
                if let Some(at) = self.runners.iter().position(|runner| runner.due == Some(due)) {
                    self.tally.boundaries += 1;
                    let mut events = std::mem::take(&mut self.loop_events);
                    self.runners[at].batch.advance(due, &mut events);
                    self.loop_changed(due.at, at, due.phase);
                    self.handle(due.at, at, &mut events, out);
                    self.loop_events = events;
                }
            }
            Phase::Timer => self.run_timers(due.at, out),
            Phase::Delivery => {}
        }
        self.announce();
    }

    /// Delivers a message at `now`, not earlier than the last event.
    pub fn deliver(&mut self, now: Instant, message: Message, out: &mut Vec<HostEvent>) {
        match message {
            Message::Request(request) => self.arrive(now, request, out),
            Message::Cancel(key) => self.cancel(now, key, out),
            Message::Slowdown(permille) => {
                self.slowdown = permille.max(1);
                self.share(now);
            }
            Message::Fault(fault) => self.suffer(now, fault, out),
            Message::Disk(model, change) => {
                if let DiskChange::Second { of, .. } = change {
                    self.learn_second(model, of);
                }
                if let Some((blob, bytes)) = self.disk.change(model, change) {
                    self.tiers.fetched(blob, bytes);
                }
                self.revision += 1;
            }
        }
        self.announce();
    }

    /// Finds the next event among batch loops and timers.
    #[inline]
    fn announce(&mut self) {
        let mut timer = self.share_at.unwrap_or(Instant::MAX);
        let mut next: Option<Due> = None;
        for runner in &self.runners {
            timer = timer.min(runner.timer());
            if let Some(due) = runner.due
                && next.is_none_or(|first| due < first)
            {
                next = Some(due);
            }
        }
        if let Some(Reverse((at, _, _))) = self.preparing.peek() {
            timer = timer.min(*at);
        }
        let due = Due { at: timer, phase: Phase::Timer };
        if timer != Instant::MAX && next.is_none_or(|first| due < first) {
            next = Some(due);
        }
        self.next = next;
    }

    /// All timers due at `now`: runners in the order in which they were loaded, then requests that are prepared, then
    /// the sharing of devices.
    fn run_timers(&mut self, now: Instant, out: &mut Vec<HostEvent>) {
        while let Some(at) = self.runners.iter().position(|runner| runner.timer() <= now) {
            if self.runners[at].until.is_some_and(|until| until <= now) {
                self.state_over(now, at, out);
            } else {
                self.runners[at].expires = None;
                self.runners[at].looked_at = None;
                let id = self.runners[at].id;
                self.complete(now, Completed::Expired(id));
            }
        }
        let contended = self.on_cpu() && !self.preparing.is_empty();
        while let Some(&Reverse((at, _, slot))) = self.preparing.peek() {
            if at > now {
                break;
            }
            self.preparing.pop();
            self.get_runner(now, slot, out);
        }
        if self.share_at.is_some_and(|at| at <= now) || (contended && self.preparing.is_empty()) {
            self.share_at = None;
            self.share(now);
        }
    }

    /// A name that the host may not know is as fast as another.
    fn learn_second(&mut self, model: ModelId, of: ModelId) {
        if self.disk.known(model).is_some() {
            return;
        }
        let first = self.disk.known(of).expect("a second name is one of a name that the host knows");
        let profile = Arc::clone(self.profile(first));
        Arc::make_mut(&mut self.spec).models.push(HostModel { model, profile, copy: None });
        self.disk.learn(model);
    }

    fn runner_index(&self, id: RunnerId) -> Option<usize> {
        self.runners.iter().position(|runner| runner.id == id)
    }

    fn profile(&self, model: u16) -> &Arc<Profile> {
        &self.spec.models[model as usize].profile
    }

    fn discrete(&self, gpu: usize) -> bool {
        self.spec.gpus[gpu].discrete
    }
}
