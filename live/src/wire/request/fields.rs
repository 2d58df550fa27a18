//! The fields of a body that are looked at, out of JSON in one pass.
//!
//! What may be a text or a list of parts (contents, inputs) is walked for its texts only: images, files and sounds
//! are left out, since their bytes say nothing of tokens.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Route;
use super::scalar::{Members, Scalar};

/// Options that are looked at.
const OPTIONS: &[&str] =
    &["num_ctx", "num_batch", "num_gpu", "num_predict", "main_gpu", "use_mmap", "num_thread"];

/// What was found.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) model: Option<Cow<'a, str>>,
    pub(super) stream: Option<bool>,
    pub(super) keep_alive: Option<Value>,
    pub(super) options: Map<String, Value>,
    pub(super) truncate: Option<bool>,
    pub(super) shift: Option<bool>,
    /// The cap on generated tokens where it is no option.
    pub(super) tokens_max: Option<u32>,
    pub(super) session: Option<String>,
    pub(super) tools: Option<&'a RawValue>,
    /// Texts of the system's prompt or instructions.
    pub(super) before: Vec<Cow<'a, str>>,
    /// Texts of the prompt, the messages or the input.
    pub(super) main: Vec<Cow<'a, str>>,
    /// Messages or inputs; 0 where there is nothing to answer.
    pub(super) main_len: usize,
    /// Text that is to follow the answer.
    pub(super) after: Vec<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is no JSON object, a field has a type that it cannot have, or stands twice.
    pub(super) fn read(route: Route, body: &'a [u8]) -> Result<Self, serde_json::Error> {
        let mut fields = Self::default();
        let mut json = serde_json::Deserializer::from_slice(body);
        json.deserialize_map(ObjectVisitor(Call { route, fields: &mut fields }))?;
        json.end()?;
        Ok(fields)
    }
}

/// An object whose known keys are folded and may stand once.
trait Object<'de> {
    /// What it is called in errors.
    const NAME: &'static str;
    /// The folded keys that are read; at most 32.
    const KEYS: &'static [&'static str];
    /// Whether a key of the list is read this time.
    fn reads(&self, key: &str) -> bool;
    /// Reads the value of a key of the list.
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// The body itself.
struct Call<'f, 'a> {
    route: Route,
    fields: &'f mut Fields<'a>,
}

impl<'de> Object<'de> for Call<'_, 'de> {
    const NAME: &'static str = "a request object";
    const KEYS: &'static [&'static str] = &[
        "model",
        "stream",
        "keep_alive",
        "options",
        "truncate",
        "shift",
        "prompt",
        "suffix",
        "system",
        "messages",
        "tools",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tokens",
        "max_completion_tokens",
        "user",
        "prompt_cache_key",
        "metadata",
    ];

    fn reads(&self, key: &str) -> bool {
        self.route.reads(key)
    }

    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let fields = &mut *self.fields;
        match key {
            "model" => fields.model = map.next_value::<Option<Text<'de>>>()?.map(|text| text.0),
            "stream" => fields.stream = map.next_value()?,
            "keep_alive" => fields.keep_alive = Some(map.next_value::<Scalar>()?.0),
            "options" => fields.options = map.next_value_seed(Members(OPTIONS))?,
            "truncate" => fields.truncate = map.next_value()?,
            "shift" => fields.shift = map.next_value()?,
            "tools" => fields.tools = map.next_value()?,
            "suffix" => drop(map.next_value_seed(Texts(&mut fields.after))?),
            "system" | "instructions" => drop(map.next_value_seed(Texts(&mut fields.before))?),
            "max_output_tokens" | "max_tokens" | "max_completion_tokens" => {
                let cap = map.next_value::<Scalar>()?.0.as_u64().filter(|&cap| cap > 0);
                fields.tokens_max =
                    fields.tokens_max.or(cap.map(|cap| u32::try_from(cap).unwrap_or(u32::MAX)));
            }
            // Names a conversation, where the others name a user.
            "prompt_cache_key" => {
                fields.session = hint(map.next_value::<Scalar>()?.0).or(fields.session.take())
            }
            "user" => fields.session = fields.session.take().or(hint(map.next_value::<Scalar>()?.0)),
            "metadata" => {
                let user = map.next_value_seed(Members(&["user_id"]))?.remove("user_id");
                fields.session = user.and_then(hint);
            }
            // "prompt", "messages", "input".
            _ => fields.main_len = map.next_value_seed(Texts(&mut fields.main))?,
        }
        Ok(())
    }
}

