//! The emulated host's own face.

use live::EmulatedOptions;
use serde_json::json;
use tokio::task::JoinSet;

use crate::client::{Client, emulated, run};

async fn host(change: impl FnOnce(&mut EmulatedOptions)) -> Client {
    let mut options =
        EmulatedOptions { models: vec!["llama3.2:3b".into()], speed: 1_000, ..EmulatedOptions::default() };
    change(&mut options);
    Client::new(emulated(&options).await)
}

#[test]
fn an_empty_prompt_loads_and_a_keep_alive_of_zero_unloads() {
    run(async {
        let client = host(|_| {}).await;
        let load = client.post("/api/generate", json!({ "model": "llama3.2:3b" })).await;
        assert_eq!((load.status, &load.lines()[0]["done_reason"]), (200, &json!("load")));
        assert!(client.get("/api/ps").await.body.contains("llama3.2:3b"));
        let unload = client
            .post("/api/chat", json!({ "model": "llama3.2:3b", "messages": [], "keep_alive": 0 }))
            .await;
        assert_eq!(unload.lines()[0]["done_reason"], "unload");
        while client.get("/api/ps").await.body.contains("llama3.2:3b") {}
    });
}

#[test]
fn the_same_request_gets_the_same_answer_and_figures_are_told() {
    run(async {
        let client = host(|_| {}).await;
        let body = json!({ "model": "llama3.2:3b", "prompt": "why is the sky blue?", "stream": false });
        let (first, second) =
            (client.post("/api/generate", body.clone()).await, client.post("/api/generate", body).await);
        let (first, second) = (&first.lines()[0], &second.lines()[0]);
        assert_eq!(first["response"], second["response"]);
        assert_eq!(first["prompt_eval_count"], 5, "20 bytes");
        assert!(first["load_duration"].as_u64() > second["load_duration"].as_u64(), "loaded once");
        assert!(first["total_duration"].as_u64() >= first["eval_duration"].as_u64());
        assert_eq!(first["done_reason"], "stop");
    });
}

#[test]
fn unknown_models_and_bad_bodies_are_refused_as_by_ollama() {
    run(async {
        let client = host(|_| {}).await;
        let answer = client.post("/api/chat", json!({ "model": "nope", "messages": [] })).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, "{\"error\":\"model 'nope' not found\"}"));
        let answer = client.post("/api/chat", json!({ "model": "llama3.2:3b", "keep_alive": "abc" })).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, "time: invalid duration \"abc\""));
        assert_eq!(client.get("/api/nothing").await.status, 404);
        assert_eq!(client.get("/api/chat").await.status, 405);
        assert_eq!(client.get("/").await.body, "Ollama is running");
    });
}

#[test]
fn a_full_queue_is_503_with_both_blanks() {
    run(async {
        // In real time: a load holds the queue up for seconds, while the other requests come.
        let models = ["llama3.2:3b", "llama3.1:8b", "qwen2.5-coder:7b", "llama3.2:1b"];
        let client = host(|options| {
            options.speed = 1;
            options.max_queue = 1;
            options.models = models.map(String::from).to_vec();
        })
        .await;
        let mut asked = JoinSet::new();
        for model in models {
            let client = client.clone();
            asked.spawn(async move { client.post("/api/generate", json!({ "model": model })).await });
        }
        // One is in the host's hand, one is queued, two are turned away before either has its model.
        for _ in 0..2 {
            let answer = asked.join_next().await.expect("four were asked").expect("no panic");
            assert_eq!((answer.status, answer.error().as_str()), (503, live::wire::BUSY));
        }
    });
}
