//! Each fault as a client meets it.

use http_body_util::BodyExt;
use hyper::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Host, host, host_with, masked, run, text};

const LLAMA: &str = "llama3.2:3b";

async fn chat(host: &Host, stream: bool) -> Answer {
    let messages = json!([{ "role": "user", "content": "why?" }]);
    let body =
        json!({ "model": LLAMA, "messages": messages, "stream": stream, "options": { "num_predict": 6 } });
    host.post("/api/chat", body).await
}

async fn with_fault(fault: Value) -> Host {
    let host = host(&[LLAMA]).await;
    assert_eq!(host.set_faults(json!([fault])).await.status, 200);
    host
}

#[test]
fn faults_are_listed_and_replaced_and_wrong_ones_change_nothing() {
    run(async {
        let host = host_with(&[LLAMA], |options| {
            options.faults = vec!["error:next=1,status=502,text=boom".parse().expect("a good fault")];
        })
        .await;
        let answer = chat(&host, true).await;
        assert_eq!((answer.status, answer.text()), (502, "{\"error\":\"boom\"}"));
        assert_eq!(chat(&host, true).await.status, 200);
        let listed = json!({ "faults": [{
            "fault": "error", "status": 502, "text": "boom", "next": 1, "percent": 100, "seed": 0, "struck": 1,
        }] });
        assert_eq!(host.get("/emulated/faults").await.json(), listed);
        let wrong = host.set_faults(json!([{ "fault": "cutt" }])).await;
        assert_eq!(wrong.status, 400);
        assert!(
            text(&wrong.json()["error"])
                .starts_with("fault \"cutt\": fault: found \"cutt\", expected refuse")
        );
        let wrong = host.ask(Method::PUT, "/emulated/faults", "{\"faults\":[{\"fault\":1}]}").await;
        assert!(text(&wrong.json()["error"]).contains("line 1 column"));
        assert_eq!(host.get("/emulated/faults").await.json(), listed);
        assert_eq!(host.set_faults(json!([])).await.json(), json!({ "faults": [] }));
        assert_eq!(host.ask(Method::DELETE, "/emulated/faults", "").await.status, 405);
    });
}

#[test]
fn a_refused_connection_ends_without_an_answer() {
    run(async {
        let host = with_fault(json!({ "fault": "refuse" })).await;
        for path in ["/api/version", "/v1/models"] {
            assert!(host.send(Method::GET, path, &[], "").await.is_err(), "{path}");
        }
        host.set_faults(json!([])).await;
        assert_eq!(host.get("/api/version").await.status, 200);
    });
}

#[test]
fn a_busy_host_says_so_in_each_apis_shape() {
    run(async {
        let host = with_fault(json!({ "fault": "busy" })).await;
        let answer = chat(&host, true).await;
        assert_eq!((answer.status, text(&answer.json()["error"])), (503, live::wire::BUSY));
        let body =
            json!({ "model": LLAMA, "messages": [{ "role": "user", "content": "x" }], "max_tokens": 1 });
        let answer = host.post("/v1/chat/completions", body.clone()).await;
        assert_eq!((answer.status, text(&answer.json()["error"]["message"])), (503, live::wire::BUSY));
        assert_eq!(host.post("/v1/messages", body).await.json()["error"]["type"], "overloaded_error");
        assert_eq!(host.get("/api/tags").await.status, 200, "lists run no model");
    });
}

#[test]
fn a_cut_stream_breaks_off_after_its_tokens() {
    run(async {
        let host = with_fault(json!({ "fault": "cut", "after_tokens": 3 })).await;
        let answer = chat(&host, true).await;
        assert_eq!((answer.status, answer.broken, answer.lines().len()), (200, true, 3));
        assert!(chat(&host, false).await.broken);
        host.set_faults(json!([{ "fault": "cut", "after_tokens": 99 }])).await;
        let answer = chat(&host, true).await;
        assert_eq!((answer.broken, answer.lines().len()), (true, 6), "at the end, where it is shorter");
    });
}

#[test]
fn a_stalled_stream_sends_its_tokens_and_no_more() {
    run(async {
        let host = with_fault(json!({ "fault": "stall", "after_tokens": 2 })).await;
        let messages = json!([{ "role": "user", "content": "why?" }]);
        let body = json!({ "model": LLAMA, "messages": messages });
        let response = host.send(Method::POST, "/api/chat", &[], body.to_string()).await.expect("a head");
        let mut body = response.into_body();
        let mut lines = 0;
        while lines < 2 {
            let frame = body.frame().await.expect("a frame").expect("no break").into_data().expect("data");
            lines += frame.iter().filter(|&&byte| byte == b'\n').count();
        }
        assert_eq!(lines, 2);
        // The host itself is done with the request; its client waits in vain.
        let more = tokio::time::timeout(std::time::Duration::from_millis(200), body.frame()).await;
        assert!(more.is_err(), "{more:?}");
        host.set_faults(json!([{ "fault": "stall", "head": false }])).await;
        let head = tokio::time::timeout(std::time::Duration::from_millis(200), chat(&host, true)).await;
        assert!(head.is_err(), "not even a head: {head:?}");
        assert_eq!(host.get("/api/version").await.status, 200);
    });
}

