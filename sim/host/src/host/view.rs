//! What can be seen of a host from outside, and paged serving's resident model.

use control::door::{LoadedModel, Observation, StoredModel};
use control::ids::ModelId;
use control::request::KeepAlive;
use control::units::{Bytes, Instant, Nanos};

use super::runner::{Runner, RunnerOptions, State};
use super::{Host, HostCounters, HostSpec, Serving, rules};
use crate::batch::{BatchLoop, Discipline, LoopSpec, PrefixCache};
use crate::fit::{Placement, Share};
use crate::spec::Version;

/// A runner as `/api/ps` shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListedRunner {
    /// The model whose request loaded it.
    pub model: ModelId,
    /// The memory it takes.
    pub bytes: Bytes,
    /// The part of it on GPUs.
    pub vram: Bytes,
    /// The context window that it was loaded with, in tokens.
    pub num_ctx: u32,
    /// How long it stays after its last request.
    pub keep_alive: KeepAlive,
    /// When it goes by itself; `None` while a request holds it, and where it stays for ever.
    pub expires: Option<Instant>,
}

impl Host {
    /// `/api/ps`, in the order in which they were loaded.
    pub fn listing(&self) -> impl Iterator<Item = ListedRunner> + '_ {
        self.runners.iter().filter(|runner| runner.listed).map(|runner| ListedRunner {
            model: runner.name,
            bytes: runner.placement.total,
            vram: self.vram_listed(&runner.placement),
            num_ctx: runner.num_ctx,
            keep_alive: runner.keep_alive,
            expires: runner.expires,
        })
    }

    /// With no layer on the CPU, all of a model counts as being on GPUs, input embeddings and all (`llm/server.go`,
    /// `MemorySize`, of v0.24).
    fn vram_listed(&self, placement: &Placement) -> Bytes {
        let offloaded = placement.layers_cpu == 0 && placement.layers_gpu() > 0;
        if offloaded && self.spec.version == Version::V0_24 { placement.total } else { placement.vram }
    }

    /// `/api/ps` and `/api/tags`.
    #[must_use]
    pub fn observe(&self) -> Observation {
        let mut loaded: Vec<LoadedModel> = self
            .listing()
            .map(|runner| LoadedModel { model: runner.model, bytes: runner.bytes, vram: runner.vram })
            .collect();
        loaded.sort_unstable();
        let mut stored: Vec<StoredModel> = self.disk.listing(&self.spec).collect();
        stored.sort_unstable();
        let version = match self.spec.version {
            Version::V0_10 => "0.10.1",
            Version::V0_24 => "0.24.0",
        };
        Observation { version: version.to_owned(), loaded, stored }
    }

    /// Changes whenever [`Host::observe`] would differ.
    #[must_use]
    #[inline]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether at least one runner computes now.
    #[must_use]
    #[inline]
    pub fn is_computing(&self) -> bool {
        self.active > 0
    }

    /// What the host was made from.
    #[must_use]
    pub fn spec(&self) -> &HostSpec {
        &self.spec
    }

    /// Sums until `now`, which is not before the last event.
    #[must_use]
    pub fn counters(&self, now: Instant) -> HostCounters {
        let busy = if self.active > 0 { now.since(self.busy_since).0 } else { 0 };
        HostCounters {
            requests: self.flights.len() as u32,
            running: self.runners.iter().map(|runner| runner.admitted.min(runner.slots)).sum(),
            busy_nanos: self.tally.busy_nanos + busy,
            tier_hits: self.tiers.hits(),
            steps: self.tally.steps
                + self.runners.iter().map(|runner| runner.batch.stats_at(now).steps).sum::<u64>(),
            ..self.tally
        }
    }

    /// Models loaded or loading, with the memory they take.
    pub fn loaded(&self) -> impl Iterator<Item = (ModelId, Bytes)> + '_ {
        let present = |runner: &&Runner| runner.state != State::Recovering;
        self.runners.iter().filter(present).map(|runner| (runner.name, runner.placement.total))
    }

    /// Paged serving: the first model is there from the start, whatever its cache takes.
    pub(super) fn make_resident(&mut self) {
        let Serving::Paged { slots, batch_tokens } = self.spec.serving else { return };
        let Some(entry) = self.spec.models.first() else { return };
        let (name, profile) = (entry.model, entry.profile.clone());
        let weights = profile.model.weights();
        let default = self.spec.num_ctx_default.unwrap_or(profile.model.context_max);
        let num_ctx = rules::num_ctx_loaded(default, &profile.model);
        let layers = profile.model.layers + 1;
        let mut placement = Placement { total: weights, ..Placement::default() };
        let gpus = self.spec.gpus.len() as u64;
        if gpus == 0 {
            placement.cpu = weights;
            placement.layers_cpu = layers;
        } else {
            // Tensor parallel: an equal part of every layer on each GPU.
            let share = Share { bytes: Bytes(weights.0.div_ceil(gpus)), layers };
            placement.gpus = vec![share; gpus as usize];
            placement.vram = weights;
        }
        let id = self.new_id();
        self.runners.push(Runner {
            id,
            blob: self.disk.blob(0),
            model: 0,
            name,
            options: RunnerOptions::of(&Default::default(), num_ctx),
            slots,
            num_ctx,
            placement,
            state: State::Ready,
            listed: true,
            keep_alive: KeepAlive::Forever,
            refs: 0,
            admitted: 0,
            loader: None,
            aborted: false,
            weights_from: Instant::ZERO,
            read: Nanos::ZERO,
            until: None,
            expires: None,
            looked_at: None,
            expired_at: Instant::ZERO,
            evicted: false,
            waiting: Vec::new(),
            batch: BatchLoop::new(LoopSpec {
                costs: profile.costs.clone(),
                discipline: Discipline::Shared,
                slots: slots.max(1),
                batch_tokens: batch_tokens.max(1),
                num_ctx,
                num_keep: rules::NUM_KEEP.min(num_ctx - 1),
                prefix_cache: PrefixCache::Off,
                engine: self.spec.engine,
            }),
            due: None,
            permille: 1_000,
        });
    }
}
