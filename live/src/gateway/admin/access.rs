//! Who may do what on the operator's side. Besides keys there are two guards against pages in an operator's browser:
//! a name that another site made point here is refused (DNS rebinding), and so is a change that another site's page
//! sends (forged requests): it can neither set the content type nor hide its origin.

use std::net::IpAddr;

use serde::Serialize;

use crate::gateway::config::{AdminKey, Role};
use crate::gateway::keys;

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Caller {
    /// For the log.
    pub(super) name: String,
    pub(super) role: Role,
}

/// Who sends this header; `None` where a key is needed and none of ours was sent. Without keys whoever reaches the
/// listener, which is then on loopback, may do all.
pub(super) fn caller(keys: &[AdminKey], authorization: Option<&[u8]>) -> Option<Caller> {
    if keys.is_empty() {
        return Some(Caller { name: "anyone".into(), role: Role::Admin });
    }
    let key = keys::find(keys, |key| &key.hash, keys::bearer(authorization)?)?;
    Some(Caller { name: key.name.clone(), role: key.role })
}

/// Whether a request was meant for this listener: an address cannot be another site's name.
pub(super) fn is_own_host(host: Option<&str>, allowed: &[String]) -> bool {
    let Some(host) = host else { return false };
    let name = name_of(host);
    name.eq_ignore_ascii_case("localhost")
        || name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
        || allowed
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(name))
}

/// The part of `name:port` before the port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    }
}

/// Whether a page that sends a request came from here.
pub(super) fn is_same_origin(origin: Option<&str>, host: Option<&str>) -> bool {
    let (Some(origin), Some(host)) = (origin, host) else { return false };
    let site = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    site.is_some_and(|site| site.eq_ignore_ascii_case(host))
}

/// Whether a content type is JSON, with whatever parameters.
pub(super) fn is_json(content_type: Option<&str>) -> bool {
    let kind = content_type.and_then(|content_type| content_type.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::keys::KeyHash;

    #[test]
    fn names_that_are_not_ours_are_refused() {
        let allowed = ["herder.example".to_owned(), "other.example:8443".to_owned()];
        for (host, wanted) in [
            ("127.0.0.1:11435", true),
            ("[::1]:11435", true),
            ("[::1]", true),
            ("10.1.2.3", true),
            ("LocalHost:1", true),
            ("herder.example", true),
            ("Herder.Example:11435", true),
            ("other.example:8443", true),
            ("other.example", false),
            ("evil.example:11435", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example:1", false),
            ("", false),
        ] {
            assert_eq!(is_own_host(Some(host), &allowed), wanted, "{host}");
        }
        assert!(!is_own_host(None, &allowed));
    }

    #[test]
    fn only_pages_from_here_may_change_things() {
        assert!(is_same_origin(Some("http://127.0.0.1:11435"), Some("127.0.0.1:11435")));
        for origin in ["http://evil.example", "null", "http://127.0.0.1:80", "127.0.0.1:11435"] {
            assert!(!is_same_origin(Some(origin), Some("127.0.0.1:11435")), "{origin}");
        }
    }

    #[test]
    fn only_json_is_json() {
        assert!(is_json(Some("application/json")) && is_json(Some("Application/JSON; charset=utf-8")));
        for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            assert!(!is_json(Some(other)), "{other}");
        }
        assert!(!is_json(None));
    }

    #[test]
    fn a_key_has_its_role_and_no_keys_ask_for_none() {
        let key = |name: &str, role| AdminKey { name: name.into(), role, hash: KeyHash::of(name) };
        let keys = [key("a", Role::View), key("b", Role::Operate)];
        let role = |header: &[u8]| caller(&keys, Some(header)).map(|caller| caller.role);
        assert_eq!(role(b"Bearer a"), Some(Role::View));
        assert_eq!(role(b"Bearer b"), Some(Role::Operate));
        assert_eq!(role(b"Bearer c"), None);
        assert_eq!(caller(&keys, None), None);
        assert_eq!(caller(&[], None).map(|caller| caller.role), Some(Role::Admin));
    }
}
