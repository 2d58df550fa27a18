//! The questions: versions, lists, and whether the host talks to strangers. None of them changes anything or loads a model.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{Answers, Model};
use crate::wire::lists::VersionAnswer;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer that is read, in bytes.
const BYTES_MAX: usize = 16 << 20;
/// A name that no host is known by (RFC 2606).
const STRANGER: &str = "herder-doctor.invalid";

#[derive(Deserialize)]
struct Models {
    #[serde(default)]
    models: Vec<Model>,
}

struct Asker {
    client: Client<HttpConnector, Empty<Bytes>>,
    authority: String,
}

impl Asker {
    async fn get(&self, path: &str, host: Option<&str>) -> Result<(StatusCode, Bytes), String> {
        let mut request = Request::get(format!("http://{}{path}", self.authority));
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
        let answer = async {
            let response = self.client.request(request).await.map_err(|error| root_of(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), BYTES_MAX).collect().await;
            Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, answer)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let (status, body) = self.get(path, None).await?;
        if status != StatusCode::OK {
            return Err(format!("it answers {path} with {status}"));
        }
        serde_json::from_slice(&body)
            .map_err(|error| format!("its answer to {path} is not Ollama's: {error}"))
    }
}

/// The innermost reason, which is the one that helps.
fn root_of(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Asks a host (`address:port`).
pub async fn ask(authority: String) -> Answers {
    let asker = Asker { client: Client::builder(TokioExecutor::new()).build_http(), authority };
    let began = Instant::now();
    let version = asker.read::<VersionAnswer>("/api/version").await;
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let version = match version {
        Ok(VersionAnswer { version }) => version,
        Err(why) => return Answers::none(why),
    };
    let stranger = asker.get("/api/version", Some(STRANGER)).await;
    Answers {
        version: Ok((version, took)),
        stored: asker.read::<Models>("/api/tags").await.ok().map(|list| list.models),
        loaded: asker.read::<Models>("/api/ps").await.ok().map(|list| list.models),
        answers_strangers: stranger.is_ok_and(|(status, _)| status == StatusCode::OK),
    }
}
