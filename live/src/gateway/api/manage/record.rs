//! One line of log for each management call: whose key, what, on which hosts, and what came of it.

use hyper::StatusCode;
use tokio::sync::OwnedSemaphorePermit;

use super::choice::Host;
use super::work::Outcome;
use crate::gateway::keys::Caller;

/// A call under way. Dropped before its end is told, it says that the client left.
pub(super) struct Record(Option<Open>);

/// Held as long as the call is under way.
struct Open {
    operation: &'static str,
    caller: Caller,
    _permit: OwnedSemaphorePermit,
    what: String,
    hosts: String,
}

impl Record {
    pub(super) fn new(operation: &'static str, caller: Caller, permit: OwnedSemaphorePermit) -> Self {
        let (what, hosts) = (String::new(), String::new());
        Self(Some(Open { operation, caller, _permit: permit, what, hosts }))
    }

    /// Whose call it is.
    pub(super) fn caller(&self) -> &Caller {
        &self.0.as_ref().expect("the call is under way").caller
    }

    /// Says what it is about, and where.
    pub(super) fn of(&mut self, what: &str, hosts: &[Host]) {
        if let Some(open) = &mut self.0 {
            what.clone_into(&mut open.what);
            open.hosts = hosts.iter().map(|host| &*host.name).collect::<Vec<_>>().join(",");
        }
    }

    /// The call goes on elsewhere.
    pub(super) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// It has ended.
    pub(super) fn ended(&mut self, outcome: &Outcome) {
        self.tell(&outcome.error().unwrap_or_else(|| "done".into()));
    }

    /// It was refused.
    pub(super) fn refused(&mut self, status: StatusCode) {
        self.tell(&format!("refused with status {}", status.as_u16()));
    }

    fn tell(&mut self, outcome: &str) {
        let Some(open) = self.0.take() else { return };
        // What hosts and clients wrote is escaped: a line of log stays one.
        tracing::info!(
            target: "herder::manage",
            key = ?open.caller.name().unwrap_or("none"),
            operation = open.operation,
            what = ?open.what,
            hosts = ?open.hosts,
            ?outcome,
            "a management call ended"
        );
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.tell("the client left");
    }
}
