//! The three families of clients, and the shapes in which each wants to be told of an error.
//!
//! Sources: Ollama v0.24.0, `openai/openai.go` and `anthropic/anthropic.go` (`NewError`), `anthropic.StreamErrorEvent`.
//! Ollama itself ends a broken stream of events without a word; the events here are what the vendors' own clients
//! look for.

use serde_json::json;

/// Whose words a route speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// Everything under `/api`.
    Ollama,
    /// `/v1`, but for messages.
    OpenAi,
    /// `/v1/messages`.
    Anthropic,
}

impl Dialect {
    /// The body of an error answer.
    #[must_use]
    pub fn error(self, status: u16, message: &str) -> String {
        let object = match self {
            Self::Ollama => return super::error_object(message),
            Self::OpenAi => json!({ "error": open_ai(status, message) }),
            Self::Anthropic => {
                json!({ "type": "error", "error": anthropic(status, message), "request_id": request_id() })
            }
        };
        object.to_string()
    }

    /// What tells, in the middle of a stream of events, that the answer failed: whole events, each ended by a blank line.
    #[must_use]
    pub fn error_event(self, message: &str) -> String {
        match self {
            Self::Ollama => format!("data: {}\n\n", super::error_object(message)),
            // Clients of chats look for `error` in any event's data; clients of responses for an event of that name too.
            Self::OpenAi => {
                let error = open_ai(500, message);
                let data = json!({ "type": "error", "error": error, "code": null, "message": message, "param": null });
                format!("event: error\ndata: {data}\n\n")
            }
            Self::Anthropic => {
                let data = json!({ "type": "error", "error": anthropic(500, message) });
                format!("event: error\ndata: {data}\n\n")
            }
        }
    }
}

/// A new id, as Ollama makes them: nothing else knows of it.
fn request_id() -> String {
    let mut bytes = [0; 12];
    // Without random bytes the id is all zeros: an error is told all the same.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().fold(String::from("req_"), |id, byte| format!("{id}{byte:02x}"))
}

fn open_ai(status: u16, message: &str) -> serde_json::Value {
    let kind = match status {
        400 => "invalid_request_error",
        404 => "not_found_error",
        _ => "api_error",
    };
    json!({ "message": message, "type": kind, "param": null, "code": null })
}

fn anthropic(status: u16, message: &str) -> serde_json::Value {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        _ => "api_error",
    };
    json!({ "type": kind, "message": message })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn errors_have_the_shape_that_each_familys_clients_parse() {
        let ask = |dialect: Dialect, status| {
            serde_json::from_str::<Value>(&dialect.error(status, "no \"x\"")).expect("JSON")
        };
        assert_eq!(ask(Dialect::Ollama, 404), json!({ "error": "no \"x\"" }));
        for (status, open_ai, anthropic) in [
            (400, "invalid_request_error", "invalid_request_error"),
            (403, "api_error", "permission_error"),
            (404, "not_found_error", "not_found_error"),
            (502, "api_error", "api_error"),
            (503, "api_error", "overloaded_error"),
        ] {
            let error = json!({ "message": "no \"x\"", "type": open_ai, "param": null, "code": null });
            assert_eq!(ask(Dialect::OpenAi, status), json!({ "error": error }));
            let error = json!({ "message": "no \"x\"", "type": anthropic });
            let mut told = ask(Dialect::Anthropic, status);
            let id = told["request_id"].take();
            assert!(id.as_str().is_some_and(|id| id.len() == 28 && id.starts_with("req_")), "{id}");
            assert_eq!(told, json!({ "type": "error", "error": error, "request_id": null }));
            assert_ne!(ask(Dialect::Anthropic, status)["request_id"], id, "each has its own");
        }
    }

    #[test]
    fn error_events_are_one_event_each() {
        for dialect in [Dialect::Ollama, Dialect::OpenAi, Dialect::Anthropic] {
            let event = dialect.error_event("it\nbroke");
            let lines: Vec<&str> =
                event.strip_suffix("\n\n").expect("a blank line at its end").lines().collect();
            let data = lines.last().and_then(|line| line.strip_prefix("data: ")).expect("data");
            let data: Value = serde_json::from_str(data).expect("JSON in one line");
            let said = data["error"]["message"].as_str().or(data["error"].as_str());
            assert_eq!(said, Some("it\nbroke"), "{event}");
        }
    }
}
