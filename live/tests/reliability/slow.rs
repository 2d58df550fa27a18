//! Clients that send slowly, beside clients that do not.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::bare::{Bare, whole};
use crate::client::{Client, gateway, run};
use crate::draw::percentile;

/// Requests of which the times are taken.
const REQUESTS: usize = 200;

async fn late(client: &Client) -> Duration {
    let mut times = Vec::new();
    for _ in 0..REQUESTS {
        let begun = Instant::now();
        let answer = client.post("/api/chat", json!({ "model": "m", "messages": [] })).await;
        assert_eq!(answer.status, 200);
        times.push(begun.elapsed());
    }
    percentile(&mut times, 99)
}

/// Sends a little on each connection, over and over: half of them never end their head, half never their body.
async fn drip(address: SocketAddr, connections: usize, opened: tokio::sync::oneshot::Sender<()>) {
    let mut slow = Vec::new();
    for index in 0..connections {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let end = if index % 2 == 0 { "" } else { "Content-Length: 1000\r\n\r\n" };
        let begin = format!("POST /api/chat HTTP/1.1\r\nHost: localhost\r\n{end}");
        stream.write_all(begin.as_bytes()).await.expect("sent");
        slow.push(stream);
    }
    opened.send(()).expect("the test waits");
    let mut beat = tokio::time::interval(Duration::from_millis(500));
    loop {
        beat.tick().await;
        for stream in &mut slow {
            // Some are closed after ten seconds, as they should be.
            let _ = stream.write_all(b"x").await;
        }
    }
}

fn slow_connections(connections: usize) {
    run(async move {
        let host = Bare::start(|_| whole()).await;
        let gateway = gateway(&[host.address], 4, "", "").await;
        let alone = late(&gateway.client).await;
        let (opened, all) = tokio::sync::oneshot::channel();
        let dripping = tokio::spawn(drip(gateway.client.address(), connections, opened));
        all.await.expect("all were opened");
        let beside = late(&gateway.client).await;
        dripping.abort();
        println!("L7: p99 of good clients {alone:?} alone, {beside:?} beside {connections} slow connections");
        // Twice, and what a machine that is busy otherwise adds.
        assert!(beside < 2 * alone + Duration::from_millis(100), "{alone:?}, then {beside:?}");
        gateway.stop().await;
    });
}

#[test]
fn slow_clients_do_not_slow_the_others() {
    slow_connections(500);
}

#[test]
#[ignore = "long form: 5,000 slow connections"]
fn slow_clients_5000_of_them_do_not_slow_the_others() {
    slow_connections(5_000);
}
