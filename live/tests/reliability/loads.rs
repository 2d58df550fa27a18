//! A model that takes longer to load than clients are let wait for a first byte.

use std::time::{Duration, Instant};

use live::{EmulatedHost, EmulatedOptions};

use crate::client::{Client, run};
use crate::operated;

const MODEL: &str = "gemma3:27b";

/// A host without a GPU: the load takes 17 s of its time from the disk.
async fn slow_loader() -> std::net::SocketAddr {
    let options = EmulatedOptions {
        profile: "cpu".into(),
        models: vec![MODEL.into()],
        speed: 10,
        ..EmulatedOptions::default()
    };
    let host = EmulatedHost::bind(&options).await.expect("a host");
    let address = host.address();
    tokio::spawn(host.run(std::future::pending()));
    address
}

#[test]
fn a_timeout_below_the_time_of_a_load_lets_it_end_nevertheless() {
    run(async {
        let hosts = [slow_loader().await, slow_loader().await, slow_loader().await];
        // The next host each time, whatever it has loaded.
        let control = "balancer = \"round-robin\"\nfirst_byte_timeout_cold_millis = 300";
        let gateway = operated::start(&operated::config("", "", &hosts, control)).await;
        let mut late = 0;
        while gateway.generate_with(MODEL, &[]).await.status == 504 {
            late += 1;
            assert!(late < 10, "no load is waited for");
        }
        println!("A slow load, the next host each time: {late} × 504, then 200");
        gateway.stop().await;
    });
}

#[test]
fn a_load_behind_a_first_byte_timeout_starts_no_other() {
    run(async {
        let hosts = [slow_loader().await, slow_loader().await, slow_loader().await];
        let control = "balancer = \"model-affinity\"\nfirst_byte_timeout_cold_millis = 300";
        let gateway = operated::start(&operated::config("", "", &hosts, control)).await;
        let (mut late, mut good) = (0, 0);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(4) {
            let answer = gateway.generate_with(MODEL, &[]).await;
            match answer.status {
                200 => good += 1,
                504 => late += 1,
                other => panic!("{other}: {}", answer.body),
            }
        }
        let mut loads = 0;
        for host in hosts {
            loads += usize::from(Client::new(host).get("/api/ps").await.body.contains(MODEL));
        }
        println!("A slow load: {late} × 504, {good} × 200, on {loads} of 3 hosts");
        assert_eq!(loads, 1);
        gateway.stop().await;
    });
}
