//! Management calls, as operations on a fleet.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use live::EmulatedOptions;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, Client, Running, emulated, gateway, run};
use crate::scripted::Host;

/// Management calls are on.
const ON: &str = "[serve.manage]\nenabled = true";
const SUCCESS: &str = "{\"status\":\"success\"}";

async fn host(change: impl FnOnce(&mut EmulatedOptions)) -> SocketAddr {
    let mut options = EmulatedOptions {
        models: vec!["llama3.2:1b".into()],
        speed: 1_000,
        pull_mib_per_second: 1 << 20,
        ..EmulatedOptions::default()
    };
    change(&mut options);
    emulated(&options).await
}

async fn hosts(number: usize) -> Vec<SocketAddr> {
    let mut hosts = Vec::new();
    for _ in 0..number {
        hosts.push(host(|_| {}).await);
    }
    hosts
}

/// Whether a host has a model, by its own word.
async fn has(host: SocketAddr, model: &str) -> bool {
    let tags = Client::new(host).get("/api/tags").await.json();
    tags["models"].as_array().expect("a list").iter().any(|listed| listed["name"] == model)
}

fn digest_of(content: &[u8]) -> String {
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

async fn delete(gateway: &Running, headers: &[(&'static str, &str)], model: &str) -> Answer {
    gateway.client.ask(Method::DELETE, "/api/delete", headers, json!({ "model": model }).to_string()).await
}

#[test]
fn only_admin_keys_manage_models_and_without_keys_only_this_machine() {
    run(async {
        let hosts = hosts(1).await;
        let mut config = ON.to_owned();
        for (name, admin) in [("chief", true), ("guest", false)] {
            let hash = live::keys::KeyHash::of(&format!("hk_{name}"));
            config += &format!(
                "\n[[serve.keys]]\nname = \"{name}\"\nhash = \"{hash}\"\nadmin = {admin}\nmodels = [\"llama*\"]\n"
            );
        }
        let keyed = gateway(&hosts, 1, &config, "").await;
        let pull = async |key: &str, model: &str| {
            let body = json!({ "model": model, "stream": false }).to_string();
            keyed.client.ask(Method::POST, "/api/pull", &[("authorization", key)], body).await
        };
        let guest = pull("Bearer hk_guest", "llama3.2:3b").await;
        assert_eq!(guest.status, 403);
        assert!(guest.error().contains("no admin = true"), "{}", guest.body);
        assert_eq!(pull("Bearer hk_nobody", "llama3.2:3b").await.status, 401);
        assert_eq!(pull("Bearer hk_chief", "gemma3:4b").await.status, 403, "not among its models");
        assert!(!has(hosts[0], "llama3.2:3b").await && !has(hosts[0], "gemma3:4b").await);
        let chief = pull("Bearer hk_chief", "llama3.2:3b").await;
        assert_eq!((chief.status, chief.body.as_str()), (200, SUCCESS));
        keyed.stop().await;

        let open = gateway(&hosts, 1, &format!("open_to_network = true\n{ON}"), "").await;
        let answer = open.client.post("/api/pull", json!({ "model": "gemma3:4b" })).await;
        assert_eq!(answer.status, 403);
        assert!(answer.error().contains("[[serve.keys]]"), "{}", answer.body);
        open.stop().await;
    });
}

#[test]
fn hosts_are_sent_to_listed_registries_only_and_nothing_unknown_goes_on() {
    run(async {
        let mut host = Host::start().await;
        let config = format!(
            "{ON}\nregistries = [\"registry.ollama.ai\", \"Mirror.example:5000\", \"hf.co\"]\n\
             insecure_registries = [\"mirror.example:5000\"]"
        );
        let gateway = gateway(&[host.address], 1, &config, "").await;
        let client = gateway.client.clone();
        for path in ["/api/pull", "/api/push"] {
            for (model, insecure, why) in [
                ("evil.example/x/a", false, "registry 'evil.example' is not in"),
                ("http://evil.example/x/a", false, "registry 'evil.example' is not in"),
                ("registry.ollama.ai.evil.example/x/a", false, "is not in"),
                ("registry.ollama.ai:443/x/a", false, "is not in"),
                ("127.0.0.1:5000/x/a", false, "is not in"),
                ("169.254.169.254/x/a", false, "is not in"),
                ("2130706433/x/a", false, "is not in"),
                ("mirror.example/x/a", false, "is not in"),
                ("hf.co/x/a", true, "insecure: registry 'hf.co' is not in"),
                ("a", true, "insecure: registry 'registry.ollama.ai' is not in"),
                ("a:120b-cloud", false, "forwards prompts to a cloud service"),
            ] {
                let answer = client.post(path, json!({ "model": model, "insecure": insecure })).await;
                assert_eq!(answer.status, 403, "{model}: {}", answer.body);
                assert!(answer.error().contains(why), "{model}: {}", answer.body);
            }
            for model in ["[::1]/x/a", "../../a", "evil.example/../a", "a/b/c/d"] {
                let answer = client.post(path, json!({ "model": model })).await;
                assert_eq!((answer.status, answer.error().as_str()), (400, "invalid model name"), "{model}");
            }
        }
        let from = client.post("/api/create", json!({ "model": "a", "from": "evil.example/x/a" })).await;
        assert_eq!(from.status, 403, "{}", from.body);

        // The first call that reaches the host is the first that is allowed.
        let headers = [("cookie", "secret=1"), ("authorization", "Bearer secret"), ("x-custom", "1")];
        let body = json!({
            "model": "MIRROR.example:5000/x/a", "insecure": true, "username": "u", "password": "secret",
            "stream": false, "options": {}, "remote_host": "http://evil.example",
        });
        let pulling =
            tokio::spawn(
                async move { client.ask(Method::POST, "/api/pull", &headers, body.to_string()).await },
            );
        let call = host.call().await;
        assert_eq!(call.path, "/api/pull");
        let sent: Value = serde_json::from_slice(&call.body).expect("JSON");
        let want = json!({ "model": "MIRROR.example:5000/x/a:latest", "insecure": true, "stream": true });
        assert_eq!(sent, want);
        assert!(["cookie", "authorization", "x-custom"].iter().all(|name| !call.headers.contains_key(*name)));
        call.give(&format!("{SUCCESS}\n")).await;
        assert_eq!(pulling.await.expect("no panic").body, SUCCESS);
        gateway.stop().await;
    });
}

#[test]
fn a_pull_goes_to_all_hosts_and_its_figures_are_sums() {
    run(async {
        let hosts = hosts(3).await;
        let gateway = gateway(&hosts, 1, ON, "").await;
        let lines = gateway.client.post("/api/pull", json!({ "model": "llama3.2:3b" })).await.lines();
        for host in &hosts {
            assert!(has(*host, "llama3.2:3b").await);
        }
        assert_eq!(lines.last(), Some(&json!({ "status": "success" })));
        let ends = lines.iter().filter(|line| line["status"] == "success").count();
        assert_eq!(ends, 1, "clients take the first for the end");
        let mut bars = std::collections::BTreeMap::new();
        for line in lines.iter().filter(|line| line.get("digest").is_some()) {
            let (total, completed) = (line["total"].as_u64().expect("a total"), line["completed"].as_u64());
            let bar = bars.entry(line["digest"].to_string()).or_insert((total, 0));
            assert_eq!(bar.0, total, "a bar's length stays");
            bar.1 = completed.unwrap_or_default();
        }
        assert_eq!(bars.len(), 2, "weights and configuration");
        assert!(bars.values().all(|(total, completed)| total == completed), "{bars:?}");
        gateway.stop().await;
    });
}

#[test]
fn a_header_chooses_hosts_and_one_that_fails_is_named() {
    run(async {
        let failing = host(|options| {
            options.faults =
                vec!["error:path=/api/pull,status=500,text=no space left".parse().expect("a fault")];
        });
        let hosts = [host(|_| {}).await, failing.await, host(|_| {}).await];
        let gateway = gateway(&hosts, 1, ON, "").await;
        let pull = async |chosen: &str, stream: bool| {
            let body = json!({ "model": "llama3.2:3b", "stream": stream }).to_string();
            gateway.client.ask(Method::POST, "/api/pull", &[("x-herder-hosts", chosen)], body).await
        };
        let unknown = pull("host-0,nobody", true).await;
        assert_eq!(
            (unknown.status, unknown.error().as_str()),
            (400, "x-herder-hosts: no host is called 'nobody'")
        );
        let why = "1 of 2 hosts failed: host-1: no space left";
        let lines = pull("host-2, host-1", true).await.lines();
        assert_eq!(lines.last(), Some(&json!({ "error": why })));
        let told =
            |line: &Value| line["host"] == "host-1" && line["status"] == "host-1: failed: no space left";
        assert!(lines.iter().any(told), "{lines:?}");
        assert!(!has(hosts[0], "llama3.2:3b").await && has(hosts[2], "llama3.2:3b").await);
        let whole = pull("host-2,host-1", false).await;
        assert_eq!((whole.status, whole.error().as_str()), (502, why));
        gateway.stop().await;
    });
}

#[test]
fn hosts_pull_as_many_at_a_time_as_the_config_says() {
    run(async {
        let mut hosts = [Host::start().await, Host::start().await];
        let addresses = hosts.each_ref().map(|host| host.address);
        let gateway = gateway(&addresses, 1, &format!("{ON}\npulls_at_once = 1"), "").await;
        let client = gateway.client.clone();
        let pulling = tokio::spawn(async move { client.post("/api/pull", json!({ "model": "a" })).await });
        let first = hosts[0].call().await;
        let early = tokio::time::timeout(Duration::from_millis(50), hosts[1].call()).await;
        assert!(early.is_err(), "the second host is asked when the first has ended");
        first.refuse(500, "{\"error\":\"no\"}").await;
        hosts[1].call().await.give(&format!("{SUCCESS}\n")).await;
        let lines = pulling.await.expect("no panic").lines();
        assert_eq!(lines.last(), Some(&json!({ "error": "1 of 2 hosts failed: host-0: no" })));
        gateway.stop().await;
    });
}

#[test]
fn what_a_client_that_leaves_began_is_cancelled_on_hosts() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, ON, "").await;
        for stream in [true, false] {
            let body = json!({ "model": "a", "stream": stream }).to_string();
            let head = format!(
                "POST /api/pull HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let mut client = TcpStream::connect(gateway.client.address()).await.expect("a connection");
            client.write_all((head + &body).as_bytes()).await.expect("sent");
            let mut answering = host.call().await.begin(200);
            answering.say("{\"status\":\"pulling manifest\"}\n").await;
            drop(client);
            answering.abandoned().await;
        }
        gateway.stop().await;
    });
}

