//! Whole runs: queueing laws through control and host, determinism, both engines, replay of the log.

#[path = "common/fleet.rs"]
mod common;

use common::{Arrivals, Kept, constant_profile, fleet, host, run};
use control::config::DispatchLimit;
use control::door::Input;
use control::ids::HostId;
use control::log::Record as LogRecord;
use control::replay::Replay;
use control::request::Outcome;
use control::units::{Instant, Nanos};
use sim_host::api::Engine;
use sim_host::host::Serving;
use sim_host::profile::Catalogue;

const PAGED: Serving = Serving::Paged { slots: 1, batch_tokens: 512 };

/// Mean wait (time to first token less the first step) in milliseconds over all but the first tenth.
fn mean_wait_ms(seed: u64, hosts: u32, jobs: u64, load: f64, exponential: bool) -> f64 {
    let hosts_list = (0..hosts).map(|_| host(constant_profile(), PAGED, Engine::Coalesced, 1)).collect();
    // An answer of n tokens takes n steps of a millisecond, the prompt's step among them.
    let service = 1_000.0 * 1e6 * if exponential { 1.0005 } else { 1.0 };
    let mut source = Arrivals::new(seed, jobs, service / (load * f64::from(hosts)));
    source.exponential = exponential;
    let mut kept = Kept::default();
    run(fleet(hosts_list), &mut source, &mut kept, "least-connections", DispatchLimit::Slots);
    let warm = kept.records.iter().filter(|r| r.request.0 >= jobs / 10);
    let waits: Vec<f64> =
        warm.map(|r| r.first_token.unwrap().since(r.arrival).0 as f64 / 1e6 - 1.0).collect();
    waits.iter().sum::<f64>() / waits.len() as f64
}

fn holds(name: &str, theory: f64, width: f64, mean_wait: impl Fn(u64) -> f64) {
    const REPLICATIONS: usize = 24;
    let means: Vec<f64> = (0..REPLICATIONS as u64).map(mean_wait).collect();
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (means.len() - 1) as f64;
    // Student's t with 23 degrees of freedom at 99.5 %.
    let half = 2.807 * (variance / means.len() as f64).sqrt();
    println!("{name}: {mean:.1} ± {half:.1} ms, theory {theory:.1} ms");
    assert!(half < width * mean, "{name}: ± {half:.1} of {mean:.1} ms is too wide");
    assert!((mean - theory).abs() < half, "{name}: {mean:.1} ± {half:.1} ms, theory {theory:.1} ms");
}

#[test]
fn one_host_with_constant_answers_waits_as_m_d_1() {
    holds("M/D/1 at load 0.5", 0.5 * 1_000.0 / (2.0 * 0.5), 0.03, |seed| {
        mean_wait_ms(seed, 1, 20_000, 0.5, false)
    });
}

#[test]
fn late_binding_over_four_hosts_waits_as_m_m_4() {
    // Erlang's C for four servers at load 0.7 is 0.42866.
    let theory = 0.428_66 * 1_000.5 / (4.0 * 0.3);
    holds("M/M/4 at load 0.7", theory, 0.06, |seed| mean_wait_ms(seed, 4, 40_000, 0.7, true));
}

/// A fleet of three Ollama hosts with different GPUs and two slots, under pressure, with clients that lose patience.
fn busy_run(engine: Engine, kept: &mut Kept, requests: u64) -> String {
    let profiles =
        ["rtx-4090", "gb10", "m2-ultra"].map(|gpu| Catalogue::builtin().find(gpu, "llama3.1:8b").unwrap());
    let hosts = profiles.map(|profile| host(profile, Serving::Ollama, engine, 2)).to_vec();
    let mut fleet = fleet(hosts);
    fleet.network.latency = Nanos::from_micros(200);
    let mut source = Arrivals::new(5, requests, 0.3e9);
    source.prompt_tokens = 700;
    source.output_tokens = 150;
    source.exponential = true;
    source.patience = Some(Nanos::from_secs(20));
    run(fleet, &mut source, kept, "power-of-two", DispatchLimit::Slots).digest
}

