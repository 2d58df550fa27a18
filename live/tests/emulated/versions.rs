//! What depends on the version of Ollama whose rules the host follows.

use hyper::Method;
use serde_json::{Value, json};
use sim_host::spec::Version;

use crate::client::{Host, host_with, run};

const GEMMA: &str = "gemma3:270m";
const SMOL: &str = "smollm2:135m";

async fn host(version: Version) -> Host {
    host_with(&[GEMMA, SMOL], |options| options.version = version).await
}

#[test]
fn errors_have_the_words_of_their_version() {
    run(async {
        let ours = |body: Value, old: (u16, &str), new: (u16, &str)| {
            (body, [old, new].map(|(status, said)| (status, json!({ "error": said }))))
        };
        let open_ai = |kind: &str, said: &str| json!({ "error": { "message": said, "type": kind, "param": null, "code": null } });
        let missing = "model 'nope' not found";
        let pull = "model \"nope\" not found, try pulling it first";
        let unsupported = "this model does not support embeddings";
        let calls = [
            ("/api/chat", ours(json!({ "model": "nope", "messages": [] }), (404, pull), (404, missing))),
            (
                "/api/generate",
                ours(
                    json!({ "model": "a b", "prompt": "x" }),
                    (404, "model 'a b' not found"),
                    (400, "invalid model name"),
                ),
            ),
            (
                "/api/generate",
                ours(
                    json!({ "model": SMOL, "prompt": "x", "think": true }),
                    (400, "registry.ollama.ai/library/smollm2:135m does not support thinking"),
                    (400, "\"smollm2:135m\" does not support thinking"),
                ),
            ),
            (
                "/api/embed",
                ours(json!({ "model": GEMMA, "input": "x" }), (500, unsupported), (501, unsupported)),
            ),
            (
                "/v1/completions",
                (
                    json!({ "model": "nope", "prompt": "x" }),
                    [(404, open_ai("api_error", missing)), (404, open_ai("not_found_error", missing))],
                ),
            ),
        ];
        for (version, at) in [(Version::V0_10, 0), (Version::V0_24, 1)] {
            let host = host(version).await;
            for (path, (body, told)) in &calls {
                let answer = host.post(path, body.clone()).await;
                assert_eq!((answer.status, answer.json()), told[at], "{version:?} {path} {body}");
            }
        }
    });
}

#[test]
fn newer_calls_and_fields_are_unknown_to_the_older_version() {
    run(async {
        let (old, new) = (host(Version::V0_10).await, host(Version::V0_24).await);
        for path in ["/v1/responses", "/v1/messages"] {
            let answer = old.ask(Method::POST, path, "{").await;
            assert_eq!((answer.status, answer.text()), (404, "404 page not found"), "{path}");
            assert_eq!(new.ask(Method::POST, path, "{").await.status, 400, "{path}");
        }
        let body = json!({ "model": SMOL, "input": "x", "encoding_format": "base64" });
        let embedding = |answer: Value| answer["data"][0]["embedding"].clone();
        assert!(embedding(old.post("/v1/embeddings", body.clone()).await.json()).is_array());
        assert!(embedding(new.post("/v1/embeddings", body).await.json()).is_string());
    });
}
