//! What stands between the simulator's truth and control's view: a request without its hidden parts, host errors as a
//! client sees them.

use control::door::{Action, ActionFailure, ActionOutcome, Deed};
use control::draw::{Component, Draw};
use control::ids::{ModelId, RequestId};
use control::request::{Arrive, Failure, HostOptions, KeepAlive, Kind, Particulars};
use control::units::{Bytes, Nanos};
use sim_host::api::{HostError, HostEvent, HostRequest};
use traces::job::Job;

use super::flights;

/// Bytes of a token: 4 on average (English text), from 3.5 to 4.5 by request.
const BYTES_PER_TOKEN_X64: u64 = 4 * 64;

/// The request as a gateway sees it: bytes for tokens, keyed hashes for blocks, no answer length, but where an `oracle` is
/// asked for.
pub(super) fn arrive(seed: u64, request: RequestId, job: &Job, oracle: bool) -> Arrive {
    let mut draw = Draw::new(seed, Component::PromptBytes, job.id, 0);
    let per_token_x64 = BYTES_PER_TOKEN_X64 - 32 + u64::from(draw.below(65));
    let mut chained = 0;
    let prefix = job.blocks.iter().flat_map(|blocks| blocks.iter()).map(|block| {
        chained = Draw::new(seed, Component::PromptBytes, chained ^ block.id, 1).bits();
        chained
    });
    Arrive {
        request,
        model: ModelId(job.model),
        tenant: job.tenant,
        session: job.session,
        kind: job.kind,
        priority: job.priority,
        whole: false,
        deadline: job.deadline,
        prompt_bytes: Bytes((u64::from(job.prompt_tokens) * per_token_x64 / 64).max(1)),
        num_predict: job.num_predict,
        particulars: Particulars { options: job.options, ..Particulars::default() }.boxed(),
        prefix: prefix.collect(),
        hint_output_tokens: oracle.then(|| job.output_tokens.min(job.num_predict.unwrap_or(u32::MAX))),
    }
}

/// The request as a host gets it.
pub(super) fn host_request(request: RequestId, attempt: u8, job: &Job) -> HostRequest {
    HostRequest {
        key: flights::key(request, attempt),
        model: ModelId(job.model),
        kind: job.kind,
        prompt_tokens: job.prompt_tokens,
        blocks: job.blocks.clone(),
        answer_block: job.answer_block,
        output_tokens: job.output_tokens,
        num_predict: job.num_predict,
        options: job.options,
        truncate: true,
        shift: true,
        run_nanos: job.run_nanos,
    }
}

/// A load or unload as a host gets it: a request without a prompt loads the model and answers when it is loaded, or lets it go.
pub(super) fn action_request(action: &Action) -> HostRequest {
    let keep_alive = match action.deed {
        Deed::Unload => Some(KeepAlive::For(Nanos::ZERO)),
        Deed::Load(keep_alive) => keep_alive,
        _ => None,
    };
    HostRequest {
        key: flights::action_key(action.id),
        model: action.model,
        kind: Kind::Completion,
        prompt_tokens: 0,
        blocks: None,
        answer_block: 0,
        output_tokens: 0,
        num_predict: None,
        options: HostOptions { keep_alive, ..HostOptions::default() },
        truncate: true,
        shift: true,
        run_nanos: None,
    }
}

/// How an action ended, where it did.
pub(super) fn action_outcome(event: &HostEvent) -> Option<ActionOutcome> {
    match event {
        HostEvent::FirstToken { .. } => None,
        HostEvent::Finished { .. } => Some(ActionOutcome::Done),
        HostEvent::Error { error, .. } => Some(ActionOutcome::Failed(ActionFailure::Host(failure(*error)))),
    }
}

/// A host's error as the driver tells it to control.
pub(super) fn failure(error: HostError) -> Failure {
    match error {
        HostError::Busy => Failure::Busy,
        HostError::ModelMissing => Failure::ModelMissing,
        HostError::OutOfMemory => Failure::OutOfMemory,
        HostError::RunnerGone => Failure::RunnerGone,
        HostError::Damaged => Failure::ServerError,
        HostError::PromptTooLong | HostError::Unsupported => Failure::BadRequest,
    }
}
