//! The calls of each dialect: what reaches the host, what the client reads of an error, what is counted.

use control::door::Input;
use control::log::Record;
use control::request::{Arrive, Kind, Usage};
use hyper::Method;
use serde_json::{Value, json};
use traces::log::LogReader;

use crate::client::{Answer, Running, gateway, run};
use crate::scripted::{DONE, Host, MODEL};

/// A call of each route, for the model `m`.
fn calls() -> [(&'static str, Value); 9] {
    let messages = json!([{ "role": "user", "content": "hello" }]);
    [
        ("/api/chat", json!({ "model": "m", "messages": messages, "stream": false })),
        ("/api/generate", json!({ "model": "m", "prompt": "hello", "stream": false })),
        ("/api/embed", json!({ "model": "m", "input": "hello" })),
        ("/api/embeddings", json!({ "model": "m", "prompt": "hello" })),
        ("/v1/chat/completions", json!({ "model": "m", "messages": messages })),
        ("/v1/completions", json!({ "model": "m", "prompt": "hello" })),
        ("/v1/embeddings", json!({ "model": "m", "input": ["hello"] })),
        ("/v1/responses", json!({ "model": "m", "input": "hello" })),
        ("/v1/messages", json!({ "model": "m", "max_tokens": 9, "messages": messages })),
    ]
}

/// The message of an error, in the shape that clients of the path parse.
fn told(path: &str, answer: &Answer) -> (String, Option<String>) {
    let body = answer.json();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    if path.starts_with("/api") {
        return (text(&body["error"]), None);
    }
    if path == "/v1/messages" {
        assert_eq!(body["type"], "error", "{body}");
    } else {
        assert_eq!((&body["error"]["param"], &body["error"]["code"]), (&Value::Null, &Value::Null));
    }
    (text(&body["error"]["message"]), Some(text(&body["error"]["type"])))
}

#[test]
fn each_call_reaches_its_own_path_of_a_host_and_names_request_and_host() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        for (index, (path, body)) in calls().into_iter().enumerate() {
            let (client, asked) = (gateway.client.clone(), body.clone());
            let asked = tokio::spawn(async move { client.post(path, asked).await });
            let call = host.call().await;
            assert_eq!((call.path.as_str(), &call.body[..]), (path, body.to_string().as_bytes()));
            let said = "{\"what\":\"the host says\",\"done\":true}";
            call.give(said).await;
            let answer = asked.await.expect("no panic");
            assert_eq!((answer.status, answer.body.as_str()), (200, said), "{path}");
            assert_eq!(answer.headers["content-length"], said.len().to_string(), "{path}");
            assert_eq!(answer.headers["x-herder-request"], index.to_string(), "{path}");
            assert_eq!(answer.headers["x-herder-host"], "host-0", "{path}");
        }
        let counters = gateway.stop().await.counters;
        assert_eq!((counters.arrived, counters.finished), (9, 9));
    });
}

#[test]
fn an_unknown_model_is_told_in_each_dialects_words() {
    run(async {
        let gateway = gateway(&[Host::start().await.address], 1, "", "").await;
        for (path, mut body) in calls() {
            body["model"] = "nope".into();
            let answer = gateway.client.post(path, body).await;
            let said = match path {
                "/api/embed" | "/api/embeddings" | "/v1/embeddings" => {
                    "model \"nope\" not found, try pulling it first"
                }
                _ => "model 'nope' not found",
            };
            let kind = (!path.starts_with("/api")).then(|| "not_found_error".into());
            assert_eq!((answer.status, told(path, &answer)), (404, (said.into(), kind)), "{path}");
            assert!(answer.headers.contains_key("x-herder-request"), "control has heard of it: {path}");
        }
        assert_eq!(gateway.stop().await.counters.rejected, 9);
    });
}

#[test]
fn bad_bodies_are_told_in_each_dialects_words_and_never_reach_control() {
    run(async {
        let gateway = gateway(&[Host::start().await.address], 1, "body_bytes_max = 200", "").await;
        for (path, _) in calls() {
            let kind = |kind: &str| (!path.starts_with("/api")).then(|| kind.to_owned());
            let twice = "{\"model\":\"m\",\"Model\":\"n\"}".to_owned();
            let long = format!("{{\"model\":\"m\",\"prompt\":\"{}\"}}", "x".repeat(200));
            let nameless = match path {
                "/api/generate" | "/api/embed" | "/v1/completions" | "/v1/embeddings" => {
                    (404, "model '' not found")
                }
                _ => (400, "model is required"),
            };
            for (body, status, said) in [
                (String::new(), 400, "missing request body"),
                ("{\"model\":\"a b\"}".into(), 400, "invalid model name"),
                ("{}".into(), nameless.0, nameless.1),
                (twice, 400, "invalid request body: key \"model\" is given twice at line 1 column 20"),
                (long, 413, "request body too large: at most 200 bytes"),
            ] {
                let response = gateway.client.send(Method::POST, path, body.clone()).await;
                let answer = crate::client::read(response).await;
                let wanted = match (status, path) {
                    (400, _) => "invalid_request_error",
                    (404, _) => "not_found_error",
                    (_, "/v1/messages") => "request_too_large",
                    _ => "api_error",
                };
                assert_eq!(
                    (answer.status, told(path, &answer)),
                    (status, (said.into(), kind(wanted))),
                    "{path} {body}"
                );
                assert!(!answer.headers.contains_key("x-herder-request"));
            }
        }
        assert_eq!(gateway.stop().await.counters.arrived, 0);
    });
}

