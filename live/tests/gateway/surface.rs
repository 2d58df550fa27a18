//! The paths of the API, through the gateway, with two emulated hosts behind it.

use hyper::Method;
use serde_json::{Value, json};

use crate::client::{Client, Running, emulated_with, gateway, read, run};
use crate::scripted::Host;

fn names(list: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(list).expect("JSON");
    let models = list["models"].as_array().expect("a list");
    models.iter().map(|model| model["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn lists_of_all_hosts_are_one() {
    run(async {
        let hosts = [emulated_with("llama3.2:3b").await, emulated_with("gemma3:4b").await];
        let gateway = gateway(&hosts, 1, "", "").await;
        assert_eq!(names(&gateway.client.get("/api/tags").await.body), ["gemma3:4b", "llama3.2:3b"]);
        assert_eq!(gateway.client.get("/api/version").await.body, "{\"version\":\"0.24.0\"}");
        let answer = gateway.client.post("/api/generate", json!({"model": "gemma3:4b", "prompt": "x"})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        // The next polls tell of the loaded model.
        while names(&gateway.client.get("/api/ps").await.body) != ["gemma3:4b"] {}
        gateway.stop().await;
    });
}

#[test]
fn only_known_paths_and_methods_are_served() {
    run(async {
        let gateway = gateway(&[Host::start().await.address], 1, "", "").await;
        let client = &gateway.client;
        let ask = async |method: Method, path: &str| {
            let answer = read(client.send(method, path, "").await).await;
            (answer.status, answer.body)
        };
        assert_eq!(ask(Method::GET, "/").await, (200, "Ollama is running".into()));
        for path in
            ["/api/me", "/api/chat/", "/api/x/%2e%2e/pull", "/api/%63hat", "//api/chat", "/v1/models/"]
        {
            assert_eq!(ask(Method::POST, path).await, (404, "404 page not found".into()), "{path}");
        }
        assert_eq!(ask(Method::GET, "/api/chat").await.0, 405);
        assert_eq!(ask(Method::POST, "/v1/models").await.0, 405);
        let off = "{\"error\":\"management calls are off: the gateway's config has no enabled = true in [serve.manage]\"}";
        let off = (403, off.to_owned());
        for path in ["/api/pull", "/api/push", "/api/create", "/api/copy"] {
            assert_eq!(ask(Method::POST, path).await, off, "{path}");
        }
        assert_eq!(ask(Method::DELETE, "/api/delete").await, off);
        let blob = format!("/api/blobs/sha256:{}", "0".repeat(64));
        assert_eq!(ask(Method::POST, &blob).await, off);
        for path in ["/api/ps", "/v1/models", "/v1/models/m"] {
            let head = client.send(Method::HEAD, path, "").await;
            assert_eq!(
                (head.status().as_u16(), head.headers()["allow"].as_bytes()),
                (405, &b"GET"[..]),
                "{path}"
            );
        }
        for path in ["/", "/api/version", "/api/tags"] {
            let head = client.send(Method::HEAD, path, "").await;
            assert_eq!(head.status(), 200, "{path}");
            assert_ne!(head.headers()["content-length"], "0", "{path}: of what GET gives");
        }
        gateway.stop().await;
    });
}

#[test]
fn bad_requests_never_reach_control() {
    run(async {
        let gateway = gateway(&[Host::start().await.address], 1, "body_bytes_max = 1_000", "").await;
        for (body, status, error) in [
            ("", 400, "missing request body"),
            ("{\"model\":\"a b\"}", 400, "invalid model name"),
            (
                "{\"model\":\"a\",\"options\":{\"num_ctx\":\"4\"}}",
                500,
                "option \"num_ctx\" must be of type integer",
            ),
            ("{\"model\":\"a\",\"keep_alive\":\"abc\"}", 400, "time: invalid duration \"abc\""),
            (
                &format!("{{\"model\":\"{}\"}}", "x".repeat(1_000)),
                413,
                "request body too large: at most 1000 bytes",
            ),
        ] {
            let answer =
                read(gateway.client.send(Method::POST, "/api/generate", body.to_owned()).await).await;
            assert_eq!((answer.status, answer.error().as_str()), (status, error), "{body}");
        }
        assert_eq!(gateway.stop().await.counters.arrived, 0);
    });
}

#[test]
fn an_unknown_model_is_404_in_ollamas_words() {
    run(async {
        let gateway = gateway(&[Host::start().await.address], 1, "", "").await;
        let answer = gateway.client.post("/api/generate", json!({ "model": "nope", "prompt": "x" })).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, "{\"error\":\"model 'nope' not found\"}"));
        assert_eq!(gateway.stop().await.counters.rejected, 1);
    });
}

#[test]
fn requests_beyond_the_limit_are_turned_away_at_once() {
    run(async {
        let mut host = Host::start().await;
        let gateway: Running = gateway(&[host.address], 1, "requests_max = 1", "").await;
        let ask = |client: Client| async move {
            client.post("/api/generate", json!({"model": "m", "prompt": "x"})).await
        };
        let running = tokio::spawn(ask(gateway.client.clone()));
        let call = host.call().await;
        let answer = ask(gateway.client.clone()).await;
        assert_eq!((answer.status, answer.retry_after), (503, true));
        call.refuse(400, "{\"error\":\"no\"}").await;
        assert_eq!(running.await.expect("no panic").status, 400);
        gateway.stop().await;
    });
}

#[test]
fn running_answers_are_finished_before_the_gateway_ends() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let client = gateway.client.clone();
        let asked =
            tokio::spawn(
                async move { client.post("/api/generate", json!({"model": "m", "prompt": "x"})).await },
            );
        let mut answering = host.call().await.begin(200);
        answering.say("{\"done\":false}\n").await;
        let address = gateway.client.clone();
        let stopping = tokio::spawn(gateway.stop());
        answering.say(crate::scripted::DONE).await;
        drop(answering);
        assert_eq!(asked.await.expect("no panic").lines().len(), 2);
        let summary = stopping.await.expect("no panic");
        assert_eq!((summary.counters.finished, summary.connections_cut_off), (1, 0));
        drop(address);
    });
}
