//! Three times as many requests as the hosts can answer.

use std::time::{Duration, Instant};

use live::{EmulatedHost, EmulatedOptions};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Client, Running, gateway, run};

const MODEL: &str = "llama3.2:3b";
const SLOTS: u32 = 4;
/// Requests that may wait.
const QUEUE: u64 = 16;
/// An answer later than this is of no use to its client.
const USEFUL: Duration = Duration::from_secs(3);

fn question() -> Value {
    json!({ "model": MODEL, "prompt": "x", "options": { "num_predict": 60 } })
}

/// Requests at a steady rate for so long, whether the ones before were answered or not; useful answers per second.
async fn goodput(client: &Client, per_second: f64, seconds: f64) -> f64 {
    let mut asked = JoinSet::new();
    let begun = tokio::time::Instant::now();
    for request in 0..(per_second * seconds) as u32 {
        tokio::time::sleep_until(begun + Duration::from_secs_f64(f64::from(request) / per_second)).await;
        let client = client.clone();
        asked.spawn(async move {
            let begun = Instant::now();
            let answer = client.post("/api/generate", question()).await;
            match answer.status {
                200 => {
                    assert!(!answer.broken, "{}", answer.body);
                    u32::from(begun.elapsed() <= USEFUL)
                }
                status => {
                    assert_eq!((status, answer.retry_after), (503, true), "{}", answer.body);
                    0
                }
            }
        });
    }
    let useful: u32 = asked.join_all().await.into_iter().sum();
    f64::from(useful) / begun.elapsed().as_secs_f64()
}

/// Answers per second where as many clients as slots ask one request after the other.
async fn capacity(gateway: &Running, clients: u32, seconds: f64) -> f64 {
    let mut load = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..clients {
        let client = gateway.client.clone();
        load.spawn(async move {
            let mut answers = 0;
            while begun.elapsed().as_secs_f64() < seconds {
                assert_eq!(client.post("/api/generate", question()).await.status, 200);
                answers += 1;
            }
            answers
        });
    }
    let answers: u32 = load.join_all().await.into_iter().sum();
    f64::from(answers) / begun.elapsed().as_secs_f64()
}

fn overloaded(seconds: f64) {
    run(async move {
        let mut hosts = Vec::new();
        for _ in 0..2 {
            let options = EmulatedOptions {
                models: vec![MODEL.into()],
                speed: 2,
                num_parallel: Some(SLOTS),
                ..EmulatedOptions::default()
            };
            let host = EmulatedHost::bind(&options).await.expect("a host");
            hosts.push(host.address());
            tokio::spawn(host.run(std::future::pending()));
        }
        let gateway = gateway(&hosts, SLOTS, "", &format!("queue_requests_max = {QUEUE}")).await;
        // Both have the model in memory before anything is measured.
        capacity(&gateway, 2 * SLOTS, 0.5).await;
        let peak = capacity(&gateway, 2 * SLOTS, seconds).await;
        let mut queued = 0;
        let watch = gateway.counters(|counters| {
            queued = queued.max(counters.queued);
            false
        });
        let over = tokio::select! {
            over = goodput(&gateway.client, 3.0 * peak, seconds) => over,
            () = watch => unreachable!("it waits for nothing"),
        };
        println!(
            "O1: {peak:.1} answers/s at capacity, {over:.1} at three times the load; {queued} waited at most"
        );
        assert!(queued <= QUEUE, "{queued}");
        assert!(over >= 0.8 * peak, "{over} of {peak} a second");
        gateway.stop().await;
    });
}

#[test]
fn at_three_times_the_capacity_goodput_stays_and_the_queue_is_bounded() {
    overloaded(3.0);
}

#[test]
#[ignore = "long form: 20 seconds each"]
fn at_three_times_the_capacity_for_20_seconds_goodput_stays_and_the_queue_is_bounded() {
    overloaded(20.0);
}
