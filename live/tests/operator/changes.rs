//! What operators change while the gateway serves.

use hyper::Method;
use serde_json::json;

use crate::gateway::{MODEL, Running, config, host, run, start};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn hosts_of(gateway: &Running, count: usize) -> Vec<String> {
    let before = gateway.get("/api/v1/status").await.json()["counters"]["arrived"].as_u64().expect("a count");
    for _ in 0..count {
        assert_eq!(gateway.generate().await.status, 200);
    }
    let decisions = gateway.decisions(before as usize + count).await;
    decisions[..count].iter().map(|one| one["host"].as_str().expect("a host").to_owned()).collect()
}

#[test]
fn a_drained_host_gets_nothing_until_it_is_undrained() {
    run(async {
        let gateway =
            start(&config("", "", &[host().await, host().await], "balancer = \"round-robin\"")).await;
        assert_eq!(gateway.post("/api/v1/hosts/host-0/drain", json!({})).await.status, 200);
        assert_eq!(hosts_of(&gateway, 4).await, ["host-1"; 4]);
        assert_eq!(gateway.post("/api/v1/hosts/host-0/undrain", json!({})).await.status, 200);
        let hosts = hosts_of(&gateway, 4).await;
        assert_eq!(hosts.iter().filter(|host| *host == "host-0").count(), 2);
        gateway.stop().await;
    });
}

#[test]
fn a_gateway_whose_hosts_are_all_drained_is_not_ready() {
    run(async {
        let gateway = start(&config("", "", &[host().await, host().await], "")).await;
        for (name, ready) in [("host-0", 200), ("host-1", 503)] {
            assert_eq!(gateway.post(&format!("/api/v1/hosts/{name}/drain"), json!({})).await.status, 200);
            assert_eq!(gateway.get("/readyz").await.status, ready, "with {name} drained");
        }
        assert_eq!(gateway.get("/readyz").await.json()["why"], "every host that is up is drained");
        let status = gateway.get("/api/v1/status").await.json();
        assert_eq!((&status["hosts_up"], &status["hosts_drained"]), (&json!(2), &json!(2)));
        assert_eq!(gateway.post("/api/v1/hosts/host-0/undrain", json!({})).await.status, 200);
        assert_eq!(gateway.get("/readyz").await.status, 200);
        gateway.stop().await;
    });
}

#[test]
fn a_strategy_is_switched_under_load_and_switched_back() {
    run(async {
        let gateway =
            start(&config("", "", &[host().await, host().await], "balancer = \"round-robin\"")).await;
        let reasons = async |gateway: &Running, seen: usize| -> Vec<String> {
            let decisions = gateway.decisions(seen).await;
            decisions.iter().take(4).map(|one| one["reason"].to_string()).collect()
        };
        let load = async || {
            for _ in 0..8 {
                assert_eq!(gateway.generate().await.status, 200);
            }
        };
        let change = async || {
            let body = json!({"balancer": "random", "scheduler": "shortest-job"});
            let answer = gateway.post("/api/v1/strategy", body).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        };
        tokio::join!(load(), change(), load());
        load().await;
        assert_eq!(reasons(&gateway, 24).await, ["\"drawn\""; 4]);
        let status = gateway.get("/api/v1/status").await.json();
        assert_eq!((&status["balancer"], &status["scheduler"]), (&json!("random"), &json!("shortest-job")));
        assert_eq!(status["epoch"], 1);

        assert_eq!(gateway.post("/api/v1/rollback", json!({})).await.status, 200);
        load().await;
        assert_eq!(reasons(&gateway, 32).await, ["\"turn\""; 4]);
        let again = gateway.post("/api/v1/rollback", json!({})).await;
        assert_eq!((again.status, again.error()), (409, "there is no config to go back to".into()));
        let counters = gateway.stop().await.counters;
        assert_eq!((counters.arrived, counters.finished), (32, 32));
    });
}

#[test]
fn a_bad_change_changes_nothing_and_says_what_is_wrong() {
    run(async {
        let gateway = start(&config("", "", &[host().await], "")).await;
        for (path, body, status, what) in [
            ("strategy", json!({"balancer": "least-token"}), 400, "did you mean \"least-tokens\"?"),
            ("strategy", json!({"balancr": "random"}), 400, "did you mean `balancer`?"),
            ("strategy", json!({"balancer": "resource-aware"}), 400, "requires no metrics"),
            ("strategy", json!({"attempts_max": 9}), 400, "control.attempts_max: found 9, expected 1 to 4"),
            ("strategy", json!({}), 400, "found no key"),
            ("flags", json!({"balancer": "random"}), 400, "name: expected"),
            ("flags", json!({"name": "x", "remove": true}), 404, "control.flags: found no \"x\""),
            ("flags", json!({"name": "x", "balancer": "random", "share_permille": 2_000}), 400, "1000"),
            ("hosts", json!({"name": "x"}), 400, "missing field `url`"),
            ("hosts", json!({"name": "x", "url": "https://x/y"}), 400, "expected http://HOST:PORT"),
            ("hosts", json!({"name": "host-0", "url": "http://127.0.0.1:1"}), 409, "there is a host"),
            ("hosts/host-00/drain", json!({}), 404, "did you mean \"host-0\"?"),
            ("freeze", json!({"x": 1}), 400, "expected an empty body"),
            ("reload", json!({}), 409, "not read from a file"),
            ("log-level", json!({"level": "debug"}), 409, "no level that can be set"),
        ] {
            let answer = gateway.post(&format!("/api/v1/{path}"), body).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.body);
            assert!(answer.error().contains(what), "{path}: {}", answer.body);
        }
        let no_json = gateway.send(Method::POST, "/api/v1/strategy", &[JSON], "balancer=random").await;
        assert_eq!(no_json.status, 400);
        let config = gateway.get("/api/v1/config").await.json();
        assert_eq!(config["differs_from_file"], false);
        assert_eq!(gateway.get("/api/v1/status").await.json()["epoch"], 0);
        gateway.stop().await;
    });
}

