//! One question to a registry: which manifest has this name?

use std::time::Duration;

use bytes::Bytes;
use control::door::Manifest;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::trust::Trust;

/// How long one question may take in all.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Largest manifest that is read, in bytes.
const MANIFEST_BYTES_MAX: usize = 4 << 20;
const ACCEPTED: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A registry, as it is reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    /// `host` or `host:port`.
    pub(super) authority: &'a str,
    /// How its certificate is checked; without, it speaks plain HTTP.
    pub(super) trust: Option<&'a Trust>,
}

/// What a registry holds under a normalised name; `None` where it knows no such name.
///
/// # Errors
/// Why it cannot be asked, in words.
pub(super) async fn manifest(way: Way<'_>, name: &str) -> Result<Option<Manifest>, String> {
    let asked = tokio::time::timeout(ANSWER_MAX, ask(way, name)).await;
    let Some(bytes) = asked.unwrap_or_else(|_| Err("it does not answer in time".into()))? else {
        return Ok(None);
    };
    let read = super::manifest::read(&bytes);
    read.map(Some).ok_or_else(|| format!("what it has under {name:?} is no manifest"))
}

async fn ask(way: Way<'_>, name: &str) -> Result<Option<Bytes>, String> {
    let request = Request::get(path(name))
        .header(HOST, way.authority)
        .header(ACCEPT, ACCEPTED)
        .header(USER_AGENT, concat!("herder/", env!("CARGO_PKG_VERSION")))
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    let (host, port) = host_and_port(way)?;
    let stream = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
    match way.trust {
        None => exchange(stream, request).await,
        Some(trust) => exchange(trust.secure(host, stream).await?, request).await,
    }
}

fn host_and_port(way: Way<'_>) -> Result<(&str, u16), String> {
    match way.authority.split_once(':') {
        Some((host, port)) => Ok((host, port.parse().map_err(|_| format!("{port:?} is no port"))?)),
        None => Ok((way.authority, if way.trust.is_some() { 443 } else { 80 })),
    }
}

/// The path of a name's manifest.
fn path(name: &str) -> String {
    let (path, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
    let parts: Vec<&str> = path.split('/').collect();
    let path = match parts.as_slice() {
        [_, namespace, model] | [namespace, model] => format!("{namespace}/{model}"),
        _ => format!("library/{path}"),
    };
    format!("/v2/{path}/manifests/{tag}")
}

/// Sends a request and reads the answer, on a connection that is closed afterwards.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<Option<Bytes>, String> {
    let broken = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(response).await
    };
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // What it has read by its end is still to be taken.
        _ = &mut connection => answer.await,
    }
}

async fn read(response: Response<Incoming>) -> Result<Option<Bytes>, String> {
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        StatusCode::UNAUTHORIZED => return Err("it asks for a login, which herder has not".into()),
        status => return Err(format!("it answers with status {}", status.as_u16())),
    }
    let body = Limited::new(response.into_body(), MANIFEST_BYTES_MAX).collect().await;
    body.map(|body| Some(body.to_bytes())).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Way, host_and_port, path};

    #[test]
    fn a_registry_without_a_port_has_that_of_its_protocol() {
        let way = |authority| Way { authority, trust: None };
        assert_eq!(host_and_port(way("r.example")), Ok(("r.example", 80)));
        assert_eq!(host_and_port(way("r.example:5000")), Ok(("r.example", 5_000)));
        assert!(host_and_port(way("r.example:x")).is_err());
    }

    #[test]
    fn a_name_is_looked_up_where_ollama_would() {
        for (name, wanted) in [
            ("llama3.2:1b", "/v2/library/llama3.2/manifests/1b"),
            ("me/mine:latest", "/v2/me/mine/manifests/latest"),
            ("127.0.0.1:5000/library/tiny:latest", "/v2/library/tiny/manifests/latest"),
        ] {
            assert_eq!(path(name), wanted);
        }
    }
}

#[cfg(all(test, feature = "tls"))]
mod tls {
    use std::sync::Arc;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::rustls::{RootCertStore, ServerConfig};

    use super::{Way, manifest};
    use crate::trust::Trust;

    #[test]
    fn only_a_registry_whose_certificate_is_trusted_is_listened_to() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let CertifiedKey { cert, signing_key } =
                generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
            let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
            let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_no_client_auth()
                .with_single_cert(vec![cert.der().clone()], key)
                .expect("they go together");
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let listener = TcpListener::bind("localhost:0").await.expect("a free port");
            let port = listener.local_addr().expect("an address").port();
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.expect("a connection");
                    let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                    let mut request = [0; 4_096];
                    let read = stream.read(&mut request).await.expect("a request");
                    assert!(request[..read].starts_with(b"GET /v2/library/a/manifests/x "));
                    let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(answer.as_bytes()).await.expect("it listens");
                }
            });
            let authority = format!("localhost:{port}");
            let ask = async |roots: RootCertStore| {
                let trust = Trust::by(roots).expect("a config");
                manifest(Way { authority: &authority, trust: Some(&trust) }, "a:x").await
            };
            let mut roots = RootCertStore::empty();
            let nobody = ask(roots.clone()).await.expect_err("nobody is trusted");
            assert!(nobody.contains("certificate"), "{nobody}");
            roots.add(cert.der().clone()).expect("a root");
            assert_eq!(ask(roots).await, Ok(None));
        });
    }
}
