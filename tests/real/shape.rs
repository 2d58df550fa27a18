//! What of an answer two hosts must have in common: status, headers that clients read, and the shape of the body: keys
//! and types of JSON, the order of kinds of lines and events, the words of errors. Written as text, so that a
//! difference can be read.

use std::collections::BTreeSet;

use serde_json::Value;

use super::http::Answer;

/// Texts under these keys are compared themselves: they are the words of the protocol.
const SPOKEN: &[&str] = &[
    "capabilities",
    "code",
    "done_reason",
    "error",
    "finish_reason",
    "format",
    "message",
    "model",
    "name",
    "object",
    "param",
    "role",
    "status",
    "stop_reason",
    "type",
];

/// Headers that are compared, besides those that begin with `access-control-`.
const HEADERS: &[&str] = &["allow", "location", "retry-after", "www-authenticate"];

/// What is compared more loosely.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loosely {
    /// Words of errors: they cite the parser.
    pub(crate) errors: bool,
    /// Names of models.
    pub(crate) names: bool,
    /// Keys that are not looked at.
    pub(crate) left_out: &'static [&'static str],
}

/// The shape of an answer, line by line.
pub(crate) fn shape(answer: &Answer, loosely: Loosely) -> String {
    let mut lines = vec![format!("status {}", answer.status)];
    let mut headers: Vec<String> = Vec::new();
    for (name, value) in &answer.headers {
        match name.as_str() {
            // Whether a list of its comes in one line or in several says nothing.
            "vary" => headers.extend(value.split(',').map(|part| format!("vary: {}", part.trim()))),
            // It belongs to this status; elsewhere it is a trace of a host's router.
            "allow" if answer.status != 405 => {}
            // Neither JSON nor ASCII text gains anything by a character set.
            "content-type" => headers.push(format!("{name}: {}", media_type(value))),
            // Names of headers, in either case.
            "access-control-allow-headers" => headers.push(format!("{name}: {}", value.to_lowercase())),
            name if HEADERS.contains(&name) || name.starts_with("access-control-") => {
                headers.push(format!("{name}: {value}"));
            }
            _ => {}
        }
    }
    headers.sort();
    lines.extend(headers);
    if !answer.whole {
        lines.push("breaks off".into());
    }
    let content_type = answer.header("content-type").unwrap_or_default();
    let text = answer.text();
    if content_type.starts_with("text/event-stream") {
        lines.extend(in_order(text.split("\n\n").filter(|event| !event.is_empty()).map(|event| {
            let fields = event.lines().map(|field| match field.strip_prefix("data: ") {
                Some(data) => format!("data: {}", json(data, loosely)),
                None => field.to_owned(),
            });
            fields.collect::<Vec<_>>().join(", ")
        })));
        if !text.ends_with("\n\n") {
            lines.push("ends within an event".into());
        }
    } else if content_type.contains("json") {
        lines.extend(in_order(text.lines().map(|line| json(line, loosely))));
    } else {
        lines.push(format!("{text:?}"));
    }
    lines.join("\n")
}

fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default()
}

/// Each kind once where it comes several times in a row.
fn in_order(kinds: impl Iterator<Item = String>) -> Vec<String> {
    let mut kinds: Vec<String> = kinds.collect();
    kinds.dedup();
    kinds
}

fn json(text: &str, loosely: Loosely) -> String {
    match serde_json::from_str(text) {
        Ok(value) => of_value(&value, "", loosely),
        // `[DONE]`, or what should have been JSON.
        Err(_) => format!("{text:?}"),
    }
}

fn of_value(value: &Value, key: &str, loosely: Loosely) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(_) => "number".into(),
        Value::String(_) if loosely.errors && matches!(key, "error" | "message") => "words".into(),
        Value::String(_) if loosely.names && matches!(key, "model" | "name") => "text".into(),
        Value::String(text) if SPOKEN.contains(&key) => format!("{text:?}"),
        Value::String(_) => "text".into(),
        Value::Array(items) => {
            let kinds: BTreeSet<String> = items.iter().map(|item| of_value(item, key, loosely)).collect();
            format!("[{}]", kinds.into_iter().collect::<Vec<_>>().join(" | "))
        }
        Value::Object(fields) => {
            let mut fields: Vec<String> = fields
                .iter()
                .filter(|(name, _)| !loosely.left_out.contains(&name.as_str()))
                .map(|(name, value)| format!("{name}: {}", of_value(value, name, loosely)))
                .collect();
            fields.sort();
            format!("{{{}}}", fields.join(", "))
        }
    }
}
