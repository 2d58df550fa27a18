//! OpenAI's responses: a body becomes a chat, its lines become the events of one output item after the other.

use serde_json::{Value, json};

use super::openai::{Translated, copied, field, flag, number_of, text, think};
use super::{Dialect, Part, event, unix_seconds};
use crate::emulated::script::Call;
use crate::wire::request::Route;

/// `POST /v1/responses`.
///
/// # Errors
/// With what Ollama answers 400.
pub(in crate::emulated) fn translate(body: &Value) -> Result<Translated, String> {
    let mut messages = Vec::new();
    if let Some(instructions) = field(body, "instructions") {
        messages.push(json!({ "role": "system", "content": instructions }));
    }
    match field(body, "input") {
        Some(Value::String(said)) => messages.push(json!({ "role": "user", "content": said })),
        Some(Value::Array(items)) => {
            for item in items {
                messages.extend(input_item(item)?);
            }
        }
        _ => return Err("input must be a string or array".into()),
    }
    let tools = field(body, "tools").and_then(Value::as_array).into_iter().flatten().map(|tool| {
        let function =
            copied(tool, &[("name", "name"), ("description", "description"), ("parameters", "parameters")]);
        json!({ "type": "function", "function": function })
    });
    let mut ours = copied(body, &[("model", "model")]);
    let tools: Vec<Value> = tools.collect();
    if !tools.is_empty() {
        ours.insert("tools".into(), tools.into());
    }
    ours.insert("messages".into(), messages.into());
    ours.insert("stream".into(), flag(body, "stream").into());
    ours.insert("options".into(), copied(body, &[("max_output_tokens", "num_predict")]).into());
    let format = field(body, "text").and_then(|wanted| wanted.get("format")?.get("schema").cloned());
    ours.extend(format.map(|format| ("format".into(), format)));
    let effort = field(body, "reasoning").map_or("", |reasoning| text(reasoning, "effort"));
    ours.extend(think(effort)?.map(|think| ("think".into(), think)));
    let dialect = Box::new(Responses::new(body));
    Ok(Translated { route: Route::Chat, body: ours.into(), dialect })
}

/// The message that an input item becomes; none for what the model thought before.
fn input_item(item: &Value) -> Result<Option<Value>, String> {
    Ok(Some(match text(item, "type") {
        "" | "message" => {
            let role = text(item, "role");
            let (mut said, mut images) = (String::new(), Vec::new());
            match field(item, "content") {
                Some(Value::String(content)) => said.push_str(content),
                Some(Value::Array(parts)) => {
                    for part in parts {
                        match text(part, "type") {
                            "input_text" | "output_text" => said.push_str(text(part, "text")),
                            "input_image" => {
                                let (_, image) =
                                    text(part, "image_url").split_once(";base64,").ok_or("invalid image")?;
                                images.push(image);
                            }
                            other => return Err(format!("unknown content type: {other}")),
                        }
                    }
                }
                _ => {}
            }
            json!({ "role": role, "content": said, "images": images })
        }
        "function_call" => {
            let arguments: Value = serde_json::from_str(text(item, "arguments")).unwrap_or_default();
            let function = json!({ "name": text(item, "name"), "arguments": arguments });
            json!({ "role": "assistant", "content": "", "tool_calls": [{ "function": function }] })
        }
        "function_call_output" => json!({ "role": "tool", "content": text(item, "output") }),
        "reasoning" => return Ok(None),
        other => return Err(format!("unknown input item type: {other}")),
    }))
}

/// Writes events.
struct Responses {
    /// Fields of every response object that repeat the request.
    frame: Value,
    number: u64,
    events: u32,
    /// Output items that are whole.
    output: Vec<Value>,
    open: Option<Open>,
}

/// The output item under way.
struct Open {
    thought: bool,
    text: String,
}

impl Responses {
    fn new(body: &Value) -> Self {
        let number = number_of(body) % 999_999;
        let or = |key: &str, other: Value| field(body, key).cloned().unwrap_or(other);
        let format = field(body, "text").and_then(|text| text.get("format")).cloned();
        let frame = json!({
            "id": format!("resp_{number}"), "object": "response", "created_at": unix_seconds(),
            "completed_at": null, "status": "in_progress", "incomplete_details": null,
            "model": text(body, "model"), "previous_response_id": null,
            "instructions": or("instructions", Value::Null), "output": [], "error": null,
            "tools": or("tools", json!([])), "tool_choice": "auto", "truncation": or("truncation", "disabled".into()),
            "parallel_tool_calls": true, "text": { "format": format.unwrap_or(json!({ "type": "text" })) },
            "top_p": or("top_p", json!(1.0)), "presence_penalty": 0, "frequency_penalty": 0, "top_logprobs": 0,
            "temperature": or("temperature", json!(1.0)), "reasoning": or("reasoning", Value::Null), "usage": null,
            "max_output_tokens": or("max_output_tokens", Value::Null), "max_tool_calls": null, "store": false,
            "background": or("background", false.into()), "service_tier": "default", "metadata": {},
            "safety_identifier": null, "prompt_cache_key": null,
        });
        Self { frame, number, events: 0, output: Vec::new(), open: None }
    }

    fn event(&mut self, kind: &str, mut value: Value, out: &mut Vec<u8>) {
        value["type"] = kind.into();
        value["sequence_number"] = self.events.into();
        self.events += 1;
        event(kind, &value, out);
    }