#[test]
fn an_answer_that_breaks_off_is_no_success() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, ON, "").await;
        for said in ["{\"status\":\"pulling manifest\"}\n", "<html>\n", ""] {
            let client = gateway.client.clone();
            let pulling =
                tokio::spawn(async move { client.post("/api/pull", json!({ "model": "a" })).await });
            host.call().await.give(said).await;
            let lines = pulling.await.expect("no panic").lines();
            let last = lines.last().expect("a line");
            assert!(
                last["error"].as_str().is_some_and(|why| why.starts_with("1 of 1 hosts failed")),
                "{last}"
            );
        }
        gateway.stop().await;
    });
}

#[test]
fn a_model_is_deleted_everywhere_but_never_its_last_copy_unasked() {
    run(async {
        let hosts = hosts(2).await;
        let gateway = gateway(&hosts, 1, ON, "").await;
        let model = "llama3.2:1b";
        let all = delete(&gateway, &[], model).await;
        assert_eq!(all.status, 409);
        assert!(all.error().contains("x-herder-last-copy: delete"), "{}", all.body);
        assert!(has(hosts[0], model).await && has(hosts[1], model).await);
        let one = delete(&gateway, &[("x-herder-hosts", "host-0")], model).await;
        assert_eq!((one.status, one.body.as_str()), (200, ""));
        // At once: what the polls said of host-0 no longer holds.
        assert_eq!(delete(&gateway, &[("x-herder-hosts", "host-1")], model).await.status, 409);
        assert!(!has(hosts[0], model).await && has(hosts[1], model).await);
        assert_eq!(delete(&gateway, &[("x-herder-last-copy", "yes")], model).await.status, 400);
        assert_eq!(delete(&gateway, &[("x-herder-last-copy", "delete")], model).await.status, 200);
        assert!(!has(hosts[1], model).await);
        let gone = delete(&gateway, &[], model).await;
        assert_eq!((gone.status, gone.error().as_str()), (404, "model 'llama3.2:1b' not found"));
        gateway.stop().await;
    });
}

