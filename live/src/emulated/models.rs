//! What a host says of its models, and small changes to them: `/api/tags`, `ps`, `show`, `copy`, `delete`,
//! `/v1/models`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};
use sim_host::spec::ModelSpec;

use super::capabilities;
use super::dialect::Api;
use super::disk::Stored;
use super::driver::Seen;
use super::generate::ended;
use super::shared::Shared;
use crate::reply::{self, Body};
use crate::wire::{self, name, stamp};

/// How far away Ollama puts the end of what stays for ever: 292 years.
const FOREVER: Duration = Duration::from_nanos(i64::MAX as u64);

/// An answer of one value.
pub(super) fn value(value: &Value) -> Response<Body> {
    reply::whole(StatusCode::OK, reply::JSON, value.to_string())
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = reply::whole(status, reply::JSON, "");
    response.headers_mut().remove(hyper::header::CONTENT_TYPE);
    response
}

fn error(status: StatusCode, message: impl AsRef<str>) -> Response<Body> {
    reply::error(status, message.as_ref())
}

/// A body that is an object; else what is answered with 400.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, String> {
    if body.is_empty() {
        return Err("missing request body".into());
    }
    serde_json::from_slice(body).map_err(|wrong| wrong.to_string())
}

/// The model that a body names, by the newer key or the older one; empty where it names none.
pub(super) fn named(body: &Map<String, Value>) -> &str {
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    text("model").or_else(|| text("name")).unwrap_or_default()
}

/// `8.0B`, `270.00M`, as Ollama writes it.
fn parameter_size(parameters: u64) -> String {
    match parameters {
        1_000_000_000.. => format!("{}.{}B", parameters / 1_000_000_000, parameters / 100_000_000 % 10),
        1_000_000.. => format!("{}.{:02}M", parameters / 1_000_000, parameters / 10_000 % 100),
        _ => parameters.to_string(),
    }
}

fn details(spec: &ModelSpec, parent: &str) -> Value {
    json!({
        "parent_model": parent, "format": "gguf", "family": spec.family, "families": [spec.family],
        "parameter_size": parameter_size(spec.parameters), "quantization_level": spec.quantisation,
    })
}

/// `GET /api/tags`: what was changed last comes first.
pub(super) fn tags(shared: &Shared) -> Response<Body> {
    let disk = shared.disk();
    let mut stored: Vec<(&str, &Stored)> = disk.iter().collect();
    stored.sort_by_key(|(_, stored)| std::cmp::Reverse(stored.modified));
    let models = stored.into_iter().map(|(name, stored)| {
        let spec = shared.spec(stored);
        json!({
            "name": name, "model": name, "modified_at": stamp::rfc3339(stored.modified),
            "size": spec.weights().0, "digest": stored.digest, "details": details(spec, ""),
        })
    });
    value(&json!({ "models": models.collect::<Vec<_>>() }))
}

/// `GET /api/ps`: what stays longest comes first.
pub(super) async fn ps(shared: &Shared) -> Response<Body> {
    let Some(mut seen) = shared.handle.look().await else { return ended() };
    seen.sort_by_key(|seen| std::cmp::Reverse(seen.expires_in.unwrap_or(FOREVER)));
    let now = SystemTime::now();
    let models = seen.iter().map(|Seen { name, runner, expires_in }| {
        let spec = &shared.handle.spec().models[runner.model.index()].profile.model;
        // A name that was deleted meanwhile stays until its runner goes.
        let stored = shared.disk().find(name).cloned();
        let stored = stored.unwrap_or_else(|| Stored::plain(name, runner.model.index(), UNIX_EPOCH));
        json!({
            "name": name, "model": name, "size": runner.bytes.0, "digest": stored.digest,
            "details": details(spec, ""), "expires_at": stamp::rfc3339(now + expires_in.unwrap_or(FOREVER)),
            "size_vram": runner.vram.0, "context_length": runner.num_ctx,
        })
    });
    value(&json!({ "models": models.collect::<Vec<_>>() }))
}

/// `POST /api/show`.
pub(super) fn show(shared: &Shared, body: &[u8]) -> Response<Body> {
    let body = match object(body) {
        Ok(body) => body,
        Err(message) => return error(StatusCode::BAD_REQUEST, message),
    };
    let written = named(&body);
    if written.is_empty() {
        return error(StatusCode::BAD_REQUEST, "model is required");
    }
    let Some(name) = name::normalise(written) else {
        return error(StatusCode::BAD_REQUEST, "invalid model name");
    };
    let Some(stored) = shared.disk().find(&name).cloned() else {
        return error(StatusCode::NOT_FOUND, wire::model_missing(written));
    };
    value(&shown(shared.spec(&stored), &name, &stored))
}

fn shown(spec: &ModelSpec, name: &str, stored: &Stored) -> Value {
    let template = stored.said.get("template").and_then(Value::as_str).unwrap_or("{{ .Prompt }}");
    let mut modelfile = format!(
        "# Modelfile generated by \"ollama show\"\n# To build a new Modelfile based on this, replace FROM with:\n\
         # FROM {name}\n\nFROM {}\nTEMPLATE {template}\n",
        spec.blob
    );
    let mut shown = json!({
        "template": template, "details": details(spec, &stored.parent), "model_info": model_info(spec),
        "capabilities": capabilities::of(spec), "modified_at": stamp::rfc3339(stored.modified),
    });
    let mut lines = Vec::new();
    for (key, value) in stored.said.get("parameters").and_then(Value::as_object).into_iter().flatten() {
        lines.push(format!("{key:<30} {value}"));
        modelfile.push_str(&format!("PARAMETER {key} {value}\n"));
    }
    if !lines.is_empty() {
        shown["parameters"] = lines.join("\n").into();
    }
    for key in ["system", "license"] {
        if let Some(said) = stored.said.get(key) {
            shown[key] = said.clone();
            modelfile.push_str(&format!("{} {said}\n", key.to_uppercase()));
        }
    }
    shown["modelfile"] = modelfile.into();
    shown
}

