//! A host with simple figures, driven from one message to the next, checked after each event.

use std::sync::Arc;

use control::ids::ModelId;
use control::request::{HostOptions, KeepAlive, Kind, Usage};
use control::units::{Bytes, Instant, Nanos};
use sim_host::api::{Due, Engine, HostError, HostEvent, HostRequest, Message, Phase, RequestKey};
use sim_host::costs::Costs;
use sim_host::fit::KvCache;
use sim_host::host::{Host, HostModel, HostSpec, Serving};
use sim_host::spec::{GpuSpec, ModelSpec, Profile, Version};

pub(super) const MILLI: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000_000_000;

pub(super) fn ms(millis: u64) -> Instant {
    Instant(millis * MILLI)
}

pub(super) fn for_ms(millis: u64) -> KeepAlive {
    KeepAlive::For(Nanos::from_millis(millis))
}

/// A discrete GPU.
pub(super) fn gpu(gib: u64) -> Arc<GpuSpec> {
    Arc::new(GpuSpec {
        name: format!("gpu-{gib}"),
        memory_bytes: Bytes::from_gib(gib).0,
        bandwidth_bytes_per_second: 1_000_000_000_000,
        flops: 100_000_000_000_000,
        discrete: true,
        cpu: false,
        metal: false,
        watts_max: None,
        watts_idle: None,
        source: "made up".into(),
        assumed: Vec::new(),
    })
}

/// A step takes 1 ms on a GPU, 10 ms on a CPU, whatever is in the batch.
pub(super) fn flat(step_ms: u64) -> Arc<Costs> {
    let step = step_ms * 1_000_000_000;
    Arc::new(Costs {
        decode: vec![0, step, step],
        prefill: vec![(1, step), (2, step)],
        context: 0,
        window_context: 0,
        window: 0,
        span: 0,
        prefill_context: 0,
    })
}

/// A llama of 1 GB: 16 layers, 128 KiB of cache a token.
pub(super) fn llama(name: &str) -> ModelSpec {
    ModelSpec {
        name: name.into(),
        family: "llama".into(),
        quantisation: "Q4_K_M".into(),
        blob: format!("sha256:{name}"),
        parameters: 2_000_000_000,
        parameters_active: 2_000_000_000,
        weights_bytes: 1_000_000_000,
        layers: 16,
        hidden: 2_048,
        heads: 32,
        kv_heads: 32,
        head_dim: 64,
        vocabulary: 32_000,
        experts: 0,
        experts_active: 0,
        window: 0,
        full_attention_layers: 16,
        context_max: 131_072,
        embedding_only: false,
        source: "made up".into(),
        assumed: Vec::new(),
    }
}

/// The same, of a family that ollamarunner serves (qwen 3).
pub(super) fn qwen(name: &str) -> ModelSpec {
    ModelSpec { family: "qwen3".into(), ..llama(name) }
}

/// Loads take 0.5 s and 1 s more from disk (0.25 s from the page cache).
pub(super) fn profile(model: ModelSpec) -> Arc<Profile> {
    Arc::new(Profile {
        gpu: gpu(24),
        model: Arc::new(model),
        costs: flat(1),
        cpu_costs: flat(10),
        request_overhead_nanos: 0,
        load_fixed_nanos: 500 * MILLI,
        disk_bytes_per_second: 1_000_000_000,
        page_cache_bytes_per_second: 4_000_000_000,
        graph_bytes: Bytes::from_mib(256).0,
        source: "made up".into(),
        assumed: Vec::new(),
    })
}

/// One GPU of 24 GB, Ollama's defaults, no model; 4,096 tokens of context.
pub(super) fn spec(models: Vec<ModelSpec>) -> HostSpec {
    HostSpec {
        name: "host".into(),
        version: Version::V0_24,
        gpus: vec![gpu(24)],
        ram: Bytes::from_gib(64),
        num_parallel: None,
        max_queue: 512,
        max_loaded: None,
        keep_alive: for_ms(300_000),
        num_ctx_default: Some(4_096),
        gpu_overhead: Bytes::ZERO,
        sched_spread: false,
        kv_cache: KvCache::F16,
        multiuser_cache: false,
        page_cache: Bytes::from_gib(32),
        engine: Engine::Coalesced,
        serving: Serving::Ollama,
        models: numbered(models.into_iter().map(profile).collect()),
    }
}

pub(super) fn numbered(profiles: Vec<Arc<Profile>>) -> Vec<HostModel> {
    let numbered = profiles.into_iter().enumerate();
    numbered.map(|(id, profile)| HostModel::stored(ModelId(id as u32), profile)).collect()
}

/// A request for model `model` of 10 prompt and `output` answer tokens: with nothing before it, `output` ms on a GPU.
pub(super) fn request(key: u64, model: u32, output: u32) -> HostRequest {
    HostRequest {
        key: RequestKey(key),
        model: ModelId(model),
        kind: Kind::Completion,
        prompt_tokens: 10,
        blocks: None,
        answer_block: 0,
        output_tokens: output,
        num_predict: None,
        options: HostOptions::default(),
        truncate: true,
        shift: true,
        run_nanos: None,
    }
}

/// The same with a keep-alive.
pub(super) fn keeping(key: u64, model: u32, output: u32, keep_alive: KeepAlive) -> HostRequest {
    with(request(key, model, output), |options| options.keep_alive = Some(keep_alive))
}

