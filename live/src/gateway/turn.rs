//! What a request holds as long as it is under way: its place among all, and its key's.

use control::request::Usage;
use tokio::sync::OwnedSemaphorePermit;

use super::keys::Caller;
use super::unix_millis;

/// Held until the answer has ended.
#[derive(Debug)]
pub(super) struct Turn {
    caller: Caller,
    _permit: OwnedSemaphorePermit,
}

impl Turn {
    pub(super) fn new(caller: Caller, permit: OwnedSemaphorePermit) -> Self {
        Self { caller, _permit: permit }
    }

    /// The answer has ended, with these figures.
    pub(super) fn used(&self, usage: &Usage) {
        self.caller.used(unix_millis(), u64::from(usage.prompt_tokens) + u64::from(usage.output_tokens));
    }
}