/// Keys of a GGUF, as far as they are known.
fn model_info(spec: &ModelSpec) -> Value {
    let family = spec.family.as_str();
    let mut info = Map::new();
    info.insert("general.architecture".into(), family.into());
    info.insert("general.parameter_count".into(), spec.parameters.into());
    let numbers = [
        ("block_count", spec.layers),
        ("context_length", spec.context_max),
        ("embedding_length", spec.hidden),
        ("attention.head_count", spec.heads),
        ("attention.head_count_kv", spec.kv_heads),
        ("attention.key_length", spec.head_dim),
        ("attention.value_length", spec.head_dim),
        ("vocab_size", spec.vocabulary),
    ];
    info.extend(numbers.map(|(key, number)| (format!("{family}.{key}"), number.into())));
    if spec.window > 0 {
        info.insert(format!("{family}.attention.sliding_window"), spec.window.into());
    }
    if spec.experts > 0 {
        info.insert(format!("{family}.expert_count"), spec.experts.into());
        info.insert(format!("{family}.expert_used_count"), spec.experts_active.into());
    }
    info.into()
}

/// `POST /api/copy`.
pub(super) fn copy(shared: &Shared, body: &[u8]) -> Response<Body> {
    let body = match object(body) {
        Ok(body) => body,
        Err(message) => return error(StatusCode::BAD_REQUEST, message),
    };
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let (source, destination) = (text("source"), text("destination"));
    let Some(from) = name::normalise(source) else {
        return error(StatusCode::BAD_REQUEST, format!("source \"{source}\" is invalid"));
    };
    let Some(to) = name::normalise(destination) else {
        return error(StatusCode::BAD_REQUEST, format!("destination \"{destination}\" is invalid"));
    };
    let mut disk = shared.disk();
    let Some(stored) = disk.find(&from).cloned() else {
        return error(StatusCode::NOT_FOUND, format!("model \"{source}\" not found"));
    };
    if from == to {
        return empty(StatusCode::OK);
    }
    match disk.write(to, Stored { modified: SystemTime::now(), ..stored }) {
        Ok(()) => empty(StatusCode::OK),
        Err(full) => error(StatusCode::INTERNAL_SERVER_ERROR, full.to_string()),
    }
}

/// `DELETE /api/delete`. A runner of the model stays until it goes by itself.
pub(super) fn delete(shared: &Shared, body: &[u8]) -> Response<Body> {
    let body = match object(body) {
        Ok(body) => body,
        Err(message) => return error(StatusCode::BAD_REQUEST, message),
    };
    let written = named(&body);
    let Some(name) = name::normalise(written) else {
        return error(StatusCode::BAD_REQUEST, format!("name \"{written}\" is invalid"));
    };
    if shared.disk().remove(&name) {
        empty(StatusCode::OK)
    } else {
        error(StatusCode::NOT_FOUND, wire::model_missing(written))
    }
}

fn openai_model(name: &str, stored: &Stored) -> Value {
    let created = stored.modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut parts = name.rsplit('/');
    let owner = parts.nth(1).unwrap_or("library");
    json!({ "id": name, "object": "model", "created": created, "owned_by": owner })
}

/// `GET /v1/models`.
pub(super) fn openai_list(shared: &Shared) -> Response<Body> {
    let disk = shared.disk();
    let mut stored: Vec<(&str, &Stored)> = disk.iter().collect();
    stored.sort_by_key(|(_, stored)| std::cmp::Reverse(stored.modified));
    let models: Vec<Value> = stored.into_iter().map(|(name, stored)| openai_model(name, stored)).collect();
    let list = json!({ "object": "list", "data": models });
    reply::whole(StatusCode::OK, "application/json", format!("{list}\n"))
}

/// `GET /v1/models/{id}`.
pub(super) fn openai_one(shared: &Shared, written: &str) -> Response<Body> {
    let stored = name::normalise(written).and_then(|name| shared.disk().find(&name).cloned());
    match stored {
        Some(stored) => {
            let model = openai_model(written, &stored);
            reply::whole(StatusCode::OK, "application/json", format!("{model}\n"))
        }
        None => {
            let message = wire::model_missing(written);
            Api::OpenAi.translated_refusal(shared.version(), StatusCode::NOT_FOUND, &message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_ollama_writes_them() {
        assert_eq!(parameter_size(8_030_000_000), "8.0B");
        assert_eq!(parameter_size(268_098_176), "268.09M");
        assert_eq!(parameter_size(999), "999");
    }

    #[test]
    fn owners_are_namespaces() {
        let stored = Stored::plain("m", 0, UNIX_EPOCH);
        for (name, owner) in
            [("m:latest", "library"), ("me/m:1b", "me"), ("hf.co/ggml-org/m:latest", "ggml-org")]
        {
            assert_eq!(openai_model(name, &stored)["owned_by"], owner);
        }
    }
}