#[test]
fn garbled_streams_end_whole_but_say_nonsense() {
    run(async {
        let host = host(&[LLAMA]).await;
        let garbled = async |how: &str, stream: bool| {
            host.set_faults(json!([{ "fault": "garble", "how": how, "after_tokens": 1 }])).await;
            let answer = chat(&host, stream).await;
            assert_eq!((answer.status, answer.broken), (200, false), "{how}");
            answer
        };
        let is_json = |line: &str| serde_json::from_str::<Value>(line).is_ok();

        let truncated = garbled("truncated-line", true).await;
        let lines: Vec<bool> = truncated.text().lines().map(is_json).collect();
        assert_eq!(lines, [true, false]);
        assert!(!is_json(garbled("truncated-line", false).await.text()));

        for stream in [true, false] {
            let bad = garbled("bad-utf8", stream).await;
            assert!(std::str::from_utf8(&bad.bytes).is_err());
            let missing = garbled("no-final-line", stream).await;
            assert!(missing.lines().iter().all(|line| line["done"] == false));
            assert_eq!(missing.lines().len(), if stream { 6 } else { 0 });
            let long = garbled("long-line", stream).await;
            let longest = long.text().lines().map(str::len).max();
            assert!(longest > Some(10 << 20), "{longest:?}");
            assert_eq!(long.lines().last().expect("a line")["done"], true);
        }
    });
}

#[test]
fn lists_can_be_garbled_too() {
    run(async {
        let host = with_fault(json!({ "fault": "garble", "path": "/api/tags" })).await;
        let answer = host.get("/api/tags").await;
        assert_eq!((answer.status, answer.broken), (200, false));
        assert!(serde_json::from_slice::<Value>(&answer.bytes).is_err());
        assert_eq!(chat(&host, true).await.status, 200);
    });
}

#[test]
fn a_host_that_hangs_in_ps_still_tells_its_version() {
    run(async {
        let host = with_fault(json!({ "fault": "hang-ps" })).await;
        let ps = tokio::time::timeout(std::time::Duration::from_millis(200), host.get("/api/ps")).await;
        assert!(ps.is_err(), "{ps:?}");
        assert_eq!(host.get("/api/version").await.json(), json!({ "version": "0.24.0" }));
    });
}

#[test]
fn a_runner_that_crashes_takes_its_streams_with_it() {
    run(async {
        let host = host_with(&[LLAMA], |options| {
            options.speed = 20;
            options.num_parallel = Some(4);
        })
        .await;
        // 64 lists of 64 texts: 16 thousand tokens.
        let list = |items: Value| json!({ "type": "array", "minItems": 64, "items": items });
        let long = list(list(json!({ "type": "string" })));
        let body = json!({ "model": LLAMA, "prompt": "a long story", "format": long });
        let response = host.send(Method::POST, "/api/generate", &[], body.to_string()).await.expect("a head");
        host.set_faults(json!([{ "fault": "runner-crash", "next": 1 }])).await;
        let crashed = chat(&host, true).await;
        let says = "model runner has unexpectedly stopped, this may be due to resource limitations or an internal \
                    error, check ollama server logs for details";
        assert_eq!((crashed.status, text(&crashed.json()["error"])), (500, says));
        let other = crate::client::read(response).await;
        assert_eq!((other.broken, other.lines().last()), (false, Some(&json!({ "error": says }))));
        while !host.loaded().await.is_empty() {}
        let again = chat(&host, false).await.json();
        assert_eq!(masked(again.clone())["done"], true);
        assert!(again["load_duration"].as_u64() > Some(250_000_000), "it is loaded again");
        host.set_faults(json!([{ "fault": "runner-crash" }])).await;
        let crashed = host.post("/api/embed", json!({ "model": LLAMA, "input": "x" })).await;
        assert_eq!((crashed.status, text(&crashed.json()["error"])), (500, says));
    });
}

#[test]
fn a_slow_host_takes_as_many_times_longer() {
    run(async {
        let host = host(&[LLAMA]).await;
        let eval = async || chat(&host, false).await.json()["eval_duration"].as_u64().expect("a time");
        let normal = eval().await;
        host.set_faults(json!([{ "fault": "slow", "factor": 100 }])).await;
        let slow = eval().await;
        assert!(slow > 90 * normal, "{normal} {slow}");
        host.set_faults(json!([])).await;
        assert!(eval().await < 2 * normal);
    });
}
