//! The calls of OpenAI's and Anthropic's APIs: shapes, and the order of what is streamed.

use serde_json::{Value, json};

use crate::client::{Answer, host, masked, run, text};

const LLAMA: &str = "llama3.2:3b";

fn weather() -> Value {
    json!({
        "name": "get_weather",
        "parameters": { "type": "object", "properties": { "city": { "type": "string" } } },
    })
}

fn chat(said: &str, more: Value) -> Value {
    let mut body =
        json!({ "model": LLAMA, "messages": [{ "role": "user", "content": said }], "max_tokens": 3 });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    body
}

/// Data of unnamed events, without the last, which must be `[DONE]`.
fn chunks(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let mut events = answer.events();
    assert_eq!(events.pop(), Some((String::new(), "[DONE]".into())));
    events.iter().map(|(_, data)| masked(serde_json::from_str(data).expect("JSON"))).collect()
}

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let events = answer.events();
    for (name, data) in &events {
        let data: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(data["type"], name.as_str());
    }
    events.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn a_chat_completion_is_one_object() {
    run(async {
        let host = host(&[LLAMA]).await;
        let answer = host.post("/v1/chat/completions", chat("why?", json!({}))).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        let value = masked(answer.json());
        let said = &value["choices"][0]["message"]["content"];
        assert_eq!(
            value,
            json!({
                "id": "[id]", "object": "chat.completion", "created": "[created]", "model": LLAMA,
                "system_fingerprint": "fp_ollama",
                "choices": [{
                    "index": 0, "message": { "role": "assistant", "content": said }, "finish_reason": "length",
                }],
                "usage": { "prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5 },
            })
        );
    });
}

#[test]
fn chunks_come_before_the_finish_the_usage_and_done() {
    run(async {
        let host = host(&[LLAMA]).await;
        let body = chat("why?", json!({ "stream": true, "stream_options": { "include_usage": true } }));
        let chunks = chunks(&host.post("/v1/chat/completions", body).await);
        assert_eq!(chunks.len(), 5);
        let said = &chunks[0]["choices"][0]["delta"]["content"];
        let frame = |choices: Value| {
            json!({
                "id": "[id]", "object": "chat.completion.chunk", "created": "[created]", "model": LLAMA,
                "system_fingerprint": "fp_ollama", "choices": choices,
            })
        };
        let choice = |content: &Value, finish: Value| {
            json!([{
                "index": 0, "delta": { "role": "assistant", "content": content }, "finish_reason": finish,
            }])
        };
        assert_eq!(chunks[0], frame(choice(said, json!(null))));
        assert_eq!(chunks[3], frame(choice(&json!(""), json!("length"))));
        let mut usage = frame(json!([]));
        usage["usage"] = json!({ "prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5 });
        assert_eq!(chunks[4], usage);
    });
}

#[test]
fn a_completion_and_its_chunks_are_texts() {
    run(async {
        let host = host(&[LLAMA]).await;
        let body = json!({ "model": LLAMA, "prompt": "once", "max_tokens": 2 });
        let whole = masked(host.post("/v1/completions", body).await.json());
        assert_eq!(
            (&whole["object"], &whole["choices"][0]["finish_reason"]),
            (&json!("text_completion"), &json!("length"))
        );
        let body = json!({ "model": LLAMA, "prompt": "once", "max_tokens": 2, "stream": true });
        let chunks = chunks(&host.post("/v1/completions", body).await);
        let said: String = chunks.iter().map(|chunk| text(&chunk["choices"][0]["text"])).collect();
        assert_eq!(said, text(&whole["choices"][0]["text"]));
        assert_eq!(chunks.len(), 3);
    });
}

#[test]
fn a_tool_call_is_told_in_each_apis_way() {
    run(async {
        let host = host(&[LLAMA]).await;
        let said = "the weather in Oslo, please";
        let tools = json!({ "tools": [{ "type": "function", "function": weather() }], "max_tokens": 99, "stream": true });
        let chunks = chunks(&host.post("/v1/chat/completions", chat("the weather in Oslo", tools)).await);
        let call = &chunks[0]["choices"][0]["delta"]["tool_calls"][0];
        assert_eq!(
            call,
            &json!({
                "id": "[id]", "index": 0, "type": "function",
                "function": { "name": "get_weather", "arguments": "{\"city\":\"Oslo\"}" },
            })
        );
        assert_eq!(chunks[1]["choices"][0]["finish_reason"], "tool_calls");

        let tool =
            json!({ "type": "function", "name": "get_weather", "parameters": weather()["parameters"] });
        let body = json!({ "model": LLAMA, "input": said, "tools": [tool], "stream": true });
        let answer = host.post("/v1/responses", body).await;
        assert_eq!(
            names(&answer),
            [
                "response.created",
                "response.in_progress",
                "response.output_item.added",
                "response.function_call_arguments.delta",
                "response.function_call_arguments.done",
                "response.output_item.done",
                "response.completed",
            ]
        );

        let tool = json!({ "name": "get_weather", "input_schema": weather()["parameters"] });
        let body = chat(said, json!({ "tools": [tool], "max_tokens": 99 }));
        let value = host.post("/v1/messages", body).await.json();
        assert_eq!(value["stop_reason"], "tool_use");
        assert_eq!(
            masked(value["content"].clone()),
            json!([{ "type": "tool_use", "id": "[id]", "name": "get_weather", "input": { "city": "please" } }])
        );
    });
}

#[test]
fn responses_open_and_close_each_item() {
    run(async {
        let host = host(&["qwen3:8b"]).await;
        let body = json!({ "model": "qwen3:8b", "input": "why?", "stream": true });
        let answer = host.post("/v1/responses", body).await;
        let mut order = names(&answer);
        order.dedup();
        assert_eq!(
            order,
            [
                "response.created",
                "response.in_progress",
                "response.output_item.added",
                "response.reasoning_summary_text.delta",
                "response.reasoning_summary_text.done",
                "response.output_item.done",
                "response.output_item.added",
                "response.content_part.added",
                "response.output_text.delta",
                "response.output_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.completed",
            ]
        );
        let events = answer.events();
        let data = |at: usize| serde_json::from_str::<Value>(&events[at].1).expect("JSON");
        for at in 0..events.len() {
            assert_eq!(data(at)["sequence_number"], at);
        }
        let streamed = data(events.len() - 1)["response"].clone();
        let whole = host.post("/v1/responses", json!({ "model": "qwen3:8b", "input": "why?" })).await.json();
        assert_eq!(streamed["output"][1]["content"], whole["output"][1]["content"]);
        assert_eq!((&whole["object"], &whole["status"]), (&json!("response"), &json!("completed")));
        let usage = &whole["usage"];
        assert_eq!(
            usage["total_tokens"],
            usage["input_tokens"].as_u64().unwrap_or(0) + usage["output_tokens"].as_u64().unwrap_or(0)
        );
    });
}

#[test]
fn messages_are_blocks_between_start_and_stop() {
    run(async {
        let host = host(&["qwen3:8b"]).await;
        let body = |stream: bool| {
            json!({
                "model": "qwen3:8b", "messages": [{ "role": "user", "content": "why?" }], "max_tokens": 4_000,
                "stream": stream,
            })
        };
        let answer = host.post("/v1/messages", body(true)).await;
        let mut order = names(&answer);
        order.dedup();
        let block = ["content_block_start", "content_block_delta", "content_block_stop"];
        assert_eq!(
            order,
            [&["message_start"][..], &block, &block, &["message_delta", "message_stop"]].concat()
        );
        let whole = host.post("/v1/messages", body(false)).await.json();
        assert_eq!(
            (
                &whole["type"],
                &whole["stop_reason"],
                &whole["content"][0]["type"],
                &whole["content"][1]["type"]
            ),
            (&json!("message"), &json!("end_turn"), &json!("thinking"), &json!("text"))
        );
        assert_eq!(whole["usage"]["input_tokens"], 2);
        let refused = host.post("/v1/messages", json!({ "model": LLAMA, "messages": [] })).await;
        assert_eq!(refused.status, 400);
        let refused = refused.json();
        assert_eq!(refused["type"], "error");
        assert_eq!(
            refused["error"],
            json!({
                "type": "invalid_request_error", "message": "max_tokens is required and must be positive",
            })
        );
    });
}

#[test]
fn embeddings_are_numbers_or_their_bytes() {
    run(async {
        let host = host(&["nomic-embed-text"]).await;
        let ask = async |format: &str| {
            let body = json!({ "model": "nomic-embed-text", "input": ["x", "y"], "encoding_format": format });
            host.post("/v1/embeddings", body).await
        };
        let floats = ask("float").await.json();
        assert_eq!(floats["usage"], json!({ "prompt_tokens": 2, "total_tokens": 2 }));
        assert_eq!((&floats["object"], &floats["data"][1]["index"]), (&json!("list"), &json!(1)));
        assert_eq!(floats["data"][0]["embedding"].as_array().map(Vec::len), Some(768));
        let packed = ask("base64").await.json();
        assert_eq!(text(&packed["data"][0]["embedding"]).len(), 768 * 4 / 3 * 4);
        assert_eq!(ask("text").await.status, 400);
    });
}

#[test]
fn models_are_listed_and_the_unknown_is_refused_in_openais_shape() {
    run(async {
        let host = host(&[LLAMA]).await;
        let model = json!({ "id": "[id]", "object": "model", "created": "[created]", "owned_by": "library" });
        assert_eq!(masked(host.get("/v1/models").await.json()), json!({ "object": "list", "data": [model] }));
        assert_eq!(masked(host.get("/v1/models/llama3.2%3A3b").await.json()), model);
        let missing = json!({ "error": {
            "message": "model 'nope' not found", "type": "not_found_error", "param": null, "code": null,
        } });
        let answer = host.get("/v1/models/nope").await;
        assert_eq!((answer.status, answer.json()), (404, missing.clone()));
        let body = json!({ "model": "nope", "messages": [{ "role": "user", "content": "x" }] });
        let answer = host.post("/v1/chat/completions", body).await;
        assert_eq!((answer.status, answer.json()), (404, missing));
        let answer = host.post("/v1/chat/completions", json!({ "model": LLAMA, "messages": [] })).await;
        assert_eq!(answer.json()["error"]["message"], "[] is too short - 'messages'");
    });
}
