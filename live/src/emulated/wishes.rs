//! What a body asks for beyond what `RequestFacts` reads: tools, a form of the answer, thinking, images.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

/// Tools of a request that are looked at.
const TOOLS_MAX: usize = 1_024;

/// A tool that the model may call.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Tool {
    /// Its name.
    pub(super) name: String,
    /// The schema of its arguments.
    pub(super) parameters: Value,
}

/// What was asked for.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Wishes {
    /// The tools there are.
    pub(super) tools: Vec<Tool>,
    /// `"json"`, or the schema of the answer.
    pub(super) format: Option<Value>,
    /// Whether to think; `None` leaves it to the model.
    pub(super) think: Option<bool>,
    /// Hash of each image.
    pub(super) images: Vec<u64>,
    /// Text that follows what is to be filled in.
    pub(super) suffix: bool,
    /// No template, and no context in the last line.
    pub(super) raw: bool,
    /// The last message, where the user has spoken last.
    pub(super) asked: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct BodyFile<'a> {
    /// That it is a text; what it says was read before.
    #[serde(rename = "prompt", borrow)]
    _prompt: Option<Cow<'a, str>>,
    tools: Option<Vec<Value>>,
    format: Option<Value>,
    think: Option<Value>,
    images: Option<Vec<String>>,
    suffix: Option<String>,
    raw: Option<bool>,
    messages: Option<Vec<MessageFile>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct MessageFile {
    role: Option<String>,
    content: Option<String>,
    images: Option<Vec<String>>,
}

impl Wishes {
    /// Reads a body that `RequestFacts` has read.
    ///
    /// # Errors
    /// Where a field has the wrong type.
    pub(super) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        let file: BodyFile<'_> = serde_json::from_slice(body)?;
        let messages = file.messages.unwrap_or_default();
        let last = messages.last().filter(|message| message.role.as_deref() == Some("user"));
        let asked = last.and_then(|message| message.content.clone()).unwrap_or_default();
        let in_messages = messages.into_iter().filter_map(|message| message.images);
        let images = file.images.into_iter().chain(in_messages).flatten();
        let format = file.format.filter(|format| !matches!(format, Value::Null) && format != "");
        let think = match file.think {
            None | Some(Value::Null) => None,
            Some(Value::Bool(think)) => Some(think),
            Some(level) => Some(level != "" && level != "none"),
        };
        Ok(Self {
            tools: file.tools.unwrap_or_default().iter().take(TOOLS_MAX).filter_map(tool).collect(),
            format,
            think,
            images: images.map(|image| hash(&image)).collect(),
            suffix: file.suffix.is_some_and(|suffix| !suffix.is_empty()),
            raw: file.raw.unwrap_or(false),
            asked,
        })
    }

    /// The format, as JSON, where it is none that Ollama knows.
    pub(super) fn unknown_format(&self) -> Option<String> {
        let format = self.format.as_ref()?;
        (!format.is_object() && format != "json").then(|| format.to_string())
    }

    /// The tool that the user's last words ask for: the first one whose name they contain, or one of its parts of four
    /// letters or more as a word (`get_weather`: "weather").
    pub(super) fn wanted_tool(&self) -> Option<&Tool> {
        let said = self.asked.to_lowercase();
        let words: Vec<&str> = said.split(|c: char| !c.is_alphanumeric()).collect();
        self.tools.iter().find(|tool| {
            let name = tool.name.to_lowercase();
            let mut parts = name.split(|c: char| !c.is_alphanumeric());
            said.contains(&name) || parts.any(|part| part.chars().count() >= 4 && words.contains(&part))
        })
    }

    /// The last word of what the user said last: what a tool is asked about.
    pub(super) fn last_word(&self) -> &str {
        let mut words = self.asked.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_'));
        words.rfind(|word| !word.is_empty()).unwrap_or("something")
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    let function = tool.get("function")?;
    let name = function.get("name")?.as_str().filter(|name| !name.is_empty())?.to_owned();
    Some(Tool { name, parameters: function.get("parameters").cloned().unwrap_or_default() })
}

fn hash(text: &str) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wishes(said: &str) -> Wishes {
        let tool = |name: &str| json!({ "type": "function", "function": { "name": name, "parameters": {} } });
        let body = json!({
            "tools": [tool("add"), tool("get_weather"), tool("now")],
            "messages": [{ "role": "user", "content": said, "images": ["aGk="] }],
            "think": "high",
        });
        Wishes::read(body.to_string().as_bytes()).expect("a good body")
    }

    #[test]
    fn a_tool_is_called_where_its_name_or_a_part_of_it_is_said() {
        for (said, tool) in [
            ("What is the weather in Paris?", Some("get_weather")),
            ("please add 1 and 2", Some("add")),
            ("What time is it?", None),
            ("get it", None),
            ("Hello", None),
        ] {
            let wishes = wishes(said);
            assert_eq!(wishes.wanted_tool().map(|tool| tool.name.as_str()), tool, "{said}");
        }
        assert_eq!(wishes("What is the weather in Saint-Malo?!").last_word(), "Saint-Malo");
        assert_eq!(wishes("?").last_word(), "something");
    }

    #[test]
    fn a_result_of_a_tool_asks_for_no_other() {
        let body = json!({ "messages": [{ "role": "tool", "content": "weather" }], "think": false });
        let wishes = Wishes::read(body.to_string().as_bytes()).expect("a good body");
        assert_eq!((wishes.asked.as_str(), wishes.think), ("", Some(false)));
    }

    #[test]
    fn images_and_thinking_are_read_and_wrong_types_refused() {
        let wishes = wishes("x");
        assert_eq!((wishes.images.len(), wishes.think, wishes.format), (1, Some(true), None));
        for body in [r#"{"tools":7}"#, r#"{"prompt":5}"#, r#"{"messages":[{"content":5}]}"#] {
            assert!(Wishes::read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn formats_are_json_and_schemas_and_nothing_else() {
        for (format, unknown) in [
            ("null", None),
            ("\"\"", None),
            ("\"json\"", None),
            ("{}", None),
            ("\"yaml\"", Some("\"yaml\"")),
            ("[1]", Some("[1]")),
        ] {
            let wishes = Wishes::read(format!("{{\"format\":{format}}}").as_bytes()).expect("a good body");
            assert_eq!(wishes.unknown_format().as_deref(), unknown, "{format}");
        }
    }
}
