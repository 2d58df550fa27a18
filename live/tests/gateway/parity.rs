//! What was decided live is decided again from the log.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use control::door::{Input, Output};
use control::ids::HostId;
use control::log::Record;
use control::replay::{Difference, Progress, Replay};
use live::EmulatedOptions;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use traces::log::{LogReader, LogRecord, LogWriter, Rotation};

use crate::client::{Client, emulated, gateway, run_within};

const HOSTS: [&str; 3] = ["rtx-4090", "a100-80gb", "rtx-3090"];
const CLIENTS: u32 = 64;
const MODELS: [&str; 2] = ["llama3.2:3b", "gemma3:4b"];

async fn host(profile: &str) -> SocketAddr {
    let options = EmulatedOptions {
        profile: profile.into(),
        models: MODELS.map(String::from).to_vec(),
        num_parallel: Some(4),
        speed: 2_000,
        ..EmulatedOptions::default()
    };
    emulated(&options).await
}

/// The question at `index`: both calls, both models, streamed or not, with and without a cap.
fn question(index: u32) -> (&'static str, Value) {
    let text =
        format!("question {} of a conversation: {}", index, "tell me more. ".repeat(index as usize % 40));
    let options = if index.is_multiple_of(5) { json!({}) } else { json!({ "num_predict": 1 + index % 24 }) };
    let stream = !index.is_multiple_of(7);
    let model = MODELS[usize::from(index.is_multiple_of(3))];
    if index.is_multiple_of(2) {
        let messages = json!([{ "role": "user", "content": text }]);
        ("/api/chat", json!({ "model": model, "messages": messages, "stream": stream, "options": options }))
    } else {
        ("/api/generate", json!({ "model": model, "prompt": text, "stream": stream, "options": options }))
    }
}

async fn ask(client: &Client, index: u32) {
    let (path, body) = question(index);
    let answer = client.post(path, body.clone()).await;
    assert_eq!((answer.status, answer.broken), (200, false), "request {index}: {}", answer.body);
    let lines = answer.lines();
    let (last, tokens) = lines.split_last().expect("a line at least");
    assert_eq!(last["done"], true, "request {index}");
    assert_eq!(last["model"], body["model"]);
    let count = last["eval_count"].as_u64().expect("a count");
    if let Some(cap) = body["options"]["num_predict"].as_u64() {
        assert!((1..=cap).contains(&count), "request {index}: {count} tokens of at most {cap}");
    }
    let streamed = body["stream"].as_bool().expect("a flag");
    assert_eq!(
        tokens.len() as u64,
        if streamed { count } else { 0 },
        "request {index}: a line for each token"
    );
}

fn records(folder: &Path) -> impl Iterator<Item = LogRecord> {
    LogReader::open(folder).expect("a log").map(|record| record.expect("a whole record"))
}

pub(crate) fn replay(folder: &Path) -> Result<Progress, Box<Difference>> {
    let mut replay = Replay::new();
    for record in records(folder) {
        replay.feed(Record::decode(&record.payload).expect("a record"))?;
    }
    Ok(replay.progress())
}

/// Sends requests from all clients over all hosts, and replays what was decided.
fn answered_and_replayed(requests: u32, patience: Duration, log: &Path) {
    run_within(patience, async {
        let mut hosts = Vec::new();
        for profile in HOSTS {
            hosts.push(host(profile).await);
        }
        let more = format!("log_dir = {log:?}\nseed = 7\nlog_segment_records = {}", requests + 500);
        let gateway = gateway(&hosts, 4, &more, "").await;
        let begun = Instant::now();
        let next = Arc::new(AtomicU32::new(0));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (client, next) = (gateway.client.clone(), Arc::clone(&next));
            clients.spawn(async move {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= requests {
                        break;
                    }
                    ask(&client, index).await;
                }
            });
        }
        while let Some(done) = clients.join_next().await {
            done.expect("every answer is as it should be");
        }
        let live = begun.elapsed();
        let summary = gateway.stop().await;
        let counters = summary.counters;
        assert_eq!((counters.arrived, counters.finished), (requests.into(), requests.into()));
        assert_eq!((summary.log_steps_lost, summary.connections_cut_off), (0, 0));

        let begun = Instant::now();
        let progress = replay(log).expect("the same decisions");
        println!(
            "I7: {requests} requests over {} hosts in {live:.1?}; replayed in {:.1?}: same decisions, {} outputs of {} steps",
            HOSTS.len(),
            begun.elapsed(),
            progress.outputs,
            progress.steps
        );
        assert_eq!((progress.steps, progress.gaps), (summary.steps, 0));
        assert!(progress.outputs >= requests.into(), "each request was dispatched");
        assert!(progress.segments >= 3, "segments begin after so many steps: {}", progress.segments);
    });
}

#[test]
fn thousands_of_requests_over_three_hosts_are_answered_and_their_log_replays() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("decisions");
    answered_and_replayed(4_000, Duration::from_secs(60), &log);
    the_first_changed_decision_is_named(&log, &folder.path().join("changed"));
}

#[test]
#[ignore = "long form: 100,000 requests"]
fn a_hundred_thousand_requests_over_three_hosts_are_answered_and_their_log_replays() {
    let folder = tempfile::tempdir().expect("a folder");
    answered_and_replayed(100_000, Duration::from_secs(1_800), &folder.path().join("decisions"));
}

/// Writes the log again with one dispatch sent elsewhere.
fn the_first_changed_decision_is_named(log: &Path, changed: &Path) {
    let mut writer = LogWriter::open(changed, Rotation::ByCaller).expect("a folder");
    let (mut step, mut segment, mut dispatches) = (0, 0, 0);
    let mut expected = None;
    for raw in records(log) {
        if raw.segment != segment {
            segment = raw.segment;
            writer.rotate().expect("a segment");
        }
        let mut record = Record::decode(&raw.payload).expect("a record");
        if let Record::Step { input, outputs, .. } = &mut record {
            for output in outputs.to_mut() {
                if let Output::Dispatch(lease) = output {
                    dispatches += 1;
                    // The 500th, and all after it: only the first is to be named.
                    if dispatches >= 500 {
                        lease.host = HostId((lease.host.0 + 1) % 3);
                        expected.get_or_insert((step, Input::clone(input), lease.request));
                    }
                }
            }
            step += 1;
        }
        writer.append(raw.kind, &record.encode(Vec::new())).expect("a record");
    }
    writer.flush().expect("a flush");
    let (step, input, request) = expected.expect("there are more than 500 dispatches");
    let difference = replay(changed).expect_err("a decision was changed");
    assert_eq!((difference.step, &difference.input), (step, &input));
    assert_ne!(difference.recorded, difference.replayed);
    let named = |output: &Output| matches!(output, Output::Dispatch(lease) if lease.request == request);
    assert!(difference.replayed.iter().any(named));
}
