//! A host driven at random: what must hold holds after each event, each request ends once, time never goes back, and
//! both engines of the batch loop show the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use control::draw::Draw;
use control::request::{Block, HostOptions, KeepAlive, Kind};
use control::units::{Bytes, Instant, Nanos};
use sim_host::api::{Due, Engine, HostEvent, HostRequest, Message, Phase, RequestKey};
use sim_host::costs::Costs;
use sim_host::fit::KvCache;
use sim_host::host::{Host, HostCounters, HostSpec, Serving};
use sim_host::spec::{ModelSpec, Version};

use super::world::{MILLI, gpu, llama, numbered, profile, request, spec};

const MODELS: u32 = 6;
const REQUESTS: u64 = 400;

/// Numbers for one purpose of one run.
struct Chance(Draw);

impl Chance {
    fn below(&mut self, end: u32) -> u32 {
        self.0.below(end)
    }
    fn one_in(&mut self, end: u32) -> bool {
        self.below(end) == 0
    }
    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u32) as usize].clone()
    }
}

/// Steps of whole milliseconds, so that ends, timers and messages fall on one time.
fn costs(chance: &mut Chance) -> Arc<Costs> {
    let milli = 1_000_000_000;
    let step = (1 + u64::from(chance.below(2))) * milli;
    Arc::new(Costs {
        decode: vec![0, step, step, step + milli],
        prefill: vec![(1, step), (64, step), (512, step + 2 * milli)],
        context: chance.of(&[0, 0, 1_000]),
        window_context: 0,
        window: 0,
        span: 0,
        prefill_context: 0,
    })
}

fn models(chance: &mut Chance) -> Vec<ModelSpec> {
    let names = ["f", "b", "d", "a", "e", "c"];
    let mut models: Vec<ModelSpec> = names.iter().map(|name| llama(name)).collect();
    for model in &mut models {
        model.family = chance.of(&["llama", "qwen3", "qwen2", "lfm2"]).into();
        model.weights_bytes = u64::from(1 + chance.below(12)) * 500_000_000;
    }
    models[5].blob = models[0].blob.clone();
    models[5].weights_bytes = models[0].weights_bytes;
    models[5].family = models[0].family.clone();
    models[4].family = "bert".into();
    models[4].embedding_only = true;
    models
}

fn host(seed: u64, engine: Engine) -> HostSpec {
    let mut chance = Chance(Draw::new(seed, control::draw::Component::Poll, 0, 0));
    let mut profiles = Vec::new();
    for model in models(&mut chance) {
        let mut made = (*profile(model)).clone();
        made.costs = costs(&mut chance);
        made.cpu_costs = costs(&mut chance);
        made.request_overhead_nanos = u64::from(chance.of(&[0u32, 0, 3, 50])) * MILLI;
        made.load_fixed_nanos = u64::from(chance.of(&[0u32, 100, 500])) * MILLI;
        made.disk_bytes_per_second = 10_000_000_000;
        made.page_cache_bytes_per_second = 40_000_000_000;
        profiles.push(made.into());
    }
    let mut unified = (*gpu(16)).clone();
    unified.discrete = false;
    HostSpec {
        version: chance.of(&[Version::V0_24, Version::V0_24, Version::V0_10]),
        gpus: chance.of(&[vec![], vec![gpu(8)], vec![gpu(8), gpu(12)], vec![unified.into()], vec![gpu(24)]]),
        ram: Bytes::from_gib(chance.of(&[5, 16])),
        num_parallel: chance.of(&[None, Some(1), Some(3)]),
        max_queue: chance.of(&[0, 1, 3, 512]),
        max_loaded: chance.of(&[None, Some(1), Some(2)]),
        keep_alive: KeepAlive::For(Nanos::from_millis(u64::from(chance.of(&[0u32, 50, 3_000, 300_000])))),
        num_ctx_default: Some(chance.of(&[64, 512])),
        kv_cache: KvCache::F16,
        multiuser_cache: chance.one_in(4),
        page_cache: Bytes::from_gib(chance.of(&[0, 4, 16])),
        engine,
        serving: if chance.one_in(8) {
            Serving::Paged { slots: 8, batch_tokens: 64 }
        } else {
            Serving::Ollama
        },
        models: numbered(profiles),
        ..spec(vec![])
    }
}

