//! A client of the API, and a gateway to be a client of.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use control::facts::Counters;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use live::{EmulatedHost, EmulatedOptions, Gateway, ServeConfig, ServeError, ServeSummary};
use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// A test that waits for longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test; one that hangs fails.
pub(crate) fn run(test: impl Future<Output = ()>) {
    run_within(PATIENCE, test);
}

/// Runs a test that has a time of its own.
pub(crate) fn run_within(patience: Duration, test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        tokio::time::timeout(patience, test).await.expect("the test waits for something that never comes");
    });
}

/// An emulated host that runs as long as the test.
pub(crate) async fn emulated(options: &EmulatedOptions) -> SocketAddr {
    let host = EmulatedHost::bind(options).await.expect("a host");
    let address = host.address();
    tokio::spawn(host.run(std::future::pending()));
    address
}

/// The same with one model, a thousand times as fast as a real one.
pub(crate) async fn emulated_with(model: &str) -> SocketAddr {
    let models = vec![model.into()];
    emulated(&EmulatedOptions { models, speed: 1_000, ..EmulatedOptions::default() }).await
}

/// An HTTP client with connections of its own.
#[derive(Clone)]
pub(crate) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

/// An answer read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) retry_after: bool,
    pub(crate) body: String,
    /// The connection ended without the end of the body.
    pub(crate) broken: bool,
}

impl Answer {
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.body.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub(crate) fn error(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).expect("an error object");
        body["error"].as_str().expect("an error's text").to_owned()
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { pool: Pool::builder(TokioExecutor::new()).build_http(), address }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .body(Full::new(body.into()))
            .expect("a request");
        self.pool.request(request).await.expect("an answer's head")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends with more headers.
    pub(crate) async fn send_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Answer {
        self.ask(method, path, headers, "").await
    }

    /// Sends a body with more headers.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for &(name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        read(self.pool.request(request).await.expect("an answer's head")).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        read(self.send(Method::POST, path, body.to_string()).await).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        read(self.send(Method::GET, path, "").await).await
    }
}

/// Reads an answer to its end.
pub(crate) async fn read(response: Response<Incoming>) -> Answer {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let retry_after = headers.contains_key("retry-after");
    let (mut body, mut bytes, mut broken) = (response.into_body(), Vec::new(), false);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(_) => {
                broken = true;
                break;
            }
        }
    }
    Answer { status, headers, retry_after, body: String::from_utf8(bytes).expect("UTF-8"), broken }
}

/// A gateway in front of hosts.
pub(crate) struct Running {
    pub(crate) client: Client,
    /// Of the operator's side, where the config has one.
    pub(crate) admin: Option<Client>,
    counters: watch::Receiver<Counters>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<ServeSummary, ServeError>>,
}

/// Starts a gateway. `slots` are declared for each host; `more` follows in `[serve]`, `control` in `[control]`.
pub(crate) async fn gateway(hosts: &[SocketAddr], slots: u32, more: &str, control: &str) -> Running {
    let mut text = format!("[serve]\nlisten = \"127.0.0.1:0\"\npoll_millis = 20\n{more}\n");
    for (index, host) in hosts.iter().enumerate() {
        text +=
            &format!("[[serve.hosts]]\nname = \"host-{index}\"\nurl = \"http://{host}\"\nslots = {slots}\n");
    }
    text += &format!("[control]\nbalancer = \"round-robin\"\n{control}\n");
    start(&text).await
}

/// Starts a gateway on a config's text.
pub(crate) async fn start(text: &str) -> Running {
    let config = ServeConfig::parse(text, Path::new("test.toml")).expect("a good config");
    let gateway = Gateway::bind(config).await.expect("a free port");
    let client = Client::new(gateway.address());
    let admin = gateway.admin_address().map(Client::new);
    let counters = gateway.counters();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(gateway.run(async { drop(stopped.await) }));
    Running { client, admin, counters, stop, ended }
}

impl Running {
    /// Waits until control's counters are as wanted.
    pub(crate) async fn counters(&self, wanted: impl FnMut(&Counters) -> bool) {
        self.counters.clone().wait_for(wanted).await.expect("the gateway runs");
    }

    pub(crate) async fn stop(self) -> ServeSummary {
        // A gateway that has ended by itself says so below.
        let _ = self.stop.send(());
        self.ended.await.expect("no panic").expect("a good end")
    }
}
