//! OpenAI's chat completions and completions: bodies become Ollama's, Ollama's lines become chunks.

use serde_json::{Map, Value, json};

use super::{Dialect, End, Part, data, unix_seconds};
use crate::wire::request::Route;

/// What Ollama calls itself.
const FINGERPRINT: &str = "fp_ollama";

/// A body in Ollama's words, and how the answer is to be written.
pub(in crate::emulated) struct Translated {
    /// Which of Ollama's calls it becomes.
    pub(in crate::emulated) route: Route,
    /// Its body.
    pub(in crate::emulated) body: Value,
    /// Writes the answer.
    pub(in crate::emulated) dialect: Box<dyn Dialect>,
}

/// Fields that a request may leave out: `None` is told apart from null nowhere.
pub(super) fn field<'a>(body: &'a Value, key: &str) -> Option<&'a Value> {
    body.get(key).filter(|value| !value.is_null())
}

/// A string field; empty where it is missing.
pub(super) fn text<'a>(body: &'a Value, key: &str) -> &'a str {
    body.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a flag is set.
pub(super) fn flag(body: &Value, key: &str) -> bool {
    body.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// Copies fields under their new names, where they are given.
pub(super) fn copied(body: &Value, names: &[(&str, &str)]) -> Map<String, Value> {
    names.iter().filter_map(|(from, to)| Some(((*to).to_owned(), field(body, from)?.clone()))).collect()
}

/// `POST /v1/chat/completions`.
///
/// # Errors
/// With what Ollama answers 400.
pub(in crate::emulated) fn chat(body: &Value) -> Result<Translated, String> {
    let messages = field(body, "messages").and_then(Value::as_array).filter(|list| !list.is_empty());
    let messages = messages.ok_or("[] is too short - 'messages'")?;
    let mut translated = Vec::new();
    for message in messages {
        chat_message(message, &mut translated)?;
    }
    let mut ours = copied(body, &[("model", "model"), ("tools", "tools")]);
    ours.insert("messages".into(), translated.into());
    ours.insert("stream".into(), flag(body, "stream").into());
    ours.insert("options".into(), copied(body, &[("max_tokens", "num_predict"), ("seed", "seed")]).into());
    let format = field(body, "response_format").and_then(|format| match text(format, "type") {
        "json_object" => Some(json!("json")),
        "json_schema" => format.get("json_schema")?.get("schema").cloned(),
        _ => None,
    });
    ours.extend(format.map(|format| ("format".into(), format)));
    let effort = field(body, "reasoning").map_or(text(body, "reasoning_effort"), |r| text(r, "effort"));
    ours.extend(think(effort)?.map(|think| ("think".into(), think)));
    let dialect = OpenAi::new(body, true);
    Ok(Translated { route: Route::Chat, body: ours.into(), dialect: Box::new(dialect) })
}

/// Ollama's `think` for a reasoning effort; `None` where none is named.
pub(super) fn think(effort: &str) -> Result<Option<Value>, String> {
    match effort {
        "" => Ok(None),
        "none" => Ok(Some(false.into())),
        "high" | "medium" | "low" | "max" => Ok(Some(effort.into())),
        other => Err(format!(
            "invalid reasoning value: '{other}' (must be \"high\", \"medium\", \"low\", \"max\", or \"none\")"
        )),
    }
}

/// A message; one of several parts becomes several, as in Ollama.
fn chat_message(message: &Value, out: &mut Vec<Value>) -> Result<(), String> {
    let role = text(message, "role");
    let calls = field(message, "tool_calls").and_then(Value::as_array).map(|calls| ours_of_calls(calls));
    match field(message, "content") {
        Some(Value::String(content)) => out.push(json!({ "role": role, "content": content })),
        Some(Value::Array(parts)) => {
            for part in parts {
                out.push(match text(part, "type") {
                    "text" => json!({ "role": role, "content": text(part, "text") }),
                    "image_url" => {
                        let url = part.get("image_url").map_or("", |image| match image {
                            Value::String(url) => url,
                            other => text(other, "url"),
                        });
                        let (_, image) = url.split_once(";base64,").ok_or("invalid image input")?;
                        json!({ "role": role, "content": "", "images": [image] })
                    }
                    _ => return Err("invalid message format".into()),
                });
            }
        }
        _ if calls.is_some() => out.push(json!({ "role": role, "content": "" })),
        _ => return Err("invalid message content type: <nil>".into()),
    }
    if let (Some(calls), Some(last)) = (calls, out.last_mut()) {
        last["tool_calls"] = calls;
    }
    Ok(())
}

/// Calls of tools in Ollama's form: arguments as an object.
fn ours_of_calls(calls: &[Value]) -> Value {
    let ours = calls.iter().map(|call| {
        let function = call.get("function").unwrap_or(&Value::Null);
        let arguments: Value = serde_json::from_str(text(function, "arguments")).unwrap_or_default();
        json!({ "function": { "name": text(function, "name"), "arguments": arguments } })
    });
    ours.collect()
}

/// `POST /v1/completions`.
pub(in crate::emulated) fn completion(body: &Value) -> Translated {
    let mut ours = copied(body, &[("model", "model"), ("prompt", "prompt"), ("suffix", "suffix")]);
    ours.insert("stream".into(), flag(body, "stream").into());
    ours.insert("options".into(), copied(body, &[("max_tokens", "num_predict"), ("seed", "seed")]).into());
    let dialect = OpenAi::new(body, false);
    Translated { route: Route::Generate, body: ours.into(), dialect: Box::new(dialect) }
}

/// Writes chunks of either.
struct OpenAi {
    id: String,
    model: String,
    chat: bool,
    include_usage: bool,
    called: bool,
}

impl OpenAi {
    fn new(body: &Value, chat: bool) -> Self {
        let include_usage =
            field(body, "stream_options").is_some_and(|options| flag(options, "include_usage"));
        let number = number_of(body) % 999;
        let id = format!("{}-{number}", if chat { "chatcmpl" } else { "cmpl" });
        Self { id, model: text(body, "model").to_owned(), chat, include_usage, called: false }
    }

    fn frame(&self, object: &str, choice: Value) -> Value {
        json!({
            "id": self.id, "object": object, "created": unix_seconds(), "model": self.model,
            "system_fingerprint": FINGERPRINT, "choices": [choice],
        })
    }

    fn finish(&self, part: &Part<'_>) -> Value {
        match part.end {
            Some(_) if self.called || part.call.is_some() => "tool_calls".into(),
            Some(end) => end.reason().into(),
            None => Value::Null,
        }
    }

    fn message(part: &Part<'_>) -> Value {
        let mut message = json!({ "role": "assistant", "content": part.said });
        if !part.thought.is_empty() {
            message["reasoning"] = part.thought.into();
        }
        if let Some(call) = part.call {
            let function = json!({ "name": call.name, "arguments": call.arguments.to_string() });
            message["tool_calls"] =
                json!([{ "id": call.id, "index": 0, "type": "function", "function": function }]);
        }
        message
    }
}

fn usage(end: &End) -> Value {
    let (prompt, output) = end.tokens();
    json!({ "prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output })
}

/// A number out of a body, the same for the same body.
pub(super) fn number_of(body: &Value) -> u64 {
    let hash = blake3::hash(body.to_string().as_bytes());
    u64::from(u32::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1], hash.as_bytes()[2], 0]))
}

