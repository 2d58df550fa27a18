//! A client of the admin API, for one question.

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::tables;
use crate::cli::print;

/// How long to wait for an answer: the gateway waits for a new host's first answer before its own.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Asks a gateway.
pub(in crate::cli) struct Client {
    address: String,
    key: Option<String>,
    runtime: tokio::runtime::Runtime,
}

/// A name as a part of a path.
pub(in crate::cli) fn percent_encoded(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// The gateway that is asked, and how its answers are shown.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Gateway {
    /// Where the operator's side of the gateway listens
    #[arg(long, global = true, value_name = "HOST:PORT", default_value = "127.0.0.1:11435")]
    address: String,
    /// The key, where HERDER_ADMIN_KEY is not set: others on this machine can see it in the list of processes
    #[arg(long, global = true, value_name = "KEY")]
    key: Option<String>,
    /// Print the gateway's answer as JSON instead of a table
    #[arg(long, global = true)]
    json: bool,
}

impl Gateway {
    pub(in crate::cli) fn client(&self) -> Result<Client> {
        let key = self.key.clone().or_else(|| std::env::var("HERDER_ADMIN_KEY").ok());
        Client::new(&self.address, key)
    }

    /// Prints an answer, as it is or as a text for people.
    pub(in crate::cli) fn show(&self, answer: &Value, text: impl Fn(&Value) -> String) -> Result<()> {
        let text = if self.json { serde_json::to_string_pretty(answer)? + "\n" } else { text(answer) };
        print(&text)?;
        Ok(())
    }
}

impl Client {
    fn new(address: &str, key: Option<String>) -> Result<Self> {
        let address = address.strip_prefix("http://").unwrap_or(address).trim_end_matches('/').to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self { address, key, runtime: runtime.context("cannot start")? })
    }

    pub(in crate::cli) fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, Bytes::new())
    }

    pub(in crate::cli) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask(Method::POST, path, body.to_string().into())
    }

    pub(super) fn delete(&self, path: &str) -> Result<Value> {
        self.ask(Method::DELETE, path, Bytes::new())
    }

    fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Value> {
        let uri = format!("http://{}/api/v1/{path}", self.address);
        let uri: Uri = uri
            .parse()
            .with_context(|| format!("--address: found {:?}, expected HOST:PORT", self.address))?;
        let mut request = Request::builder().method(method).uri(uri).header(CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = request.body(Full::new(body)).context("the key is no header's value")?;
        let (status, body) = self.runtime.block_on(async {
            tokio::time::timeout(PATIENCE, self.send(request)).await.unwrap_or_else(|_| {
                Err(anyhow!("no answer from {} in {} seconds", self.address, PATIENCE.as_secs()))
            })
        })?;
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        match (status, answer) {
            (StatusCode::OK, Some(answer)) => Ok(answer),
            (_, answer) => {
                let said = answer.as_ref().map(|answer| &answer["error"]).filter(|said| said.is_string());
                let Some(said) = said.map(tables::cell) else {
                    bail!("{} answers with {status}, and not as a gateway's operator's side", self.address);
                };
                let help = match (status, &self.key) {
                    (StatusCode::UNAUTHORIZED, None) => "\n  give it in the variable HERDER_ADMIN_KEY",
                    (StatusCode::UNAUTHORIZED, Some(_)) => {
                        "\n  the key that was given is none of this gateway's"
                    }
                    _ => "",
                };
                bail!("{said}{help}")
            }
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        let client: legacy::Client<HttpConnector, Full<Bytes>> =
            legacy::Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.with_context(|| {
            format!(
                "cannot reach the operator's side of a gateway at {}\n  is herder serve running, with [serve.admin] \
                 listen = {:?} in its config? --address names another",
                self.address, self.address
            )
        })?;
        let status = response.status();
        let body = response.into_body().collect().await.context("the answer broke off")?;
        Ok((status, body.to_bytes()))
    }
}
