//! Ollama's own calls: shapes, statuses, error texts.

use hyper::Method;
use serde_json::{Value, json};

use crate::client::{Host, host, masked, read, run, text};

const LLAMA: &str = "llama3.2:3b";

fn weather() -> Value {
    json!([{ "type": "function", "function": {
        "name": "get_weather",
        "description": "the weather of a city",
        "parameters": {
            "type": "object",
            "properties": { "city": { "type": "string" }, "unit": { "type": "string", "enum": ["celsius"] } },
            "required": ["city"],
        },
    } }])
}

async fn refused(host: &Host, path: &str, body: Value) -> (u16, String) {
    let answer = host.post(path, body).await;
    (answer.status, text(&answer.json()["error"]).to_owned())
}

#[test]
fn a_chat_streams_one_line_a_token_and_ends_with_figures() {
    run(async {
        let host = host(&[LLAMA]).await;
        let messages = json!([{ "role": "user", "content": "why?" }]);
        let body = json!({ "model": LLAMA, "messages": messages, "options": { "num_predict": 3 } });
        let answer = host.post("/api/chat", body).await;
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let lines: Vec<Value> = answer.lines().into_iter().map(masked).collect();
        assert_eq!(lines.len(), 4);
        let said = &lines[0]["message"]["content"];
        assert_eq!(
            lines[0],
            json!({
                "model": LLAMA, "created_at": "[created_at]",
                "message": { "role": "assistant", "content": said }, "done": false,
            })
        );
        assert_eq!(
            lines[3],
            json!({
                "model": LLAMA, "created_at": "[created_at]", "message": { "role": "assistant", "content": "" },
                "done": true, "done_reason": "length", "total_duration": "[total_duration]",
                "load_duration": "[load_duration]", "prompt_eval_count": 2,
                "prompt_eval_duration": "[prompt_eval_duration]", "eval_count": 3,
                "eval_duration": "[eval_duration]",
            })
        );
    });
}

#[test]
fn a_completion_has_its_context_at_the_end_unless_it_is_raw() {
    run(async {
        let host = host(&[LLAMA]).await;
        for (raw, numbers) in [(false, Some(5)), (true, None)] {
            let body = json!({
                "model": LLAMA, "prompt": "whatever", "stream": false, "raw": raw, "options": { "num_predict": 3 },
            });
            let answer = host.post("/api/generate", body).await;
            assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
            let value = answer.json();
            assert_eq!(value["context"].as_array().map(Vec::len), numbers);
            assert!(!text(&value["response"]).is_empty());
            assert_eq!((&value["done"], value.get("message")), (&json!(true), None));
        }
        let load = host.post("/api/generate", json!({ "model": LLAMA })).await;
        assert_eq!(load.header("content-type"), "application/json; charset=utf-8");
        assert_eq!(
            masked(load.json()),
            json!({
                "model": LLAMA, "created_at": "[created_at]", "response": "", "done": true, "done_reason": "load",
            })
        );
    });
}

#[test]
fn a_tool_is_called_where_the_user_asks_for_what_it_does() {
    run(async {
        let host = host(&[LLAMA, "gemma3:4b"]).await;
        let body = |said: &str, stream: bool| {
            let messages = json!([{ "role": "user", "content": said }]);
            json!({ "model": LLAMA, "messages": messages, "tools": weather(), "stream": stream })
        };
        let lines = host.post("/api/chat", body("How is the weather in Paris?", true)).await.lines();
        let call = json!({
            "id": "[id]",
            "function": { "index": 0, "name": "get_weather", "arguments": { "city": "Paris" } },
        });
        assert_eq!(lines.len(), 2);
        assert_eq!(masked(lines[0]["message"]["tool_calls"].clone()), json!([call]));
        assert_eq!((&lines[0]["done"], &lines[1]["done_reason"]), (&json!(false), &json!("stop")));
        assert_eq!(lines[1]["message"], json!({ "role": "assistant", "content": "" }));

        let whole = host.post("/api/chat", body("How is the weather in Paris?", false)).await.json();
        assert_eq!(masked(whole["message"]["tool_calls"].clone()), json!([call]));
        let other = host.post("/api/chat", body("Hello!", false)).await.json();
        assert_eq!(other["message"].get("tool_calls"), None);

        let body = json!({ "model": "gemma3:4b", "messages": [], "tools": weather() });
        assert_eq!(
            refused(&host, "/api/chat", body).await,
            (400, "registry.ollama.ai/library/gemma3:4b does not support tools".into())
        );
    });
}

