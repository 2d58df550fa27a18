//! A host of tasks: a node whose CPU, memory and GPUs tasks occupy for a time. No model, no tokens, nothing to load.
//!
//! A task takes all that it demands at once, and holds it until its end: whole GPUs where it demands more than one, a share of one GPU where
//! it demands one ([`Demand`]), a share always of the GPU that has the least left of those with enough. Tasks that find no room wait in the
//! order in which they came, and none overtakes another: while the first does not fit, those behind it wait as well, even where they would.
//! Its start is its first token, its end the whole answer.
//!
//! What stands for a model is a task's class: the host has those that fit when it is empty, all of them ready at any time. How long a task runs
//! is in its request alone ([`HostRequest::run_nanos`]).
//!
//! Left out: GPUs that slow one another down, the time that a container takes to start, nodes whose links between GPUs matter, preemption.

mod room;

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;

use control::door::{LoadedModel, Observation, StoredModel};
use control::ids::ModelId;
use control::request::{DoneReason, KeepAlive, Usage};
use control::units::{Bytes, Instant, Nanos};

use crate::api::{Due, HostError, HostEvent, HostRequest, Message, Phase, RequestKey};
use crate::host::{Fault, HostCounters};
use room::{Held, Room};

/// Thousandths of a GPU.
pub const GPU_MILLI: u32 = 1_000;
/// Most GPUs of a node.
pub const GPUS_MAX: u32 = 64;
/// Time as it passes where nothing slows it down, in thousandths.
const NORMAL: u32 = 1_000;

/// What a node is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskSpec {
    /// Name for messages.
    pub name: String,
    /// GPUs, at most [`GPUS_MAX`]; 0 where it has none.
    pub gpus: u32,
    /// Thousandths of a core.
    pub cpu_milli: u64,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Tasks that may wait on it; more are turned away as busy.
    pub max_queue: u32,
    /// Classes of tasks that it runs, by the id that stands in a model's place, each once, in order of id.
    pub classes: Vec<(ModelId, Demand)>,
}

/// What a task demands of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Demand {
    /// Thousandths of a core.
    pub cpu_milli: u64,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// GPUs.
    pub gpus: u32,
    /// Thousandths of each: 1 to 1,000 of one, 1,000 of more than one, 0 of none.
    pub gpu_milli: u32,
}

impl TaskSpec {
    /// Whether a demand fits on the node while nothing else is there.
    #[must_use]
    pub fn fits(&self, demand: &Demand) -> bool {
        Room::new(self).take(demand).is_some()
    }
}

/// How much of a node is taken, in thousandths; 0 of what it has nothing of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Used {
    /// Of its cores.
    pub cpu: u16,
    /// Of its memory.
    pub memory: u16,
    /// Of its GPUs.
    pub gpu: u16,
}

/// A task that waits.
#[derive(Debug)]
struct Waiting {
    key: RequestKey,
    demand: Demand,
    run: NonZeroU64,
    arrived: Instant,
}

/// A task that runs.
#[derive(Debug)]
struct Running {
    key: RequestKey,
    held: Held,
    arrived: Instant,
    started: Instant,
    /// What was left of it at `since`, in nanoseconds of a node that nothing slows down.
    left: u64,
    since: Instant,
    ends: Instant,
}

/// One host of tasks.
#[derive(Debug)]
pub struct TaskHost {
    spec: Arc<TaskSpec>,
    room: Room,
    queue: VecDeque<Waiting>,
    /// In the order in which they started.
    running: Vec<Running>,
    slowdown: u32,
    busy_nanos: u64,
    busy_since: Instant,
    next: Option<Due>,
    revision: u64,
    changes: u64,
}

impl TaskHost {
    /// An idle node.
    #[must_use]
    pub fn new(spec: Arc<TaskSpec>) -> Self {
        Self {
            room: Room::new(&spec),
            spec,
            queue: VecDeque::new(),
            running: Vec::new(),
            slowdown: NORMAL,
            busy_nanos: 0,
            busy_since: Instant::ZERO,
            next: None,
            revision: 0,
            changes: 0,
        }
    }