#[test]
fn deletes_at_the_same_time_leave_a_copy() {
    run(async {
        let hosts = hosts(2).await;
        let gateway = gateway(&hosts, 1, ON, "").await;
        let (first, second) = tokio::join!(
            delete(&gateway, &[("x-herder-hosts", "host-0")], "llama3.2:1b"),
            delete(&gateway, &[("x-herder-hosts", "host-1")], "llama3.2:1b")
        );
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        assert_ne!(has(hosts[0], "llama3.2:1b").await, has(hosts[1], "llama3.2:1b").await);
        gateway.stop().await;
    });
}

#[test]
fn a_copy_is_made_where_the_source_is_and_a_push_comes_from_one_host() {
    run(async {
        let other = host(|options| options.models = vec!["gemma3:4b".into()]).await;
        let hosts = [other, host(|_| {}).await, host(|_| {}).await];
        let gateway = gateway(&hosts, 1, ON, "").await;
        let copy = json!({ "source": "library/llama3.2:1b", "destination": "me/mine" });
        let copied = gateway.client.post("/api/copy", copy.clone()).await;
        assert_eq!((copied.status, copied.body.as_str()), (200, ""));
        assert!(!has(hosts[0], "me/mine:latest").await);
        assert!(has(hosts[1], "me/mine:latest").await && has(hosts[2], "me/mine:latest").await);
        let lacking = gateway
            .client
            .ask(Method::POST, "/api/copy", &[("x-herder-hosts", "host-0,host-1")], copy.to_string())
            .await;
        assert_eq!(lacking.status, 404, "{}", lacking.body);
        let missing = gateway.client.post("/api/copy", json!({ "source": "no", "destination": "x" })).await;
        assert_eq!((missing.status, missing.error().as_str()), (404, "model 'no' not found"));

        let pushed = gateway.client.post("/api/push", json!({ "model": "me/mine" })).await.lines();
        assert_eq!(pushed.last(), Some(&json!({ "status": "success" })));
        let from = |line: &Value| line.get("host").is_none_or(|host| host == "host-1");
        assert!(pushed.iter().all(from), "{pushed:?}");
        gateway.stop().await;
    });
}

