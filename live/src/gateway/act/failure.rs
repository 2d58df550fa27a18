//! What went wrong with an action, out of what the host says. Ollama passes on what a registry, the network or the disk told it as
//! a text; the words are those of Go and of Linux.

use control::door::ActionFailure;
use control::request::Failure as HostFailure;
use hyper::StatusCode;

use crate::gateway::progress::Failure;
use crate::wire::answer::failure_of;

/// Why an action failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wrong {
    pub(super) failure: ActionFailure,
    /// For the log.
    pub(super) why: String,
}

/// Words, and what they mean; the first that is found counts.
///
/// Source: Ollama v0.24.0, `server/images.go`, `server/download.go`, `server/upload.go`; Go's `net`, `net/http`, `syscall`.
const MEANINGS: &[(&[&str], ActionFailure)] = &[
    (&["no space left on device", "not enough space", "disk quota exceeded"], ActionFailure::DiskFull),
    (&["digest mismatch"], ActionFailure::DigestMismatch),
    (&["unauthorized", "insecure protocol http"], ActionFailure::Refused),
    (
        &[
            "dial tcp",
            "connection refused",
            "connection reset",
            "no such host",
            "network is unreachable",
            "no route to host",
            "i/o timeout",
            "tls: ",
            "x509: ",
            "HTTP response to HTTPS client",
            "max retries exceeded",
            // Of a registry that answers with 5xx.
            "manifest: 50",
        ],
        ActionFailure::RegistryUnreachable,
    ),
];

impl Wrong {
    pub(super) fn new(failure: ActionFailure, why: impl Into<String>) -> Self {
        Self { failure, why: why.into() }
    }

    pub(super) fn refused(why: &str) -> Self {
        Self::new(ActionFailure::Refused, why)
    }

    pub(super) fn host(failure: HostFailure, why: impl Into<String>) -> Self {
        Self::new(ActionFailure::Host(failure), why)
    }

    pub(super) fn stalled() -> Self {
        Self::new(ActionFailure::Stalled, "nothing came for too long")
    }

    /// What a host says of something short.
    pub(super) fn said(said: Failure) -> Self {
        let status = said.status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).as_u16();
        let failure = match status {
            404 => HostFailure::ModelMissing,
            _ => failure_of(status, said.why.as_bytes()),
        };
        Self::host(failure, said.why)
    }

    /// What a host says of a pull.
    pub(super) fn pulling(said: Failure) -> Self {
        match meaning(&said.why) {
            Some(failure) => Self::new(failure, said.why),
            None if said.why.contains("file does not exist") => {
                Self::new(ActionFailure::NotInRegistry, said.why)
            }
            None => Self::said(said),
        }
    }

    /// What a host says of a push. What does not exist there is the model.
    pub(super) fn pushing(said: Failure) -> Self {
        let is_missing = ["file does not exist", "no such file"].iter().any(|words| said.why.contains(words));
        match meaning(&said.why) {
            Some(failure) => Self::new(failure, said.why),
            None if is_missing => Self::host(HostFailure::ModelMissing, said.why),
            None => Self::said(said),
        }
    }
}

fn meaning(why: &str) -> Option<ActionFailure> {
    let says = |words: &&[&str]| words.iter().any(|words| why.contains(words));
    MEANINGS.iter().find(|(words, _)| says(words)).map(|(_, failure)| *failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_hosts_are_told_apart() {
        for (why, failure) in [
            ("pull model manifest: file does not exist", ActionFailure::NotInRegistry),
            ("write /m/blobs/x-partial: no space left on device", ActionFailure::DiskFull),
            ("digest mismatch, file must be downloaded again: want a, got b", ActionFailure::DigestMismatch),
            (
                "pull model manifest: Get \"http://127.0.0.1:1/v2/a\": dial tcp 127.0.0.1:1: connect: connection refused",
                ActionFailure::RegistryUnreachable,
            ),
            ("pull model manifest: 503: busy", ActionFailure::RegistryUnreachable),
            ("unauthorized: access denied", ActionFailure::Refused),
            ("something else", ActionFailure::Host(HostFailure::ServerError)),
        ] {
            assert_eq!(Wrong::pulling(Failure::new(why)).failure, failure, "{why}");
        }
        let missing = "open /m/manifests/r/a/latest: no such file or directory";
        let missing = Wrong::pushing(Failure::new(missing));
        assert_eq!(missing.failure, ActionFailure::Host(HostFailure::ModelMissing));
    }

    #[test]
    fn a_status_says_what_words_do_not() {
        for (status, why, failure) in [
            (404, "model 'a' not found", HostFailure::ModelMissing),
            (404, "page", HostFailure::ModelMissing),
            (503, "server busy", HostFailure::Busy),
            (500, "model requires more system memory (2 GiB) than is available", HostFailure::OutOfMemory),
            (400, "invalid model name", HostFailure::BadRequest),
        ] {
            let status = Some(StatusCode::from_u16(status).expect("a status"));
            let said = Wrong::said(Failure { status, ..Failure::new(why) });
            assert_eq!(said, Wrong::host(failure, why));
        }
    }
}
