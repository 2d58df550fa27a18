//! The one table of paths and methods. A path is compared as it was sent: one that is written in another way (escaped,
//! with a slash more, with dots) is another path, and unknown. Nothing of it goes to a host: upstream paths are our own.

use hyper::Method;

use crate::wire::dialect::Dialect;
use crate::wire::request::Route;

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Target<'a> {
    /// To have an answer of a model.
    Infer(Route),
    /// `/`.
    Greeting,
    /// `/api/version`.
    Version,
    /// `/api/tags`.
    Tags,
    /// `/api/ps`.
    Ps,
    /// `/api/show`.
    Show,
    /// `/v1/models`.
    Models,
    /// `/v1/models/{id}`.
    Model(&'a str),
    /// To change what hosts have on their disks.
    Manage(Managed<'a>),
}

/// A call that changes what hosts have on their disks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Managed<'a> {
    /// `/api/pull`.
    Pull,
    /// `/api/push`.
    Push,
    /// `/api/create`.
    Create,
    /// `/api/copy`.
    Copy,
    /// `/api/delete`.
    Delete,
    /// `/api/blobs/{digest}`, with the digest.
    Blob(&'a str),
}

// The order is that of Ollama's `Allow`. It answers HEAD where its own client asks so, and nowhere else.
const READ: &[Method] = &[Method::HEAD, Method::GET];
const GET: &[Method] = &[Method::GET];
const POST: &[Method] = &[Method::POST];

const TABLE: &[(&str, &[Method], Target<'static>)] = &[
    ("/", READ, Target::Greeting),
    ("/api/version", READ, Target::Version),
    ("/api/tags", READ, Target::Tags),
    ("/api/ps", GET, Target::Ps),
    ("/api/show", POST, Target::Show),
    ("/v1/models", GET, Target::Models),
    ("/api/pull", POST, Target::Manage(Managed::Pull)),
    ("/api/push", POST, Target::Manage(Managed::Push)),
    ("/api/create", POST, Target::Manage(Managed::Create)),
    ("/api/copy", POST, Target::Manage(Managed::Copy)),
    ("/api/delete", &[Method::DELETE], Target::Manage(Managed::Delete)),
];

/// What is not in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unserved {
    /// No such path.
    Unknown,
    /// The path is served, but for these methods only.
    Method(&'static [Method]),
}

/// Finds what a request is for.
pub(super) fn find<'a>(method: &Method, path: &'a str) -> Result<Target<'a>, Unserved> {
    let (methods, target) = of_path(path).ok_or(Unserved::Unknown)?;
    if methods.contains(method) { Ok(target) } else { Err(Unserved::Method(methods)) }
}

fn of_path(path: &str) -> Option<(&'static [Method], Target<'_>)> {
    if let Some(&route) = Route::ALL.iter().find(|route| route.path() == path) {
        return Some((POST, Target::Infer(route)));
    }
    if let Some(&(_, methods, target)) = TABLE.iter().find(|(known, ..)| *known == path) {
        return Some((methods, target));
    }
    if let Some(id) = path.strip_prefix("/v1/models/") {
        // Names may have slashes in them; their parts are checked as any name's, so that none is empty or of dots.
        return crate::wire::name::normalise(id).map(|_| (GET, Target::Model(id)));
    }
    let digest = path.strip_prefix("/api/blobs/").filter(|digest| is_digest(digest))?;
    Some((&[Method::HEAD, Method::POST], Target::Manage(Managed::Blob(digest))))
}

/// Whether this is a digest: `sha256:` and 64 hexadecimal digits in small letters. Ollama takes other spellings too, but
/// writes this one, and one spelling is harder to be deceived with.
pub(super) fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:");
    hex.is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

impl Target<'_> {
    /// Whose words are spoken there.
    pub(super) fn dialect(self) -> Dialect {
        match self {
            Self::Infer(route) => route.dialect(),
            Self::Models | Self::Model(_) => Dialect::OpenAi,
            _ => Dialect::Ollama,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_written_in_another_way_are_other_paths() {
        for path in [
            "/api/chat/",
            "//api/chat",
            "/api//chat",
            "/api/./chat",
            "/api/x/../chat",
            "/api/%63hat",
            "/api/x/%2e%2e/pull",
            "/API/chat",
            "/api/chat;x",
            "api/chat",
            "/v1/models/",
            "/v1/models/..",
            "/v1/models/a/../b",
            "/v1/models/a%2fb",
            "/v1/models//a",
            "/api/blobs/sha256:..",
            "/api/blobs/sha256:",
            "",
        ] {
            assert_eq!(find(&Method::POST, path), Err(Unserved::Unknown), "{path}");
        }
        let digest = "0123456789abcdef".repeat(4);
        let path = format!("/api/blobs/sha256:{digest}");
        let blob = Ok(Target::Manage(Managed::Blob(&path[11..])));
        assert_eq!(find(&Method::HEAD, &path), blob);
        for bad in [
            format!("{path}0"),
            format!("{path}/"),
            format!("/api/blobs/../blobs/sha256:{digest}"),
            format!("/api/blobs/sha256-{digest}"),
            format!("/api/blobs/sha256:{}", digest.to_uppercase()),
            format!("/api/blobs/sha256:{}/../x", &digest[5..]),
            format!("/api/blobs/sha256%3a{digest}"),
        ] {
            assert_eq!(find(&Method::POST, &bad), Err(Unserved::Unknown), "{bad}");
        }
    }

    #[test]
    fn each_call_has_its_methods_and_no_others() {
        for route in Route::ALL {
            assert_eq!(find(&Method::POST, route.path()), Ok(Target::Infer(route)));
            assert_eq!(find(&Method::GET, route.path()), Err(Unserved::Method(POST)));
        }
        for &(path, methods, target) in TABLE {
            for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE] {
                let want =
                    if methods.contains(&method) { Ok(target) } else { Err(Unserved::Method(methods)) };
                assert_eq!(find(&method, path), want, "{method} {path}");
            }
        }
        let id = "hf.co/me/model:q4";
        assert_eq!(find(&Method::GET, &format!("/v1/models/{id}")), Ok(Target::Model(id)));
    }
}
