//! Embeddings: `/api/embed`, the older `/api/embeddings`, and `/v1/embeddings`.
//!
//! A text's vector is made from its hash and the model's name, as wide as the model, of length 1: the same text has the
//! same vector on any host, and texts that are alike are no nearer to each other than others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use control::ids::ModelId;
use control::request::Kind;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};
use sim_host::api::{HostRequest, RequestKey};
use sim_host::spec::Version;

use super::answer;
use super::dialect::Api;
use super::disk::Stored;
use super::driver::{Flight, Told};
use super::faults::Effect;
use super::generate::{self, BODY_BYTES_MAX, CRASHED};
use super::models::object;
use super::shared::Shared;
use super::stream::HarmedBody;
use crate::reply::{self, Body};
use crate::server;
use crate::wire;
use crate::wire::prompt::Prompt;
use crate::wire::request::{RequestFacts, Route};

/// Most texts of a request.
const INPUTS_MAX: usize = 16_384;

/// A call that embeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    /// `/api/embed`.
    Embed,
    /// `/api/embeddings`.
    Embeddings,
    /// `/v1/embeddings`.
    OpenAi,
}

impl Call {
    const fn route(self) -> Route {
        match self {
            Self::Embed => Route::Embed,
            Self::Embeddings => Route::Embeddings,
            Self::OpenAi => Route::OpenAiEmbeddings,
        }
    }

    const fn api(self) -> Api {
        if matches!(self, Self::OpenAi) { Api::OpenAi } else { Api::Ollama }
    }
}

/// What is said instead of an answer.
struct Refusal(StatusCode, String);

/// What is embedded.
struct Texts {
    inputs: Vec<String>,
    /// Cut the vectors to this length.
    dimensions: usize,
    base64: bool,
}

/// What came out.
#[derive(Default)]
struct Figures {
    prompt_tokens: u32,
    load_nanos: u64,
    total_nanos: u64,
}

/// Answers a call that came in on `path`.
pub(super) async fn answer(shared: &Shared, call: Call, path: &str, body: Incoming) -> Response<Body> {
    let body = match server::read_body(body, BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(unreadable) => return unreadable.answer(BODY_BYTES_MAX),
    };
    let mut harm = None;
    let (body, texts) = match read(shared.version(), call, &body) {
        Ok(read) => read,
        Err(Refusal(status, message)) => return call.api().refusal(status, &message),
    };
    let answered = async {
        let completion = as_completion(&body);
        let facts = RequestFacts::read(Route::Generate, &completion).map_err(|error| {
            let (status, message) = generate::bad_body(shared.version(), call.route(), &error);
            Refusal(status, message)
        })?;
        let effect = shared.faults().at_model(path, &facts.model);
        let mut crashes = false;
        match effect {
            Some(Effect::Error { status, text }) => {
                return Err(Refusal(generate::status_code(status), text));
            }
            Some(Effect::Hang) => std::future::pending().await,
            Some(Effect::RunnerCrash) => crashes = true,
            Some(Effect::Harm { harm: wanted, .. }) => harm = Some(wanted),
            Some(Effect::Refuse) | None => {}
        }
        let Some(stored) = shared.disk().find(&facts.model).cloned() else {
            return Err(Refusal(StatusCode::NOT_FOUND, wire::pull_first(&facts.model_written)));
        };
        let figures = run(shared, &stored, &facts, &texts, crashes).await?;
        Ok(shown(shared, call, &stored, &facts.model_written, &texts, &figures))
    };
    let (status, value) = match answered.await {
        Ok(value) => (StatusCode::OK, value),
        Err(Refusal(status, message)) => {
            return call.api().translated_refusal(shared.version(), status, &message);
        }
    };
    let content_type = if call == Call::OpenAi { "application/json" } else { reply::JSON };
    match harm {
        None => reply::whole(status, content_type, value.to_string()),
        Some(harm) => {
            let body = HarmedBody::new(harm, value.to_string().into_bytes()).boxed_unsync();
            reply::typed(status, HeaderValue::from_static(content_type), body)
        }
    }
}