    /// The next end of a task, `None` while none runs.
    #[must_use]
    pub const fn next(&self) -> Option<Due> {
        self.next
    }

    /// Ends the tasks that are over at exactly the time that [`TaskHost::next`] announced, in the order in which they started, and starts
    /// those that have room now.
    pub fn advance(&mut self, due: Due, out: &mut Vec<HostEvent>) {
        let now = due.at;
        let mut at = 0;
        while at < self.running.len() {
            if self.running[at].ends > now {
                at += 1;
                continue;
            }
            let task = self.end(now, at);
            let usage = Usage {
                load: task.started.since(task.arrived),
                eval: now.since(task.started),
                done: DoneReason::Stop,
                ..Usage::default()
            };
            out.push(HostEvent::Finished { key: task.key, usage, cached_tokens: 0, truncated: false });
        }
        self.start(now, out);
    }

    /// Delivers a message at `now`, not earlier than the last event.
    pub fn deliver(&mut self, now: Instant, message: Message, out: &mut Vec<HostEvent>) {
        match message {
            Message::Request(request) => self.arrive(now, &request, out),
            Message::Cancel(key) => {
                self.queue.retain(|task| task.key != key);
                if let Some(at) = self.running.iter().position(|task| task.key == key) {
                    self.end(now, at);
                }
            }
            Message::Slowdown(permille) => self.slow_down(now, permille.max(1)),
            Message::Fault(Fault::Crash { .. }) => self.crash(now),
            Message::Fault(Fault::RunnerDies) => self.lose_largest(now, out),
            // There is nothing to load, and no disk with models.
            Message::Fault(Fault::NoMemory(_) | Fault::Damage(..)) | Message::Disk(..) => {}
        }
        self.start(now, out);
    }

    fn arrive(&mut self, now: Instant, request: &HostRequest, out: &mut Vec<HostEvent>) {
        let key = request.key;
        let mut refuse = |error| out.push(HostEvent::Error { key, error });
        let Ok(found) = self.spec.classes.binary_search_by_key(&request.model, |class| class.0) else {
            return refuse(HostError::ModelMissing);
        };
        let Some(run) = request.run_nanos else {
            let unloads = request.options.keep_alive == Some(KeepAlive::For(Nanos::ZERO));
            if request.prompt_tokens > 0 || unloads {
                return refuse(HostError::Unsupported);
            }
            // A load: every class is ready at any time.
            let usage = Usage { done: DoneReason::Load, ..Usage::default() };
            out.push(HostEvent::Finished { key, usage, cached_tokens: 0, truncated: false });
            return;
        };
        if self.queue.len() >= self.spec.max_queue as usize {
            return refuse(HostError::Busy);
        }
        self.queue.push_back(Waiting { key, demand: self.spec.classes[found].1, run, arrived: now });
    }

    /// Starts tasks in their order until one finds no room.
    fn start(&mut self, now: Instant, out: &mut Vec<HostEvent>) {
        while let Some(first) = self.queue.front()
            && let Some(held) = self.room.take(&first.demand)
            && let Some(Waiting { key, run, arrived, .. }) = self.queue.pop_front()
        {
            if self.running.is_empty() {
                self.busy_since = now;
            }
            let left = run.get();
            let ends = now.saturating_add(slowed(left, self.slowdown));
            self.running.push(Running { key, held, arrived, started: now, left, since: now, ends });
            self.changes += 1;
            out.push(HostEvent::FirstToken { key });
        }
        let next = self.running.iter().map(|task| task.ends).min();
        self.next = next.map(|at| Due { at, phase: Phase::Timer });
    }

    /// A task no longer runs.
    fn end(&mut self, now: Instant, at: usize) -> Running {
        let task = self.running.remove(at);
        self.room.give_back(&task.held);
        self.changes += 1;
        if self.running.is_empty() {
            self.busy_nanos += now.since(self.busy_since).0;
        }
        task
    }

