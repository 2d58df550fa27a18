//! OpenAI's lists of models, out of Ollama's.
//!
//! Source: Ollama v0.24.0, `openai/openai.go` (`ToListCompletion`, `ToModel`). Ollama says `null` of an empty list;
//! here it is an empty one.

use serde_json::{Value, json};
use traces::stamp;

use super::lists::{Listed, ModelList};
use super::name;

/// `GET /v1/models`.
#[must_use]
pub fn list(models: &ModelList) -> String {
    let data: Vec<Value> = models.listed().map(|listed| model(&listed, &listed.name)).collect();
    json!({ "object": "list", "data": data }).to_string()
}

/// `GET /v1/models/{id}`, under the name that the client has asked for. `None` where no host has it.
#[must_use]
pub fn one(models: &ModelList, id: &str) -> Option<String> {
    let wanted = name::normalise(id)?;
    let listed = models.listed().find(|listed| name::normalise(&listed.name).as_ref() == Some(&wanted))?;
    Some(model(&listed, id).to_string())
}

fn model(listed: &Listed, id: &str) -> Value {
    let owner = id.rsplit_once('/').map_or("library", |(path, _)| path.rsplit('/').next().unwrap_or(path));
    let created = stamp::unix_seconds(&listed.modified_at).unwrap_or(0);
    json!({ "id": id, "object": "model", "created": created, "owned_by": owner })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_told_in_openais_words() {
        let models: ModelList = serde_json::from_str(
            r#"{"models":[{"name":"a:latest","modified_at":"2026-01-01T00:00:00.5Z"},
                {"name":"hf.co/me/b:q4","modified_at":"2026-01-01T02:00:00+02:00"}]}"#,
        )
        .expect("a list");
        let read = |text: String| serde_json::from_str::<Value>(&text).expect("JSON");
        assert_eq!(
            read(list(&models)),
            json!({ "object": "list", "data": [
                { "id": "a:latest", "object": "model", "created": 1_767_225_600, "owned_by": "library" },
                { "id": "hf.co/me/b:q4", "object": "model", "created": 1_767_225_600, "owned_by": "me" },
            ] })
        );
        assert_eq!(read(one(&models, "a").expect("a model"))["id"], "a", "as it was asked for");
        assert_eq!(one(&models, "b"), None);
        assert_eq!(list(&ModelList::default()), r#"{"data":[],"object":"list"}"#);
    }
}
