//! One line of log for each request that ended: who, where, why there, how long, how many tokens; never what was said.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};
use tokio::sync::oneshot;

use super::metrics::{Cause, DecisionRecord, failure_name, reject_name};

/// Lines are written so long after the first that waits: many at once wake the thread that writes them down once.
const GATHERING: Duration = Duration::from_millis(20);

/// Starts to write lines, in a thread of its own, so that writing them holds nobody up; where it falls behind, what it missed
/// is said. What is returned ends with the last line, once nobody is left to tell of ended requests.
pub(super) fn start(ended: broadcast::Receiver<Arc<DecisionRecord>>) -> oneshot::Receiver<()> {
    let (done, last) = oneshot::channel();
    let writing = move || {
        write(ended);
        // Where the gateway was dropped nobody waits.
        let _ = done.send(());
    };
    // Without a thread there are no lines, and what is returned ends at once.
    if let Err(error) = std::thread::Builder::new().name("request-log".into()).spawn(writing) {
        tracing::error!(%error, "no lines are written of requests");
    }
    last
}

#[expect(clippy::disallowed_methods, reason = "nobody waits for this thread")]
fn write(mut ended: broadcast::Receiver<Arc<DecisionRecord>>) {
    loop {
        let first = match ended.blocking_recv() {
            Err(RecvError::Closed) => return,
            first => first,
        };
        std::thread::sleep(GATHERING);
        // What is there now; what comes meanwhile waits for the next turn.
        let others = (0..ended.len()).map_while(|_| match ended.try_recv() {
            Ok(request) => Some(Ok(request)),
            Err(TryRecvError::Lagged(missed)) => Some(Err(RecvError::Lagged(missed))),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        });
        for told in std::iter::once(first).chain(others) {
            match told {
                Ok(request) => line(&request),
                Err(missed) => {
                    tracing::warn!(%missed, "requests ended faster than they could be written here")
                }
            }
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
