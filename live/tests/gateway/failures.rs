//! Hosts that die, refuse or stand still; clients that leave.

use http_body_util::BodyExt;
use hyper::Method;
use serde_json::json;

use crate::client::{gateway, read, run};
use crate::scripted::{DONE, Host, MODEL};

fn question() -> serde_json::Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] })
}

fn word(text: &str) -> String {
    format!("{{\"message\":{{\"content\":\"{text}\"}},\"done\":false}}\n")
}

#[test]
fn an_answer_is_relayed_as_it_is_and_the_body_too() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move { client.post("/api/chat", question()).await });
        let call = host.call().await;
        assert_eq!(call.body, question().to_string(), "untouched");
        assert_eq!(call.path, "/api/chat");
        assert_eq!(call.headers["host"], host.address.to_string(), "a host answers to its own name only");
        let mut answering = call.begin(200);
        answering.say(&word("a")).await;
        answering.say(DONE).await;
        drop(answering);
        let answer = asked.await.expect("no panic");
        assert_eq!((answer.status, answer.broken), (200, false));
        assert_eq!(answer.body, word("a") + DONE);
        let summary = gateway.stop().await;
        assert_eq!((summary.counters.arrived, summary.counters.finished), (1, 1));
    });
}

#[test]
fn tokens_go_to_the_client_one_by_one() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked =
            tokio::spawn(async move { client.send(Method::POST, "/api/chat", question().to_string()).await });
        let mut answering = host.call().await.begin(200);
        answering.say(&word("a")).await;
        let mut body = asked.await.expect("no panic").into_body();
        let first = body.frame().await.expect("a frame").expect("data");
        assert_eq!(first.into_data().expect("data"), word("a"), "before the host says more");
        answering.say(DONE).await;
        let last = body.frame().await.expect("a frame").expect("data");
        assert_eq!(last.into_data().expect("data"), DONE);
        drop(answering);
        assert!(body.frame().await.is_none());
        gateway.stop().await;
    });
}

/// Two hosts; round robin sends the first request to the first.
async fn pair() -> (Host, Host) {
    (Host::start().await, Host::start().await)
}

#[test]
fn a_host_that_dies_before_the_first_byte_is_replaced_by_another() {
    run(async {
        let (mut first, mut second) = pair().await;
        let gateway = gateway(&[first.address, second.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move { client.post("/api/chat", question()).await });
        let _unanswered = first.call().await;
        first.die().await;
        let call = second.call().await;
        assert_eq!(call.body, question().to_string(), "the whole body again");
        let mut answering = call.begin(200);
        answering.say(DONE).await;
        drop(answering);
        let answer = asked.await.expect("no panic");
        assert_eq!((answer.status, answer.body.as_str()), (200, DONE));
        let summary = gateway.stop().await;
        assert_eq!((summary.counters.finished, summary.counters.retries), (1, 1));
    });
}

#[test]
fn a_host_that_dies_mid_stream_ends_the_answer_with_an_error_line_and_is_not_repeated() {
    run(async {
        let (mut first, second) = pair().await;
        let gateway = gateway(&[first.address, second.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked =
            tokio::spawn(async move { client.send(Method::POST, "/api/chat", question().to_string()).await });
        let mut answering = first.call().await.begin(200);
        answering.say(&word("a")).await;
        let response = asked.await.expect("no panic");
        // Half a line, then nothing.
        answering.say("{\"message\":{\"con").await;
        first.die().await;
        let answer = read(response).await;
        assert!(answer.body.starts_with(&word("a")), "{}", answer.body);
        assert!(
            answer.body.ends_with("\n{\"error\":\"the connection to the host broke\"}\n"),
            "{}",
            answer.body
        );
        assert!(answer.broken, "the framing is broken too: no client can take this for the end");
        let summary = gateway.stop().await;
        assert_eq!((summary.counters.failed, summary.counters.retries), (1, 0));
        drop(second);
    });
}

#[test]
fn a_stream_that_ends_without_a_done_line_is_not_passed_off_as_complete() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move { client.post("/api/chat", question()).await });
        let mut answering = host.call().await.begin(200);
        answering.say(&word("a")).await;
        drop(answering);
        let answer = asked.await.expect("no panic");
        assert_eq!(answer.body, word("a") + "{\"error\":\"the host's answer broke off\"}\n");
        assert!(answer.broken);
        assert_eq!(gateway.stop().await.counters.failed, 1);
    });
}

#[test]
fn an_error_line_of_the_host_is_passed_on_once() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move { client.post("/api/chat", question()).await });
        let mut answering = host.call().await.begin(200);
        answering.say(&word("a")).await;
        answering.say("{\"error\":\"out of luck\"}\n").await;
        drop(answering);
        let answer = asked.await.expect("no panic");
        assert_eq!(answer.body, word("a") + "{\"error\":\"out of luck\"}\n");
        assert_eq!(gateway.stop().await.counters.failed, 1);
    });
}

#[test]
fn a_stream_that_stands_still_is_ended() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "idle_timeout_millis = 50").await;
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move { client.post("/api/chat", question()).await });
        let mut answering = host.call().await.begin(200);
        answering.say(&word("a")).await;
        answering.abandoned().await;
        let answer = asked.await.expect("no panic");
        assert!(answer.body.ends_with("{\"error\":\"the host's answer stood still for too long\"}\n"));
        assert_eq!(gateway.stop().await.counters.failed, 1);
    });
}