#[test]
fn a_busy_fleet_is_503_with_retry_after_in_each_dialect() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "requests_max = 1", "").await;
        let client = gateway.client.clone();
        let (path, body) = calls()[0].clone();
        let running = tokio::spawn(async move { client.post(path, body).await });
        let call = host.call().await;
        for (path, body) in calls() {
            let answer = gateway.client.post(path, body).await;
            let kind = match path {
                "/v1/messages" => Some("overloaded_error".into()),
                _ => (!path.starts_with("/api")).then(|| "api_error".into()),
            };
            assert_eq!((answer.status, answer.retry_after), (503, true), "{path}");
            assert_eq!(told(path, &answer), (live::wire::BUSY.into(), kind), "{path}");
        }
        call.give("{\"done\":true}").await;
        assert_eq!(running.await.expect("no panic").status, 200);
        gateway.stop().await;
    });
}

#[test]
fn a_hosts_own_error_is_passed_on_as_it_is() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "response_headers = false", "").await;
        let client = gateway.client.clone();
        let (path, body) = calls()[4].clone();
        let asked = tokio::spawn(async move { client.post(path, body).await });
        let words =
            "{\"error\":{\"message\":\"[] is too short - 'messages'\",\"type\":\"invalid_request_error\"}}";
        let mut answering = host.call().await.begin_as(400, "application/json", None);
        answering.say(words).await;
        drop(answering);
        let answer = asked.await.expect("no panic");
        assert_eq!((answer.status, answer.body.as_str()), (400, words));
        assert_eq!(answer.headers["content-type"], "application/json");
        assert!(!answer.headers.contains_key("x-herder-request"), "not where it is switched off");
        gateway.stop().await;
    });
}

#[test]
fn texts_that_are_no_unicode_are_taken_as_hosts_take_them_and_passed_on_as_they_are() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        for text in [&b"half of a pair: \\ud83d"[..], b"no UTF-8: \xff"] {
            let body = [&b"{\"model\":\"m\",\"prompt\":\""[..], text, b"\"}"].concat();
            let (client, sent) = (gateway.client.clone(), body.clone());
            let asked = tokio::spawn(async move { client.send(Method::POST, "/v1/completions", sent).await });
            let call = host.call().await;
            assert_eq!(call.body, body);
            call.give("{}").await;
            let answer = crate::client::read(asked.await.expect("no panic")).await;
            assert_eq!(
                (answer.status, &answer.headers["x-herder-host"]),
                (200, &"host-0".parse().expect("a value"))
            );
        }
        gateway.stop().await;
    });
}

#[test]
fn a_redirect_is_not_followed_and_not_passed_on() {
    run(async {
        let mut host = Host::start().await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let client = gateway.client.clone();
        let (path, body) = calls()[8].clone();
        let asked = tokio::spawn(async move { client.post(path, body).await });
        // Its body is not even read.
        drop(host.call().await.begin_as(307, "text/plain", None));
        let answer = asked.await.expect("no panic");
        assert_eq!(answer.headers["x-herder-host"], "host-0", "whose error it is");
        let said = ("the host answered with status 307".into(), Some("api_error".into()));
        assert_eq!((answer.status, told("/v1/messages", &answer)), (502, said));
        gateway.stop().await;
    });
}

/// What control was told of one call, and of its end.
async fn logged(path: &'static str, body: Value, said: &str) -> (Arrive, Usage) {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("decisions");
    let mut host = Host::start().await;
    let gateway: Running = gateway(&[host.address], 1, &format!("log_dir = {log:?}"), "").await;
    let client = gateway.client.clone();
    let asked = tokio::spawn(async move { client.post(path, body).await });
    host.call().await.give(said).await;
    assert_eq!(asked.await.expect("no panic").status, 200);
    gateway.stop().await;
    let (mut arrived, mut finished) = (None, None);
    for raw in LogReader::open(&log).expect("a log") {
        let raw = raw.expect("a whole record");
        if let Record::Step { input, .. } = Record::decode(&raw.payload).expect("a record") {
            match input.into_owned() {
                Input::Arrive(arrive) => arrived = Some(arrive),
                Input::Finished { usage, .. } => finished = Some(usage),
                _ => {}
            }
        }
    }
    (arrived.expect("it arrived"), finished.expect("it finished"))
}

