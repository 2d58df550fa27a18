//! Fills typed structs from a [`Document`]: a serde deserializer whose errors know the place and the valid keys.
//!
//! serde hands an error type the list of keys that a struct has; the parser's own error type drops it, so
//! this one keeps it for suggestions.

use std::fmt;

use serde::de::{
    self, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
};
use serde::de::{Deserialize, VariantAccess, Visitor};

use super::document::{Document, Entry, Node, Origin, Value};
use super::error::{Found, Report, nearest};

impl Document {
    /// Fills a struct from the whole document.
    ///
    /// # Errors
    /// On the first key or value that the struct does not take, with its place and what would be taken.
    pub fn read<'de, T: Deserialize<'de>>(&'de self) -> Result<T, Report> {
        T::deserialize(Reader { node: &self.root }).map_err(|error| error.report(self))
    }
}

/// What went wrong, before it is known in which text.
#[derive(Debug)]
pub(super) struct ReadError {
    what: What,
    /// The innermost place; filled in where the error passes the node that it is about.
    origin: Option<Origin>,
    /// What stands there.
    found: Option<String>,
    /// Keys from the root to it.
    path: Vec<String>,
}

#[derive(Debug)]
enum What {
    UnknownKey { key: String, expected: &'static [&'static str] },
    UnknownChoice { choice: String, expected: &'static [&'static str] },
    MissingKey(&'static str),
    Unfit { found: String, expected: String },
    Other(String),
}

impl ReadError {
    fn new(what: What) -> Self {
        Self { what, origin: None, found: None, path: Vec::new() }
    }

    fn or_at(mut self, node: &Node) -> Self {
        if self.origin.is_none() {
            self.origin = Some(node.origin.clone());
            self.found = Some(Found::of(&node.value).to_string());
        }
        self
    }

    fn below(mut self, key: &str) -> Self {
        self.path.insert(0, key.to_owned());
        self
    }

    fn report(self, document: &Document) -> Report {
        let path = self.path.join(".").replace(".[", "[");
        let of = |path: &str| if path.is_empty() { String::new() } else { format!(" in `{path}`") };
        let origin = self.origin.unwrap_or_else(|| document.root.origin.clone());
        match self.what {
            What::UnknownKey { key, expected } => {
                let report = document.report_at(&origin, format!("unknown key `{key}`{}", of(&path)));
                choose(report, &key, expected, "key")
            }
            What::UnknownChoice { choice, expected } => {
                let report = document.report_at(&origin, format!("`{path}` cannot be `{choice}`"));
                choose(report, &choice, expected, "value")
            }
            What::MissingKey(key) => {
                let message = format!("the key `{key}` is missing{}", of(&path));
                document.report(&path, message).label(format!("expected `{key}` here"))
            }
            What::Unfit { found, expected } => {
                let found = self.found.unwrap_or(found);
                let mut report = document
                    .report_at(&origin, format!("`{path}` has a value that does not fit"))
                    .label(format!("found {found}, expected {}", in_words(&expected)));
                let bare = ["the number", "the date", "`"].iter().any(|kind| found.starts_with(kind));
                if expected.contains("string") && bare {
                    report = report.help("put text in quotes (on a command line as key='\"text\"')");
                }
                report
            }
            What::Other(message) => {
                let report = document.report_at(&origin, format!("`{path}` has a value that does not fit"));
                match self.found {
                    Some(found) => report.label(format!("found {found}: {message}")),
                    None => report.label(message),
                }
            }
        }
    }
}