fn gone() -> Refusal {
    Refusal(StatusCode::INTERNAL_SERVER_ERROR, "the host has ended".into())
}

fn bad(message: impl ToString) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, message.to_string())
}

/// The body and what of it is to be embedded.
fn read(version: Version, call: Call, body: &[u8]) -> Result<(Map<String, Value>, Texts), Refusal> {
    let body = object(body).map_err(bad)?;
    let texts = texts(version, call, &body)?;
    Ok((body, texts))
}

fn texts(version: Version, call: Call, body: &Map<String, Value>) -> Result<Texts, Refusal> {
    let input = match call {
        Call::Embeddings => body.get("prompt"),
        Call::Embed | Call::OpenAi => body.get("input"),
    };
    let strings = |list: &Vec<Value>| -> Option<Vec<String>> {
        list.iter().map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let inputs = match input {
        // An empty text only loads the model; OpenAI's clients get a vector for it.
        Some(Value::String(text)) if text.is_empty() && call != Call::OpenAi => Vec::new(),
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) if !(list.is_empty() && call == Call::OpenAi) => {
            strings(list).ok_or_else(|| bad("invalid input type"))?
        }
        None | Some(Value::Null) if call != Call::OpenAi => Vec::new(),
        _ if call == Call::OpenAi => return Err(bad("invalid input")),
        _ => return Err(bad("invalid input type")),
    };
    if inputs.len() > INPUTS_MAX {
        return Err(bad(format_args!("{} texts, at most {INPUTS_MAX} are taken", inputs.len())));
    }
    // v0.10 does not know it.
    let knows_formats = call == Call::OpenAi && version == Version::V0_24;
    let format = body.get("encoding_format").and_then(Value::as_str).filter(|_| knows_formats);
    let format = format.unwrap_or_default();
    if !matches!(format.to_ascii_lowercase().as_str(), "" | "float" | "base64") {
        return Err(bad(format_args!(
            "Invalid value for 'encoding_format' = {format}. Supported values: ['float', 'base64']."
        )));
    }
    let dimensions = body.get("dimensions").and_then(Value::as_u64).unwrap_or(0);
    let base64 = format.eq_ignore_ascii_case("base64");
    Ok(Texts { inputs, dimensions: usize::try_from(dimensions).unwrap_or(usize::MAX), base64 })
}

/// The fields that a completion has as well, as its body: what they say is read as there.
fn as_completion(body: &Map<String, Value>) -> Vec<u8> {
    let common = ["model", "options", "keep_alive", "truncate"];
    let common = common.iter().filter_map(|&key| Some((key.to_owned(), body.get(key)?.clone())));
    Value::Object(common.collect()).to_string().into_bytes()
}

/// Has the host evaluate all texts; where there are none it only loads the model.
async fn run(
    shared: &Shared,
    stored: &Stored,
    facts: &RequestFacts<'_>,
    texts: &Texts,
    crashes: bool,
) -> Result<Figures, Refusal> {
    let mut options = facts.options;
    options.num_ctx = options.num_ctx.or(stored.num_ctx());
    let mut flights = Vec::new();
    let nothing = String::new();
    let empty = texts.inputs.is_empty();
    for text in texts.inputs.iter().chain(empty.then_some(&nothing)) {
        let mut prompt = Prompt::default();
        prompt.push(text.as_str().into());
        let sized = answer::size(&facts.model, &prompt, empty);
        let request = HostRequest {
            key: RequestKey(0),
            model: ModelId(stored.profile as u32),
            kind: Kind::Embedding,
            prompt_tokens: sized.tokens,
            blocks: sized.blocks,
            answer_block: 0,
            output_tokens: 0,
            num_predict: None,
            options,
            truncate: facts.truncate,
            shift: true,
            run_nanos: None,
        };
        flights.push(shared.handle.submit(&facts.model, request, crashes).await.ok_or_else(gone)?);
    }
    let mut figures = Figures::default();
    for flight in flights {
        wait(shared.version(), flight, &mut figures).await?;
    }
    Ok(figures)
}