    fn item_id(&self, thought: bool) -> String {
        format!("{}_{}", if thought { "rs" } else { "msg" }, self.number)
    }

    /// A part of a text: thoughts are one output item, what is said is the next.
    fn text(&mut self, thought: bool, delta: &str, out: &mut Vec<u8>) {
        if self.open.as_ref().is_some_and(|open| open.thought != thought) {
            self.close(out);
        }
        let (at, id) = (self.output.len(), self.item_id(thought));
        if self.open.is_none() {
            self.open = Some(Open { thought, text: String::new() });
            let item = if thought {
                json!({ "id": id, "type": "reasoning", "summary": [] })
            } else {
                let content: [Value; 0] = [];
                json!({
                    "id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": content
                })
            };
            self.event("response.output_item.added", json!({ "output_index": at, "item": item }), out);
            if !thought {
                let part = output_text("");
                let value = json!({ "item_id": id, "output_index": at, "content_index": 0, "part": part });
                self.event("response.content_part.added", value, out);
            }
        }
        if let Some(open) = &mut self.open {
            open.text.push_str(delta);
        }
        if thought {
            let value = json!({ "item_id": id, "output_index": at, "summary_index": 0, "delta": delta });
            self.event("response.reasoning_summary_text.delta", value, out);
        } else {
            let value = json!({
                "item_id": id, "output_index": at, "content_index": 0, "delta": delta, "logprobs": []
            });
            self.event("response.output_text.delta", value, out);
        }
    }

    /// Ends the output item under way.
    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(open) = self.open.take() else { return };
        let (at, id) = (self.output.len(), self.item_id(open.thought));
        let item = if open.thought { thoughts(&id, &open.text) } else { message(&id, &open.text) };
        if open.thought {
            let value = json!({ "item_id": id, "output_index": at, "summary_index": 0, "text": open.text });
            self.event("response.reasoning_summary_text.done", value, out);
        } else {
            let value = json!({
                "item_id": id, "output_index": at, "content_index": 0, "text": open.text, "logprobs": []
            });
            self.event("response.output_text.done", value, out);
            let part = output_text(&open.text);
            let value = json!({ "item_id": id, "output_index": at, "content_index": 0, "part": part });
            self.event("response.content_part.done", value, out);
        }
        self.event("response.output_item.done", json!({ "output_index": at, "item": item }), out);
        self.output.push(item);
    }

    fn call(&mut self, call: &Call, out: &mut Vec<u8>) {
        self.close(out);
        let (at, item) = (self.output.len(), called(self.number, call));
        let (id, arguments) = (item["id"].clone(), item["arguments"].clone());
        let mut begun = item.clone();
        begun["status"] = "in_progress".into();
        begun["arguments"] = "".into();
        self.event("response.output_item.added", json!({ "output_index": at, "item": begun }), out);
        let value = json!({ "item_id": id, "output_index": at, "delta": arguments });
        self.event("response.function_call_arguments.delta", value, out);
        let value = json!({ "item_id": id, "output_index": at, "arguments": arguments });
        self.event("response.function_call_arguments.done", value, out);
        self.event("response.output_item.done", json!({ "output_index": at, "item": item }), out);
        self.output.push(item);
    }

    fn completed(&self, part: &Part<'_>) -> Value {
        let mut response = self.frame.clone();
        let (input, output) = part.end.map_or((0, 0), |end| end.tokens());
        response["status"] = "completed".into();
        response["completed_at"] = unix_seconds().into();
        response["output"] = self.output.clone().into();
        response["usage"] = json!({
            "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
            "input_tokens_details": { "cached_tokens": 0 }, "output_tokens_details": { "reasoning_tokens": 0 },
        });
        response
    }
}

fn output_text(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn message(id: &str, text: &str) -> Value {
    let content = [output_text(text)];
    json!({ "id": id, "type": "message", "status": "completed", "role": "assistant", "content": content })
}

fn thoughts(id: &str, text: &str) -> Value {
    let summary = json!([{ "type": "summary_text", "text": text }]);
    json!({ "id": id, "type": "reasoning", "summary": summary, "encrypted_content": text })
}

fn called(number: u64, call: &Call) -> Value {
    json!({
        "id": format!("fc_{number}_0"), "type": "function_call", "status": "completed", "call_id": call.id,
        "name": call.name, "arguments": call.arguments.to_string(),
    })
}

impl Dialect for Responses {
    fn part(&mut self, part: &Part<'_>, out: &mut Vec<u8>) {
        if self.events == 0 {
            for kind in ["response.created", "response.in_progress"] {
                let value = json!({ "response": self.frame.clone() });
                self.event(kind, value, out);
            }
        }
        if !part.thought.is_empty() {
            self.text(true, part.thought, out);
        }
        if let Some(call) = part.call {
            self.call(call, out);
        } else if !part.said.is_empty() {
            self.text(false, part.said, out);
        }
        if part.end.is_some() {
            self.close(out);
            let value = json!({ "response": self.completed(part) });
            self.event("response.completed", value, out);
        }
    }

    fn whole(&mut self, part: &Part<'_>, out: &mut Vec<u8>) {
        if !part.thought.is_empty() {
            self.output.push(thoughts(&self.item_id(true), part.thought));
        }
        self.output.push(match part.call {
            Some(call) => called(self.number, call),
            None => message(&self.item_id(false), part.said),
        });
        out.extend_from_slice(format!("{}\n", self.completed(part)).as_bytes());
    }
}