fn some_request(chance: &mut Chance, key: u64) -> HostRequest {
    let model = if chance.one_in(3) { chance.below(MODELS + 1) } else { chance.below(2) };
    let keep_alive = match chance.below(12) {
        0 => Some(KeepAlive::For(Nanos::ZERO)),
        1 => Some(KeepAlive::Forever),
        2 => Some(KeepAlive::For(Nanos::from_millis(u64::from(chance.below(2_000))))),
        _ => None,
    };
    let parts: Vec<Block> = (0..1 + chance.below(3))
        .map(|part| Block { id: u64::from(1 + part + 10 * chance.below(2)), tokens: 1 + chance.below(60) })
        .collect();
    let prompt = if chance.one_in(12) { 0 } else { parts.iter().map(|part| part.tokens).sum() };
    let kind =
        if chance.one_in(10) || model == 4 && !chance.one_in(4) { Kind::Embedding } else { Kind::Completion };
    HostRequest {
        kind,
        prompt_tokens: prompt,
        blocks: (prompt > 0 && !chance.one_in(3)).then(|| parts.into()),
        answer_block: if chance.one_in(2) { key + 1_000 } else { 0 },
        output_tokens: if chance.one_in(10) { 300 } else { chance.below(40) },
        num_predict: chance.of(&[None, None, Some(16), Some(0)]),
        options: HostOptions {
            num_ctx: chance.of(&[None, None, None, None, None, Some(128)]),
            num_gpu: chance.of(&[None, None, None, None, None, None, Some(0), Some(3), Some(99)]),
            keep_alive,
            ..HostOptions::default()
        },
        truncate: !chance.one_in(5),
        shift: !chance.one_in(5),
        run_nanos: None,
        ..request(key, model, 0)
    }
}

/// Messages with their times: bursts at one time, pauses, cancellations of what may or may not still be there.
fn messages(seed: u64) -> Vec<(Instant, Message)> {
    let mut chance = Chance(Draw::new(seed, control::draw::Component::Network, 0, 0));
    let mut messages = Vec::new();
    let mut at = Instant::ZERO;
    let mut key = 0;
    while key < REQUESTS {
        at += Nanos(u64::from(chance.of(&[0u32, 0, 0, 1, 1, 7, 30, 120, 400])) * MILLI);
        if chance.one_in(60) {
            at += Nanos::from_millis(u64::from(chance.below(6_000)));
        }
        match chance.below(10) {
            0..7 => {
                messages.push((at, Message::Request(some_request(&mut chance, key))));
                key += 1;
            }
            7 | 8 if key > 0 => {
                let gone = key - 1 - u64::from(chance.below(6)).min(key - 1);
                messages.push((at, Message::Cancel(RequestKey(gone))));
            }
            _ => messages.push((at, Message::Slowdown(chance.of(&[1_000, 1_000, 2_000, 500])))),
        }
    }
    messages
}

/// What was seen of a run, in order.
#[derive(Default)]
struct Run {
    seen: Vec<(Instant, HostEvent)>,
    states: Vec<(Instant, u64, u32, u32, u64)>,
    cancelled: BTreeMap<u64, usize>,
    counters: HostCounters,
}

struct Driver {
    host: Host,
    run: Run,
    last: Due,
    events: Vec<HostEvent>,
    seed: u64,
}

impl Driver {
    fn note(&mut self, due: Due) {
        assert!(self.last <= due, "seed {}: {due:?} after {:?}", self.seed, self.last);
        self.last = due;
        if let Err(what) = self.host.check() {
            panic!("seed {}: at {}: {what}", self.seed, due.at);
        }
        if !self.events.is_empty() {
            let counters = self.host.counters(due.at);
            let state =
                (due.at, self.host.revision(), counters.running, counters.requests, counters.busy_nanos);
            self.run.states.push(state);
        }
        self.run.seen.extend(self.events.drain(..).map(|event| (due.at, event)));
    }

    fn advance_to(&mut self, stop: Due) {
        while let Some(due) = self.host.next().filter(|due| *due < stop) {
            self.host.advance(due, &mut self.events);
            self.note(due);
        }
    }

    fn deliver(&mut self, at: Instant, message: Message) {
        let due = Due { at, phase: Phase::Delivery };
        self.advance_to(due);
        if let Message::Cancel(key) = &message {
            self.run.cancelled.entry(key.0).or_insert(self.run.seen.len());
        }
        self.host.deliver(at, message, &mut self.events);
        self.note(due);
    }
}

