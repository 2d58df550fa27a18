//! Hosts that are slow or silent, and hosts that are merely full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bare::{Act, Bare, busy, whole};
use crate::client::{Client, gateway, run};
use crate::draw::percentile;

/// How often hosts are checked, unless a config says otherwise.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// What a good host takes for its first byte.
const GOOD: Duration = Duration::from_millis(10);

fn question() -> Value {
    json!({ "model": "m", "messages": [] })
}

fn after(pause: Duration) -> Vec<Act> {
    let mut acts = vec![Act::Pause(pause)];
    acts.extend(whole());
    acts
}

/// Clients that ask again and again until told to stop.
fn load(client: &Client, clients: usize, over: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut load = JoinSet::new();
    for _ in 0..clients {
        let (client, over) = (client.clone(), Arc::clone(over));
        load.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                client.post("/api/chat", question()).await;
            }
        });
    }
    load
}

/// Starts four hosts, `gray` of which do otherwise; each one's new requests in an interval, once three have passed.
async fn calls_of(gray: usize, wrong: fn() -> Vec<Act>, control: &str) -> Vec<usize> {
    let mut hosts = Vec::new();
    for host in 0..4 {
        let is_gray = host < gray;
        hosts.push(Bare::start(move |_| if is_gray { wrong() } else { after(GOOD) }).await);
    }
    let addresses: Vec<_> = hosts.iter().map(|host| host.address).collect();
    let gateway = gateway(&addresses, 8, "", control).await;
    let over = Arc::new(AtomicBool::new(false));
    let load = load(&gateway.client, 12, &over);
    tokio::time::sleep(3 * CHECK_INTERVAL).await;
    let before: Vec<usize> = hosts.iter().map(Bare::calls).collect();
    tokio::time::sleep(CHECK_INTERVAL).await;
    let calls: Vec<usize> = hosts.iter().zip(before).map(|(host, before)| host.calls() - before).collect();
    over.store(true, Ordering::Relaxed);
    load.join_all().await;
    gateway.stop().await;
    calls
}

/// The first one's share in percent.
fn share(calls: &[usize]) -> usize {
    calls[0] * 100 / calls.iter().sum::<usize>().max(1)
}

const BREAKER: &str = "first_byte_timeout_warm_millis = 200\nfirst_byte_timeout_cold_millis = 200\n\
    [control.breaker]\nslow_ttft_millis = 100\nrequests_min = 5\n";

#[test]
fn a_slow_host_loses_its_load_within_three_check_intervals() {
    run(async {
        let calls = calls_of(1, || after(20 * GOOD - Duration::from_millis(50)), BREAKER).await;
        println!("L3: a host 15 to 20 times as slow: requests by host after three intervals {calls:?}");
        assert!(share(&calls) <= 2, "{calls:?}");
    });
}

#[test]
fn a_silent_host_loses_its_load_within_three_check_intervals() {
    run(async {
        let calls = calls_of(1, || vec![Act::Hang], BREAKER).await;
        println!("L3: a host that gives no first byte: requests by host after three intervals {calls:?}");
        assert!(share(&calls) <= 2, "{calls:?}");
    });
}

#[test]
fn half_of_the_hosts_at_most_are_left_alone_however_many_are_slow() {
    run(async {
        let calls = calls_of(3, || after(15 * GOOD), BREAKER).await;
        println!("L3: three of four slow: requests by host {calls:?}");
        assert!(calls.iter().filter(|calls| **calls > 0).count() >= 2, "{calls:?}");
    });
}

#[test]
fn a_full_host_is_not_sick_and_repeats_stay_within_their_budget() {
    run(async {
        let hosts = [Bare::start(|_| busy()).await, Bare::start(|_| whole()).await];
        let addresses = [hosts[0].address, hosts[1].address];
        let breaker = "[control.breaker]\nconsecutive_failures_max = 1\n";
        let gateway = gateway(&addresses, 8, "", breaker).await;
        let begun = Instant::now();
        let (mut good, mut full) = (0, 0);
        for _ in 0..400 {
            match gateway.client.post("/api/chat", question()).await {
                answer if answer.status == 200 => good += 1,
                answer => {
                    assert_eq!((answer.status, answer.retry_after), (503, true), "{}", answer.body);
                    assert_eq!(answer.error(), live::wire::BUSY);
                    full += 1;
                }
            }
        }
        let seconds = begun.elapsed().as_secs() + 2;
        let retries = gateway.stop().await.counters.retries;
        assert!((80..=80 + 10 * seconds).contains(&retries), "{retries} in {seconds} s");
        // A tripped breaker would have kept requests from it.
        assert!(hosts[0].calls() >= 150, "{} of 400", hosts[0].calls());
        println!(
            "L4: a host that is full each time: {good} × 200, {full} × 503, {retries} retries of 400 requests"
        );
    });
}

#[test]
fn where_all_hosts_are_full_two_are_asked_and_the_client_knows_at_once() {
    run(async {
        let mut hosts = Vec::new();
        for _ in 0..3 {
            hosts.push(Bare::start(|_| busy()).await);
        }
        let addresses: Vec<_> = hosts.iter().map(|host| host.address).collect();
        let gateway = gateway(&addresses, 8, "", "").await;
        let mut times = Vec::new();
        let mut asked_most = 0;
        for _ in 0..100 {
            let calls = || hosts.iter().map(Bare::calls).sum::<usize>();
            let (before, begun) = (calls(), Instant::now());
            let answer = gateway.client.post("/api/chat", question()).await;
            times.push(begun.elapsed());
            assert_eq!((answer.status, answer.retry_after), (503, true), "{}", answer.body);
            asked_most = asked_most.max(calls() - before);
        }
        assert_eq!(asked_most, 2);
        let (median, late) = (percentile(&mut times, 50), percentile(&mut times, 99));
        println!("L4: all full: 503 with Retry-After in {median:?} (p99 {late:?}), two hosts asked included");
        assert!(median < Duration::from_millis(100), "{median:?}");
        gateway.stop().await;
    });
}