pub(super) fn with(mut request: HostRequest, change: impl FnOnce(&mut HostOptions)) -> HostRequest {
    change(&mut request.options);
    request
}

/// A request that only loads.
pub(super) fn empty(key: u64, model: u32) -> HostRequest {
    HostRequest { prompt_tokens: 0, output_tokens: 0, ..request(key, model, 0) }
}

/// A host and all that was seen of it.
pub(super) struct World {
    pub(super) host: Host,
    pub(super) now: Instant,
    pub(super) seen: Vec<(Instant, HostEvent)>,
    last: Option<Due>,
}

impl World {
    pub(super) fn new(spec: HostSpec) -> Self {
        Self { host: Host::new(Arc::new(spec)), now: Instant::ZERO, seen: Vec::new(), last: None }
    }

    fn note(&mut self, events: &mut Vec<HostEvent>) {
        let now = self.now;
        self.seen.extend(events.drain(..).map(|event| (now, event)));
        if let Err(what) = self.host.check() {
            panic!("at {now}: {what}");
        }
    }

    /// Executes all events up to and with the timers of `until`.
    pub(super) fn run_until(&mut self, until: Instant) {
        let mut events = Vec::new();
        let stop = Due { at: until, phase: Phase::Delivery };
        while let Some(due) = self.host.next().filter(|due| *due < stop) {
            assert!(self.last.is_none_or(|last| last <= due), "{due:?} after {:?}", self.last);
            self.last = Some(due);
            self.now = due.at;
            self.host.advance(due, &mut events);
            self.note(&mut events);
        }
        self.now = until;
    }

    /// Executes all there is, but for keep-alives of more than a minute.
    pub(super) fn run(&mut self) {
        while let Some(due) = self.host.next()
            && due.at < Instant(self.now.0 + 60 * SECOND)
        {
            self.run_until(Instant(due.at.0 + 1));
        }
    }

    pub(super) fn deliver(&mut self, at: Instant, message: Message) {
        self.run_until(at);
        self.last = Some(Due { at, phase: Phase::Delivery });
        let mut events = Vec::new();
        self.host.deliver(at, message, &mut events);
        self.note(&mut events);
    }

    pub(super) fn send(&mut self, at_ms: u64, request: HostRequest) {
        self.deliver(ms(at_ms), Message::Request(request));
    }

    pub(super) fn cancel(&mut self, at_ms: u64, key: u64) {
        self.deliver(ms(at_ms), Message::Cancel(RequestKey(key)));
    }

    /// Loads a model and lets its process settle; gives the time in milliseconds at which all is quiet.
    pub(super) fn loaded_with(spec: HostSpec, models: &[u32]) -> (Self, u64) {
        let mut world = Self::new(spec);
        for &model in models {
            let at = world.now.0 / MILLI;
            world.send(at, empty(1_000_000 + u64::from(model), model));
            world.run();
        }
        world.seen.clear();
        let now = world.now.0 / MILLI + 1;
        (world, now)
    }

    pub(super) fn finished(&self, key: u64) -> Option<(Instant, Usage)> {
        self.seen.iter().find_map(|(at, event)| match event {
            HostEvent::Finished { key: found, usage, .. } if found.0 == key => Some((*at, *usage)),
            _ => None,
        })
    }

    /// When a request was finished, in milliseconds.
    pub(super) fn done_ms(&self, key: u64) -> u64 {
        let Some((at, _)) = self.finished(key) else {
            panic!("request {key} did not finish: {:?}", self.seen)
        };
        at.0 / MILLI
    }

    pub(super) fn usage(&self, key: u64) -> Usage {
        self.finished(key).unwrap_or_else(|| panic!("request {key} did not finish: {:?}", self.seen)).1
    }

    pub(super) fn cut(&self, key: u64) -> bool {
        let cut = |event: &HostEvent| matches!(event, HostEvent::Finished { key: found, truncated, .. } if found.0 == key && *truncated);
        self.seen.iter().any(|(_, event)| cut(event))
    }

    pub(super) fn error(&self, key: u64) -> Option<HostError> {
        self.seen.iter().find_map(|(_, event)| match event {
            HostEvent::Error { key: found, error } if found.0 == key => Some(*error),
            _ => None,
        })
    }

    /// Nothing was ever reported of a request.
    pub(super) fn silent(&self, key: u64) -> bool {
        let of = |event: &HostEvent| match event {
            HostEvent::FirstToken { key }
            | HostEvent::Finished { key, .. }
            | HostEvent::Error { key, .. } => key.0,
        };
        self.seen.iter().all(|(_, event)| of(event) != key)
    }

    /// Models in `/api/ps`.
    pub(super) fn ps(&self) -> Vec<u32> {
        self.host.observe().loaded.iter().map(|loaded| loaded.model.0).collect()
    }

    pub(super) fn running(&self) -> u32 {
        self.host.counters(self.now).running
    }

    pub(super) fn requests(&self) -> u32 {
        self.host.counters(self.now).requests
    }

    pub(super) fn loads(&self) -> u64 {
        self.host.counters(self.now).loads
    }

    pub(super) fn evictions(&self) -> u64 {
        self.host.counters(self.now).evictions
    }
}
