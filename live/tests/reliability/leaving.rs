//! Clients that leave before their answer is there.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bare::{Act, Bare, LINES, chunk, say, whole};
use crate::client::{gateway, run};
use crate::draw::percentile;

async fn asked(gateway: SocketAddr, stream: bool) -> TcpStream {
    let body = format!("{{\"model\":\"m\",\"messages\":[],\"stream\":{stream}}}");
    let len = body.len();
    let sent = format!("POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len}\r\n\r\n{body}");
    let mut client = TcpStream::connect(gateway).await.expect("a connection");
    client.write_all(sent.as_bytes()).await.expect("sent");
    client
}

fn cancelled(cancels: usize) {
    run(async move {
        // By turns: in the middle of a stream, while the prompt is read, and where nothing is streamed.
        let mut host = Bare::start(|call| match call % 3 {
            0 => vec![say(LINES), chunk("{\"done\":false}\n"), Act::Hang],
            _ => vec![Act::Hang],
        })
        .await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let mut times = Vec::new();
        for call in 0..cancels {
            let mut client = asked(gateway.client.address(), call % 3 != 2).await;
            host.called(call + 1).await;
            if call % 3 == 0 {
                client.read_exact(&mut [0; 16]).await.expect("the answer begins");
            }
            let leaves = Instant::now();
            drop(client);
            times.push(host.left().await - leaves);
        }
        gateway.counters(|counters| counters.cancelled == cancels as u64).await;
        let counters = gateway.stop().await.counters;
        assert_eq!((counters.failed, counters.retries), (0, 0), "it is no host's fault");
        let (median, late) = (percentile(&mut times, 50), percentile(&mut times, 99));
        println!("L9: {cancels} clients left: the host's connection closed after {median:?} (p99 {late:?})");
        assert!(late < Duration::from_secs(1), "{late:?}");
    });
}

#[test]
fn a_host_is_left_as_soon_as_its_client_left() {
    cancelled(100);
}

#[test]
#[ignore = "long form: 3,000 clients"]
fn a_host_is_left_as_soon_as_its_client_left_3000_times() {
    cancelled(3_000);
}

#[test]
fn requests_whose_clients_left_the_queue_reach_no_host() {
    run(async {
        let mut host = Bare::start(|call| if call == 0 { vec![Act::Hang] } else { whole() }).await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let address = gateway.client.address();
        let running = asked(address, true).await;
        host.called(1).await;
        let mut queued = Vec::new();
        for _ in 0..20 {
            queued.push(asked(address, true).await);
        }
        gateway.counters(|counters| counters.queued == 20).await;
        drop(queued);
        gateway.counters(|counters| counters.cancelled == 20).await;
        drop(running);
        host.left().await;
        let body = serde_json::json!({ "model": "m", "messages": [] });
        assert_eq!(gateway.client.post("/api/chat", body).await.status, 200);
        assert_eq!(host.calls(), 2, "none of the twenty");
        gateway.stop().await;
    });
}
