//! A gateway that reads its config again while clients ask.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::operated;

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
