//! Bodies of management calls: what is read of each, and what is written for hosts. A field that is not named here
//! goes no further; user names and passwords are among them.
//!
//! Source: Ollama v0.24.0, `api/types.go`, `docs/api.md`, `server/create.go`.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::No;
use crate::gateway::api::routes::is_digest;
use crate::gateway::config::manage::OLLAMA_REGISTRY;
use crate::wire::name;

/// Files and adapters of a model at most.
const FILES_MAX: usize = 1_024;
/// What of `/api/create` goes on as it is written: it says how the model is to behave, and leads nowhere.
const CREATE_FIELDS: [&str; 9] = [
    "template",
    "license",
    "system",
    "parameters",
    "messages",
    "quantize",
    // Not in Ollama's document, but in its client.
    "renderer",
    "parser",
    "requires",
];

/// A model's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Named {
    /// As the client wrote it.
    pub(super) written: String,
    /// The same, normalised.
    pub(super) model: String,
}

impl Named {
    fn read(written: Option<String>) -> Result<Self, No> {
        let written = written.filter(|name| !name.is_empty()).ok_or_else(|| No::bad("model is required"))?;
        let model = name::normalise(&written).ok_or_else(|| No::bad("invalid model name"))?;
        Ok(Self { written, model })
    }

    /// The host that it would be pulled from.
    pub(super) fn registry(&self) -> &str {
        name::registry(&self.model).unwrap_or(OLLAMA_REGISTRY)
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, No> {
    if body.is_empty() {
        return Err(No::bad("missing request body"));
    }
    serde_json::from_slice(body).map_err(|error| No::bad(error.to_string()))
}

fn text(value: &Value) -> Bytes {
    value.to_string().into()
}

/// `model`, or `name` as it was called before.
fn either(model: Option<String>, name: Option<String>) -> Option<String> {
    model.filter(|model| !model.is_empty()).or(name)
}

/// `/api/pull` and `/api/push`.
#[derive(Debug)]
pub(super) struct Moved {
    pub(super) named: Named,
    pub(super) insecure: bool,
    pub(super) stream: bool,
}

#[derive(Deserialize)]
struct MovedBody {
    model: Option<String>,
    name: Option<String>,
    insecure: Option<bool>,
    stream: Option<bool>,
}

impl Moved {
    pub(super) fn read(body: &[u8]) -> Result<Self, No> {
        let body: MovedBody = read(body)?;
        Ok(Self {
            named: Named::read(either(body.model, body.name))?,
            insecure: body.insecure.unwrap_or(false),
            stream: body.stream.unwrap_or(true),
        })
    }

    pub(super) fn body(&self, model: &str) -> Bytes {
        let mut body = json!({ "model": model, "stream": true });
        if self.insecure {
            body["insecure"] = true.into();
        }
        text(&body)
    }
}

/// `/api/create`.
#[derive(Debug)]
pub(super) struct Created {
    pub(super) named: Named,
    pub(super) from: Option<Named>,
    /// Of all files and adapters.
    pub(super) digests: Vec<String>,
    pub(super) stream: bool,
    files: Option<BTreeMap<String, String>>,
    adapters: Option<BTreeMap<String, String>>,
    fields: Map<String, Value>,
}

#[derive(Deserialize)]
struct CreatedBody {
    model: Option<String>,
    name: Option<String>,
    from: Option<String>,
    files: Option<BTreeMap<String, String>>,
    adapters: Option<BTreeMap<String, String>>,
    remote_host: Option<String>,
    stream: Option<bool>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Created {
    pub(super) fn read(body: &[u8]) -> Result<Self, No> {
        let CreatedBody { model, name, from, files, adapters, remote_host, stream, mut rest } = read(body)?;
        if remote_host.is_some_and(|host| !host.is_empty()) {
            return Err(No::bad(
                "remote_host: models that forward prompts are not made through this gateway",
            ));
        }
        let from = from.filter(|from| !from.is_empty());
        let from = from.map(|from| Named::read(Some(from))).transpose()?;
        if from.is_none() && files.is_none() {
            return Err(No::bad("neither 'from' or 'files' was specified"));
        }
        let mut digests = Vec::new();
        for (path, digest) in files.iter().chain(&adapters).flatten() {
            if !is_inside(path) {
                return Err(No::bad("file path must be relative"));
            }
            if !is_digest(digest) {
                return Err(No::bad("invalid digest format"));
            }
            digests.push(digest.clone());
        }
        if digests.len() > FILES_MAX {
            return Err(No::bad(format!("found {} files, expected at most {FILES_MAX}", digests.len())));
        }
        rest.retain(|key, _| CREATE_FIELDS.contains(&key.as_str()));
        let (named, stream) = (Named::read(either(model, name))?, stream.unwrap_or(true));
        Ok(Self { named, from, digests, stream, files, adapters, fields: rest })
    }

    pub(super) fn body(self, model: &str, from: Option<&str>) -> Bytes {
        let mut body = self.fields;
        body.insert("model".into(), model.into());
        body.insert("stream".into(), true.into());
        if let Some(from) = from {
            body.insert("from".into(), from.into());
        }
        for (key, files) in [("files", self.files), ("adapters", self.adapters)] {
            if let Some(files) = files {
                body.insert(key.into(), json!(files));
            }
        }
        text(&Value::Object(body))
    }
}

/// Whether a file's path stays in the folder that it is relative to.
fn is_inside(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(['\\', '\0', ':'])
}

/// `/api/copy`.
#[derive(Debug)]
pub(super) struct Copied {
    pub(super) source: Named,
    pub(super) destination: Named,
}

#[derive(Deserialize)]
struct CopiedBody {
    source: Option<String>,
    destination: Option<String>,
}

impl Copied {
    pub(super) fn read(body: &[u8]) -> Result<Self, No> {
        let body: CopiedBody = read(body)?;
        let named = |key: &str, name| {
            Named::read(name).map_err(|no| No::new(no.status, format!("{key}: {}", no.message)))
        };
        let (source, destination) = (named("source", body.source)?, named("destination", body.destination)?);
        Ok(Self { source, destination })
    }
}

pub(super) fn copy(source: &str, destination: &str) -> Bytes {
    text(&json!({ "source": source, "destination": destination }))
}

/// `/api/delete`.
#[derive(Debug)]
pub(super) struct Deleted {
    pub(super) named: Named,
}

#[derive(Deserialize)]
struct DeletedBody {
    model: Option<String>,
    name: Option<String>,
}

impl Deleted {
    pub(super) fn read(body: &[u8]) -> Result<Self, No> {
        let body: DeletedBody = read(body)?;
        Ok(Self { named: Named::read(either(body.model, body.name))? })
    }
}

pub(super) fn delete(model: &str) -> Bytes {
    text(&json!({ "model": model }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: std::fmt::Debug>(read: Result<T, No>) -> String {
        read.expect_err("refused").message
    }

    #[test]
    fn only_fields_that_are_known_go_on() {
        let moved =
            br#"{"name":"Library/a","username":"u","password":"p","Insecure":true,"x":1,"stream":false}"#;
        let moved = Moved::read(moved).expect("a good body");
        assert_eq!((moved.stream, moved.insecure), (false, false));
        assert_eq!(moved.body(&moved.named.model), r#"{"model":"a:latest","stream":true}"#);
        let created = br#"{"model":"b","from":"a","system":"s","parameters":{"top_k":1},"remote":"http://x","info":{}}"#;
        let created = Created::read(created).expect("a good body");
        assert_eq!(
            created.body("b:latest", Some("a:latest")),
            r#"{"from":"a:latest","model":"b:latest","parameters":{"top_k":1},"stream":true,"system":"s"}"#
        );
    }

    #[test]
    fn a_name_tells_its_registry() {
        let registry = |name: &str| Named::read(Some(name.into())).expect("a name").registry().to_owned();
        assert_eq!(registry("a"), OLLAMA_REGISTRY);
        assert_eq!(registry("evil.example/a"), OLLAMA_REGISTRY, "a namespace");
        assert_eq!(registry("http://evil.example/x/a:1"), "evil.example");
        assert_eq!(registry("127.0.0.1:5000/x/a"), "127.0.0.1:5000");
        assert_eq!(registry("registry.ollama.ai:443/x/a"), "registry.ollama.ai:443");
    }

    #[test]
    fn what_leads_out_of_the_store_is_refused() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let create = |path: &str, digest: &str| {
            let body = json!({ "model": "a", "files": { path: digest } });
            Created::read(body.to_string().as_bytes())
        };
        assert_eq!(create("dir/model.gguf", &digest).expect("good").digests, std::slice::from_ref(&digest));
        for path in ["../x", "/etc/passwd", "a/../../x", "a//b", "", ".", "a\\..\\b", "C:x"] {
            assert_eq!(refusal(create(path, &digest)), "file path must be relative", "{path}");
        }
        let bad = ["", "sha256:..", "sha256:../../etc/passwd", &digest.to_uppercase(), &digest[1..]];
        for digest in bad {
            assert_eq!(refusal(create("m.gguf", digest)), "invalid digest format", "{digest}");
        }
        let remote = br#"{"model":"a","from":"b","remote_host":"http://evil.example"}"#;
        assert!(refusal(Created::read(remote)).starts_with("remote_host:"));
    }

    #[test]
    fn bodies_that_say_nothing_are_refused() {
        assert_eq!(refusal(Moved::read(b"")), "missing request body");
        assert_eq!(refusal(Moved::read(b"{}")), "model is required");
        assert_eq!(refusal(Deleted::read(br#"{"model":"../x"}"#)), "invalid model name");
        assert_eq!(refusal(Copied::read(br#"{"source":"a"}"#)), "destination: model is required");
        assert_eq!(refusal(Created::read(br#"{"model":"a"}"#)), "neither 'from' or 'files' was specified");
    }
}