#[test]
fn the_form_that_is_asked_for_is_kept_token_by_token() {
    run(async {
        let host = host(&[LLAMA]).await;
        let schema = json!({
            "type": "object", "properties": { "name": { "type": "string" }, "age": { "type": "integer" } },
        });
        let messages = json!([{ "role": "user", "content": "who?" }]);
        let body = json!({ "model": LLAMA, "messages": messages, "format": schema });
        let lines = host.post("/api/chat", body).await.lines();
        assert!(lines.len() > 3);
        let said: String = lines.iter().map(|line| text(&line["message"]["content"])).collect();
        let said: Value = serde_json::from_str(&said).expect("JSON, as it was asked for");
        assert_eq!(said, json!({ "name": "made-up words", "age": 1 }));
        let body = json!({ "model": LLAMA, "prompt": "who?", "format": "json", "stream": false });
        let answer = host.post("/api/generate", body).await.json();
        serde_json::from_str::<Value>(text(&answer["response"])).expect("JSON");
    });
}

#[test]
fn models_think_where_they_can_and_say_so_where_they_cannot() {
    run(async {
        let host = host(&[LLAMA, "qwen3:8b"]).await;
        let body = |model: &str, think: Value| {
            let messages = json!([{ "role": "user", "content": "why?" }]);
            json!({ "model": model, "messages": messages, "think": think, "stream": false })
        };
        for (think, thinks) in [(json!(null), true), (json!(true), true), (json!(false), false)] {
            let message = host.post("/api/chat", body("qwen3:8b", think)).await.json()["message"].clone();
            assert_eq!(message.get("thinking").is_some(), thinks);
            assert!(!text(&message["content"]).is_empty());
        }
        assert_eq!(
            refused(&host, "/api/chat", body(LLAMA, json!(true))).await,
            (400, format!("\"{LLAMA}\" does not support thinking"))
        );
    });
}

#[test]
fn images_are_taken_and_count_as_prompt() {
    run(async {
        let host = host(&["gemma3:4b"]).await;
        let ask = async |images: Value| {
            let messages = json!([{ "role": "user", "content": "what is it?", "images": images }]);
            let body = json!({ "model": "gemma3:4b", "messages": messages, "stream": false });
            host.post("/api/chat", body).await.json()["prompt_eval_count"].as_u64().expect("a count")
        };
        assert_eq!(ask(json!(["aGk="])).await, ask(json!([])).await + 256);
    });
}

#[test]
fn texts_are_embedded_as_unit_vectors_in_order() {
    run(async {
        let host = host(&["nomic-embed-text", "gemma3:4b"]).await;
        let body = json!({ "model": "nomic-embed-text", "input": ["one text", "another", "one text"] });
        let answer = masked(host.post("/api/embed", body).await.json());
        let vectors = answer["embeddings"].as_array().expect("vectors");
        assert_eq!((vectors.len(), vectors[0].as_array().map(Vec::len)), (3, Some(768)));
        assert_eq!(vectors[0], vectors[2]);
        assert_ne!(vectors[0], vectors[1]);
        let length: f64 =
            vectors[0].as_array().expect("numbers").iter().filter_map(Value::as_f64).map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-4);
        assert_eq!((&answer["prompt_eval_count"], &answer["model"]), (&json!(6), &json!("nomic-embed-text")));

        let old = json!({ "model": "nomic-embed-text", "prompt": "one text" });
        assert_eq!(host.post("/api/embeddings", old).await.json(), json!({ "embedding": vectors[0] }));
        let short = json!({ "model": "nomic-embed-text", "input": "one text", "dimensions": 8 });
        let short = host.post("/api/embed", short).await.json();
        assert_eq!(short["embeddings"][0].as_array().map(Vec::len), Some(8));
        let nothing = host.post("/api/embed", json!({ "model": "nomic-embed-text" })).await.json();
        assert_eq!(nothing, json!({ "model": "nomic-embed-text", "embeddings": [] }));

        for (body, status, error) in [
            (json!({ "model": "nope", "input": "x" }), 404, "model \"nope\" not found, try pulling it first"),
            (json!({ "model": "nomic-embed-text", "input": 7 }), 400, "invalid input type"),
            (json!({ "model": "gemma3:4b", "input": "x" }), 501, "this model does not support embeddings"),
        ] {
            assert_eq!(refused(&host, "/api/embed", body).await, (status, error.to_owned()));
        }
        let chat = json!({ "model": "nomic-embed-text", "messages": [] });
        assert_eq!(
            refused(&host, "/api/chat", chat).await,
            (400, "\"nomic-embed-text\" does not support chat".into())
        );
    });
}

