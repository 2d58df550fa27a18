//! Loading: where it fits, how long it takes, what a client that leaves does to it.
//!
//! A load has a fixed part (process start, finding the layout) and the reading of the weights, after which readiness is
//! seen at the next poll. In v0.24 the runner is listed, and the pending loop goes on, when the layout is committed
//! (ollamarunner) or when the weights are in (llamarunner); in v0.10 at once.

use std::sync::Arc;

use control::units::{Bytes, Instant, Nanos};

use super::flight::{Slot, Stage};
use super::mixture::mix;
use super::runner::{Runner, RunnerId, RunnerOptions, State, next_on_grid};
use super::{Completed, Host, Wait, rules};
use crate::api::HostEvent;
use crate::batch::{BatchLoop, Discipline, LoopSpec, PrefixCache};
use crate::costs::Costs;
use crate::fit::{self, Demand, NoFit, Placement, Room, Space};
use crate::spec::Runner as Kind;
use crate::spec::{Profile, Version};
use crate::tiers::read_time;

impl Host {
    /// Where the model of a request would go, and with how many slots.
    pub(super) fn fit(&self, slot: Slot, sole: bool) -> Result<(Placement, u32), NoFit> {
        let flight = self.flights.get(slot);
        let profile = self.profile(flight.model);
        let model = profile.model.as_ref();
        let wanted = rules::num_ctx_wanted(flight.request.options.num_ctx, self.num_ctx_default);
        let num_ctx = rules::num_ctx_loaded(wanted, model);
        let rooms: Vec<Room> = (self.spec.gpus.iter().enumerate())
            .map(|(gpu, spec)| {
                let used: Bytes = self.runners.iter().map(|runner| runner.on_gpu(gpu)).sum();
                let free = Bytes(spec.memory_bytes).saturating_sub(used);
                Room { free, discrete: spec.discrete, metal: spec.metal }
            })
            .collect();
        let used: Bytes = self.runners.iter().map(|runner| runner.placement.cpu).sum();
        let space = |sole| Space {
            gpus: &rooms,
            ram: self.spec.ram.saturating_sub(used),
            overhead: self.spec.gpu_overhead,
            spread: self.spec.sched_spread,
            sole,
        };
        let place = |slots, sole| {
            let demand = Demand {
                model,
                graph: Bytes(profile.graph_bytes),
                num_ctx,
                num_batch: rules::num_batch(flight.request.options.num_batch, num_ctx, model),
                slots,
                kv_cache: self.spec.kv_cache.effective(model, self.spec.version),
                num_gpu: flight.request.options.num_gpu,
                version: self.spec.version,
            };
            fit::place(&demand, &space(sole)).map(|placement| (placement, slots))
        };
        match rules::slots(&self.spec, model) {
            (slots, None) => place(slots, sole),
            // v0.10 by default: many slots where all of it fits so, else one.
            (slots, Some(fewer)) => {
                place(slots, false).or_else(|_| place(fewer, false)).or_else(|_| place(fewer, sole))
            }
        }
    }

    /// Starts a runner for the request in hand; `None` where the pending loop goes on at once.
    pub(super) fn begin_load(
        &mut self,
        now: Instant,
        slot: Slot,
        placement: Placement,
        slots: u32,
    ) -> Option<Wait> {
        if self.flights.get(slot).cancelled {
            self.flights.remove(slot);
            return None;
        }
        let flight = self.flights.get(slot);
        let (index, options) = (flight.model, flight.request.options);
        let profile = Arc::clone(self.profile(index));
        let wanted = rules::num_ctx_wanted(options.num_ctx, self.num_ctx_default);
        let num_ctx = rules::num_ctx_loaded(wanted, &profile.model);
        let kind = profile.model.runner(self.spec.version);
        let batch = LoopSpec {
            costs: costs(&profile, &placement, self.on_cpu()),
            discipline: match kind {
                Kind::Ollamarunner => Discipline::Shared,
                Kind::Llamarunner => Discipline::PerSlot,
            },
            slots,
            batch_tokens: rules::num_batch(options.num_batch, num_ctx, &profile.model),
            num_ctx,
            num_keep: rules::NUM_KEEP.min(num_ctx - 1),
            prefix_cache: if self.spec.multiuser_cache {
                PrefixCache::MultiUser
            } else {
                PrefixCache::PerSlot
            },
            engine: self.spec.engine,
        };
        let blob = self.flights.get(slot).blob;
        let read = read_time(&profile, self.tiers.read(blob));
        // A timer is later than the message that set it.
        let fixed = Nanos(profile.load_fixed_nanos.max(1));
        let id = self.new_id();
        let v0_10 = self.spec.version == Version::V0_10;
        let (state, until, polled_from) = if v0_10 {
            (State::Weights, now + to_poll(fixed + read), now)
        } else {
            (State::Fitting, now + fixed, now + fixed)
        };
        self.tally.loads += 1;
        self.runners.push(Runner {
            id,
            blob,
            model: index,
            name: self.spec.models[index as usize].model,
            options: RunnerOptions::of(&options, self.num_ctx_default),
            slots,
            num_ctx,
            placement,
            state,
            listed: v0_10,
            keep_alive: options.keep_alive.unwrap_or(self.spec.keep_alive),
            refs: 0,
            admitted: 0,
            loader: Some(slot),
            aborted: false,
            weights_from: polled_from,
            read,
            until: Some(until),
            expires: None,
            looked_at: None,
            expired_at: now,
            evicted: false,
            waiting: Vec::new(),
            batch: BatchLoop::new(batch),
            due: None,
            permille: 1_000,
        });
        self.flights.get_mut(slot).stage = Stage::Loading(id);
        if v0_10 {
            self.revision += 1;
            return None;
        }
        Some(Wait::Load(id))
    }