#[test]
fn a_cold_host_that_gives_no_first_byte_in_time_is_not_followed_by_another() {
    run(async {
        let (mut first, second) = pair().await;
        let more = "first_byte_timeout_cold_millis = 50";
        let gateway = gateway(&[first.address, second.address], 1, "", more).await;
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move { client.post("/api/chat", question()).await });
        first.call().await.abandoned().await;
        let answer = asked.await.expect("no panic");
        assert_eq!((answer.status, answer.error().as_str()), (504, "the host did not answer in time"));
        let summary = gateway.stop().await;
        assert_eq!((summary.counters.failed, summary.counters.retries), (1, 0));
        drop(second);
    });
}

#[test]
fn busy_everywhere_is_503_with_the_hosts_words_and_retry_after() {
    run(async {
        let (mut first, mut second) = pair().await;
        let gateway = gateway(&[first.address, second.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move { client.post("/api/chat", question()).await });
        let words = format!("{{\"error\":\"{}\"}}", live::wire::BUSY);
        first.call().await.refuse(503, &words).await;
        second.call().await.refuse(503, &words).await;
        let answer = asked.await.expect("no panic");
        assert_eq!((answer.status, answer.body, answer.retry_after), (503, words, true));
        assert_eq!(gateway.stop().await.counters.retries, 1);
    });
}

#[test]
fn the_clients_own_mistake_is_not_repeated_elsewhere() {
    run(async {
        let (mut first, second) = pair().await;
        let gateway = gateway(&[first.address, second.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move { client.post("/api/chat", question()).await });
        first.call().await.refuse(400, "{\"error\":\"no\"}").await;
        let answer = asked.await.expect("no panic");
        assert_eq!((answer.status, answer.error().as_str()), (400, "no"));
        assert_eq!(gateway.stop().await.counters.retries, 0);
        drop(second);
    });
}

#[test]
fn a_client_that_leaves_mid_stream_frees_its_slot() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked =
            tokio::spawn(async move { client.send(Method::POST, "/api/chat", question().to_string()).await });
        let mut answering = host.call().await.begin(200);
        answering.say(&word("a")).await;
        let response = asked.await.expect("no panic");
        let client = gateway.client.clone();
        let next = tokio::spawn(async move {
            client.post("/api/generate", json!({"model": MODEL, "prompt": "x"})).await
        });
        drop(response);
        answering.abandoned().await;
        // There is one slot: the host gets the next request only when control knows that the first has left.
        let mut answering = host.call().await.begin(200);
        answering.say(DONE).await;
        drop(answering);
        assert_eq!(next.await.expect("no panic").body, DONE);
        let summary = gateway.stop().await;
        assert_eq!((summary.counters.cancelled, summary.counters.finished), (1, 1));
    });
}

#[test]
fn a_client_that_leaves_before_the_first_byte_is_told_to_the_host() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked =
            tokio::spawn(async move { client.send(Method::POST, "/api/chat", question().to_string()).await });
        let call = host.call().await;
        asked.abort();
        call.abandoned().await;
        let summary = gateway.stop().await;
        assert_eq!((summary.counters.cancelled, summary.counters.failed), (1, 0), "not the host's failure");
    });
}

#[test]
fn a_client_that_leaves_the_queue_is_forgotten() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let client = gateway.client.clone();
        let running = tokio::spawn(async move { client.post("/api/chat", question()).await });
        let call = host.call().await;
        // Waits in the queue: the host has one slot, and it is taken.
        let client = gateway.client.clone();
        let queued = tokio::spawn(async move { client.post("/api/chat", question()).await });
        gateway.counters(|counters| counters.queued == 1).await;
        queued.abort();
        gateway.counters(|counters| counters.cancelled == 1).await;
        let mut answering = call.begin(200);
        answering.say(DONE).await;
        drop(answering);
        assert_eq!(running.await.expect("no panic").body, DONE);
        let summary = gateway.stop().await;
        assert_eq!((summary.counters.cancelled, summary.counters.finished), (1, 1));
    });
}

#[test]
fn a_silent_host_leaves_the_lists_and_gets_requests_again_when_it_is_heard() {
    run(async {
        let host = Host::start().await;
        let address = host.address;
        let gateway = gateway(&[address], 1, "", "").await;
        assert!(gateway.client.get("/api/tags").await.body.contains(MODEL));
        host.die().await;
        while gateway.client.get("/api/tags").await.body.contains(MODEL) {}
        let client = gateway.client.clone();
        let asked = tokio::spawn(async move { client.post("/api/chat", question()).await });
        gateway.counters(|counters| counters.queued == 1).await;
        let mut host = Host::start_at(address).await;
        let mut answering = host.call().await.begin(200);
        answering.say(DONE).await;
        drop(answering);
        assert_eq!(asked.await.expect("no panic").body, DONE);
        assert_eq!(gateway.stop().await.counters.retries, 0, "no attempt was made on a silent host");
    });
}

#[test]
fn a_request_that_no_host_takes_in_time_is_503() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "queue_timeout_millis = 20").await;
        let client = gateway.client.clone();
        let running = tokio::spawn(async move { client.post("/api/chat", question()).await });
        let call = host.call().await;
        let answer = gateway.client.post("/api/chat", question()).await;
        assert_eq!((answer.status, answer.retry_after), (503, true));
        assert!(answer.error().contains("waited too long"), "{}", answer.body);
        let mut answering = call.begin(200);
        answering.say(DONE).await;
        drop(answering);
        assert_eq!(running.await.expect("no panic").body, DONE);
        gateway.stop().await;
    });
}
