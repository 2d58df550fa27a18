//! One line of log for each request that ended: who, where, why there, how long, how many tokens; never what was said.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::broadcast::{self, error::RecvError};

use super::metrics::{Cause, DecisionRecord, failure_name, reject_name};

/// Writes lines until the gateway ends. It is a task of its own, so that writing them holds nobody up; where it falls
/// behind, what it missed is said.
pub(super) async fn write(mut ended: broadcast::Receiver<Arc<DecisionRecord>>) {
    loop {
        match ended.recv().await {
            Ok(request) => line(&request),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "requests ended faster than they could be written here");
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn line(request: &DecisionRecord) {
    let cause = request.cause.map(|cause| match cause {
        Cause::Rejected(reject) => reject_name(reject),
        Cause::Failed(failure) => failure_name(failure),
    });
    tracing::info!(
        target: "herder::request",
        decision = request.id,
        model = request.model,
        tenant = request.tenant,
        host = request.host,
        reason = request.reason.map(word),
        arm = request.arm,
        outcome = word(request.outcome),
        cause,
        attempts = request.attempts,
        wait_millis = request.wait_millis,
        ttft_millis = request.ttft_millis,
        e2e_millis = request.e2e_millis,
        prompt_tokens = request.prompt_tokens,
        output_tokens = request.output_tokens,
        "request ended"
    );
}

/// A word of the admin API.
fn word(word: impl Serialize) -> String {
    let word = serde_json::to_value(word).ok();
    word.as_ref().and_then(|word| word.as_str()).unwrap_or_default().to_owned()
}
