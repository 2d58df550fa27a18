//! A runner: one model's process, from the decision to load it until its memory is free again.

use control::ids::ModelId;
use control::request::{HostOptions, KeepAlive};
use control::units::{Bytes, Instant, Nanos};

use super::flight::Slot;
use super::rules;
use crate::api::Due;
use crate::batch::BatchLoop;
use crate::fit::Placement;

/// Keep-alives from here on (9 years) are for ever: the clock of a run ends before.
const FOREVER: Nanos = Nanos(1 << 58);

/// A runner's number, never used again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RunnerId(pub(super) u32);

/// What a runner was loaded with: where a request differs, it must be loaded again. Sampling options are not among it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RunnerOptions {
    /// As asked for, before the model's own limit.
    num_ctx: u32,
    num_batch: u32,
    num_gpu: Option<u32>,
    others: u64,
}

impl RunnerOptions {
    pub(super) fn of(options: &HostOptions, num_ctx_default: u32) -> Self {
        Self {
            num_ctx: rules::num_ctx_wanted(options.num_ctx, num_ctx_default),
            num_batch: options.num_batch.unwrap_or(rules::NUM_BATCH),
            num_gpu: options.num_gpu,
            others: options.others,
        }
    }

    /// Whether a runner with these options cannot serve a request with `wanted`. A request that leaves `num_gpu` open
    /// takes what there is.
    #[inline]
    pub(super) fn needs_reload(&self, wanted: &Self) -> bool {
        let gpu = wanted.num_gpu.is_some() && wanted.num_gpu != self.num_gpu;
        gpu || self.num_ctx != wanted.num_ctx
            || self.num_batch != wanted.num_batch
            || self.others != wanted.others
    }
}

/// How far a runner is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// v0.24: the process starts and its layout is found; the pending loop waits.
    Fitting,
    /// Weights are read.
    Weights,
    /// The client left while the pending loop waited for this load: the process is ended.
    Aborting,
    /// The client left while weights were read; it waits to be unloaded.
    Failed,
    /// Requests can run.
    Ready,
    /// The process is ended; nobody can look at the list of runners meanwhile.
    Ending,
    /// Off the list; its memory is not yet reported as free.
    Recovering,
}

/// A runner.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) id: RunnerId,
    /// Its weights, as a number in the order of blob paths.
    pub(super) blob: u16,
    /// Index of the model on disk whose request loaded it: `/api/ps` shows this name.
    pub(super) model: u16,
    pub(super) name: ModelId,
    pub(super) options: RunnerOptions,
    pub(super) slots: u32,
    pub(super) num_ctx: u32,
    pub(super) placement: Placement,
    pub(super) state: State,
    /// It is in the scheduler's list (and in `/api/ps`).
    pub(super) listed: bool,
    pub(super) keep_alive: KeepAlive,
    /// Requests that hold it.
    pub(super) refs: u32,
    /// Requests in its batch loop.
    pub(super) admitted: u32,
    /// The request that it is loaded for, while it loads.
    pub(super) loader: Option<Slot>,
    /// The client of `loader` has left.
    pub(super) aborted: bool,
    /// From when on it is asked whether it is ready.
    pub(super) weights_from: Instant,
    /// How long reading them takes.
    pub(super) read: Nanos,
    /// When its state ends by itself.
    pub(super) until: Option<Instant>,
    /// When its keep-alive is over.
    pub(super) expires: Option<Instant>,
    /// It expired while in use: first look at it again, then every 10 ms.
    pub(super) looked_at: Option<Instant>,
    /// When it expired.
    pub(super) expired_at: Instant,
    /// It is to make room for another model.
    pub(super) evicted: bool,
    /// Requests that wait for its lock.
    pub(super) waiting: Vec<Slot>,
    pub(super) batch: BatchLoop,
    /// What the batch loop announced.
    pub(super) due: Option<Due>,
    /// What it was told of the time its steps take, in thousandths.
    pub(super) permille: u32,
}

impl Runner {
    pub(super) fn loading(&self) -> bool {
        matches!(self.state, State::Fitting | State::Weights)
    }

    /// When the next of its timers is due; [`Instant::MAX`] where none is set.
    #[inline]
    pub(super) fn timer(&self) -> Instant {
        let at = |timer: Option<Instant>| timer.unwrap_or(Instant::MAX);
        at(self.until).min(at(self.expires)).min(at(self.look()))
    }

    /// When it is looked at again: only while it is idle does that change anything.
    #[inline]
    fn look(&self) -> Option<Instant> {
        if self.refs == 0 && self.state == State::Ready { self.looked_at } else { None }
    }

    /// Memory on one GPU.
    pub(super) fn on_gpu(&self, gpu: usize) -> Bytes {
        self.placement.gpus.get(gpu).map_or(Bytes::ZERO, |share| share.bytes)
    }

    /// Whether it computes on a device; the host's CPU comes after its GPUs.
    pub(super) fn computes_on(&self, device: usize) -> bool {
        match self.placement.gpus.get(device) {
            Some(share) => share.layers > 0,
            None => self.placement.layers_cpu > 0,
        }
    }

    /// Its keep-alive has no end.
    pub(super) fn stays(&self) -> bool {
        match self.keep_alive {
            KeepAlive::For(span) => span >= FOREVER,
            KeepAlive::Forever => true,
        }
    }

    /// Key of the order in which runners go: keep-alive, then blob path.
    pub(super) fn goes_after(&self) -> (u64, u16) {
        let keep_alive = match self.keep_alive {
            KeepAlive::For(Nanos(nanos)) => nanos,
            KeepAlive::Forever => u64::MAX,
        };
        (keep_alive, self.blob)
    }
}

/// The first time on the grid `from`, `from` + `step`, … that is later than `now`.
pub(super) fn next_on_grid(from: Instant, step: Nanos, now: Instant) -> Instant {
    if now < from {
        return from;
    }
    from + Nanos((now.since(from).0 / step.0 + 1) * step.0)
}