#[test]
fn lists_tell_what_is_stored_and_what_is_loaded() {
    run(async {
        let host = host(&[LLAMA]).await;
        let digest = host.get("/api/tags").await.json()["models"][0]["digest"].clone();
        assert_eq!(text(&digest).len(), 64);
        let details = json!({
            "parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"],
            "parameter_size": "3.2B", "quantization_level": "Q4_K_M",
        });
        assert_eq!(
            masked(host.get("/api/tags").await.json()),
            json!({ "models": [{
                "name": LLAMA, "model": LLAMA, "modified_at": "[modified_at]", "size": 2_019_377_376_u64,
                "digest": digest, "details": details,
            }] })
        );
        assert_eq!(host.get("/api/ps").await.json(), json!({ "models": [] }));
        let load = json!({ "model": LLAMA, "keep_alive": -1, "options": { "num_ctx": 4_096 } });
        host.post("/api/generate", load).await;
        let ps = host.get("/api/ps").await.json();
        let loaded = &ps["models"][0];
        assert!(text(&loaded["expires_at"]) > "2300", "for ever: {}", loaded["expires_at"]);
        assert!(loaded["size"].as_u64() > Some(2_019_377_376) && loaded["size_vram"] == loaded["size"]);
        assert_eq!(
            masked(ps.clone()),
            json!({ "models": [{
                "name": LLAMA, "model": LLAMA, "size": loaded["size"], "digest": digest, "details": details,
                "expires_at": "[expires_at]", "size_vram": loaded["size_vram"], "context_length": 4_096,
            }] })
        );
        let show = host.post("/api/show", json!({ "model": LLAMA })).await.json();
        assert_eq!((&show["details"], &show["capabilities"]), (&details, &json!(["completion", "tools"])));
        assert_eq!(show["model_info"]["llama.context_length"], 131_072);
        assert!(text(&show["modelfile"]).contains("FROM llama3.2:3b"));
    });
}

#[test]
fn only_ollamas_paths_and_methods_are_there() {
    run(async {
        let host = host(&[LLAMA]).await;
        for (method, path, status) in [
            (Method::HEAD, "/", 200),
            (Method::HEAD, "/api/version", 200),
            (Method::HEAD, "/api/tags", 200),
            (Method::HEAD, "/api/ps", 405),
            (Method::HEAD, "/v1/models", 405),
            (Method::GET, "/api/generate", 405),
            (Method::POST, "/api/delete", 405),
            (Method::GET, "/api/x/%2e%2e/tags", 404),
            (Method::GET, "/v1/models/a/b", 404),
            (Method::OPTIONS, "/api/tags", 405),
        ] {
            let answer = host.ask(method.clone(), path, "").await;
            assert_eq!(answer.status, status, "{method} {path}");
            assert!(method != Method::HEAD || answer.bytes.is_empty());
        }
        for (method, path, allowed) in [
            (Method::POST, "/api/tags", "HEAD, GET"),
            (Method::HEAD, "/api/ps", "GET"),
            (Method::OPTIONS, "/api/chat", "POST"),
        ] {
            assert_eq!(host.ask(method, path, "").await.header("allow"), allowed, "{path}");
        }
        let answer = host.ask(Method::POST, "/api/chat", "").await;
        assert_eq!((answer.status, answer.text()), (400, "{\"error\":\"missing request body\"}"));
        let option = json!({ "model": LLAMA, "prompt": "x", "options": { "num_ctx": "many" } });
        assert_eq!(refused(&host, "/api/generate", option).await.0, 500);
        for path in ["/api/show", "/api/chat", "/api/embeddings"] {
            assert_eq!(refused(&host, path, json!({})).await, (400, "model is required".into()), "{path}");
        }
        for path in ["/api/generate", "/api/embed"] {
            assert_eq!(refused(&host, path, json!({})).await, (404, "model '' not found".into()), "{path}");
        }
        let format = json!({ "model": LLAMA, "prompt": "x", "format": "yaml" });
        let said = "invalid format: \"\\\"yaml\\\"\"; expected \"json\" or a valid JSON Schema object";
        assert_eq!(refused(&host, "/api/generate", format).await, (500, said.into()));
    });
}

#[test]
fn foreign_hosts_and_pages_are_kept_out() {
    run(async {
        let host = host(&[LLAMA]).await;
        let ask = async |method: Method, headers: &[(&str, &str)]| {
            read(host.send(method, "/api/tags", headers, "").await.expect("an answer's head")).await
        };
        let foreign = ask(Method::GET, &[("host", "example.com")]).await;
        assert_eq!((foreign.status, foreign.bytes.len()), (403, 0));
        assert_eq!(ask(Method::GET, &[("origin", "http://example.com")]).await.status, 403);
        let page = ("origin", "http://localhost:3000");
        let known = ask(Method::GET, &[page]).await;
        assert_eq!((known.status, known.header("access-control-allow-origin")), (200, page.1));
        let preflight = ask(Method::OPTIONS, &[page, ("access-control-request-method", "POST")]).await;
        assert_eq!((preflight.status, preflight.header("access-control-max-age")), (204, "43200"));
        assert!(preflight.header("access-control-allow-methods").contains("POST"));
    });
}