/// A body that only names a model.
#[derive(Default)]
pub(super) struct Named<'a> {
    pub(super) model: Option<Cow<'a, str>>,
    pub(super) name: Option<Cow<'a, str>>,
}

impl<'a> Named<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// As [`Fields::read`].
    pub(super) fn read(body: &'a [u8]) -> Result<Self, serde_json::Error> {
        let mut named = Self::default();
        let mut json = serde_json::Deserializer::from_slice(body);
        json.deserialize_map(ObjectVisitor(&mut named))?;
        json.end()?;
        Ok(named)
    }
}

impl<'de> Object<'de> for &mut Named<'de> {
    const NAME: &'static str = "a request object";
    const KEYS: &'static [&'static str] = &["model", "name"];

    fn reads(&self, _: &str) -> bool {
        true
    }

    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let name = map.next_value::<Option<Text<'de>>>()?.map(|text| text.0);
        match key {
            "model" => self.model = name,
            _ => self.name = name,
        }
        Ok(())
    }
}

/// Anything but a text is no hint; hosts do not look at it.
fn hint(value: Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// A message, a part of one or an item of an input: texts stand under these keys, and nothing else does.
struct Piece<'s, 'a>(&'s mut Vec<Cow<'a, str>>);

impl<'de> Object<'de> for Piece<'_, 'de> {
    const NAME: &'static str = "a message object";
    const KEYS: &'static [&'static str] =
        &["role", "content", "text", "tool_calls", "arguments", "input", "output"];

    fn reads(&self, _: &str) -> bool {
        true
    }

    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            // Calls of tools come back to the host as they were: their JSON is part of the prompt.
            "tool_calls" | "input" => {
                let raw: Option<&RawValue> = map.next_value()?;
                self.0.extend(raw.map(|raw| Cow::Borrowed(raw.get())));
            }
            _ => drop(map.next_value_seed(Texts(self.0))?),
        }
        Ok(())
    }
}

struct ObjectVisitor<T>(T);

impl<'de, T: Object<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0_u32;
        while let Some(Text(key)) = map.next_key()? {
            let folded = fold(&key);
            let place = T::KEYS.iter().position(|known| *known == folded);
            let Some(place) = place.filter(|_| self.0.reads(&folded)) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if seen & (1 << place) != 0 {
                return Err(de::Error::custom(format_args!("key \"{folded}\" is given twice")));
            }
            seen |= 1 << place;
            self.0.field(&folded, &mut map)?;
        }
        Ok(())
    }
}

/// Collects the texts of a value, in order. Gives the number of its elements: 1 for a text that is not empty.
struct Texts<'s, 'a>(&'s mut Vec<Cow<'a, str>>);

impl<'de> DeserializeSeed<'de> for Texts<'_, 'de> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Texts<'_, 'de> {
    fn text<E>(self, text: Cow<'de, str>) -> Result<usize, E> {
        if text.is_empty() {
            return Ok(0);
        }
        self.0.push(text);
        Ok(1)
    }
}

impl<'de> Visitor<'de> for Texts<'_, 'de> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of parts")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<usize, E> {
        self.text(Cow::Borrowed(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<usize, E> {
        self.text(Cow::Owned(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<usize, A::Error> {
        let mut elements = 0;
        while seq.next_element_seed(Texts(self.0))?.is_some() {
            elements += 1;
        }
        Ok(elements)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<usize, A::Error> {
        ObjectVisitor(Piece(self.0)).visit_map(map)?;
        Ok(1)
    }
    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok(0)
    }
    fn visit_bool<E>(self, _: bool) -> Result<usize, E> {
        Ok(1)
    }
    fn visit_i64<E>(self, _: i64) -> Result<usize, E> {
        Ok(1)
    }
    fn visit_u64<E>(self, _: u64) -> Result<usize, E> {
        Ok(1)
    }
    fn visit_f64<E>(self, _: f64) -> Result<usize, E> {
        Ok(1)
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

/// A string, borrowed from the body where it has no escapes.
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
