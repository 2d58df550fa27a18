//! Who may ask: Ollama's checks of `Host` and `Origin`, before a path is looked at.
//!
//! Source: Ollama v0.24.0, `server/routes.go` (`allowedHostsMiddleware`), `envconfig` (`AllowedOrigins`), and
//! gin-contrib/cors v1.7.2. Left out: the machine's own name and addresses, and `OLLAMA_ORIGINS`.

use std::net::IpAddr;

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, HOST, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, Response, StatusCode};

use super::models::empty;
use crate::reply::Body;

const METHODS: &str = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS";
const HEADERS: &str = "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,X-Stainless-Arch,\
                       X-Stainless-Async,X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,\
                       X-Stainless-Lang,X-Stainless-Os,X-Stainless-Package-Version,X-Stainless-Poll-Helper,\
                       X-Stainless-Retry-Count,X-Stainless-Runtime,X-Stainless-Runtime-Version,\
                       X-Stainless-Timeout";
/// Seconds for which a browser may remember the answer.
const MAX_AGE: &str = "43200";

/// What is answered instead, where the request is not let in: foreign hosts and origins, and questions of browsers.
/// `local_only` is whether the host listens on loopback.
pub(super) fn answer(method: &Method, headers: &HeaderMap, local_only: bool) -> Option<Response<Body>> {
    let text =
        |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let (host, origin) = (text(HOST), text(ORIGIN));
    if is_foreign_origin(origin, host) {
        if !is_known_origin(origin) {
            return Some(empty(StatusCode::FORBIDDEN));
        }
        if method == Method::OPTIONS {
            return Some(preflight(origin));
        }
    }
    if local_only && !is_local(host) {
        return Some(empty(StatusCode::FORBIDDEN));
    }
    (local_only && method == Method::OPTIONS && !is_address(host)).then(|| empty(StatusCode::NO_CONTENT))
}

/// Adds what a browser must find in the answer to its page's request.
pub(super) fn allow(headers: &HeaderMap, response: &mut Response<Body>) {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if let Some(origin) = headers.get(ORIGIN)
        && origin.to_str().is_ok_and(|origin| is_foreign_origin(origin, host))
    {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
    }
}

fn is_foreign_origin(origin: &str, host: &str) -> bool {
    let own = |scheme: &str| origin.strip_prefix(scheme) == Some(host);
    !origin.is_empty() && !own("http://") && !own("https://")
}

fn is_known_origin(origin: &str) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else { return false };
    match scheme {
        "app" | "file" | "tauri" | "vscode-webview" | "vscode-file" => true,
        "http" | "https" => {
            let host = rest.split_once(':').map_or(rest, |(host, _)| host);
            matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0")
        }
        _ => false,
    }
}

fn preflight(origin: &str) -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    if let Ok(origin) = HeaderValue::from_str(origin) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    for name in ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"] {
        headers.append(VARY, HeaderValue::from_static(name));
    }
    response
}

/// The host of a `Host` header, without port and brackets.
fn host_of(written: &str) -> &str {
    let host = match written.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None if written.matches(':').count() == 1 => {
            written.split_once(':').map_or(written, |(host, _)| host)
        }
        None => written,
    };
    host.trim()
}

fn is_address(written: &str) -> bool {
    host_of(written).parse::<IpAddr>().is_ok_and(is_near)
}

fn is_near(address: IpAddr) -> bool {
    let private = match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    };
    private || address.is_loopback() || address.is_unspecified()
}

fn is_local(written: &str) -> bool {
    let host = host_of(written).to_ascii_lowercase();
    let ends = [".localhost", ".local", ".internal"];
    is_address(written)
        || host.is_empty()
        || host == "localhost"
        || ends.iter().any(|end| host.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &Method, host: &'static str, origin: Option<&'static str>) -> Option<u16> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        headers.extend(origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))));
        answer(method, &headers, true).map(|response| response.status().as_u16())
    }

    #[test]
    fn hosts_that_are_not_local_are_refused() {
        for host in [
            "localhost",
            "localhost:1",
            "127.0.0.1:11434",
            "[::1]:1",
            "10.0.0.7",
            "box.local",
            "a.internal:80",
        ] {
            assert_eq!(status(&Method::GET, host, None), None, "{host}");
        }
        for host in
            ["example.com", "example.com:11434", "8.8.8.8", "localhost.example.com", "[2001:db8::1]:1"]
        {
            assert_eq!(status(&Method::GET, host, None), Some(403), "{host}");
        }
        assert!(answer(&Method::GET, &HeaderMap::new(), false).is_none(), "open to the network: any");
    }

    #[test]
    fn browsers_may_ask_from_known_origins() {
        let host = "127.0.0.1:11434";
        for origin in ["http://localhost:3000", "https://127.0.0.1", "app://x", "http://127.0.0.1:11434"] {
            assert_eq!(status(&Method::POST, host, Some(origin)), None, "{origin}");
        }
        assert_eq!(status(&Method::OPTIONS, host, Some("http://localhost:3000")), Some(204));
        for origin in ["http://example.com", "null", "chrome-extension://x"] {
            assert_eq!(status(&Method::OPTIONS, host, Some(origin)), Some(403), "{origin}");
        }
        assert_eq!(status(&Method::OPTIONS, "localhost", None), Some(204), "also without an origin");
    }
}
