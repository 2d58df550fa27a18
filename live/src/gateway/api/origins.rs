//! Browsers: whose pages may use the API, and under which name it may be reached.
//!
//! A page of somebody else's must not spend the machine's time. Browsers say whose page it is (`Origin`); a page whose
//! own name was turned to point here says another `Host`. Ollama checks both; so does the gateway.
//!
//! Source: Ollama v0.24.0, `envconfig/config.go` (`AllowedOrigins`), `server/routes.go` (`GenerateRoutes`,
//! `allowedHostsMiddleware`).

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HOST, HeaderValue, ORIGIN, VARY,
};

/// What pages may send: what Ollama allows, and what Anthropic's clients send.
const REQUEST_HEADERS: &str = "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,OpenAI-Beta,\
    x-stainless-arch,x-stainless-async,x-stainless-custom-poll-interval,x-stainless-helper-method,x-stainless-lang,\
    x-stainless-os,x-stainless-package-version,x-stainless-poll-helper,x-stainless-retry-count,x-stainless-runtime,\
    x-stainless-runtime-version,x-stainless-timeout,x-api-key,anthropic-version,anthropic-beta,\
    anthropic-dangerous-direct-browser-access";

/// Pages of this machine, and applications that are no pages.
pub(in crate::gateway) fn local() -> Vec<String> {
    let hosts = ["localhost", "127.0.0.1", "0.0.0.0"].into_iter().flat_map(|host| {
        ["http", "https"]
            .into_iter()
            .flat_map(move |scheme| [format!("{scheme}://{host}"), format!("{scheme}://{host}:*")])
    });
    let apps = ["app://*", "file://*", "tauri://*", "vscode-webview://*", "vscode-file://*"];
    hosts.chain(apps.map(String::from)).collect()
}

/// Whether a text can be allowed: `*`, or an origin with at most one `*`.
pub(in crate::gateway) fn is_pattern(text: &str) -> bool {
    let rest = text.split_once("://").map_or("", |(scheme, rest)| if scheme.is_empty() { "" } else { rest });
    text == "*" || (!rest.is_empty() && !rest.contains('/') && text.matches('*').count() <= 1)
}

/// A request that is not answered: 403.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Forbidden;

/// Who may use the API from a browser.
#[derive(Debug)]
pub(super) struct Origins {
    patterns: Vec<String>,
    /// Whether only names of this machine are answered to.
    local_only: bool,
}

impl Origins {
    pub(super) fn new(patterns: Vec<String>, local_only: bool) -> Self {
        Self { patterns, local_only }
    }

    /// The origin that the answer must allow; `None` where no other site asks.
    pub(super) fn check<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a HeaderValue>, Forbidden> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if self.local_only && !is_local(host) {
            return Err(Forbidden);
        }
        let Some(origin) = headers.get(ORIGIN) else { return Ok(None) };
        let text = origin.to_str().map_err(|_| Forbidden)?;
        if text.split_once("://").is_some_and(|(_, site)| site == host) {
            return Ok(None);
        }
        self.patterns.iter().any(|pattern| matches(pattern, text)).then_some(Some(origin)).ok_or(Forbidden)
    }
}

fn matches(pattern: &str, origin: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => {
            origin.len() >= start.len() + end.len() && origin.starts_with(start) && origin.ends_with(end)
        }
        None => pattern.eq_ignore_ascii_case(origin),
    }
}

/// Whether a `Host` is this machine's own, with or without a port: an address that no name server gives out, or a name that
/// none serves.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    match address.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_unspecified(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unspecified()
        }
        Err(_) => {
            let name = name.to_ascii_lowercase();
            name.is_empty()
                || name == "localhost"
                || [".localhost", ".local", ".internal"].iter().any(|end| name.ends_with(end))
        }
    }
}

/// Allows an origin in an answer.
pub(super) fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("x-herder-request,x-herder-host,retry-after"),
    );
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

/// Tells a browser what it may ask for.
pub(super) fn allow_requests(headers: &mut HeaderMap) {
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"),
    );
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("43200"));
    headers.append(
        VARY,
        HeaderValue::from_static("Access-Control-Request-Method, Access-Control-Request-Headers"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().expect("a value"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn pages_of_this_machine_are_allowed_and_others_are_not() {
        let origins = Origins::new(local(), true);
        let ask = |origin: &str| {
            origins.check(&headers("127.0.0.1:11434", Some(origin))).map(|origin| origin.is_some())
        };
        for origin in
            ["http://localhost", "http://localhost:3000", "https://127.0.0.1:1", "app://x", "file://"]
        {
            assert_eq!(ask(origin), Ok(true), "{origin}");
        }
        assert_eq!(ask("http://127.0.0.1:11434"), Ok(false), "its own page");
        for origin in ["http://evil.example", "http://localhost.evil.example", "null", "ftp://localhost"] {
            assert_eq!(ask(origin), Err(Forbidden), "{origin}");
        }
        assert_eq!(origins.check(&headers("localhost", None)), Ok(None));
        let written = Origins::new(vec!["https://*.example".into()], false);
        let ask = |origin: &str| written.check(&headers("x", Some(origin))).is_ok();
        assert!(ask("https://a.example") && !ask("https://example") && !ask("http://a.example"));
    }

    #[test]
    fn a_name_that_was_turned_to_point_here_is_refused() {
        let local_only = Origins::new(local(), true);
        for host in ["localhost:1", "127.0.0.1", "[::1]:80", "::1", "192.168.0.7:11434", "a.local", ""] {
            assert_eq!(local_only.check(&headers(host, None)), Ok(None), "{host}");
        }
        for host in ["evil.example:11434", "8.8.8.8", "localhost.evil.example", "local"] {
            assert_eq!(local_only.check(&headers(host, None)), Err(Forbidden), "{host}");
            assert_eq!(Origins::new(local(), false).check(&headers(host, None)), Ok(None), "{host}");
        }
    }

    #[test]
    fn patterns_have_a_scheme_and_one_star_at_most() {
        for pattern in local().iter().map(String::as_str).chain(["*", "https://*.example"]) {
            assert!(is_pattern(pattern), "{pattern}");
        }
        for pattern in ["", "example", "https://", "://x", "https://*.*", "https://a/b", "**"] {
            assert!(!is_pattern(pattern), "{pattern}");
        }
    }
}
