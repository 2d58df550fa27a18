//! The cases of the comparison, each a request.

/// A request that is sent to both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// What it is about; no two have the same.
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// `None` sends no body at all.
    pub(crate) body: Option<&'static str>,
    /// Posted to `/api/generate` of the same side before.
    pub(crate) before: Option<&'static str>,
    /// The words of errors may differ: they cite the parser.
    pub(crate) any_words: bool,
    /// The answer may lag behind: a gateway knows it from its last poll.
    pub(crate) settles: bool,
    /// Lists models, of which an emulated host has others.
    pub(crate) lists: bool,
}

impl Case {
    const fn new(name: &'static str, method: &'static str, path: &'static str) -> Self {
        Self {
            name,
            method,
            path,
            headers: &[],
            body: None,
            before: None,
            any_words: false,
            settles: false,
            lists: false,
        }
    }

    const fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    const fn after(self, before: &'static str) -> Self {
        Self { before: Some(before), ..self }
    }

    const fn any_words(self) -> Self {
        Self { any_words: true, ..self }
    }

    const fn settles(self) -> Self {
        Self { settles: true, ..self }
    }

    const fn lists(self) -> Self {
        Self { lists: true, ..self }
    }
}

const fn get(name: &'static str, path: &'static str) -> Case {
    Case::new(name, "GET", path)
}

const fn head(name: &'static str, path: &'static str) -> Case {
    Case::new(name, "HEAD", path)
}

const fn post(name: &'static str, path: &'static str, body: &'static str) -> Case {
    Case { body: Some(body), ..Case::new(name, "POST", path) }
}

/// Loads the model.
const LOAD: &str = r#"{"model":"smollm2:135m"}"#;

