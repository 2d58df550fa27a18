//! Streams of events, answers in one piece, and whatever a host that has lost its mind may say.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Method;
use serde_json::{Value, json};

use crate::client::{gateway, read, run};
use crate::scripted::{Answering, DONE, Host};

const EVENTS: &str = "text/event-stream";
const CHUNK: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n";
const END: &str = "data: [DONE]\n\n";

fn question(stream: bool) -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }], "max_tokens": 9, "stream": stream })
}

/// What is asked, by the paths that stream events.
const STREAMS: [&str; 3] = ["/v1/chat/completions", "/v1/messages", "/v1/responses"];

fn asked(path: &str, stream: bool) -> Value {
    match path {
        "/v1/responses" => json!({ "model": "m", "input": "hello", "stream": stream }),
        _ => question(stream),
    }
}

#[test]
fn events_are_relayed_one_by_one_and_their_end_is_known() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move {
            client.send(Method::POST, "/v1/chat/completions", question(true).to_string()).await
        });
        let mut answering = host.call().await.begin_as(200, EVENTS, None);
        answering.say(CHUNK).await;
        let response = asked.await.expect("no panic");
        assert_eq!(response.headers()["content-type"], EVENTS);
        assert_eq!(response.headers()["cache-control"], "no-cache");
        let mut body = response.into_body();
        for said in [None, Some(USAGE), Some(END)] {
            if let Some(said) = said {
                answering.say(said).await;
            }
            let frame = body.frame().await.expect("a frame").expect("data").into_data().expect("data");
            assert_eq!(frame, said.unwrap_or(CHUNK), "before the host says more");
        }
        drop(answering);
        assert!(body.frame().await.is_none());
        assert_eq!(gateway.stop().await.counters.finished, 1);
    });
}

#[test]
fn a_host_that_dies_amid_events_ends_them_with_an_error_event_and_broken_framing() {
    run(async {
        for path in STREAMS {
            for half in ["", "event: x\n", "data: {\"half\""] {
                let mut host = Host::start().await;
                let gateway = gateway(&[host.address], 1, "", "").await;
                let client = gateway.client.clone();
                let body = asked(path, true).to_string();
                let asked = tokio::spawn(async move { client.send(Method::POST, path, body).await });
                let mut answering = host.call().await.begin_as(200, EVENTS, None);
                answering.say(&format!("{CHUNK}{half}")).await;
                let response = asked.await.expect("no panic");
                host.die().await;
                let answer = read(response).await;
                assert!(answer.broken, "no client can take this for the end");
                assert!(!answer.body.contains("[DONE]"));
                // Parsed as a client parses it: events end at blank lines.
                let (event, data) = last_event(&answer.body);
                assert_eq!(event.as_deref(), Some("error"), "{}", answer.body);
                assert_eq!(data["error"]["message"], "the connection to the host broke", "{path}");
                assert_eq!((&data["type"], &data["error"]["type"]), (&json!("error"), &json!("api_error")));
                assert_eq!(gateway.stop().await.counters.failed, 1);
            }
        }
    });
}

fn last_event(body: &str) -> (Option<String>, Value) {
    let event = body.trim_end().rsplit("\n\n").next().expect("an event");
    let field = |name: &str| {
        event
            .lines()
            .find_map(|line| Some(line.strip_prefix(name)?.trim_start_matches([':', ' ']).to_owned()))
    };
    (field("event"), serde_json::from_str(&field("data").expect("data")).expect("JSON"))
}

#[test]
fn events_that_end_without_their_last_are_not_passed_off_as_complete() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        for path in STREAMS {
            let client = gateway.client.clone();
            let body = asked(path, true);
            let asked = tokio::spawn(async move { client.post(path, body).await });
            let mut answering = host.call().await.begin_as(200, EVENTS, None);
            answering.say(CHUNK).await;
            drop(answering);
            let answer = asked.await.expect("no panic");
            assert!(answer.broken, "{path}");
            assert_eq!(
                last_event(&answer.body).1["error"]["message"],
                "the host's answer broke off",
                "{path}"
            );
        }
        assert_eq!(gateway.stop().await.counters.failed, 3);
    });
}

#[test]
fn an_answer_in_one_value_is_relayed_as_it_comes() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "idle_timeout_millis = 20").await;
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move {
            client.send(Method::POST, "/v1/chat/completions", question(false).to_string()).await
        });
        let said = ["{\"choices\":[],", "\"usage\":{\"prompt_tokens\":3,", "\"completion_tokens\":2}}"];
        let len = said.iter().map(|part| part.len() as u64).sum();
        let mut answering = host.call().await.begin_as(200, "application/json", Some(len));
        answering.say(said[0]).await;
        let mut body = asked.await.expect("no panic").into_body();
        for next in 0..said.len() {
            let frame = body.frame().await.expect("a frame").expect("data").into_data().expect("data");
            assert_eq!(frame, said[next], "before the host says more");
            if let Some(more) = said.get(next + 1) {
                // Longer than a stream may stand still: that says nothing here.
                tokio::time::sleep(std::time::Duration::from_millis(40)).await;
                answering.say(more).await;
            }
        }
        drop(answering);
        assert!(body.frame().await.is_none());
        assert_eq!(gateway.stop().await.counters.finished, 1);
    });
}

