//! Anthropic's messages: a body becomes a chat, its lines become blocks of content.

use serde_json::{Value, json};

use super::openai::{Translated, copied, field, flag, number_of, text};
use super::{Dialect, End, Part, event};
use crate::emulated::answer::PROMPT_BYTES_PER_TOKEN;
use crate::emulated::script::Call;
use crate::wire::request::Route;

/// `POST /v1/messages`.
///
/// # Errors
/// With what Ollama answers 400.
pub(in crate::emulated) fn translate(body: &Value) -> Result<Translated, String> {
    if text(body, "model").is_empty() {
        return Err("model is required".into());
    }
    if field(body, "max_tokens").and_then(Value::as_i64).unwrap_or(0) <= 0 {
        return Err("max_tokens is required and must be positive".into());
    }
    let messages = field(body, "messages").and_then(Value::as_array).filter(|list| !list.is_empty());
    let messages = messages.ok_or("messages is required")?;
    let mut ours_said = Vec::new();
    let system = field(body, "system").map(|system| blocks(system, "text")).unwrap_or_default();
    if !system.is_empty() {
        ours_said.push(json!({ "role": "system", "content": system }));
    }
    for message in messages {
        convert(message, &mut ours_said);
    }
    let tools = field(body, "tools").and_then(Value::as_array).into_iter().flatten().map(|tool| {
        let names = [("name", "name"), ("description", "description"), ("input_schema", "parameters")];
        json!({ "type": "function", "function": copied(tool, &names) })
    });
    let mut ours = copied(body, &[("model", "model")]);
    let tools: Vec<Value> = tools.collect();
    if !tools.is_empty() {
        ours.insert("tools".into(), tools.into());
    }
    ours.insert("messages".into(), ours_said.into());
    ours.insert("stream".into(), flag(body, "stream").into());
    ours.insert("options".into(), copied(body, &[("max_tokens", "num_predict")]).into());
    match field(body, "thinking").map(|thinking| text(thinking, "type")) {
        Some("enabled") => ours.extend([("think".into(), true.into())]),
        Some("disabled") => ours.extend([("think".into(), false.into())]),
        _ => {}
    }
    let dialect = Box::new(Messages::new(body));
    Ok(Translated { route: Route::Chat, body: ours.into(), dialect })
}

/// The text of content that is a string or a list of blocks.
fn blocks(content: &Value, kind: &str) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            list.iter().filter(|block| text(block, "type") == kind).map(|block| text(block, "text")).collect()
        }
        _ => String::new(),
    }
}

/// A message becomes one with its text, images and calls, and one for each result of a tool.
fn convert(message: &Value, out: &mut Vec<Value>) {
    let content = field(message, "content").unwrap_or(&Value::Null);
    let list = content.as_array().map_or(&[][..], |list| list);
    let of = |kind: &'static str| list.iter().filter(move |block| text(block, "type") == kind);
    let images: Vec<&str> = of("image").map(|block| text(&block["source"], "data")).collect();
    let calls: Vec<Value> = of("tool_use")
        .map(|block| json!({ "function": { "name": text(block, "name"), "arguments": block["input"] } }))
        .collect();
    let said = blocks(content, "text");
    if !said.is_empty() || !images.is_empty() || !calls.is_empty() {
        let mut ours = json!({ "role": text(message, "role"), "content": said, "images": images });
        if !calls.is_empty() {
            ours["tool_calls"] = calls.into();
        }
        out.push(ours);
    }
    for block in of("tool_result") {
        let result = field(block, "content").map(|content| blocks(content, "text")).unwrap_or_default();
        out.push(json!({ "role": "tool", "content": result }));
    }
}

/// Writes events.
struct Messages {
    id: String,
    model: String,
    /// What the first event says of the prompt, before it is known.
    estimated_tokens: u64,
    begun: bool,
    /// Blocks that are whole.
    blocks: u32,
    /// Whether the block under way is thoughts.
    open: Option<bool>,
    called: bool,
}

impl Messages {
    fn new(body: &Value) -> Self {
        let said: usize = ["system", "messages", "tools"]
            .iter()
            .filter_map(|key| field(body, key))
            .map(|value| value.to_string().len())
            .sum();
        Self {
            id: format!("msg_{:024x}", number_of(body)),
            model: text(body, "model").to_owned(),
            estimated_tokens: said as u64 / PROMPT_BYTES_PER_TOKEN,
            begun: false,
            blocks: 0,
            open: None,
            called: false,
        }
    }

    fn block(&mut self, value: Value, deltas: &[Value], thought: Option<bool>, out: &mut Vec<u8>) {
        if self.open.is_some() && self.open != thought {
            self.close(out);
        }
        let index = self.blocks;
        if self.open.is_none() {
            let start = json!({ "type": "content_block_start", "index": index, "content_block": value });
            event("content_block_start", &start, out);
            self.open = Some(thought.unwrap_or(false));
        }
        for delta in deltas {
            let value = json!({ "type": "content_block_delta", "index": index, "delta": delta });
            event("content_block_delta", &value, out);
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            event("content_block_stop", &json!({ "type": "content_block_stop", "index": self.blocks }), out);
            self.blocks += 1;
        }
    }

    fn call(&mut self, call: &Call, out: &mut Vec<u8>) {
        let block = json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": {} });
        let delta = json!({ "type": "input_json_delta", "partial_json": call.arguments.to_string() });
        self.block(block, &[delta], None, out);
        self.close(out);
        self.called = true;
    }

    fn stop_reason(&self, end: &End) -> &'static str {
        match end.reason() {
            _ if self.called => "tool_use",
            "stop" => "end_turn",
            "length" => "max_tokens",
            _ => "stop_sequence",
        }
    }
}

impl Dialect for Messages {
    fn part(&mut self, part: &Part<'_>, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            let message = json!({
                "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": [],
                "usage": { "input_tokens": self.estimated_tokens, "output_tokens": 0 },
            });
            event("message_start", &json!({ "type": "message_start", "message": message }), out);
        }
        if !part.thought.is_empty() {
            let delta = json!({ "type": "thinking_delta", "thinking": part.thought });
            self.block(json!({ "type": "thinking", "thinking": "" }), &[delta], Some(true), out);
        }
        if !part.said.is_empty() {
            let delta = json!({ "type": "text_delta", "text": part.said });
            self.block(json!({ "type": "text", "text": "" }), &[delta], Some(false), out);
        }
        if let Some(call) = part.call {
            self.call(call, out);
        }
        if let Some(end) = part.end {
            self.close(out);
            let (input, output) = end.tokens();
            let value = json!({
                "type": "message_delta", "delta": { "stop_reason": self.stop_reason(end) },
                "usage": { "input_tokens": input, "output_tokens": output },
            });
            event("message_delta", &value, out);
            event("message_stop", &json!({ "type": "message_stop" }), out);
        }
    }

    fn whole(&mut self, part: &Part<'_>, out: &mut Vec<u8>) {
        let mut content = Vec::new();
        if !part.thought.is_empty() {
            content.push(json!({ "type": "thinking", "thinking": part.thought }));
        }
        if !part.said.is_empty() {
            content.push(json!({ "type": "text", "text": part.said }));
        }
        if let Some(call) = part.call {
            self.called = true;
            content.push(
                json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments }),
            );
        }
        let (input, output) = part.end.map_or((0, 0), End::tokens);
        let message = json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content,
            "stop_reason": part.end.map(|end| self.stop_reason(end)),
            "usage": { "input_tokens": input, "output_tokens": output },
        });
        out.extend_from_slice(format!("{message}\n").as_bytes());
    }
}
