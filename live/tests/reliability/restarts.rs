//! A gateway that ends and begins again, or reads its config again, while clients ask.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Collected, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::TokioExecutor;
use live::{Gateway, ServeConfig};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::bare::{Act, Bare, DONE, LINES, chunk, say};
use crate::client::run;
use crate::operated;

const CLIENTS: usize = 10;

/// What clients met.
#[derive(Default)]
struct Met {
    answered: AtomicU64,
    /// 503 of a gateway that stops.
    refused: AtomicU64,
    /// Nothing listened, or the connection was closed before an answer began.
    unconnected: AtomicU64,
    /// An answer that began and did not end.
    lost: AtomicU64,
}

/// Asks again and again, on connections that are kept.
async fn client(address: SocketAddr, met: Arc<Met>, over: Arc<AtomicBool>) {
    let pool = Pool::builder(TokioExecutor::new()).build_http();
    while !over.load(Ordering::Relaxed) {
        let request = hyper::Request::post(format!("http://{address}/api/chat"))
            .body(Full::new(bytes::Bytes::from_static(b"{\"model\":\"m\",\"messages\":[]}")))
            .expect("a request");
        let counter = match pool.request(request).await {
            Err(_) => &met.unconnected,
            Ok(response) if response.status() == 503 => &met.refused,
            Ok(response) => match response.into_body().collect().await.map(Collected::to_bytes) {
                Ok(body) if body.ends_with(DONE.as_bytes()) => &met.answered,
                _ => &met.lost,
            },
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if !std::ptr::eq(counter, &met.answered) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn restarted(restarts: usize, millis_between: u64) {
    run(async move {
        let pause = Act::Pause(Duration::from_millis(20));
        let host = Bare::start(move |_| {
            vec![
                say(LINES),
                pause.clone(),
                chunk("{\"done\":false}\n"),
                pause.clone(),
                chunk(DONE),
                say("0\r\n\r\n"),
            ]
        })
        .await;
        let config = |listen: SocketAddr| {
            let text = format!(
                "[serve]\nlisten = \"{listen}\"\n[[serve.hosts]]\nname = \"host\"\nurl = \"http://{}\"\nslots = 8\n",
                host.address
            );
            ServeConfig::parse(&text, Path::new("test.toml")).expect("a good config")
        };
        let mut gateway =
            Gateway::bind(config(SocketAddr::from(([127, 0, 0, 1], 0)))).await.expect("a free port");
        let address = gateway.address();
        let (met, over) = (Arc::<Met>::default(), Arc::new(AtomicBool::new(false)));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(client(address, Arc::clone(&met), Arc::clone(&over)));
        }
        let mut finished = 0;
        for restart in 0..=restarts {
            let (stop, stopped) = oneshot::channel::<()>();
            let running = tokio::spawn(gateway.run(async { drop(stopped.await) }));
            tokio::time::sleep(Duration::from_millis(millis_between)).await;
            if restart == restarts {
                over.store(true, Ordering::Relaxed);
                while clients.join_next().await.is_some() {}
            }
            drop(stop);
            let summary = running.await.expect("no panic").expect("a good end");
            let counters = summary.counters;
            assert_eq!(
                (counters.finished, summary.connections_cut_off),
                (counters.arrived, 0),
                "{counters:?}"
            );
            finished += counters.finished;
            gateway = Gateway::bind(config(address)).await.expect("the port is free again");
        }
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!((count(&met.lost), count(&met.answered)), (0, finished), "what arrived was answered");
        println!(
            "L10: {restarts} restarts under load: {finished} requests answered, 0 lost; {} × 503, {} met no gateway",
            count(&met.refused),
            count(&met.unconnected)
        );
    });
}

#[test]
fn restarts_under_load_lose_nothing_that_was_taken() {
    restarted(5, 300);
}

#[test]
#[ignore = "long form: 20 restarts, 10,000 requests"]
fn restarts_under_load_20_of_them_lose_nothing_that_was_taken() {
    restarted(20, 2_500);
}

fn reloaded(reloads: usize) {
    operated::run(async move {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.toml");
        let write = |text: &str| {
            let beside = folder.path().join("gateway.toml.tmp");
            fs::write(&beside, text).and_then(|()| fs::rename(&beside, &file)).expect("written");
        };
        let hosts = [operated::host().await, operated::host().await];
        let balancers = ["balancer = \"random\"", "balancer = \"round-robin\"", "balancer = \"least-token\""];
        write(&operated::config("", "", &hosts, balancers[0]));
        let gateway = operated::start_on(&file).await;
        let over = AtomicBool::new(false);
        let load = async || {
            let mut requests = 0;
            while !over.load(Ordering::Relaxed) {
                let answer = gateway.generate().await;
                assert_eq!(answer.status, 200, "{}", answer.body);
                requests += 1;
            }
            requests
        };
        let reload = async {
            for round in 1..=reloads {
                let bad = round % 10 == 0;
                // One host comes and goes.
                let count = 1 + round / 2 % 2;
                write(&operated::config("", "", &hosts[..count], balancers[if bad { 2 } else { round % 2 }]));
                let answer = gateway.post("/api/v1/reload", json!({})).await;
                assert_eq!(answer.status, if bad { 400 } else { 200 }, "{}", answer.body);
                assert!(!bad || answer.error().contains("gateway.toml:"), "{}", answer.body);
            }
            over.store(true, Ordering::Relaxed);
        };
        let (first, (), second) = tokio::join!(load(), reload, load());
        let counters = gateway.stop().await.counters;
        assert_eq!((counters.arrived, counters.finished), (first + second, first + second));
        println!(
            "L11: {reloads} reloads under load, a tenth of them bad: {} requests, 0 failed",
            first + second
        );
    });
}

#[test]
fn reloads_under_load_fail_no_request() {
    reloaded(50);
}

#[test]
#[ignore = "long form: 1,000 reloads"]
fn reloads_under_load_1000_of_them_fail_no_request() {
    reloaded(1_000);
}
