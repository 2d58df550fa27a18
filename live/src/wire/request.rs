//! What is read of a request's body, in any dialect. The body itself is passed on untouched.
//!
//! Keys are folded as Go's decoder folds them (`Model` is `model` to Ollama), and a key that the host reads and that
//! is given twice is refused: otherwise the gateway could read another model out of a body than the host does. Values
//! of other keys are skipped.

mod fields;
mod mend;
mod scalar;

use control::request::HostOptions;
use serde_json::{Map, Value};

use super::duration;
use super::name;
use super::prompt::Prompt;
pub use super::route::Route;
use fields::Fields;

/// What was read of a body.
#[derive(Clone, PartialEq, Debug)]
pub struct RequestFacts<'a> {
    /// The model's normalised name.
    pub model: String,
    /// The name as the client wrote it: answers repeat it.
    pub model_written: String,
    /// Answer token by token (the default under `/api`) or in one object.
    pub stream: bool,
    /// Options that a host honours by loading, and keep-alive.
    pub options: HostOptions,
    /// The cap on generated tokens; `None` where there is none.
    pub num_predict: Option<u32>,
    /// Cut an over-long prompt (Ollama's default).
    pub truncate: bool,
    /// Shift the context when it is full (Ollama's default).
    pub shift: bool,
    /// Whether there is nothing to answer: the request only loads or unloads the model.
    pub only_loads: bool,
    /// The prompt's text.
    pub prompt: Prompt<'a>,
    /// What stays the same over the requests of a conversation, in the client's words.
    pub session: Option<String>,
}

/// A body that is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadBody {
    /// Nothing was sent.
    #[error("missing request body")]
    Empty,
    /// No JSON, or a value of the wrong type.
    #[error("invalid request body: {0}")]
    Json(String),
    /// No model is named.
    #[error("model is required")]
    NoName,
    /// The model's name is invalid.
    #[error("invalid model name")]
    Name(String),
    /// The keep-alive has a value that it cannot have.
    #[error("{0}")]
    KeepAlive(String),
    /// An option has a value of the wrong type: Ollama finds it out only when the model is to be scheduled.
    #[error("{0}")]
    Option(String),
}

impl BadBody {
    /// What is said of it: the status, and the text that the client reads.
    #[must_use]
    pub fn told(&self, route: Route) -> (u16, String) {
        match self {
            Self::NoName => route.nameless(""),
            Self::Option(_) => (500, self.to_string()),
            Self::Empty | Self::Json(_) | Self::Name(_) | Self::KeepAlive(_) => (400, self.to_string()),
        }
    }
}

impl<'a> RequestFacts<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`BadBody`] where Ollama would refuse it.
    pub fn read(route: Route, body: &'a [u8]) -> Result<Self, BadBody> {
        if body.is_empty() {
            return Err(BadBody::Empty);
        }
        let fields = Fields::read(route, body).map_err(|error| BadBody::Json(error.to_string()))?;
        let model_written = fields.model.filter(|name| !name.is_empty()).ok_or(BadBody::NoName)?.into_owned();
        let Some(model) = name::normalise(&model_written) else { return Err(BadBody::Name(model_written)) };
        let (mut options, num_predict) = read_options(&fields.options)?;
        if let Some(value) = &fields.keep_alive {
            options.keep_alive = duration::keep_alive(value).map_err(BadBody::KeepAlive)?;
        }
        let mut prompt = Prompt::default();
        let tools = fields.tools.map(|tools| tools.get().into());
        for text in tools.into_iter().chain(fields.before).chain(fields.main).chain(fields.after) {
            prompt.push(text);
        }
        Ok(Self {
            model,
            model_written,
            stream: route.streams(fields.stream),
            options,
            num_predict: num_predict.or(fields.tokens_max),
            truncate: fields.truncate.unwrap_or(true),
            shift: fields.shift.unwrap_or(true),
            only_loads: fields.main_len == 0,
            prompt,
            session: fields.session,
        })
    }
}

/// The body with U+FFFD where a text is no Unicode, as hosts read it; `None` where there is nothing to mend. To be read
/// where the body itself cannot be.
#[must_use]
pub fn mended(body: &[u8]) -> Option<Vec<u8>> {
    mend::mended(body)
}

/// What was read of a body that asks about a model (`/api/show`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShowFacts {
    /// The model's normalised name.
    pub model: String,
    /// The name as the client wrote it.
    pub model_written: String,
}

impl ShowFacts {
    /// Reads a body.
    ///
    /// # Errors
    /// [`BadBody`] where Ollama would answer 400.
    pub fn read(body: &[u8]) -> Result<Self, BadBody> {
        if body.is_empty() {
            return Err(BadBody::Empty);
        }
        let named = fields::Named::read(body).map_err(|error| BadBody::Json(error.to_string()))?;
        // Under its old key, where the new one says nothing.
        let written = [named.model, named.name].into_iter().flatten().find(|name| !name.is_empty());
        let written = written.ok_or(BadBody::NoName)?;
        let model = name::normalise(&written).ok_or_else(|| BadBody::Name(written.to_string()))?;
        Ok(Self { model, model_written: written.into_owned() })
    }
}

/// The options that a host honours by loading, and the cap on tokens.
fn read_options(options: &Map<String, Value>) -> Result<(HostOptions, Option<u32>), BadBody> {
    let mut read = HostOptions {
        num_ctx: positive(options, "num_ctx")?,
        num_batch: positive(options, "num_batch")?,
        // −1 (as many layers as fit) is the default; 0 means no layer on a GPU.
        num_gpu: integer(options, "num_gpu")?.and_then(|layers| u32::try_from(layers).ok()),
        ..HostOptions::default()
    };
    let others: String = ["main_gpu", "use_mmap", "num_thread"]
        .into_iter()
        .filter_map(|key| {
            options.get(key).filter(|value| !value.is_null()).map(|value| format!("{key}={value};"))
        })
        .collect();
    if !others.is_empty() {
        let hash = blake3::hash(others.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        read.others = u64::from_le_bytes(first).max(1);
    }
    Ok((read, positive(options, "num_predict")?))
}

/// A positive integer option; zero and below mean the default.
fn positive(options: &Map<String, Value>, key: &str) -> Result<Option<u32>, BadBody> {
    Ok(integer(options, key)?
        .filter(|&value| value > 0)
        .map(|value| u32::try_from(value).unwrap_or(u32::MAX)))
}

/// An integer option. Ollama takes a number with decimals too, and cuts them off.
fn integer(options: &Map<String, Value>, key: &str) -> Result<Option<i64>, BadBody> {
    match options.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Ok(Some(
            number.as_i64().unwrap_or_else(|| number.as_f64().map_or(i64::MAX, |value| value as i64)),
        )),
        Some(_) => Err(BadBody::Option(format!("option \"{key}\" must be of type integer"))),
    }
}

#[cfg(test)]
mod tests;