    fn slow_down(&mut self, now: Instant, permille: u32) {
        let before = u128::from(std::mem::replace(&mut self.slowdown, permille));
        for task in &mut self.running {
            let done = u128::from(now.since(task.since).0) * u128::from(NORMAL) / before;
            task.left = task.left.saturating_sub(done as u64);
            task.since = now;
            task.ends = now.saturating_add(slowed(task.left, permille));
        }
    }

    fn crash(&mut self, now: Instant) {
        while !self.running.is_empty() {
            self.end(now, 0);
        }
        self.queue.clear();
        self.revision += 1;
    }

    /// The task that holds the most memory fails, as a node does that runs out of it; the first that started where several are alike.
    fn lose_largest(&mut self, now: Instant, out: &mut Vec<HostEvent>) {
        let memory = |task: &Running| task.held.demand().memory_mib;
        let Some(most) = self.running.iter().map(memory).max() else { return };
        let at = self.running.iter().position(|task| memory(task) == most).expect("it was just seen");
        let key = self.end(now, at).key;
        out.push(HostEvent::Error { key, error: HostError::RunnerGone });
    }

    /// What it says of itself: the classes that it can run, all of them there and ready, of no size.
    #[must_use]
    pub fn observe(&self) -> Observation {
        let ids = || self.spec.classes.iter().map(|class| class.0);
        Observation {
            version: "tasks".to_owned(),
            loaded: ids().map(|model| LoadedModel { model, bytes: Bytes::ZERO, vram: Bytes::ZERO }).collect(),
            stored: ids().map(|model| StoredModel::of_size(model, Bytes::ZERO)).collect(),
        }
    }

    /// Changes where control should look at the host again.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Changes whenever [`TaskHost::used`] may.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// How much of it is taken.
    #[must_use]
    pub fn used(&self) -> Used {
        let share = |free: u64, whole: u64| match whole {
            0 => 0,
            whole => (u128::from(whole - free) * 1_000 / u128::from(whole)) as u16,
        };
        Used {
            cpu: share(self.room.cpu_milli(), self.spec.cpu_milli),
            memory: share(self.room.memory_mib(), self.spec.memory_mib),
            gpu: share(self.room.gpus_milli(), u64::from(self.spec.gpus) * u64::from(GPU_MILLI)),
        }
    }

    /// Sums until `now`, which is not before the last event: busy is a node on which at least one task runs.
    #[must_use]
    pub fn counters(&self, now: Instant) -> HostCounters {
        let busy = if self.running.is_empty() { 0 } else { now.since(self.busy_since).0 };
        HostCounters {
            requests: (self.queue.len() + self.running.len()) as u32,
            running: self.running.len() as u32,
            busy_nanos: self.busy_nanos + busy,
            ..HostCounters::default()
        }
    }

    /// What tasks hold and what is free are the node together, the first that waits finds no room, and the queue keeps its bound.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Result<(), String> {
        let mut room = self.room.clone();
        self.running.iter().for_each(|task| room.give_back(&task.held));
        if room != Room::new(&self.spec) {
            return Err(format!(
                "{}: what is free and what tasks hold is not the node: {room:?}",
                self.spec.name
            ));
        }
        if self.queue.len() > self.spec.max_queue as usize {
            return Err(format!(
                "{}: {} tasks wait, allowed {}",
                self.spec.name,
                self.queue.len(),
                self.spec.max_queue
            ));
        }
        if self.queue.front().is_some_and(|task| self.room.clone().take(&task.demand).is_some()) {
            return Err(format!("{}: the first task that waits has room", self.spec.name));
        }
        Ok(())
    }
}

/// How long work takes on a node where each step takes this share of its normal time.
fn slowed(work: u64, permille: u32) -> Nanos {
    let nanos = (u128::from(work) * u128::from(permille)).div_ceil(u128::from(NORMAL));
    Nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