fn choose(report: Report, typed: &str, expected: &[&'static str], what: &str) -> Report {
    let mut sorted = expected.to_vec();
    sorted.sort_unstable();
    let all = format!("valid {what}s: {}", sorted.join(", "));
    match nearest(typed, expected.iter().copied()) {
        Some(near) => report.label(format!("did you mean `{near}`?")).help(all),
        None if expected.is_empty() => report.label(format!("no {what} is expected here")),
        None => report.label(format!("expected one of the valid {what}s")).help(all),
    }
}

/// serde names Rust's types; a scenario's author knows numbers and texts.
fn in_words(expected: &str) -> String {
    let words = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65,535",
        "u32" => "a whole number from 0 to 4,294,967,295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i8" => "a whole number from -128 to 127",
        "i16" => "a whole number from -32,768 to 32,767",
        "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "string" => "text",
        "a sequence" => "a list",
        "a map" => "a table",
        "a nonzero u32" => "a whole number from 1 to 4,294,967,295",
        "a nonzero u64" => "a whole number, 1 or more",
        other => {
            return if other.starts_with("struct ") {
                "a table".to_owned()
            } else if other.starts_with("enum") || other == "string or map" {
                "a name, or a table with one key".to_owned()
            } else {
                other.to_owned()
            };
        }
    };
    words.to_owned()
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(What::Other(message.to_string()))
    }
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(What::Unfit { found: found.to_string(), expected: expected.to_string() })
    }
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }
    fn invalid_length(len: usize, expected: &dyn Expected) -> Self {
        Self::new(What::Other(format!("it has {len} elements, expected {expected}")))
    }
    fn unknown_field(key: &str, expected: &'static [&'static str]) -> Self {
        Self::new(What::UnknownKey { key: key.to_owned(), expected })
    }
    fn unknown_variant(choice: &str, expected: &'static [&'static str]) -> Self {
        Self::new(What::UnknownChoice { choice: choice.to_owned(), expected })
    }
    fn missing_field(key: &'static str) -> Self {
        Self::new(What::MissingKey(key))
    }
}

/// Reads one node.
struct Reader<'de> {
    node: &'de Node,
}

impl<'de> de::Deserializer<'de> for Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let read = match &self.node.value {
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Integer(number) => match u64::try_from(*number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(*number),
            },
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Datetime(value) => visitor.visit_borrowed_str(value),
            Value::Array(nodes) => visitor.visit_seq(Elements { nodes, next: 0 }),
            Value::Table(entries) => visitor.visit_map(Pairs { entries, next: 0 }),
        };
        read.map_err(|error| error.or_at(self.node))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let node = self.node;
        let read = match &node.value {
            Value::String(name) => visitor.visit_enum(name.as_str().into_deserializer()),
            Value::Table(entries) if entries.len() == 1 => visitor.visit_enum(Choice { entry: &entries[0] }),
            Value::Table(entries) => {
                let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
                let message = format!("expected one choice, found {}: {}", keys.len(), keys.join(", "));
                Err(ReadError::new(What::Other(message)))
            }
            _ => Err(ReadError::new(What::Unfit { found: String::new(), expected: "enum".to_owned() })),
        };
        read.map_err(|error| error.or_at(node))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

struct Elements<'de> {
    nodes: &'de [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some(node) = self.nodes.get(self.next) else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        seed.deserialize(Reader { node })
            .map(Some)
            .map_err(|error| error.or_at(node).below(&format!("[{index}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.nodes.len() - self.next)
    }
}

struct Pairs<'de> {
    entries: &'de [Entry],
    next: usize,
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some(entry) = self.entries.get(self.next) else { return Ok(None) };
        let key: de::value::StrDeserializer<'_, ReadError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|mut error| {
            error.origin = Some(entry.origin.clone());
            error
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let entry = &self.entries[self.next];
        self.next += 1;
        seed.deserialize(Reader { node: &entry.node })
            .map_err(|error| error.or_at(&entry.node).below(&entry.key))
    }
}

/// `{ name = content }`: a choice with content.
struct Choice<'de> {
    entry: &'de Entry,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let name: de::value::StrDeserializer<'_, ReadError> = self.entry.key.as_str().into_deserializer();
        let variant = seed.deserialize(name).map_err(|mut error| {
            error.origin = Some(self.entry.origin.clone());
            error
        })?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match &self.entry.node.value {
            Value::Table(entries) if entries.is_empty() => Ok(()),
            _ => {
                let message = format!("`{0}` takes nothing: write it as text, \"{0}\"", self.entry.key);
                Err(ReadError::new(What::Other(message)).or_at(&self.entry.node))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        let entry = self.entry;
        seed.deserialize(Reader { node: &entry.node })
            .map_err(|error| error.or_at(&entry.node).below(&entry.key))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, ReadError> {
        let entry = self.entry;
        de::Deserializer::deserialize_any(Reader { node: &entry.node }, visitor)
            .map_err(|error| error.or_at(&entry.node).below(&entry.key))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.tuple_variant(0, visitor)
    }
}