#[test]
fn an_answer_in_one_value_must_be_there_in_time() {
    run(async {
        let mut host = Host::start().await;
        let gateway =
            gateway(&[host.address], 1, "total_timeout_seconds = 1", "first_byte_timeout_cold_millis = 1")
                .await;
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move { client.post("/v1/messages", question(false)).await });
        // Not after the millisecond in which a stream must begin.
        host.call().await.abandoned().await;
        let answer = asked.await.expect("no panic");
        assert_eq!(answer.status, 504);
        assert_eq!(answer.json()["error"]["message"], "the host's answer took too long");
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move { client.post("/v1/messages", question(false)).await });
        let mut answering = host.call().await.begin_as(200, "application/json", None);
        answering.say("{\"type\":").await;
        answering.abandoned().await;
        let answer = asked.await.expect("no panic");
        assert_eq!((answer.status, answer.broken, answer.body.as_str()), (200, true, "{\"type\":"));
        assert_eq!(gateway.stop().await.counters.failed, 2);
    });
}

#[test]
fn a_client_that_leaves_before_an_unstreamed_answer_is_told_to_the_host() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        for path in ["/api/embed", "/v1/completions"] {
            let client = gateway.client.clone();
            let body = json!({ "model": "m", "input": "x", "prompt": "x" }).to_string();
            let asked = tokio::spawn(async move { client.send(Method::POST, path, body).await });
            let call = host.call().await;
            asked.abort();
            call.abandoned().await;
        }
        let counters = gateway.stop().await.counters;
        assert_eq!((counters.cancelled, counters.failed), (2, 0));
    });
}

/// Says things that are no answer, each in a way of its own.
async fn rave(answering: &mut Answering, seed: u64) {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut draw = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..draw(6) {
        let bytes = match draw(5) {
            0 => Bytes::from(vec![b'x'; draw(300_000) as usize]),
            1 => Bytes::from((0..draw(500)).map(|_| draw(256) as u8).collect::<Vec<u8>>()),
            2 => Bytes::from_static(b"{\"message\":{\"content\":\"\xff\xfe\"},\"done\":true"),
            3 => Bytes::from(format!("data: {}\n\r\n\n{{\"done\":tru", &DONE[..draw(20) as usize])),
            _ => Bytes::from_static(b"\n\n\0\ndata:\ndata: [DON"),
        };
        if !answering.try_say(bytes).await {
            return;
        }
    }
    // Whatever came before, this is the end of nothing.
    answering.try_say(Bytes::from_static(b"\n{\"done\":false}\ndata: {}\n\n[")).await;
}

#[test]
fn whatever_a_host_says_the_gateway_goes_on_and_never_calls_it_complete() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        for seed in 0..120 {
            let (path, content_type) = match seed % 4 {
                0 => ("/api/chat", "application/x-ndjson"),
                1 => ("/v1/chat/completions", EVENTS),
                2 => ("/v1/messages", "application/json"),
                _ => ("/api/embed", "no/type"),
            };
            let client = gateway.client.clone();
            let asked = tokio::spawn(async move {
                let response = client.send(Method::POST, path, question(seed % 2 == 0).to_string()).await;
                let (mut body, mut broken) = (response.into_body(), false);
                while let Some(frame) = body.frame().await {
                    broken = frame.is_err();
                    if broken {
                        break;
                    }
                }
                broken
            });
            let mut answering = host.call().await.begin_as(200, content_type, None);
            rave(&mut answering, seed).await;
            drop(answering);
            assert!(asked.await.expect("no panic"), "taken for a whole answer: {seed}");
        }
        let counters = gateway.stop().await.counters;
        assert_eq!((counters.failed, counters.finished), (120, 0));
    });
}

#[test]
fn a_line_of_ten_megabytes_goes_through_and_its_figures_are_read() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move {
            client.post("/api/generate", json!({ "model": "m", "prompt": "x" })).await
        });
        let mut answering = host.call().await.begin(200);
        answering.say("{\"done\":true,\"context\":[").await;
        for _ in 0..10 {
            answering.say(&"1,".repeat(1 << 19)).await;
        }
        answering.say("1],\"prompt_eval_count\":3,\"eval_count\":2}\n").await;
        drop(answering);
        let answer = asked.await.expect("no panic");
        assert_eq!((answer.status, answer.broken), (200, false));
        assert!(answer.body.len() > 10 << 20);
        assert_eq!(gateway.stop().await.counters.finished, 1);
    });
}
