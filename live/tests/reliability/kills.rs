//! Hosts that are killed before the first byte of an answer, or in the middle of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bare::{Act, Bare, EVENTS, LINES, chunk, say, whole};
use crate::client::{Answer, gateway, run};
use crate::draw::Draws;

fn question() -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] })
}

/// Ways to die before the first byte.
fn death(draw: &mut Draws) -> Vec<Act> {
    let (close, reset) = (Act::Close, Act::Reset);
    match draw.below(4) {
        0 => vec![close],
        1 => vec![reset],
        2 => vec![say(LINES), close],
        _ => vec![say(&LINES[..20]), reset],
    }
}

/// One host dies in every sixth of its requests, so often; the other is well.
fn killed_before_the_first_byte(kills: usize) {
    run(async move {
        let sick =
            Bare::start(|call| if call % 6 == 5 { death(&mut Draws::new(call as u64)) } else { whole() })
                .await;
        let well = Bare::start(|_| whole()).await;
        let gateway = gateway(&[sick.address, well.address], 4, "", "").await;
        let mut requests = 0;
        while sick.calls() < kills * 6 {
            let answer = gateway.client.post("/api/chat", question()).await;
            assert_eq!((answer.status, answer.broken), (200, false), "request {requests}: {}", answer.body);
            requests += 1;
        }
        let counters = gateway.stop().await.counters;
        assert_eq!((counters.finished, counters.failed), (requests, 0));
        assert_eq!(counters.retries, kills as u64);
        println!("L1: {kills} kills before the first byte in {requests} requests: each got 200");
    });
}

#[test]
fn hosts_killed_before_the_first_byte_are_replaced_while_the_retry_budget_lasts() {
    killed_before_the_first_byte(100);
}

#[test]
#[ignore = "long form: 1,000 kills"]
fn hosts_killed_before_the_first_byte_1000_times_are_replaced_while_the_retry_budget_lasts() {
    killed_before_the_first_byte(1_000);
}

#[test]
fn beyond_the_retry_budget_a_killed_host_is_a_clear_error() {
    run(async {
        let sick = Bare::start(|call| death(&mut Draws::new(call as u64))).await;
        let well = Bare::start(|_| whole()).await;
        let gateway = gateway(&[sick.address, well.address], 4, "", "").await;
        let begun = Instant::now();
        let (mut good, mut refused) = (0, 0);
        for _ in 0..400 {
            let answer = gateway.client.post("/api/chat", question()).await;
            match answer.status {
                200 => good += 1,
                502 | 503 => {
                    assert!(!answer.error().is_empty());
                    refused += 1;
                }
                other => panic!("{other}: {}", answer.body),
            }
            assert!(!answer.broken);
        }
        let seconds = begun.elapsed().as_secs() + 2;
        let retries = gateway.stop().await.counters.retries;
        assert!(retries >= 80, "a fifth of the requests is repeated: {retries}");
        assert!(retries <= 80 + 10 * seconds, "{retries} retries in {seconds} s");
        assert!(refused > 0, "half of 400 requests met the sick host");
        println!(
            "L1: a host that dies each time: {good} × 200, {refused} clear errors, {retries} retries of 400"
        );
    });
}

/// How an answer breaks off, which says this much before.
fn broken_stream(call: usize) -> Vec<Act> {
    let mut draw = Draws::new(call as u64);
    let events = call % 2 == 1;
    let mut acts = vec![say(if events { EVENTS } else { LINES })];
    let word = if events {
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
    } else {
        "{\"message\":{\"content\":\"a\"},\"done\":false}\n"
    };
    acts.extend((0..=draw.below(3)).map(|_| chunk(word)));
    match draw.below(5) {
        0 => acts.push(Act::Close),
        // A reset throws away what was not read yet.
        1 => acts.extend([Act::Pause(Duration::from_millis(20)), Act::Reset]),
        // Half a line.
        2 => acts.extend([chunk(&word[..draw.below(word.len() - 2) + 1]), Act::Close]),
        // Half a chunk.
        3 => acts.extend([say("ff\r\n{\"mess"), Act::Close]),
        // The end of a stream, as if all had been said.
        _ => acts.push(say("0\r\n\r\n")),
    }
    acts
}

fn assert_told_as_broken(call: usize, answer: &Answer) {
    let said = format!("call {call}: {}", answer.body);
    assert_eq!((answer.status, answer.broken), (200, true), "{said}");
    let last = answer.body.trim_end().lines().last().unwrap_or_default();
    let last: Value = serde_json::from_str(last.trim_start_matches("data: ")).expect(&said);
    assert!(last["error"].is_string() || last["error"]["message"].is_string(), "{said}");
    assert!(!answer.body.contains("[DONE]") && !answer.body.contains("\"done\":true"), "{said}");
}

fn killed_mid_stream(kills: usize) {
    run(async move {
        // Both hosts break off, so that each answer is from one; what was repeated would count as a third.
        let hosts = [
            Bare::start(|call| broken_stream(call * 2)).await,
            Bare::start(|call| broken_stream(call * 2 + 1)).await,
        ];
        let gateway = gateway(&[hosts[0].address, hosts[1].address], 1, "", "").await;
        for call in 0..kills {
            // Round robin: the first host gets the even ones.
            let path = ["/api/chat", "/v1/chat/completions"][call % 2];
            assert_told_as_broken(call, &gateway.client.post(path, question_streamed()).await);
        }
        let counters = gateway.stop().await.counters;
        assert_eq!((counters.failed, counters.retries), (kills as u64, 0));
        assert_eq!(hosts[0].calls() + hosts[1].calls(), kills);
        println!(
            "L2: {kills} kills mid-stream: each ended with an error and broken framing, none was repeated"
        );
    });
}

fn question_streamed() -> Value {
    json!({ "model": "m", "stream": true, "messages": [{ "role": "user", "content": "hello" }] })
}

#[test]
fn hosts_killed_mid_stream_are_never_taken_for_done_and_never_repeated() {
    killed_mid_stream(100);
}

#[test]
#[ignore = "long form: 1,000 kills"]
fn hosts_killed_mid_stream_1000_times_are_never_taken_for_done_and_never_repeated() {
    killed_mid_stream(1_000);
}