#[test]
fn both_engines_and_two_runs_give_the_same_digest_and_records() {
    let (mut first, mut second, mut stepwise) = (Kept::default(), Kept::default(), Kept::default());
    let digest = busy_run(Engine::Coalesced, &mut first, 1_500);
    assert_eq!(digest, busy_run(Engine::Coalesced, &mut second, 1_500));
    assert_eq!(digest, busy_run(Engine::Stepwise, &mut stepwise, 1_500));
    assert_eq!(first.records, stepwise.records);
    assert_ne!(digest, busy_run(Engine::Coalesced, &mut Kept::default(), 1_501));
    let ended = |outcome| first.records.iter().filter(|record| record.outcome == outcome).count();
    let (finished, cancelled) = (ended(Outcome::Finished), ended(Outcome::Cancelled));
    println!("{finished} finished, {cancelled} cancelled of 1,500");
    assert!(
        finished > 300 && cancelled > 30,
        "the run must meet both: {finished} finished, {cancelled} cancelled"
    );
    assert_eq!(first.records.len(), 1_500);
}

#[test]
fn the_log_of_a_run_replays_and_a_changed_log_names_the_first_difference() {
    let mut kept = Kept { wants_log: true, ..Kept::default() };
    busy_run(Engine::Coalesced, &mut kept, 300);
    let mut replay = Replay::new();
    for bytes in &kept.log {
        replay.feed(LogRecord::decode(bytes).unwrap()).unwrap();
    }
    assert_eq!(replay.progress().steps + 1, kept.log.len() as u64);
    assert!(replay.progress().outputs >= 300);

    // One output is taken away: replay names that step.
    let mut replay = Replay::new();
    let mut changed = 0;
    for (index, bytes) in kept.log.iter().enumerate() {
        let mut record = LogRecord::decode(bytes).unwrap();
        if let LogRecord::Step { outputs, .. } = &mut record
            && index > 100
            && !outputs.is_empty()
        {
            outputs.to_mut().clear();
            changed = index as u64 - 1;
        }
        if let Err(difference) = replay.feed(record) {
            assert_eq!(difference.step, changed);
            assert!(difference.recorded.is_empty() && !difference.replayed.is_empty());
            return;
        }
    }
    panic!("the changed step was not found");
}

#[test]
fn a_stopped_run_reports_what_is_under_way_as_unfinished() {
    let mut kept = Kept { stop_after: 1, ..Kept::default() };
    let hosts = vec![host(constant_profile(), PAGED, Engine::Stepwise, 1)];
    let mut source = Arrivals::new(1, 1_000, 0.5e9);
    let end = run(fleet(hosts), &mut source, &mut kept, "random", DispatchLimit::Slots);
    assert!(end.stopped);
    let unfinished = kept.records.iter().filter(|record| record.outcome == Outcome::Unfinished).count();
    assert!(unfinished > 0 && unfinished < kept.records.len());
}

#[test]
fn a_host_with_metrics_tells_at_each_poll_how_busy_it_was() {
    let mut kept = Kept { wants_log: true, ..Kept::default() };
    let mut metered = host(constant_profile(), PAGED, Engine::Coalesced, 1);
    metered.declaration.metrics = true;
    let silent = host(constant_profile(), PAGED, Engine::Coalesced, 1);
    let mut source = Arrivals::new(3, 3, 20e9);
    source.output_tokens = 2_500;
    run(fleet(vec![metered, silent]), &mut source, &mut kept, "least-connections", DispatchLimit::Slots);
    let last = kept.records[2].arrival;
    assert!(
        last > kept.records[1].ended + Nanos::from_secs(2),
        "two answers are over before the third begins"
    );

    let mut measured = Vec::new();
    for bytes in &kept.log {
        if let LogRecord::Step { now, input, .. } = LogRecord::decode(bytes).unwrap()
            && let Input::Measured { host, utilisation } = &*input
        {
            assert_eq!(*host, HostId(0), "the other has no source of metrics");
            measured.push((now, *utilisation));
        }
    }
    let (start, idle) = measured[0];
    assert_eq!((start, idle.cpu, idle.gpu, idle.network), (Instant::ZERO, 0, 0, 0));
    assert!((40..80).contains(&idle.memory), "8 billion weights of half a byte in 80 GB: {}", idle.memory);
    measured.retain(|(now, _)| *now < last);
    assert_eq!(measured.last().unwrap().1, idle, "the last word is that it is idle again");
    // A word holds until the next, each for the second before it, or the time since the start. In all, two answers of
    // 2,500 steps of a millisecond.
    let seconds = |from: Instant, to: Instant| to.since(from).0 as f64 / 1e9;
    let words = measured.windows(2).map(|pair| f64::from(pair[0].1.cpu) * seconds(pair[0].0, pair[1].0));
    let (first, utilisation) = measured[1];
    let before_the_start = (1.0 - seconds(Instant::ZERO, first)).max(0.0);
    let busy = words.sum::<f64>() - f64::from(utilisation.cpu) * before_the_start;
    assert!((busy - 5_000.0).abs() < 10.0, "{busy} ms");
}