async fn wait(version: Version, mut flight: Flight, figures: &mut Figures) -> Result<(), Refusal> {
    loop {
        match flight.told().await {
            Some(Told::FirstToken { .. }) => {}
            Some(Told::Finished { usage, total }) => {
                figures.prompt_tokens = figures.prompt_tokens.saturating_add(usage.prompt_tokens);
                figures.load_nanos = figures.load_nanos.max(usage.load.0);
                figures.total_nanos = figures.total_nanos.max(total.0);
                return Ok(());
            }
            Some(Told::Error(error)) => {
                let (status, message) = generate::said(version, error, "");
                return Err(Refusal(status, message));
            }
            Some(Told::Crashed) => {
                return Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, CRASHED.into()));
            }
            None => return Err(gone()),
        }
    }
}

fn shown(
    shared: &Shared,
    call: Call,
    stored: &Stored,
    written: &str,
    texts: &Texts,
    figures: &Figures,
) -> Value {
    let width = shared.spec(stored).hidden as usize;
    let vectors = texts.inputs.iter().map(|text| vector(&stored.digest, text, width, texts.dimensions));
    match call {
        Call::Embed => {
            let mut value = json!({ "model": written, "embeddings": vectors.collect::<Vec<_>>() });
            if !texts.inputs.is_empty() {
                value["total_duration"] = figures.total_nanos.into();
                value["load_duration"] = figures.load_nanos.into();
                value["prompt_eval_count"] = figures.prompt_tokens.into();
            }
            value
        }
        Call::Embeddings => json!({ "embedding": vectors.flatten().collect::<Vec<_>>() }),
        Call::OpenAi => {
            let data = vectors.enumerate().map(|(index, vector)| {
                let embedding = if texts.base64 {
                    let bytes: Vec<u8> = vector.iter().flat_map(|part| part.to_le_bytes()).collect();
                    STANDARD.encode(bytes).into()
                } else {
                    json!(vector)
                };
                json!({ "object": "embedding", "embedding": embedding, "index": index })
            });
            json!({
                "object": "list", "data": data.collect::<Vec<_>>(), "model": written,
                "usage": { "prompt_tokens": figures.prompt_tokens, "total_tokens": figures.prompt_tokens },
            })
        }
    }
}

/// A vector of length 1: `width` numbers, or the first `dimensions` of them where that is less and not 0.
fn vector(digest: &str, text: &str, width: usize, dimensions: usize) -> Vec<f32> {
    let width = if dimensions == 0 { width } else { width.min(dimensions) };
    let mut bytes = vec![0; 4 * width];
    let mut hasher = blake3::Hasher::new();
    hasher.update(digest.as_bytes()).update(&[0]).update(text.as_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    let parts = bytes.as_chunks::<4>().0.iter().map(|part| f64::from(i32::from_le_bytes(*part)));
    let length = parts.clone().map(|part| part * part).sum::<f64>().sqrt();
    parts.map(|part| (part / length.max(1.0)) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_have_length_one_and_belong_to_model_and_text() {
        let first = vector("m", "a text", 768, 0);
        assert_eq!(first.len(), 768);
        let length: f32 = first.iter().map(|part| part * part).sum();
        assert!((length - 1.0).abs() < 1e-4, "{length}");
        assert_eq!(first, vector("m", "a text", 768, 0));
        assert_ne!(first, vector("n", "a text", 768, 0));
        let dot = |other: &[f32]| first.iter().zip(other).map(|(a, b)| a * b).sum::<f32>().abs();
        assert!(dot(&vector("m", "another", 768, 0)) < 0.2);
        let short = vector("m", "a text", 768, 10);
        assert!((short.iter().map(|part| part * part).sum::<f32>() - 1.0).abs() < 1e-4);
        assert_eq!(short.len(), 10);
    }
}
