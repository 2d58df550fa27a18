//! The HTTP interface of Ollama, and those of others that Ollama offers too, as far as the gateway and the emulated
//! host speak them. Their field names stop here: beyond this module stand the words of `control`.

pub mod answer;
pub mod capped;
pub mod dialect;
pub mod duration;
pub mod lists;
pub mod models;
pub mod name;
pub mod prompt;
pub mod request;
pub mod route;
pub mod stamp;

/// What Ollama (and so the gateway) says when its queue is full; the two blanks are Ollama's.
pub const BUSY: &str = "server busy, please try again.  maximum pending requests exceeded";

/// `{"error": …}`, the shape of all errors under `/api`.
#[must_use]
pub fn error_object(message: &str) -> String {
    serde_json::json!({ "error": message }).to_string()
}

/// What Ollama says of a model that is not on its disk, where it was to be scheduled at once.
#[must_use]
pub fn pull_first(name: &str) -> String {
    format!("model {name:?} not found, try pulling it first")
}

/// What Ollama says of a model that is not on its disk.
#[must_use]
pub fn model_missing(name: &str) -> String {
    format!("model '{name}' not found")
}
