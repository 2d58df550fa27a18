//! What is read of a request's body. The body itself is passed on untouched.
//!
//! Keys are folded as Go's decoder folds them (`Model` is `model` to Ollama), and a key given twice is refused:
//! otherwise the gateway could read another model out of a body than the host does. Values of other keys are
//! skipped.

use std::borrow::Cow;
use std::fmt;

use control::request::HostOptions;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::duration;
use super::name;
use super::prompt::Prompt;

/// Which of Ollama's two generating calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    /// `POST /api/chat`.
    Chat,
    /// `POST /api/generate`.
    Generate,
}

impl Route {
    /// Its path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/api/chat",
            Self::Generate => "/api/generate",
        }
    }
}

/// What was read of a body.
#[derive(Clone, PartialEq, Debug)]
pub struct RequestFacts<'a> {
    /// The model's normalised name.
    pub model: String,
    /// The name as the client wrote it: answers repeat it.
    pub model_written: String,
    /// Answer token by token (Ollama's default) or in one object.
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
}

/// A body that is answered with 400. The text is what the client reads.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadBody {
    /// Nothing was sent.
    #[error("missing request body")]
    Empty,
    /// No JSON, or a value of the wrong type.
    #[error("invalid request body: {0}")]
    Json(String),
    /// The model's name is missing or invalid.
    #[error("invalid model name")]
    Name,
    /// An option or the keep-alive has a value that it cannot have.
    #[error("{0}")]
    Option(String),
}

impl<'a> RequestFacts<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// [`BadBody`] where Ollama would answer 400 (or 500, for an option of the wrong type).
    pub fn read(route: Route, body: &'a [u8]) -> Result<Self, BadBody> {
        if body.is_empty() {
            return Err(BadBody::Empty);
        }
        let fields: Fields<'a> =
            serde_json::from_slice(body).map_err(|error| BadBody::Json(error.to_string()))?;
        let model_written = fields.model.map(Cow::into_owned).unwrap_or_default();
        let model = name::normalise(&model_written).ok_or(BadBody::Name)?;
        let (mut options, num_predict) = read_options(fields.options.as_ref())?;
        if let Some(value) = &fields.keep_alive {
            options.keep_alive = duration::keep_alive(value).map_err(BadBody::Option)?;
        }
        let mut prompt = Prompt::default();
        let only_loads = match route {
            Route::Chat => {
                let messages = fields.messages.unwrap_or_default();
                prompt_of_chat(&mut prompt, fields.tools, &messages);
                messages.is_empty()
            }
            Route::Generate => {
                let text = fields.prompt.unwrap_or_default();
                let empty = text.is_empty();
                for part in fields.system.into_iter().chain([text]).chain(fields.suffix) {
                    if !part.is_empty() {
                        prompt.push(part);
                    }
                }
                empty
            }
        };
        Ok(Self {
            model,
            model_written,
            stream: fields.stream.unwrap_or(true),
            options,
            num_predict,
            truncate: fields.truncate.unwrap_or(true),
            shift: fields.shift.unwrap_or(true),
            only_loads,
            prompt,
        })
    }
}

fn prompt_of_chat<'a>(prompt: &mut Prompt<'a>, tools: Option<&'a RawValue>, messages: &[Message<'a>]) {
    if let Some(tools) = tools {
        prompt.push(tools.get().into());
    }
    for message in messages {
        for part in [&message.role, &message.content].into_iter().flatten() {
            prompt.push(part.clone());
        }
        if let Some(calls) = message.tool_calls {
            prompt.push(calls.get().into());
        }
    }
}