fn run(seed: u64, engine: Engine) -> Run {
    let host = Host::new(Arc::new(host(seed, engine)));
    let last = Due { at: Instant::ZERO, phase: Phase::Boundary };
    let mut driver = Driver { host, run: Run::default(), last, events: Vec::new(), seed };
    let mut at = Instant::ZERO;
    for (when, message) in messages(seed) {
        at = when;
        driver.deliver(at, message);
    }
    // A keep-alive without end may hold up the pending loop: unload everything until all is answered.
    for round in 0..200 {
        at += Nanos::from_secs(100);
        driver.advance_to(Due { at, phase: Phase::Delivery });
        if driver.host.counters(at).requests == 0 {
            driver.run.counters = driver.host.counters(at);
            return driver.run;
        }
        for model in 0..MODELS {
            let unload =
                HostOptions { keep_alive: Some(KeepAlive::For(Nanos::ZERO)), ..HostOptions::default() };
            let key = REQUESTS + round * 100 + u64::from(model);
            let request = HostRequest { prompt_tokens: 0, options: unload, ..request(key, model, 0) };
            driver.deliver(at, Message::Request(request));
        }
    }
    panic!("seed {seed}: {} requests never ended", driver.host.counters(at).requests);
}

fn key_of(event: &HostEvent) -> (u64, bool) {
    match event {
        HostEvent::FirstToken { key } => (key.0, false),
        HostEvent::Finished { key, .. } | HostEvent::Error { key, .. } => (key.0, true),
    }
}

/// Each request: at most one first token, then one end; a cancelled one: nothing after its cancellation.
fn check_ends(seed: u64, run: &Run) {
    let mut firsts = vec![0; REQUESTS as usize];
    let mut ends = vec![0; REQUESTS as usize];
    for (at, (_, event)) in run.seen.iter().enumerate() {
        let (key, end) = key_of(event);
        if key >= REQUESTS {
            continue;
        }
        assert_eq!(ends[key as usize], 0, "seed {seed}: request {key} after its end");
        let gone = run.cancelled.get(&key).is_some_and(|&seen| seen <= at);
        assert!(!gone, "seed {seed}: request {key} was cancelled, then {event:?}");
        let count = if end { &mut ends } else { &mut firsts };
        count[key as usize] += 1;
    }
    for key in 0..REQUESTS {
        assert!(firsts[key as usize] <= 1, "seed {seed}: request {key} had two first tokens");
        let cancelled = run.cancelled.contains_key(&key);
        assert!(
            ends[key as usize] == 1 || cancelled,
            "seed {seed}: request {key} ended {} times",
            ends[key as usize]
        );
    }
}

#[test]
fn random_host_keeps_its_invariants_and_ends_every_request_once() {
    let mut met = BTreeMap::new();
    let mut count = |what: String| *met.entry(what).or_insert(0) += 1;
    for seed in 0..150 {
        let run = run(seed, Engine::Coalesced);
        check_ends(seed, &run);
        for (_, event) in &run.seen {
            match event {
                HostEvent::Error { error, .. } => count(format!("{error:?}")),
                HostEvent::Finished { usage, .. } => count(format!("{:?}", usage.done)),
                HostEvent::FirstToken { .. } => {}
            }
        }
        for (what, times) in [("load", run.counters.loads), ("eviction", run.counters.evictions)] {
            (0..times).for_each(|_| count(what.to_owned()));
        }
        for (tier, hits) in run.counters.tier_hits.iter().enumerate() {
            (0..*hits).for_each(|_| count(format!("tier {tier}")));
        }
    }
    // Everything that can be met was met, and not by accident once.
    let rare: Vec<_> = met.iter().filter(|(_, times)| **times < 100).collect();
    assert!(rare.is_empty() && met.len() == 14, "{met:?}");
}

#[test]
fn both_engines_show_the_same_events() {
    for seed in 0..150 {
        let (fast, slow) = (run(seed, Engine::Coalesced), run(seed, Engine::Stepwise));
        for (fast, slow) in fast.seen.iter().zip(&slow.seen) {
            assert_eq!(fast, slow, "seed {seed}");
        }
        assert_eq!(fast.seen.len(), slow.seen.len(), "seed {seed}");
        assert_eq!(fast.states, slow.states, "seed {seed}");
    }
}