#[test]
fn flags_and_experiments_come_and_go() {
    run(async {
        let gateway = start(&config("", "", &[host().await], "balancer = \"round-robin\"")).await;
        let all = json!({"name": "canary", "balancer": "random", "share_permille": 1_000, "unit": "request"});
        assert_eq!(gateway.post("/api/v1/flags", all).await.status, 200);
        gateway.generate().await;
        assert_eq!(gateway.decisions(1).await[0]["arm"], "canary");
        let trial = json!({"name": "trial", "arms": [{"name": "b", "balancer": "least-tokens", "share_permille": 100}]});
        assert_eq!(gateway.post("/api/v1/experiments", trial).await.status, 200);
        let trials = gateway.get("/api/v1/experiments").await.json()["trials"].clone();
        assert_eq!((&trials[0]["name"], &trials[0]["arms"][0]["decided"]), (&json!("canary"), &json!(1)));
        assert_eq!(
            (&trials[1]["name"], &trials[1]["arms"][0]["share_permille"]),
            (&json!("trial"), &json!(100))
        );
        let gone = json!({"name": "canary", "remove": true});
        assert_eq!(gateway.post("/api/v1/flags", gone).await.status, 200);
        gateway.generate().await;
        assert_eq!(gateway.decisions(2).await[0]["arm"], "base");
        gateway.stop().await;
    });
}

#[test]
fn hosts_are_added_and_taken_out_while_requests_run() {
    run(async {
        let gateway = start(&config("", "", &[host().await], "balancer = \"round-robin\"")).await;
        let url = format!("http://{}", host().await);
        let added = gateway.post("/api/v1/hosts", json!({"name": "new one", "url": url, "slots": 2})).await;
        assert_eq!(added.status, 200, "{}", added.body);
        let view = gateway.host("new one").await;
        assert_eq!(
            (&view["up"], &view["slots"], &view["stored"]),
            (&json!(true), &json!(2), &json!([MODEL]))
        );
        let again = gateway.post("/api/v1/hosts", json!({"name": "the same", "url": url})).await;
        assert_eq!(again.status, 409, "{}", again.body);
        assert!(again.error().ends_with("already: \"new one\""), "{}", again.body);
        let hosts = hosts_of(&gateway, 4).await;
        assert_eq!(hosts.iter().filter(|host| *host == "new one").count(), 2);

        let removed = gateway.send(Method::DELETE, "/api/v1/hosts/host-0", &[JSON], "").await;
        assert_eq!(removed.status, 200, "{}", removed.body);
        assert_eq!(hosts_of(&gateway, 4).await, ["new one"; 4]);
        assert!(gateway.host("host-0").await.is_null());
        let last = gateway.send(Method::DELETE, "/api/v1/hosts/new%20one", &[JSON], "").await;
        assert_eq!(last.status, 409, "{}", last.body);
        gateway.stop().await;
    });
}

#[test]
fn what_was_changed_outlives_a_restart() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let state = format!("state_dir = {:?}", folder.path());
        let text = config(&state, "", &[host().await, host().await], "");
        let gateway = start(&text).await;
        let url = format!("http://{}", host().await);
        for (path, body) in [
            ("hosts", json!({"name": "added", "url": url})),
            ("hosts/host-1/drain", json!({})),
            ("strategy", json!({"balancer": {"prequal": {"probes": 5}}})),
            ("freeze", json!({})),
        ] {
            let answer = gateway.post(&format!("/api/v1/{path}"), body).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        }
        gateway.stop().await;
        let gateway = start(&text).await;
        let status = gateway.get("/api/v1/status").await.json();
        assert_eq!((&status["balancer"], &status["frozen"]), (&json!("prequal"), &json!(true)));
        assert_eq!(gateway.host("host-1").await["drained"], true);
        assert_eq!(gateway.host("host-0").await["drained"], false);
        assert_eq!(gateway.host("added").await["address"], url["http://".len()..]);
        gateway.stop().await;
    });
}