impl Dialect for OpenAi {
    fn part(&mut self, part: &Part<'_>, out: &mut Vec<u8>) {
        let finish = self.finish(part);
        let mut chunk = if self.chat {
            let delta = Self::message(part);
            self.frame(
                "chat.completion.chunk",
                json!({ "index": 0, "delta": delta, "finish_reason": finish }),
            )
        } else {
            self.frame("text_completion", json!({ "text": part.said, "index": 0, "finish_reason": finish }))
        };
        self.called |= part.call.is_some();
        if !self.chat && self.include_usage {
            chunk["usage"] = json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 });
        }
        data(&chunk, out);
        if let Some(end) = part.end {
            if self.include_usage {
                chunk["choices"] = json!([]);
                chunk["usage"] = usage(end);
                data(&chunk, out);
            }
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
    }

    fn whole(&mut self, part: &Part<'_>, out: &mut Vec<u8>) {
        let finish = self.finish(part);
        let mut whole = if self.chat {
            let message = Self::message(part);
            self.frame("chat.completion", json!({ "index": 0, "message": message, "finish_reason": finish }))
        } else {
            self.frame("text_completion", json!({ "text": part.said, "index": 0, "finish_reason": finish }))
        };
        whole["usage"] = part.end.map_or(Value::Null, usage);
        out.extend_from_slice(format!("{whole}\n").as_bytes());
    }
}
