//! The config file, read again.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use crate::gateway::{Running, config, host, run, start_on};

/// Writes a config whole: whoever reads sees the old or the new.
fn write(folder: &Path, text: &str) {
    fs::write(folder.join("gateway.toml.tmp"), text).expect("written");
    fs::rename(folder.join("gateway.toml.tmp"), folder.join("gateway.toml")).expect("renamed");
}

async fn gateway(folder: &Path, hosts: &[SocketAddr], control: &str) -> Running {
    write(folder, &config("", "", hosts, control));
    start_on(&folder.join("gateway.toml")).await
}

#[test]
fn another_file_is_taken_over_and_what_needs_a_restart_is_named() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let hosts = [host().await, host().await];
        let gateway = gateway(folder.path(), &hosts[..1], "").await;
        write(folder.path(), &config("drain_seconds = 7", "", &hosts, "balancer = \"least-tokens\""));
        let answer = gateway.post("/api/v1/reload", json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = answer.json();
        assert_eq!(answer["changed"], json!(["[control]", "host host-1 is added"]));
        assert_eq!(answer["needs_restart"], json!(["serve.drain_seconds"]));
        assert_eq!(gateway.get("/api/v1/status").await.json()["balancer"], "least-tokens");
        assert_eq!(gateway.host("host-1").await["up"], true);

        write(folder.path(), &config("", "", &hosts[1..], "balancer = \"least-tokens\""));
        // What was host-1 is host-0 now, at another address.
        let answer = gateway.post("/api/v1/reload", json!({})).await.json();
        assert_eq!(answer["changed"], json!(["host host-0 is declared anew", "host host-1 is taken out"]));
        assert_eq!(answer["needs_restart"], json!([]), "drain_seconds is what the process began with");
        assert_eq!(gateway.host("host-0").await["address"], hosts[1].to_string());
        assert_eq!(gateway.generate().await.status, 200);

        let added = json!({"name": "added", "url": format!("http://{}", hosts[0])});
        assert_eq!(gateway.post("/api/v1/hosts", added).await.status, 200);
        write(folder.path(), &config("", "", &hosts, "balancer = \"random\""));
        let answer = gateway.post("/api/v1/reload", json!({})).await;
        let why = "host \"host-0\" of the file is \"added\", which an operator added: remove that";
        assert_eq!((answer.status, answer.error()), (409, why.into()));
        assert_eq!(gateway.get("/api/v1/status").await.json()["balancer"], "least-tokens");
        gateway.stop().await;
    });
}

#[test]
fn a_bad_file_changes_nothing_and_is_told_with_its_place() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let hosts = [host().await];
        let gateway = gateway(folder.path(), &hosts, "").await;
        write(folder.path(), &config("", "", &hosts, "balancer = \"least-token\""));
        let answer = gateway.post("/api/v1/reload", json!({})).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.error().contains("gateway.toml:13:12: control.balancer"), "{}", answer.body);
        let status = gateway.get("/api/v1/status").await.json();
        assert_eq!((&status["epoch"], &status["balancer"]), (&json!(0), &json!("power-of-two")));
        gateway.stop().await;
    });
}

#[test]
fn a_changed_file_is_seen() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let hosts = [host().await];
        let gateway = gateway(folder.path(), &hosts, "").await;
        write(folder.path(), &config("", "", &hosts, "balancer = \"least-tokens\""));
        while gateway.get("/api/v1/status").await.json()["balancer"] != "least-tokens" {}
        assert!(gateway.file.as_ref().is_some_and(|file| file.exists()));
        gateway.stop().await;
    });
}

#[test]
fn reloading_again_and_again_fails_no_request() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let hosts = [host().await, host().await];
        let gateway = gateway(folder.path(), &hosts, "").await;
        let load = async || {
            for _ in 0..30 {
                assert_eq!(gateway.generate().await.status, 200);
            }
        };
        let reloads = async {
            for round in 0..30 {
                let control = ["balancer = \"random\"", "balancer = \"round-robin\""][round % 2];
                write(folder.path(), &config("", "", &hosts, control));
                assert_eq!(gateway.post("/api/v1/reload", json!({})).await.status, 200);
            }
        };
        tokio::join!(load(), reloads, load());
        assert_eq!(gateway.get("/api/v1/status").await.json()["epoch"], 30);
        let counters = gateway.stop().await.counters;
        assert_eq!((counters.arrived, counters.finished), (60, 60));
    });
}