    pub(super) fn new_id(&mut self) -> RunnerId {
        self.runners_made += 1;
        RunnerId(self.runners_made)
    }

    /// The layout is found: ollamarunner commits it, is listed, and reads weights while the pending loop goes on.
    pub(super) fn layout_found(&mut self, now: Instant, at: usize, out: &mut Vec<HostEvent>) {
        let model = self.runners[at].model;
        let commits = self.profile(model).model.runner(self.spec.version) == Kind::Ollamarunner;
        let runner = &mut self.runners[at];
        runner.state = State::Weights;
        runner.until = Some(now + to_poll(runner.read));
        if commits {
            runner.listed = true;
            self.revision += 1;
            let id = runner.id;
            self.let_go(now, Wait::Load(id), out);
        }
    }

    /// The weights are in, or the poll has come at which a load is seen to be aborted.
    pub(super) fn weights_over(&mut self, now: Instant, at: usize, out: &mut Vec<HostEvent>) {
        let runner = &mut self.runners[at];
        let (id, blob, model) = (runner.id, runner.blob, runner.model);
        if runner.aborted {
            if runner.listed {
                runner.state = State::Failed;
                runner.until = None;
                let loader = runner.loader.take().expect("a load is for a request");
                self.flights.remove(loader);
                self.complete(now, Completed::Expired(id));
                self.wake(now, Wait::Lock, out);
            } else {
                runner.state = State::Aborting;
                runner.until = Some(now + rules::PROCESS_END);
            }
            return;
        }
        if !runner.listed {
            runner.listed = true;
            self.revision += 1;
        }
        runner.state = State::Ready;
        runner.until = None;
        let loader = runner.loader.take().expect("a load is for a request");
        let mut waiting = std::mem::take(&mut runner.waiting);
        let weights = self.profile(model).model.weights();
        self.tiers.keep(blob, weights);
        self.share(now);
        self.use_runner(now, at, loader, out);
        for slot in waiting.drain(..) {
            self.get_runner(now, slot, out);
        }
        self.let_go(now, Wait::Load(id), out);
        self.wake(now, Wait::Lock, out);
    }

    /// The process of an aborted load is gone. Nothing waits for its memory.
    pub(super) fn aborted(&mut self, now: Instant, at: usize, out: &mut Vec<HostEvent>) {
        let runner = self.runners.remove(at);
        if let Some(loader) = runner.loader {
            self.flights.remove(loader);
        }
        self.let_go(now, Wait::Load(runner.id), out);
    }

    /// The client left for which a runner loads: seen at once while the layout is looked for, else at the next poll.
    pub(super) fn abort_load(&mut self, now: Instant, id: RunnerId) {
        let Some(at) = self.runner_index(id) else { return };
        let runner = &mut self.runners[at];
        runner.aborted = true;
        if runner.state == State::Fitting {
            runner.state = State::Aborting;
            runner.until = Some(now + rules::PROCESS_END);
        } else {
            let seen = next_on_grid(runner.weights_from, rules::POLL, now);
            runner.until = runner.until.map(|until| until.min(seen));
        }
    }
}

/// Rounded up to a poll.
pub(super) fn to_poll(span: Nanos) -> Nanos {
    Nanos(span.0.next_multiple_of(rules::POLL.0))
}

/// The tables of a runner whose layers may be on GPUs in part. On a host without GPUs the profile is the CPU's own.
fn costs(profile: &Profile, placement: &Placement, on_cpu: bool) -> Arc<Costs> {
    let on_gpu = placement.layers_gpu();
    let layers = on_gpu + placement.layers_cpu;
    if on_cpu || on_gpu == layers {
        Arc::clone(&profile.costs)
    } else if on_gpu == 0 {
        Arc::clone(&profile.cpu_costs)
    } else {
        Arc::new(mix(&profile.costs, &profile.cpu_costs, on_gpu, layers))
    }
}
