//! Models that come and go: pull, push, create, copy, delete, blobs.

use hyper::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Host, host, host_with, run, text};

const LLAMA: &str = "llama3.2:3b";

fn statuses(answer: &Answer) -> Vec<String> {
    let mut statuses: Vec<String> =
        answer.lines().iter().map(|line| text(&line["status"]).to_owned()).collect();
    statuses.dedup();
    statuses
}

async fn works(host: &Host, model: &str) -> u16 {
    let body = json!({ "model": model, "prompt": "x", "stream": false, "options": { "num_predict": 1 } });
    host.post("/api/generate", body).await.status
}

#[test]
fn a_pulled_model_can_be_used_and_a_deleted_one_cannot() {
    run(async {
        // 3.3 GB take about 0.3 s of the wall clock.
        let host = host_with(&[LLAMA], |options| options.pull_mib_per_second = 10).await;
        assert_eq!(works(&host, "gemma3:4b").await, 404);
        let pull = host.post("/api/pull", json!({ "model": "gemma3:4b" })).await;
        assert_eq!((pull.status, pull.header("content-type")), (200, "application/x-ndjson"));
        let statuses = statuses(&pull);
        assert_eq!(
            statuses,
            [
                "pulling manifest",
                "pulling aeda25e63ebd",
                statuses[2].as_str(),
                "verifying sha256 digest",
                "writing manifest",
                "success",
            ]
        );
        let weights: Vec<Value> =
            pull.lines().into_iter().filter(|line| line["status"] == "pulling aeda25e63ebd").collect();
        assert!(weights.len() > 2, "progress is told");
        let done = |line: &Value| line["completed"].as_u64().unwrap_or(0);
        assert!(weights.is_sorted_by_key(done));
        assert_eq!(weights.last().map(done), weights[0]["total"].as_u64());
        assert_eq!(host.names().await, ["gemma3:4b", LLAMA]);
        assert_eq!(works(&host, "gemma3:4b").await, 200);

        let again = host.post("/api/pull", json!({ "name": "gemma3:4b", "stream": false })).await;
        assert_eq!((again.status, again.text()), (200, "{\"status\":\"success\"}"));
        let delete = json!({ "model": "gemma3:4b" }).to_string();
        let answer = host.ask(Method::DELETE, "/api/delete", delete.clone()).await;
        assert_eq!((answer.status, answer.bytes.len()), (200, 0));
        assert_eq!(works(&host, "gemma3:4b").await, 404);
        assert_eq!(host.loaded().await, ["gemma3:4b"], "its runner stays until it goes by itself");
        let answer = host.ask(Method::DELETE, "/api/delete", delete).await;
        assert_eq!((answer.status, answer.text()), (404, "{\"error\":\"model 'gemma3:4b' not found\"}"));
    });
}

#[test]
fn a_pull_of_an_unknown_model_ends_in_an_error() {
    run(async {
        let host = host_with(&[LLAMA], |options| options.registry = Some(vec!["gemma3:4b".into()])).await;
        for name in ["nope", "llama3.1:8b"] {
            let pull = host.post("/api/pull", json!({ "model": name })).await;
            assert_eq!(pull.status, 200, "the first line was out already");
            assert_eq!(
                pull.lines(),
                [
                    json!({ "status": "pulling manifest" }),
                    json!({ "error": "pull model manifest: file does not exist" }),
                ]
            );
        }
        let whole = host.post("/api/pull", json!({ "model": "nope", "stream": false })).await;
        assert_eq!(
            (whole.status, whole.text()),
            (500, "{\"error\":\"pull model manifest: file does not exist\"}")
        );
        assert_eq!(host.post("/api/pull", json!({ "model": "a b" })).await.status, 400);
    });
}

#[test]
fn a_copy_shares_the_runner_and_ps_shows_the_first_name() {
    run(async {
        let host = host(&[LLAMA]).await;
        let copy = host.post("/api/copy", json!({ "source": LLAMA, "destination": "mine" })).await;
        assert_eq!((copy.status, copy.bytes.len()), (200, 0));
        assert_eq!(works(&host, "mine").await, 200);
        assert_eq!(works(&host, LLAMA).await, 200);
        assert_eq!(host.loaded().await, ["mine:latest"]);
        let missing = host.post("/api/copy", json!({ "source": "nope", "destination": "x" })).await;
        assert_eq!((missing.status, missing.text()), (404, "{\"error\":\"model \\\"nope\\\" not found\"}"));
    });
}

#[test]
fn a_model_is_created_from_another_or_from_a_blob() {
    run(async {
        let host = host(&[LLAMA]).await;
        let body = json!({
            "model": "mine", "from": LLAMA, "system": "Be brief.", "parameters": { "num_ctx": 2_048 },
        });
        let create = host.post("/api/create", body).await;
        assert_eq!(statuses(&create), ["using existing layer", "writing manifest", "success"]);
        let show = host.post("/api/show", json!({ "model": "mine" })).await.json();
        assert_eq!((&show["system"], &show["details"]["parent_model"]), (&json!("Be brief."), &json!(LLAMA)));
        assert_eq!(works(&host, "mine").await, 200);
        assert_eq!(host.get("/api/ps").await.json()["models"][0]["context_length"], 2_048);

        let weights = "not weights at all";
        let digest = "sha256:a62da94ab1f82a43b1aeabd1e8ef9f7c9d4a08ee9ad9fba5a8f5a55c69ae9dc6";
        let wrong = host.ask(Method::POST, &format!("/api/blobs/{digest}"), weights).await;
        assert_eq!(wrong.status, 400);
        let error = text(&wrong.json()["error"]).to_owned();
        let found = error.split('"').nth(3).expect("the digest that was found").to_owned();
        assert_eq!(error, format!("digest mismatch, expected \"{digest}\", got \"{found}\""));
        let path = format!("/api/blobs/{found}");
        assert_eq!(host.ask(Method::HEAD, &path, "").await.status, 404);
        assert_eq!(host.ask(Method::POST, &path, weights).await.status, 201);
        assert_eq!(host.ask(Method::HEAD, &path, "").await.status, 200);
        let body = json!({ "model": "raw", "files": { "model.gguf": found } });
        assert_eq!(host.post("/api/create", body).await.status, 200);
        assert_eq!(works(&host, "raw").await, 200);
        let nothing = host.post("/api/create", json!({ "model": "raw" })).await;
        assert_eq!(
            (nothing.status, nothing.text()),
            (400, "{\"error\":\"neither 'from' or 'files' was specified\"}")
        );
        let digest = host.ask(Method::HEAD, "/api/blobs/sha256:x", "").await;
        assert_eq!(digest.status, 400);
    });
}

#[test]
fn a_push_tells_how_far_it_is() {
    run(async {
        let host = host_with(&[LLAMA], |options| options.pull_mib_per_second = 1_000).await;
        let statuses = statuses(&host.post("/api/push", json!({ "model": LLAMA })).await);
        assert_eq!(
            (statuses[0].as_str(), statuses[1].as_str()),
            ("retrieving manifest", "pushing dde5aa3fc5ff")
        );
        assert_eq!(statuses[statuses.len() - 2..], ["pushing manifest", "success"]);
        let missing = host.post("/api/push", json!({ "model": "nope" })).await;
        assert_eq!(missing.lines().last(), Some(&json!({ "error": "file does not exist" })));
    });
}