#[test]
fn control_learns_kind_session_caps_and_figures_from_every_dialect() {
    run(async {
        let embedded = "{\"model\":\"m\",\"embeddings\":[[0.5]],\"load_duration\":7,\"prompt_eval_count\":4}";
        let (arrive, usage) =
            logged("/api/embed", json!({ "model": "m", "input": ["ab", "c"] }), embedded).await;
        assert_eq!((arrive.kind, arrive.prompt_bytes.0, arrive.session), (Kind::Embedding, 3, None));
        assert_eq!((usage.prompt_tokens, usage.output_tokens, usage.load.0), (4, 0, 7));

        // A large body is read elsewhere than a small one.
        for picture_len in [9_000, 3 << 20] {
            let body = json!({
                "model": "m", "max_tokens": 20, "user": "u", "messages": [
                    { "role": "user", "content": [
                        { "type": "text", "text": "what is this?" },
                        { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{}", "A".repeat(picture_len)) } },
                    ] },
                ],
            });
            let said = "{\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}";
            let (arrive, usage) = logged("/v1/chat/completions", body, said).await;
            assert_eq!((arrive.kind, arrive.num_predict), (Kind::Completion, Some(20)));
            assert_eq!(arrive.prompt_bytes.0, 4 + 13, "the role and the text, not the picture");
            assert!(arrive.session.is_some() && arrive.prefix.len() == 1);
            assert_eq!((usage.prompt_tokens, usage.output_tokens), (5, 2));
        }

        let body = json!({ "model": "m", "max_tokens": 30, "metadata": { "user_id": "u" }, "system": "s".repeat(1_100),
            "messages": [{ "role": "user", "content": "x" }] });
        let said = "{\"type\":\"message\",\"stop_reason\":\"max_tokens\",\"usage\":{\"input_tokens\":5,\"output_tokens\":30}}";
        let (arrive, usage) = logged("/v1/messages", body, said).await;
        assert_eq!((arrive.num_predict, arrive.prefix.len()), (Some(30), 2));
        assert!(arrive.session.is_some());
        assert_eq!((usage.output_tokens, usage.done), (30, control::request::DoneReason::Length));
    });
}

#[test]
fn models_that_forward_to_a_cloud_are_refused_unless_allowed() {
    run(async {
        let tags = json!({ "models": [
            { "name": MODEL }, { "name": "far:latest", "remote_host": "https://ollama.com" }, { "name": "x:120b-cloud" },
        ] });
        let mut host = Host::start_holding(&tags.to_string()).await;
        let closed = gateway(&[host.address], 1, "", "").await;
        for model in ["m:cloud", "x:120b-cloud", "far", "me/x:Cloud"] {
            for (path, mut body) in calls() {
                body["model"] = model.into();
                let answer = closed.client.post(path, body).await;
                assert_eq!(answer.status, 403, "{path} {model}");
                assert!(
                    told(path, &answer).0.contains("forwards prompts to a cloud service"),
                    "{}",
                    answer.body
                );
            }
            let answer = closed.client.post("/api/show", json!({ "model": model })).await;
            assert_eq!(answer.status, 403, "{model}");
        }
        assert_eq!(closed.stop().await.counters.arrived, 0);

        let open = gateway(&[host.address], 1, "allow_cloud_models = true", "").await;
        let client = open.client.clone();
        let asked =
            tokio::spawn(async move { client.post("/api/generate", json!({ "model": "far" })).await });
        let mut answering = host.call().await.begin(200);
        answering.say(DONE).await;
        drop(answering);
        assert_eq!(asked.await.expect("no panic").status, 200);
        open.stop().await;
    });
}

#[test]
fn a_model_is_found_whatever_the_case_of_its_letters() {
    run(async {
        let mut host = Host::start_holding(r#"{"models":[{"name":"Qwen3:8B"}]}"#).await;
        let gateway = gateway(&[host.address], 1, "", "").await;
        let client = gateway.client.clone();
        let body = json!({ "model": "qwen3:8b", "prompt": "x", "stream": false });
        let sent = body.clone();
        let asked = tokio::spawn(async move { client.post("/api/generate", sent).await });
        let call = host.call().await;
        assert_eq!(call.body, body.to_string(), "as it was written");
        call.give("{\"done\":true}").await;
        assert_eq!(asked.await.expect("no panic").status, 200);
        gateway.stop().await;
    });
}

#[test]
fn models_of_all_hosts_are_listed_and_shown() {
    run(async {
        let first =
            Host::start_holding(r#"{"models":[{"name":"a:latest","modified_at":"2026-01-01T00:00:00Z"}]}"#)
                .await;
        let mut second = Host::start_holding(r#"{"models":[{"name":"me/b:q4"}]}"#).await;
        let gateway = gateway(&[first.address, second.address], 1, "", "").await;
        let client = &gateway.client;
        let listed = client.get("/v1/models").await.json();
        let ids: Vec<_> =
            listed["data"].as_array().expect("a list").iter().map(|model| &model["id"]).collect();
        assert_eq!(ids, ["a:latest", "me/b:q4"]);
        assert_eq!(
            client.get("/v1/models/a").await.json(),
            json!({ "id": "a", "object": "model", "created": 1_767_225_600, "owned_by": "library" })
        );
        assert_eq!(client.get("/v1/models/me/b:q4").await.json()["owned_by"], "me");
        let missing = client.get("/v1/models/c").await;
        let said = ("model 'c' not found".into(), Some("not_found_error".into()));
        assert_eq!((missing.status, told("/v1/models", &missing)), (404, said));

        let asking = client.clone();
        let asked = tokio::spawn(async move {
            asking.post("/api/show", json!({ "name": "me/b:q4", "verbose": true })).await
        });
        let call = second.call().await;
        assert_eq!(
            (call.path.as_str(), &call.body[..]),
            ("/api/show", &br#"{"name":"me/b:q4","verbose":true}"#[..])
        );
        call.give("{\"template\":\"x\"}").await;
        let answer = asked.await.expect("no panic");
        assert_eq!((answer.status, answer.body.as_str()), (200, "{\"template\":\"x\"}"));
        assert_eq!(answer.headers["x-herder-host"], "host-1");
        for (body, status, said) in [
            (json!({ "model": "c" }), 404, "model 'c' not found"),
            (json!({}), 400, "model is required"),
            (json!({ "model": "a b" }), 400, "invalid model name"),
        ] {
            let answer = client.post("/api/show", body).await;
            assert_eq!((answer.status, answer.error().as_str()), (status, said));
        }
        assert_eq!(gateway.stop().await.counters.arrived, 0, "none of it is control's business");
    });
}

#[test]
fn a_compressed_body_is_refused_and_not_passed_on() {
    run(async {
        let gateway = gateway(&[Host::start().await.address], 1, "", "").await;
        for (coding, status) in [("zstd", 415), ("gzip", 415), ("identity", 400)] {
            let headers = [("content-encoding", coding)];
            let answer = gateway.client.send_with(Method::POST, "/v1/responses", &headers).await;
            assert_eq!(answer.status, status, "{coding}: {}", answer.body);
        }
        assert_eq!(gateway.stop().await.counters.arrived, 0);
    });
}

#[test]
fn pages_of_other_sites_are_refused_and_allowed_ones_are_told_so() {
    run(async {
        let host = Host::start().await;
        let local = gateway(&[host.address], 1, "", "").await;
        let allowed = "access-control-allow-origin";
        let origin = |origin: &'static str| [("origin", origin)];
        let answer = local.client.send_with(Method::GET, "/api/tags", &origin("http://localhost:3000")).await;
        assert_eq!(
            (answer.status, &answer.headers[allowed]),
            (200, &"http://localhost:3000".parse().expect("a value"))
        );
        let answer = local.client.send_with(Method::OPTIONS, "/api/chat", &origin("app://x")).await;
        assert_eq!(answer.status, 204);
        let methods = answer.headers["access-control-allow-methods"].to_str().expect("text");
        assert!(methods.contains("POST"), "{methods}");
        let answer = local.client.send_with(Method::OPTIONS, "/api/chat", &[]).await;
        assert_eq!((answer.status, answer.headers["allow"].as_bytes()), (405, &b"POST"[..]), "no page asks");
        let answer = local.client.send_with(Method::GET, "/api/tags", &origin("https://evil.example")).await;
        assert_eq!((answer.status, answer.body.as_str()), (403, ""));
        let own = format!("http://{}", local.client.address());
        let answer = local.client.send_with(Method::GET, "/api/tags", &[("origin", &own)]).await;
        assert_eq!((answer.status, answer.headers.contains_key(allowed)), (200, false));
        let answer = local.client.send_with(Method::GET, "/api/tags", &[("host", "evil.example")]).await;
        assert_eq!((answer.status, answer.body.as_str()), (403, ""), "a name that was turned to point here");
        local.stop().await;

        let named = gateway(&[host.address], 1, "cors_origins = [\"https://*.example\"]", "").await;
        for (site, status) in [("https://chat.example", 200), ("http://localhost:3000", 403)] {
            assert_eq!(
                named.client.send_with(Method::GET, "/", &origin(site)).await.status,
                status,
                "{site}"
            );
        }
        named.stop().await;
    });
}
