//! Ollama's own lines of JSON. Most answers of a load test are made here, so they are written without a tree of values.

use std::io::Write;
use std::time::SystemTime;

use control::request::DoneReason;
use serde_json::json;

use super::{Dialect, End, Part};
use crate::reply;
use crate::wire::request::Route;
use crate::wire::{error_object, stamp};

/// Most numbers of a completion's context.
const CONTEXT_MAX: u32 = 1 << 18;

/// `/api/chat` and `/api/generate`.
pub(in crate::emulated) struct Ollama {
    route: Route,
    /// The model's name as a JSON string.
    model: String,
    hash: u64,
    /// Whether the last line of a completion has a context.
    context: bool,
}

impl Ollama {
    /// Answers to `route` from the model that the client calls `model`; no context in the last line where `raw`.
    pub(in crate::emulated) fn new(route: Route, model: &str, hash: u64, raw: bool) -> Self {
        let model = serde_json::Value::from(model).to_string();
        Self { route, model, hash, context: route == Route::Generate && !raw }
    }

    fn line(&self, part: &Part<'_>, out: &mut Vec<u8>) {
        let now = stamp::rfc3339(SystemTime::now());
        push(out, format_args!("{{\"model\":{},\"created_at\":\"{now}\"", self.model));
        match self.route {
            Route::Chat => {
                push(out, format_args!(",\"message\":{{\"role\":\"assistant\",\"content\":"));
                string(out, part.said);
            }
            // Only the two come here.
            _ => {
                push(out, format_args!(",\"response\":"));
                string(out, part.said);
            }
        }
        if !part.thought.is_empty() {
            push(out, format_args!(",\"thinking\":"));
            string(out, part.thought);
        }
        if let Some(call) = part.call {
            let function = json!({ "index": 0, "name": call.name, "arguments": call.arguments });
            let calls = json!([{ "id": call.id, "function": function }]);
            push(out, format_args!(",\"tool_calls\":{calls}"));
        }
        let close = if self.route == Route::Chat { "}" } else { "" };
        push(out, format_args!("{close},\"done\":{}", part.end.is_some()));
        if let Some(end) = part.end {
            self.figures(end, out);
        }
        out.extend_from_slice(b"}\n");
    }

    fn figures(&self, end: &End, out: &mut Vec<u8>) {
        push(out, format_args!(",\"done_reason\":\"{}\"", end.reason()));
        if matches!(end.usage.done, DoneReason::Load | DoneReason::Unload) {
            return;
        }
        let (prompt, output) = end.tokens();
        if self.context {
            let numbers: Vec<u64> =
                (0..prompt.saturating_add(output).min(CONTEXT_MAX)).map(|at| self.number(at)).collect();
            push(out, format_args!(",\"context\":{}", json!(numbers)));
        }
        // Ollama leaves out what is zero.
        for (key, value) in [
            ("total_duration", end.total.0),
            ("load_duration", end.usage.load.0),
            ("prompt_eval_count", prompt.into()),
            ("prompt_eval_duration", end.usage.prompt_eval.0),
            ("eval_count", output.into()),
            ("eval_duration", end.usage.eval.0),
        ] {
            if value > 0 {
                push(out, format_args!(",\"{key}\":{value}"));
            }
        }
    }

    /// The number that stands for the token at this place of the context.
    fn number(&self, at: u32) -> u64 {
        (self.hash ^ u64::from(at)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 47
    }
}

impl Dialect for Ollama {
    fn part(&mut self, part: &Part<'_>, out: &mut Vec<u8>) {
        self.line(part, out);
    }

    fn whole(&mut self, part: &Part<'_>, out: &mut Vec<u8>) {
        self.line(part, out);
        // Ollama ends lines of a stream only.
        out.pop();
    }

    fn error(&mut self, message: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(error_object(message).as_bytes());
        out.push(b'\n');
    }

    fn stream_type(&self) -> &'static str {
        reply::NDJSON
    }

    fn whole_type(&self) -> &'static str {
        reply::JSON
    }
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes all that is written to it");
}

fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("memory takes all that is written to it");
}
