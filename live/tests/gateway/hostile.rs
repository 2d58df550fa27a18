//! Clients that mean no good, or do not know better: bytes on bare sockets.

use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Running, gateway, run};
use crate::scripted::Host;

/// Sends bytes; reads the statuses of all answers until the connection is closed.
async fn statuses(address: SocketAddr, bytes: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // Where the gateway closes before all was sent, what it said can still be read.
    let _ = stream.write_all(bytes).await;
    let (mut said, mut buffer) = (Vec::new(), [0; 4_096]);
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        said.extend_from_slice(&buffer[..len]);
    }
    let said = String::from_utf8_lossy(&said);
    said.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().expect("a status")).collect()
}

async fn started() -> (Host, Running, SocketAddr) {
    let host = Host::start().await;
    let gateway = gateway(&[host.address], 1, "body_bytes_max = 1_000", "").await;
    let address = gateway.client.address();
    (host, gateway, address)
}

const GET: &str = "GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn framing_that_can_be_read_in_two_ways_is_400_and_the_connection_closes() {
    run(async {
        let (_host, gateway, address) = started().await;
        let post = "POST /api/chat HTTP/1.1\r\nHost: localhost\r\n";
        for head in [
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            "transfer-encoding:chunked\r\nX: y\r\ncontent-length:0\r\n\r\n0\r\n\r\n",
            "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            "Content-Length: 3, 4\r\n\r\nabcd",
            "Content-Length: +3\r\n\r\nabc",
            "Content-Length: -3\r\n\r\nabc",
            "Content-Length: 0x3\r\n\r\nabc",
            "Transfer-Encoding: gzip\r\n\r\n",
            "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "Content-Length : 3\r\n\r\nabc",
            "X: y\r\n folded\r\n\r\n",
            "X: y\nContent-Length: 3\r\n\r\nabc",
            "X: y\0z\r\n\r\n",
            "Host: localhost\r\n\r\n",
            "no colon\r\n\r\n",
        ] {
            // What follows must not be taken for a request, nor what came before be forgotten.
            let sent = format!("{GET}{post}{head}{GET}");
            assert_eq!(statuses(address, sent.as_bytes()).await, [200, 400], "{head:?}");
        }
        assert_eq!(gateway.stop().await.counters.arrived, 0);
    });
}

#[test]
fn heads_that_are_no_heads_are_refused() {
    run(async {
        let (_host, gateway, address) = started().await;
        let long = |len: usize| "x".repeat(len);
        let many: String = (0..200).map(|index| format!("X-{index}: y\r\n")).collect();
        for (sent, status) in [
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
            ("GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), 400),
            ("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n".into(), 400),
            ("GET /\r\n\r\n".into(), 400),
            ("\0\0\0\0\r\n\r\n".into(), 400),
            ("G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), 400),
            (format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", long(100_000)), 431),
            (format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"), 431),
            ("POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".into(), 501),
            ("POST /api/chat HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), 501),
        ] {
            assert_eq!(statuses(address, sent.as_bytes()).await, [status], "{:?}", &sent[..sent.len().min(90)]);
        }
        gateway.stop().await;
    });
}

#[test]
fn a_body_beyond_the_limit_is_refused_before_it_is_sent() {
    run(async {
        let (_host, gateway, address) = started().await;
        let head = "POST /api/chat HTTP/1.1\r\nHost: localhost\r\n";
        // Nothing of the body follows: the answer does not wait for it.
        let told = format!("{head}Content-Length: 4000000000\r\n\r\n");
        assert_eq!(statuses(address, told.as_bytes()).await, [413]);
        let expecting = format!("{head}Content-Length: 4000000000\r\nExpect: 100-continue\r\n\r\n");
        assert_eq!(statuses(address, expecting.as_bytes()).await, [413], "and not 100 first");
        let untold = format!("{head}Transfer-Encoding: chunked\r\n\r\n7d0\r\n{}", "x".repeat(1_500));
        assert_eq!(statuses(address, untold.as_bytes()).await, [413]);
        let broken = format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n");
        assert_eq!(statuses(address, broken.as_bytes()).await, [400]);
        assert_eq!(gateway.stop().await.counters.arrived, 0);
    });
}

#[test]
fn bodies_that_wait_are_bounded_together_and_running_answers_do_not_count() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 2, "queued_body_bytes_max = 150", "").await;
        let body = json!({ "model": "m", "prompt": "x".repeat(60) });
        let ask = || {
            let (client, body) = (gateway.client.clone(), body.clone());
            tokio::spawn(async move { client.post("/api/generate", body).await })
        };
        let first = ask();
        let call = host.call().await;
        let refused = gateway.client.post("/api/generate", body.clone()).await;
        assert_eq!((refused.status, refused.retry_after), (503, true), "2 × 84 bytes are more than 150");
        assert!(refused.error().contains("no room for the request's body"));
        let mut answering = call.begin(200);
        answering.say("{\"done\":false}\n").await;
        // Once the first byte is relayed the first body is not needed any more.
        let (second, call) = loop {
            let asked = ask();
            tokio::select! {
                call = host.call() => break (asked, call),
                // Its first byte is still on its way.
                _ = async { while !asked.is_finished() { tokio::task::yield_now().await } } => {}
            }
        };
        let mut also = call.begin(200);
        for answering in [&mut answering, &mut also] {
            answering.say(crate::scripted::DONE).await;
        }
        drop((answering, also));
        assert_eq!(first.await.expect("no panic").status, 200);
        assert_eq!(second.await.expect("no panic").status, 200);
        gateway.stop().await;
    });
}