/// The options that a host honours by loading, and the cap on tokens.
fn read_options(options: Option<&Map<String, Value>>) -> Result<(HostOptions, Option<u32>), BadBody> {
    let mut read = HostOptions::default();
    let Some(options) = options else { return Ok((read, None)) };
    read.num_ctx = positive(options, "num_ctx")?;
    read.num_batch = positive(options, "num_batch")?;
    // −1 (as many layers as fit) is the default; 0 means no layer on a GPU.
    read.num_gpu = integer(options, "num_gpu")?.and_then(|layers| u32::try_from(layers).ok());
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

/// The fields of both calls that are looked at.
#[derive(Default)]
struct Fields<'a> {
    model: Option<Cow<'a, str>>,
    stream: Option<bool>,
    keep_alive: Option<Value>,
    options: Option<Map<String, Value>>,
    truncate: Option<bool>,
    shift: Option<bool>,
    prompt: Option<Cow<'a, str>>,
    system: Option<Cow<'a, str>>,
    suffix: Option<Cow<'a, str>>,
    tools: Option<&'a RawValue>,
    messages: Option<Vec<Message<'a>>>,
}

/// A message of a chat.
#[derive(Default)]
struct Message<'a> {
    role: Option<Cow<'a, str>>,
    content: Option<Cow<'a, str>>,
    tool_calls: Option<&'a RawValue>,
}

/// An object whose known keys are folded and may stand once.
trait Object<'de>: Default {
    /// What it is called in errors.
    const NAME: &'static str;
    /// The folded keys that are read.
    const KEYS: &'static [&'static str];
    /// Reads the value of a key of the list.
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

impl<'de> Object<'de> for Fields<'de> {
    const NAME: &'static str = "a request object";
    const KEYS: &'static [&'static str] = &[
        "model",
        "stream",
        "keep_alive",
        "options",
        "truncate",
        "shift",
        "prompt",
        "system",
        "suffix",
        "tools",
        "messages",
    ];
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "model" => self.model = text(map)?,
            "stream" => self.stream = map.next_value()?,
            "keep_alive" => self.keep_alive = map.next_value()?,
            "options" => self.options = map.next_value()?,
            "truncate" => self.truncate = map.next_value()?,
            "shift" => self.shift = map.next_value()?,
            "prompt" => self.prompt = text(map)?,
            "system" => self.system = text(map)?,
            "suffix" => self.suffix = text(map)?,
            "tools" => self.tools = map.next_value()?,
            _ => {
                let messages: Option<Vec<OneObject<Message<'de>>>> = map.next_value()?;
                self.messages = messages.map(|list| list.into_iter().map(|one| one.0).collect());
            }
        }
        Ok(())
    }
}

impl<'de> Object<'de> for Message<'de> {
    const NAME: &'static str = "a message object";
    const KEYS: &'static [&'static str] = &["role", "content", "tool_calls"];
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "role" => self.role = text(map)?,
            "content" => self.content = text(map)?,
            _ => self.tool_calls = map.next_value()?,
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OneObject::deserialize(deserializer).map(|one| one.0)
    }
}

/// An [`Object`] out of JSON.
struct OneObject<T>(T);

impl<'de, T: Object<'de>> Deserialize<'de> for OneObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(std::marker::PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Object<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut object = T::default();
        let mut seen = 0_u32;
        while let Some(Text(key)) = map.next_key()? {
            let folded = fold(&key);
            let Some(place) = T::KEYS.iter().position(|known| *known == folded) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if seen & (1 << place) != 0 {
                return Err(de::Error::custom(format_args!("key \"{folded}\" is given twice")));
            }
            seen |= 1 << place;
            object.field(&folded, &mut map)?;
        }
        Ok(object)
    }
}

/// Case folded as by Go's `encoding/json`: ASCII letters, and the two letters beyond that fold into ASCII.
fn fold(key: &str) -> Cow<'_, str> {
    if key.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return key.into();
    }
    key.chars()
        .map(|c| match c {
            'ſ' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .collect::<String>()
        .into()
}

/// A string, borrowed from the body where it has no escapes; `None` for null.
fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(map.next_value::<Option<Text<'de>>>()?.map(|text| text.0))
}

struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests;