#[test]
fn a_blob_goes_to_all_hosts_and_a_model_is_made_from_it_where_all_have_it() {
    run(async {
        let hosts = hosts(3).await;
        let gateway = gateway(&hosts, 1, ON, "").await;
        let content = Bytes::from(vec![7; 3 << 20]);
        let (digest, path) = (digest_of(&content), format!("/api/blobs/{}", digest_of(&content)));
        let ask = async |method: Method, chosen: &str, body: Bytes| {
            gateway.client.ask(method, &path, &[("x-herder-hosts", chosen)], body).await
        };
        assert_eq!(ask(Method::POST, "host-1", content.clone()).await.status, 201);
        assert_eq!(ask(Method::HEAD, "host-1", Bytes::new()).await.status, 200);
        let everywhere = gateway.client.send(Method::HEAD, &path, "").await;
        assert_eq!(everywhere.status(), 404, "not on all");
        let create = json!({ "model": "mine", "files": { "m.gguf": digest }, "system": "be brief" });
        let early = gateway.client.post("/api/create", create.clone()).await;
        assert_eq!(early.status, 404);
        assert!(early.error().contains("not found on host 'host-0'"), "{}", early.body);

        assert_eq!(gateway.client.send(Method::POST, &path, content).await.status(), 201);
        assert_eq!(gateway.client.send(Method::HEAD, &path, "").await.status(), 200);
        for host in &hosts {
            assert_eq!(Client::new(*host).send(Method::HEAD, &path, "").await.status(), 200);
        }
        // Nothing of a body is read then: one that is large may meet a closed connection, as with Ollama.
        assert_eq!(gateway.client.send(Method::POST, &path, "").await.status(), 200, "all have it");
        let lines = gateway.client.post("/api/create", create).await.lines();
        assert_eq!(lines.last(), Some(&json!({ "status": "success" })), "{lines:?}");
        for host in hosts {
            assert!(has(host, "mine:latest").await);
        }
        let from = gateway.client.post("/api/create", json!({ "model": "x", "from": "gemma3:4b" })).await;
        assert_eq!(from.status, 404, "hosts are not to pull it: {}", from.body);
        gateway.stop().await;
    });
}

