//! What an answer says, token by token: thoughts, then made-up words, or a text in the form that was asked for, or the
//! call of a tool.

use serde_json::Value;

use super::answer;
use super::schema;
use super::wishes::Wishes;

/// Most bytes of a token of letters and digits where the text is given.
const WORD_TOKEN_BYTES_MAX: usize = 4;
/// Most bytes of one of signs: JSON is full of them, and has more tokens than prose has.
const SIGN_TOKEN_BYTES_MAX: usize = 2;

/// A call of a tool.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Call {
    /// Its id, as Ollama makes them (`call_…`).
    pub(super) id: String,
    /// The tool.
    pub(super) name: String,
    /// An object.
    pub(super) arguments: Value,
}

/// A token of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Token<'a> {
    /// A thought.
    Thought(&'a str),
    /// Something said.
    Said(&'a str),
    /// A part of a tool's call, which is told as a whole at the end.
    Silent,
}

enum Content {
    Words {
        tokens: u32,
    },
    /// Ends of the tokens in the text.
    Text {
        text: String,
        ends: Vec<usize>,
    },
    Call {
        call: Call,
        tokens: u32,
    },
}

/// An answer that is to be given.
pub(super) struct Script {
    hash: u64,
    thoughts: u32,
    content: Content,
}

impl Script {
    /// The answer to a request with this hash. `thinks` is whether the model thinks first.
    pub(super) fn new(hash: u64, wishes: &Wishes, thinks: bool) -> Self {
        let words = answer::answer_tokens(hash);
        let thoughts = if thinks { words.div_ceil(4) } else { 0 };
        let content = if let Some(tool) = wishes.wanted_tool() {
            let arguments = schema::example(&tool.parameters, wishes.last_word());
            let arguments = if arguments.is_object() { arguments } else { serde_json::json!({}) };
            let tokens = ends_of_tokens(&format!("{}{arguments}", tool.name)).len() as u32;
            Content::Call { call: Call { id: call_id(hash), name: tool.name.clone(), arguments }, tokens }
        } else if let Some(format) = &wishes.format {
            let value = match format {
                Value::Object(_) => schema::example(format, "made-up words"),
                _ => serde_json::json!({ "answer": "made-up words" }),
            };
            text(value.to_string())
        } else {
            Content::Words { tokens: (words - thoughts).max(1) }
        };
        Self { hash, thoughts, content }
    }

    /// Its tokens, were it not cut off.
    pub(super) fn tokens(&self) -> u32 {
        let said = match &self.content {
            Content::Words { tokens } | Content::Call { tokens, .. } => *tokens,
            Content::Text { ends, .. } => ends.len() as u32,
        };
        self.thoughts + said
    }

    /// The token at `index`.
    pub(super) fn token(&self, index: u32) -> Token<'_> {
        let Some(said) = index.checked_sub(self.thoughts) else {
            return Token::Thought(answer::word(!self.hash, index));
        };
        match &self.content {
            Content::Words { .. } => Token::Said(answer::word(self.hash, index)),
            Content::Call { .. } => Token::Silent,
            Content::Text { text, ends } => {
                let at = |index: u32| ends.get(index as usize).copied().unwrap_or(text.len());
                let start = said.checked_sub(1).map_or(0, at);
                Token::Said(&text[start..at(said)])
            }
        }
    }

    /// The call that an answer of this length makes: none where it was cut off before.
    pub(super) fn call(&self, tokens: u32) -> Option<&Call> {
        match &self.content {
            Content::Call { call, .. } if tokens >= self.tokens() => Some(call),
            _ => None,
        }
    }

    /// Thoughts and what is said, in an answer of this length.
    pub(super) fn whole(&self, tokens: u32) -> (String, String) {
        let (mut thoughts, mut said) = (String::new(), String::new());
        for index in 0..tokens {
            match self.token(index) {
                Token::Thought(text) => thoughts.push_str(text),
                Token::Said(text) => said.push_str(text),
                Token::Silent => {}
            }
        }
        (thoughts, said)
    }

    /// The hash of the request.
    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }
}

fn text(text: String) -> Content {
    Content::Text { ends: ends_of_tokens(&text), text }
}

/// Where each token of a text ends: words and signs are never in one.
fn ends_of_tokens(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = first.is_alphanumeric();
        let most = if is_word { WORD_TOKEN_BYTES_MAX } else { SIGN_TOKEN_BYTES_MAX };
        let run = rest.find(|c: char| c.is_alphanumeric() != is_word).unwrap_or(rest.len());
        rest = &rest[run.min(rest.ceil_char_boundary(most))..];
        ends.push(text.len() - rest.len());
    }
    ends
}

/// `call_` and eight letters or digits.
fn call_id(hash: u64) -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut left = hash;
    let mut id = String::from("call_");
    for _ in 0..8 {
        id.push(char::from(LETTERS[(left % 36) as usize]));
        left /= 36;
    }
    id
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::emulated::wishes::Tool;

    #[test]
    fn tokens_of_a_given_text_are_the_text() {
        let wishes = Wishes {
            format: Some(json!({ "type": "object", "properties": { "größe": { "type": "string" } } })),
            ..Wishes::default()
        };
        let script = Script::new(7, &wishes, true);
        let (thoughts, said) = script.whole(script.tokens());
        assert!(!thoughts.is_empty());
        assert_eq!(said, "{\"größe\":\"made-up words\"}");
        assert_eq!(script.whole(script.tokens() + 5).1, said, "nothing follows");
        assert!(said.starts_with(&script.whole(script.tokens() - 2).1), "a cap cuts it off");
    }

    #[test]
    fn a_call_is_made_only_where_there_was_room_for_it() {
        let tool = Tool {
            name: "get_weather".into(),
            parameters: json!({ "type": "object", "properties": { "city": { "type": "string" } } }),
        };
        let wishes = Wishes { tools: vec![tool], asked: "the weather in Paris?".into(), ..Wishes::default() };
        let script = Script::new(1 << 40, &wishes, false);
        let tokens = script.tokens();
        let call = script.call(tokens).expect("a call");
        assert_eq!((call.name.as_str(), &call.arguments), ("get_weather", &json!({ "city": "Paris" })));
        assert!(call.id.len() == 13 && call.id.starts_with("call_"));
        assert_eq!(script.call(tokens - 1), None);
        assert_eq!(script.whole(tokens), (String::new(), String::new()));
    }

    #[test]
    fn words_with_and_without_thoughts_are_as_long_as_the_draw() {
        for hash in [0, 1 << 63, u64::MAX] {
            for thinks in [false, true] {
                let script = Script::new(hash, &Wishes::default(), thinks);
                assert_eq!(script.tokens(), answer::answer_tokens(hash));
                assert_eq!(script.token(0), Script::new(hash, &Wishes::default(), thinks).token(0));
                assert_eq!(matches!(script.token(0), Token::Thought(_)), thinks);
            }
        }
    }
}