/// The requests. Answers are short and their words are not random.
pub(crate) const CASES: &[Case] = &[
    get("greeting", "/"),
    head("greeting, head", "/"),
    get("version", "/api/version"),
    head("version, head", "/api/version"),
    get("tags", "/api/tags").lists(),
    head("tags, head", "/api/tags"),
    post("tags, post", "/api/tags", "{}"),
    get("ps", "/api/ps").after(LOAD).settles(),
    head("ps, head", "/api/ps"),
    post("ps, post", "/api/ps", "{}"),
    post("show", "/api/show", r#"{"model":"smollm2:135m"}"#),
    post("show, by name", "/api/show", r#"{"name":"smollm2:135m"}"#),
    post("show, verbose", "/api/show", r#"{"model":"smollm2:135m","verbose":true}"#),
    post("show, model with a window", "/api/show", r#"{"model":"gemma3:270m"}"#),
    post("show, unknown model", "/api/show", r#"{"model":"nope"}"#),
    post("show, no model", "/api/show", "{}"),
    post("show, empty body", "/api/show", ""),
    post("show, bad JSON", "/api/show", "{").any_words(),
    get("show, get", "/api/show"),
    post(
        "generate",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"Count to ten.","stream":false,"options":{"num_predict":4,"temperature":0}}"#,
    ),
    post(
        "generate, stream",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"Count to ten.","options":{"num_predict":4,"temperature":0}}"#,
    ),
    post(
        "generate, raw",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"1, 2, 3,","raw":true,"options":{"num_predict":4,"temperature":0}}"#,
    ),
    post(
        "generate, raw, not streamed",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"1, 2, 3,","raw":true,"stream":false,"options":{"num_predict":4,"temperature":0}}"#,
    ),
    post(
        "generate, system",
        "/api/generate",
        r#"{"model":"smollm2:135m","system":"Be brief.","prompt":"Hello","stream":false,"options":{"num_predict":2,"temperature":0}}"#,
    ),
    post(
        "generate, context",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"Hello","context":[1,2,3],"stream":false,"options":{"num_predict":2,"temperature":0}}"#,
    ),
    post(
        "generate, format json",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"A number as JSON.","format":"json","stream":false,"options":{"num_predict":4,"temperature":0}}"#,
    ),
    post(
        "generate, format schema",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"A number as JSON.","format":{"type":"object","properties":{"n":{"type":"integer"}}},"stream":false,"options":{"num_predict":4,"temperature":0}}"#,
    ),
    post(
        "generate, unknown format",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"A number.","format":"yaml","stream":false,"options":{"num_predict":2}}"#,
    )
    .any_words(),
    post(
        "generate, suffix",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"a","suffix":"b","stream":false,"options":{"num_predict":2}}"#,
    ),
    post(
        "generate, images for a model that sees none",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"a","images":["aGVsbG8="],"stream":false,"options":{"num_predict":2}}"#,
    ),
    post(
        "generate, thinking for a model that does not think",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"a","think":true,"stream":false,"options":{"num_predict":2}}"#,
    ),
    post(
        "generate, unknown option",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"Hello","stream":false,"options":{"num_predict":2,"no_such_option":1}}"#,
    ),
    post(
        "generate, option of the wrong type",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"Hello","options":{"num_predict":"four"}}"#,
    )
    .any_words(),
    post(
        "generate, field of the wrong type",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":5}"#,
    )
    .any_words(),
    post("generate, only loads", "/api/generate", LOAD),
    post("generate, only loads, not streamed", "/api/generate", r#"{"model":"smollm2:135m","stream":false}"#),
    post("generate, keep_alive 0 unloads", "/api/generate", r#"{"model":"smollm2:135m","keep_alive":0}"#),
    post(
        "generate, keep_alive 0 with a prompt",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"Hello","stream":false,"keep_alive":0,"options":{"num_predict":2,"temperature":0}}"#,
    ),
    post(
        "generate, keep_alive that is none",
        "/api/generate",
        r#"{"model":"smollm2:135m","prompt":"Hello","keep_alive":"abc"}"#,
    ),
    post("generate, unknown model", "/api/generate", r#"{"model":"nope","prompt":"Hello"}"#),
    post("generate, unknown tag", "/api/generate", r#"{"model":"smollm2:nope","prompt":"Hello"}"#),
    post("generate, bad name", "/api/generate", r#"{"model":"a b","prompt":"Hello"}"#),
    post("generate, no model", "/api/generate", r#"{"prompt":"Hello"}"#),
    post("generate, empty object", "/api/generate", "{}"),
    post("generate, bad JSON", "/api/generate", r#"{"model":"#).any_words(),
    post("generate, not an object", "/api/generate", "[]").any_words(),
    post("generate, empty body", "/api/generate", ""),
    Case::new("generate, no body", "POST", "/api/generate"),
    get("generate, get", "/api/generate"),
    post(
        "chat",
        "/api/chat",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":"Hello"}],"stream":false,"options":{"num_predict":4,"temperature":0}}"#,
    ),
    post(
        "chat, stream",
        "/api/chat",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":"Hello"}],"options":{"num_predict":4,"temperature":0}}"#,
    ),
    post(
        "chat, another model",
        "/api/chat",
        r#"{"model":"gemma3:270m","messages":[{"role":"user","content":"Hello"}],"options":{"num_predict":4,"temperature":0}}"#,
    ),
    post(
        "chat, system",
        "/api/chat",
        r#"{"model":"smollm2:135m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hello"}],"stream":false,"options":{"num_predict":2,"temperature":0}}"#,
    ),
    post(
        "chat, format json",
        "/api/chat",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":"JSON"}],"format":"json","stream":false,"options":{"num_predict":4,"temperature":0}}"#,
    ),
    post(
        "chat, tools for a model without",
        "/api/chat",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":"Weather?"}],"tools":[{"type":"function","function":{"name":"weather","description":"Tells the weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}"#,
    ),
    // The schema leaves the model nothing else to say than a call of the tool.
    post(
        "chat, tools",
        "/api/chat",
        r#"{"model":"smollm2:tools","messages":[{"role":"user","content":"Weather in Paris?"}],"tools":[{"type":"function","function":{"name":"weather","description":"Tells the weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"format":{"type":"object","properties":{"name":{"const":"weather"},"parameters":{"type":"object","properties":{"city":{"enum":["Paris"]}},"required":["city"]}},"required":["name","parameters"]},"stream":false,"options":{"num_predict":60,"temperature":0}}"#,
    ),
    post(
        "chat, tools, stream",
        "/api/chat",
        r#"{"model":"smollm2:tools","messages":[{"role":"user","content":"Weather in Paris?"}],"tools":[{"type":"function","function":{"name":"weather","description":"Tells the weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"format":{"type":"object","properties":{"name":{"const":"weather"},"parameters":{"type":"object","properties":{"city":{"enum":["Paris"]}},"required":["city"]}},"required":["name","parameters"]},"options":{"num_predict":60,"temperature":0}}"#,
    ),
    post("chat, only loads", "/api/chat", r#"{"model":"smollm2:135m","messages":[]}"#),
    post("chat, keep_alive 0 unloads", "/api/chat", r#"{"model":"smollm2:135m","messages":[],"keep_alive":0}"#),
    post(
        "chat, unknown role",
        "/api/chat",
        r#"{"model":"smollm2:135m","messages":[{"role":"king","content":"Hello"}],"stream":false,"options":{"num_predict":2,"temperature":0}}"#,
    ),
    post(
        "chat, content of the wrong type",
        "/api/chat",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":5}]}"#,
    )
    .any_words(),
    post("chat, unknown model", "/api/chat", r#"{"model":"nope","messages":[{"role":"user","content":"Hello"}]}"#),
    post("chat, no model", "/api/chat", r#"{"messages":[]}"#),
    post("chat, empty body", "/api/chat", ""),
    get("chat, get", "/api/chat"),
    post("embed", "/api/embed", r#"{"model":"smollm2:135m","input":"Hello"}"#),
    post("embed, several", "/api/embed", r#"{"model":"smollm2:135m","input":["Hello","there"]}"#),
    post("embed, model that cannot", "/api/embed", r#"{"model":"gemma3:270m","input":"Hello"}"#),
    post("embed, nothing", "/api/embed", r#"{"model":"smollm2:135m"}"#),
    post("embed, empty list", "/api/embed", r#"{"model":"smollm2:135m","input":[]}"#),
    post("embed, input of the wrong type", "/api/embed", r#"{"model":"smollm2:135m","input":5}"#).any_words(),
    post("embed, unknown model", "/api/embed", r#"{"model":"nope","input":"Hello"}"#),
    post("embed, empty body", "/api/embed", ""),
    post("embeddings", "/api/embeddings", r#"{"model":"smollm2:135m","prompt":"Hello"}"#),
    post("embeddings, nothing", "/api/embeddings", r#"{"model":"smollm2:135m"}"#),
    post("embeddings, unknown model", "/api/embeddings", r#"{"model":"nope","prompt":"Hello"}"#),
    post(
        "v1 chat",
        "/v1/chat/completions",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":"Hello"}],"max_tokens":4,"temperature":0}"#,
    ),
    post(
        "v1 chat, stream",
        "/v1/chat/completions",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":"Hello"}],"max_tokens":4,"temperature":0,"stream":true}"#,
    ),
    post(
        "v1 chat, stream with usage",
        "/v1/chat/completions",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":"Hello"}],"max_tokens":4,"temperature":0,"stream":true,"stream_options":{"include_usage":true}}"#,
    ),
    post(
        "v1 chat, parts",
        "/v1/chat/completions",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":[{"type":"text","text":"Hello"}]}],"max_tokens":2,"temperature":0}"#,
    ),
    post(
        "v1 chat, JSON",
        "/v1/chat/completions",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":"JSON"}],"max_tokens":4,"temperature":0,"response_format":{"type":"json_object"}}"#,
    ),
    post(
        "v1 chat, tools for a model without",
        "/v1/chat/completions",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":"Weather?"}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}"#,
    ),
    post(
        "v1 chat, tools, stream",
        "/v1/chat/completions",
        r#"{"model":"smollm2:tools","messages":[{"role":"user","content":"Weather in Paris?"}],"tools":[{"type":"function","function":{"name":"weather","description":"Tells the weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"response_format":{"type":"json_schema","json_schema":{"name":"call","schema":{"type":"object","properties":{"name":{"const":"weather"},"parameters":{"type":"object","properties":{"city":{"enum":["Paris"]}},"required":["city"]}},"required":["name","parameters"]}}},"max_tokens":60,"temperature":0,"stream":true}"#,
    ),
    post(
        "v1 chat, unknown model",
        "/v1/chat/completions",
        r#"{"model":"nope","messages":[{"role":"user","content":"Hello"}]}"#,
    ),
    post("v1 chat, no messages", "/v1/chat/completions", r#"{"model":"smollm2:135m","messages":[]}"#),
    post("v1 chat, bad JSON", "/v1/chat/completions", "{").any_words(),
    post("v1 chat, empty body", "/v1/chat/completions", "").any_words(),
    get("v1 chat, get", "/v1/chat/completions"),
    post(
        "v1 completions",
        "/v1/completions",
        r#"{"model":"smollm2:135m","prompt":"Hello","max_tokens":4,"temperature":0}"#,
    ),
    post(
        "v1 completions, stream",
        "/v1/completions",
        r#"{"model":"smollm2:135m","prompt":"Hello","max_tokens":4,"temperature":0,"stream":true,"stream_options":{"include_usage":true}}"#,
    ),
    post("v1 completions, unknown model", "/v1/completions", r#"{"model":"nope","prompt":"Hello"}"#),
    post("v1 embeddings", "/v1/embeddings", r#"{"model":"smollm2:135m","input":"Hello"}"#),
    post("v1 embeddings, several", "/v1/embeddings", r#"{"model":"smollm2:135m","input":["Hello","there"]}"#),
    post(
        "v1 embeddings, base64",
        "/v1/embeddings",
        r#"{"model":"smollm2:135m","input":"Hello","encoding_format":"base64"}"#,
    ),
    post("v1 embeddings, nothing", "/v1/embeddings", r#"{"model":"smollm2:135m"}"#),
    post("v1 embeddings, unknown model", "/v1/embeddings", r#"{"model":"nope","input":"Hello"}"#),
    get("v1 models", "/v1/models"),
    get("v1 model", "/v1/models/smollm2:135m"),
    get("v1 model, unknown", "/v1/models/nope"),
    post(
        "v1 responses",
        "/v1/responses",
        r#"{"model":"smollm2:135m","input":"Hello","max_output_tokens":4,"temperature":0}"#,
    ),
    post(
        "v1 responses, stream",
        "/v1/responses",
        r#"{"model":"smollm2:135m","input":"Hello","max_output_tokens":4,"temperature":0,"stream":true}"#,
    ),
    post("v1 responses, unknown model", "/v1/responses", r#"{"model":"nope","input":"Hello"}"#),
    post("v1 responses, bad JSON", "/v1/responses", "{").any_words(),
    post(
        "v1 messages",
        "/v1/messages",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":"Hello"}],"max_tokens":4,"temperature":0}"#,
    ),
    post(
        "v1 messages, stream",
        "/v1/messages",
        r#"{"model":"smollm2:135m","messages":[{"role":"user","content":"Hello"}],"max_tokens":4,"temperature":0,"stream":true}"#,
    ),
    post(
        "v1 messages, unknown model",
        "/v1/messages",
        r#"{"model":"nope","messages":[{"role":"user","content":"Hello"}],"max_tokens":4}"#,
    ),
    post("v1 messages, no max_tokens", "/v1/messages", r#"{"model":"smollm2:135m","messages":[{"role":"user","content":"Hello"}]}"#),
    post("v1 messages, bad JSON", "/v1/messages", "{").any_words(),
    get("unknown path", "/api/nope"),
    post("unknown path, post", "/v1/nope", "{}"),
    get("path with a slash at its end", "/api/tags/"),
    get("path with two slashes", "//api/tags"),
    Case::new("preflight", "OPTIONS", "/api/chat").with(&[
        ("Origin", "http://localhost:3000"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type"),
    ]),
    Case::new("preflight, v1", "OPTIONS", "/v1/chat/completions").with(&[
        ("Origin", "http://localhost:3000"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type"),
    ]),
    Case::new("preflight from elsewhere", "OPTIONS", "/api/chat")
        .with(&[("Origin", "http://example.com"), ("Access-Control-Request-Method", "POST")]),
    Case::new("options without an origin", "OPTIONS", "/api/chat"),
    get("origin on this machine", "/api/version").with(&[("Origin", "http://localhost:3000")]),
    get("origin elsewhere", "/api/version").with(&[("Origin", "http://example.com")]),
    Case::new("delete on a path for posts", "DELETE", "/api/chat"),
];