#[test]
fn a_blob_of_another_digest_or_half_a_blob_is_kept_by_no_host() {
    run(async {
        let hosts = hosts(2).await;
        let gateway = gateway(&hosts, 1, ON, "").await;
        let path = format!("/api/blobs/{}", digest_of(b"whole"));
        let wrong = gateway.client.ask(Method::POST, &path, &[], "other").await;
        assert_eq!(wrong.status, 400);
        assert!(wrong.error().contains("2 of 2 hosts failed: host-0: digest mismatch"), "{}", wrong.body);

        // All bytes come, but not their end.
        let mut client = TcpStream::connect(gateway.client.address()).await.expect("a connection");
        let sent = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n"
        );
        client.write_all(sent.as_bytes()).await.expect("sent");
        client.shutdown().await.expect("shut");
        // An answer, or none: the upload is over.
        let _ = client.read_to_end(&mut Vec::new()).await;
        for host in hosts {
            assert_eq!(Client::new(host).send(Method::HEAD, &path, "").await.status(), 404);
        }
        gateway.stop().await;
    });
}

#[test]
fn tricks_with_a_digest_lead_nowhere() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, ON, "").await;
        let digest = digest_of(b"x");
        for path in [
            "/api/blobs/sha256:../../../../etc/passwd".to_owned(),
            "/api/blobs/..%2f..%2fetc%2fpasswd".to_owned(),
            format!("/api/blobs/{digest}/.."),
            format!("/api/blobs/../blobs/{digest}"),
            format!("/api/blobs/{}", digest.replace(':', "-")),
            format!("/api/blobs/{digest}%00"),
        ] {
            for method in [Method::HEAD, Method::POST] {
                let answer = gateway.client.send(method, &path, "x").await;
                assert_eq!(answer.status(), 404, "{path}");
            }
        }
        let (client, path) = (gateway.client.clone(), format!("/api/blobs/{digest}?x=1"));
        let asking = tokio::spawn(async move { client.send(Method::HEAD, &path, "").await.status() });
        let call = host.call().await;
        assert_eq!(call.path, format!("/api/blobs/{digest}"), "the first that reaches the host");
        drop(call.begin(200));
        assert_eq!(asking.await.expect("no panic"), 200);
        gateway.stop().await;
    });
}
