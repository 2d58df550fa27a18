//! Actions on hosts: what control plans is carried out, as far as the config allows.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use live::EmulatedOptions;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::{Client, Running, emulated, run, start};
use crate::parity::replay;

const SMALL: &str = "llama3.2:1b";
const LARGE: &str = "llama3.2:3b";

/// An emulated host with these models on its disk.
async fn host(models: &[&str]) -> SocketAddr {
    let options = EmulatedOptions {
        models: models.iter().map(|model| (*model).to_owned()).collect(),
        speed: 1_000,
        pull_mib_per_second: 1 << 20,
        ..EmulatedOptions::default()
    };
    emulated(&options).await
}

/// A registry, and what it holds: a manifest by its path.
#[derive(Clone)]
struct Registry {
    address: SocketAddr,
    manifests: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Registry {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let registry = Self { address, manifests: Arc::default() };
        let manifests = Arc::clone(&registry.manifests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let manifests = Arc::clone(&manifests);
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let held = manifests.lock().expect("no panic").get(request.uri().path()).cloned();
                    async move {
                        let status = if held.is_some() { 200 } else { 404 };
                        let mut answer = Response::new(Full::new(Bytes::from(held.unwrap_or_default())));
                        *answer.status_mut() = status.try_into().expect("a status");
                        Ok::<_, Infallible>(answer)
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        registry
    }

    /// From now on it holds a model of so many bytes; another `version` is another content.
    fn hold(&self, model: &str, bytes: u64, version: u32) {
        let (name, tag) = model.split_once(':').expect("a name with a tag");
        let manifest = json!({ "layers": [
            { "digest": format!("sha256:{version:064x}"), "size": bytes },
        ] });
        let path = format!("/v2/library/{name}/manifests/{tag}");
        self.manifests.lock().expect("no panic").insert(path, manifest.to_string());
    }

    /// The name of a model there.
    fn name(&self, model: &str) -> String {
        format!("{}/library/{model}", self.address)
    }
}

/// A gateway that asks hosts once, and again only when it has changed something there. `serve` follows in `[serve]`, `placement` in
/// `[control.placement]`, `host` in each host.
async fn gateway(hosts: &[SocketAddr], serve: &str, host: &str, placement: &str) -> Running {
    let mut text = format!(
        "[serve]\nlisten = \"127.0.0.1:0\"\npoll_millis = 600_000\nregistry_poll_seconds = 1\n{serve}\n\
         [serve.admin]\nlisten = \"127.0.0.1:0\"\n"
    );
    for (index, address) in hosts.iter().enumerate() {
        text += &format!(
            "[[serve.hosts]]\nname = \"host-{index}\"\nurl = \"http://{address}\"\nmemory_gib = 24\n{host}\n"
        );
    }
    text += &format!(
        "[control]\nbalancer = \"round-robin\"\n[control.placement]\nstrategy = \"static\"\ninterval_seconds = 1\n\
         residency_min_seconds = 0\n{placement}\n"
    );
    start(&text).await
}

async fn placement(gateway: &Running) -> Value {
    gateway.admin.as_ref().expect("an operator's side").get("/api/v1/placement").await.json()
}

/// Waits until plan, actions and contents are as wanted.
async fn until(gateway: &Running, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let seen = placement(gateway).await;
        if wanted(&seen) {
            return seen;
        }
        tokio::task::yield_now().await;
    }
}

/// Waits until so many more plans were made: control is woken for nothing else.
async fn plans_pass(gateway: &Running, count: u64) {
    let steps = async || {
        let status = gateway.admin.as_ref().expect("an operator's side").get("/api/v1/status").await.json();
        status["steps"].as_u64().expect("a number")
    };
    let wanted = steps().await + count;
    while steps().await < wanted {
        tokio::task::yield_now().await;
    }
}

/// Names in a list of a host.
async fn listed(host: SocketAddr, path: &str) -> Vec<String> {
    let list = Client::new(host).get(path).await.json();
    let models = list["models"].as_array().expect("a list").iter();
    models.map(|model| model["name"].as_str().expect("a name").to_owned()).collect()
}

fn count(seen: &Value, deed: &str, what: &str) -> u64 {
    let counts = seen["counts"].as_array().expect("a list");
    counts
        .iter()
        .find(|count| count["deed"] == deed)
        .map_or(0, |count| count[what].as_u64().expect("a number"))
}

fn loaded(seen: &Value) -> usize {
    let replicas = seen["plan"]["replicas"].as_array().map_or(&[][..], Vec::as_slice);
    replicas.iter().filter(|replica| replica["loaded"] == true).count()
}

#[test]
fn a_model_of_a_registry_comes_to_all_hosts_serves_from_all_and_the_log_replays() {
    run(async {
        let registry = Registry::start().await;
        registry.hold(SMALL, 1_300_000_000, 1);
        let (model, address) = (registry.name(SMALL), registry.address);
        let hosts = [host(&[LARGE]).await, host(&[LARGE]).await];
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("decisions");
        let serve = format!("log_dir = {log:?}\ninsecure_registries = [\"{address}\"]");
        let plan = format!(
            "act = true\nmanage = [\"{model}\"]\nallow_pull = true\npull_from = [\"{address}\"]\nreplicas_min = 2"
        );
        let gateway = gateway(&hosts, &serve, "", &plan).await;
        let seen = until(&gateway, |seen| loaded(seen) == 2).await;
        for deed in ["pull", "load"] {
            assert_eq!((count(&seen, deed, "asked"), count(&seen, deed, "done")), (2, 2), "{deed}: {seen}");
        }
        assert_eq!(seen["published"][0]["bytes"], 1_300_000_000);
        for host in hosts {
            assert_eq!(listed(host, "/api/ps").await, std::slice::from_ref(&model));
            let asked = json!({ "model": model, "prompt": "x", "options": { "num_predict": 1 } });
            let answer = gateway.client.post("/api/generate", asked).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        let metrics = gateway.admin.as_ref().expect("an operator's side").get("/metrics").await.body;
        for line in [
            "herder_actions_total{deed=\"pull\",outcome=\"done\"} 2",
            "herder_actions_in_flight{deed=\"load\"} 0",
            "herder_action_seconds_count{deed=\"load\"} 2",
            "herder_host_dispatches_total{host=\"host-0\"} 1",
            "herder_host_dispatches_total{host=\"host-1\"} 1",
        ] {
            assert!(metrics.lines().any(|found| found == line), "no {line} in\n{metrics}");
        }
        registry.hold(SMALL, 1_300_000_001, 2);
        until(&gateway, |seen| seen["published"][0]["bytes"] == 1_300_000_001).await;
        let summary = gateway.stop().await;
        let progress = replay(&log).expect("the same decisions");
        assert_eq!((progress.steps, progress.gaps), (summary.steps, 0));
    });
}

#[test]
fn without_leave_to_act_everything_is_proposed_and_nothing_done() {
    run(async {
        let hosts = [host(&[SMALL]).await, host(&[SMALL]).await];
        let gateway = gateway(&hosts, "", "", &format!("manage = [\"{SMALL}\"]\nreplicas_min = 2")).await;
        let seen =
            until(&gateway, |seen| seen["proposed"].as_array().is_some_and(|all| all.len() == 2)).await;
        assert_eq!(seen["act"], false);
        for (proposed, host) in seen["proposed"].as_array().expect("a list").iter().zip(["host-1", "host-0"])
        {
            assert_eq!((&proposed["deed"], &proposed["host"]), (&json!("load"), &json!(host)));
        }
        plans_pass(&gateway, 2).await;
        let seen = placement(&gateway).await;
        assert_eq!(seen["proposed"].as_array().map(Vec::len), Some(2), "each once");
        assert_eq!((&seen["counts"], &seen["under_way"]), (&json!([]), &json!([])));
        for host in hosts {
            assert!(listed(host, "/api/ps").await.is_empty());
        }
        gateway.stop().await;
    });
}

#[test]
fn no_more_is_done_than_an_hour_allows() {
    run(async {
        let hosts = [host(&[SMALL]).await, host(&[SMALL]).await];
        let plan = format!("act = true\nmanage = [\"{SMALL}\"]\nreplicas_min = 2\nchanges_per_hour_max = 1");
        let gateway = gateway(&hosts, "", "", &plan).await;
        until(&gateway, |seen| loaded(seen) == 1).await;
        plans_pass(&gateway, 2).await;
        let seen = placement(&gateway).await;
        assert_eq!((count(&seen, "load", "asked"), loaded(&seen)), (1, 1), "{seen}");
        gateway.stop().await;
    });
}

#[test]
fn room_is_made_on_a_full_disk_but_never_by_a_last_copy() {
    run(async {
        let registry = Registry::start().await;
        registry.hold(LARGE, 2_000_000_000, 1);
        let (model, address) = (registry.name(LARGE), registry.address);
        let serve = format!("insecure_registries = [\"{address}\"]");
        let plan = format!(
            "act = true\nmanage = [\"{model}\", \"{SMALL}\"]\nallow_pull = true\nallow_delete = true\n\
             pull_from = [\"{address}\"]\n[control.placement.models.\"{model}\"]\npin = [\"host-0\"]\nreplicas_max = 1"
        );
        let hosts = [host(&[SMALL]).await, host(&[SMALL]).await];
        let gateway = self::gateway(&hosts, &serve, "disk_gib = 3", &plan).await;
        let seen = until(&gateway, |seen| loaded(seen) == 1).await;
        assert_eq!((count(&seen, "delete", "done"), count(&seen, "pull", "done")), (1, 1), "{seen}");
        assert_eq!(listed(hosts[0], "/api/tags").await, std::slice::from_ref(&model));
        assert_eq!(listed(hosts[1], "/api/tags").await, [SMALL]);
        gateway.stop().await;

        let last = [host(&[SMALL]).await, host(&["gemma3:4b"]).await];
        let gateway = self::gateway(&last, &serve, "disk_gib = 3", &plan).await;
        until(&gateway, |seen| seen["plan"]["replicas"].as_array().is_some_and(|all| !all.is_empty())).await;
        plans_pass(&gateway, 2).await;
        assert_eq!(placement(&gateway).await["counts"], json!([]));
        assert_eq!(listed(last[0], "/api/tags").await, [SMALL]);
        gateway.stop().await;
    });
}

#[test]
fn a_place_where_an_action_failed_rests_and_says_why() {
    run(async {
        let failing = EmulatedOptions {
            models: vec![SMALL.into()],
            faults: vec!["error:path=/api/generate,status=500,text=boom".parse().expect("a fault")],
            ..EmulatedOptions::default()
        };
        let hosts = [emulated(&failing).await];
        let plan = format!("act = true\nmanage = [\"{SMALL}\"]\nreplicas_min = 1");
        let gateway = gateway(&hosts, "", "", &plan).await;
        let seen = until(&gateway, |seen| count(seen, "load", "failed") == 1).await;
        let resting = &seen["resting"][0];
        assert_eq!((&resting["last"], &resting["failures"]), (&json!("server_error"), &json!(1)));
        gateway.stop().await;
    });
}
