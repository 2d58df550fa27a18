//! Fleets and sources for tests: hosts with plain cost tables, arrivals from keyed draws.

use std::sync::Arc;

use control::config::{ControlFile, DispatchLimit};
use control::door::{Declaration, Note};
use control::draw::{Component, Draw};
use control::ids::ModelId;
use control::request::{KeepAlive, Outcome};
use control::units::{Bytes, Instant, Nanos};
use sim::check::Checks;
use sim::config::{Fleet, FleetHost, HostKind, NetworkFile};
use sim::simulation::{Progress, RunEnd, Setup, Simulation, Sink};
use sim_host::api::Engine;
use sim_host::costs::Costs;
use sim_host::fit::KvCache;
use sim_host::host::{HostModel, HostSpec, Serving};
use sim_host::profile::Catalogue;
use sim_host::spec::{Profile, Version};
use traces::job::Job;
use traces::record::{Record, Sample};
use workloads::source::{Source, SourceError};

/// A millisecond in picoseconds.
pub(crate) const MILLI: u64 = 1_000_000_000;

/// A model whose every step takes a millisecond, whatever is in it.
pub(crate) fn constant_profile() -> Arc<Profile> {
    let mut profile = (*Catalogue::builtin().find("a100-80gb", "llama3.1:8b").expect("built in")).clone();
    profile.costs = Arc::new(Costs {
        decode: vec![0, MILLI],
        prefill: vec![(1, MILLI)],
        context: 0,
        window_context: 0,
        window: 0,
        span: 0,
        prefill_context: 0,
    });
    profile.request_overhead_nanos = 0;
    Arc::new(profile)
}

/// A host with that model.
pub(crate) fn host(profile: Arc<Profile>, serving: Serving, engine: Engine, slots: u32) -> FleetHost {
    let spec = HostSpec {
        name: "host".into(),
        version: Version::V0_24,
        gpus: vec![Arc::clone(&profile.gpu)],
        ram: Bytes::from_gib(64),
        num_parallel: Some(slots),
        max_queue: 512,
        max_loaded: None,
        keep_alive: KeepAlive::Forever,
        num_ctx_default: Some(8_192),
        gpu_overhead: Bytes::ZERO,
        sched_spread: false,
        kv_cache: KvCache::F16,
        multiuser_cache: false,
        page_cache: Bytes::from_gib(32),
        engine,
        serving,
        models: vec![HostModel::stored(ModelId(0), profile)],
    };
    FleetHost {
        spec: HostKind::Ollama(Arc::new(spec)),
        declaration: Declaration { slots, weight: 100, ..Declaration::default() },
        provision: Nanos::ZERO,
        draw: None,
    }
}

/// A fleet without latency.
pub(crate) fn fleet(hosts: Vec<FleetHost>) -> Fleet {
    let network = NetworkFile { latency_micros: 0, ..NetworkFile::default() }.check().unwrap();
    Fleet {
        hosts,
        models: vec!["m:latest".into()],
        poll_period: Nanos::from_secs(1),
        network,
        registry: None,
        faults: Vec::new(),
    }
}

/// Poisson arrivals; answers constant, or exponential with this mean.
pub(crate) struct Arrivals {
    pub(crate) jobs: u64,
    pub(crate) gap: f64,
    pub(crate) prompt_tokens: u32,
    pub(crate) output_tokens: u32,
    pub(crate) exponential: bool,
    pub(crate) patience: Option<Nanos>,
    pub(crate) seed: u64,
    next: Option<Instant>,
    made: u64,
    names: Vec<String>,
}

impl Arrivals {
    pub(crate) fn new(seed: u64, jobs: u64, gap: f64) -> Self {
        Self {
            jobs,
            gap,
            prompt_tokens: 1,
            output_tokens: 1_000,
            exponential: false,
            patience: None,
            seed,
            next: Some(Instant(0)),
            made: 0,
            names: vec!["m:latest".into()],
        }
    }

    fn exponential(&self, entity: u64, what: u64, mean: f64) -> f64 {
        let bits = Draw::new(self.seed, Component::Network, entity, what).bits();
        -libm::log(((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64) * mean
    }
}

impl Source for Arrivals {
    fn models(&self) -> &[String] {
        &self.names
    }
    fn tenants(&self) -> &[String] {
        &self.names
    }
    fn next_arrival(&mut self) -> Result<Option<Instant>, SourceError> {
        Ok(self.next)
    }
    fn take(&mut self) -> Result<Option<Job>, SourceError> {
        let Some(arrival) = self.next else { return Ok(None) };
        let id = self.made;
        self.made += 1;
        let gap = self.exponential(id, 0, self.gap) as u64;
        self.next = (self.made < self.jobs).then(|| Instant(arrival.0 + gap));
        let mean = f64::from(self.output_tokens);
        let output_tokens =
            if self.exponential { self.exponential(id, 1, mean).ceil() as u32 } else { self.output_tokens };
        Ok(Some(Job {
            id,
            arrival,
            model: 0,
            tenant: Default::default(),
            session: None,
            kind: Default::default(),
            priority: 0,
            deadline: None,
            patience: self.patience,
            prompt_tokens: self.prompt_tokens,
            blocks: None,
            answer_block: 0,
            output_tokens: output_tokens.max(1),
            num_predict: None,
            options: Default::default(),
            run_nanos: None,
        }))
    }
    fn ended(&mut self, _: u64, _: Instant, _: Outcome) {}
    fn wants_feedback(&self) -> bool {
        false
    }
    fn len_hint(&self) -> Option<u64> {
        Some(self.jobs)
    }
}

/// Keeps every record.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) records: Vec<Record>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) log: Vec<Vec<u8>>,
    pub(crate) wants_log: bool,
    /// Stop after so many signs of life; 0: never.
    pub(crate) stop_after: u32,
    pub(crate) discard: bool,
    pub(crate) signs: u32,
}

impl Sink for Kept {
    fn record(&mut self, record: &Record) {
        if !self.discard {
            self.records.push(record.clone());
        }
    }
    fn sample(&mut self, sample: &Sample) {
        self.samples.push(sample.clone());
    }
    fn note(&mut self, _: Instant, _: Note) {}
    fn progress(&mut self, _: &Progress) -> bool {
        self.signs += 1;
        self.stop_after == 0 || self.signs < self.stop_after
    }
    fn log(&mut self, record: &control::log::Record<'_>) -> Result<(), String> {
        self.log.push(record.encode(Vec::new()));
        Ok(())
    }
    fn wants_log(&self) -> bool {
        self.wants_log
    }
}

/// Runs, with everything left to the hosts (`unlimited`) or bound late to their slots.
pub(crate) fn run(
    fleet: Fleet,
    source: &mut dyn Source,
    sink: &mut Kept,
    balancer: &str,
    dispatch: DispatchLimit,
) -> RunEnd {
    let year = 365 * 24 * 3_600_000;
    let file = ControlFile {
        balancer: balancer.into(),
        dispatch,
        queue_requests_max: 1_000_000,
        queue_timeout_millis: year,
        first_byte_timeout_warm_millis: year,
        first_byte_timeout_cold_millis: year,
        ..ControlFile::default()
    };
    let setup = Setup {
        seed: 11,
        control: file.check().expect("valid"),
        fleet,
        sample_every: None,
        changes: Vec::new(),
        checks: Checks::Sparse,
    };
    Simulation::new(setup, source, sink).run().expect("a run without broken invariants")
}
