//! How evenly two tenants were served, from the decision log alone (I5): the work of their requests, in flight or ended, from
//! when both wait until one does not.

use control::door::{Input, Output};
use control::ids::{RequestId, TenantId};
use control::log::Record as LogRecord;
use control::request::{Arrive, Usage};

/// Two tenants, what each weighs (100 is normal), and what an answer costs.
#[derive(Clone, Copy)]
pub(crate) struct Shares {
    pub(crate) tenants: [TenantId; 2],
    pub(crate) weights: [u64; 2],
    pub(crate) cost: fn(&Usage) -> u64,
}

/// Tokens of prompt and answer.
pub(crate) fn tokens(usage: &Usage) -> u64 {
    u64::from(usage.prompt_tokens) + u64::from(usage.output_tokens)
}

/// The same, with tokens of the answer twice: what the token counter counts by default.
pub(crate) fn weighted_tokens(usage: &Usage) -> u64 {
    u64::from(usage.prompt_tokens) + 2 * u64::from(usage.output_tokens)
}

/// What was served while both waited.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Service {
    /// The greatest difference of what they were served for their weights, at a weight of 100, since both began to wait.
    pub(crate) difference_max: u64,
    /// What each was served, over all times in which both waited.
    pub(crate) served: [u64; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Queued,
    Out,
    Ended,
}

/// Measures a log. A change of the config begins anew.
pub(crate) fn measure(log: &[LogRecord<'_>], shares: &Shares) -> Service {
    let steps = || {
        log.iter().filter_map(|record| match record {
            LogRecord::Step { input, outputs, .. } => Some((&**input, &**outputs)),
            _ => None,
        })
    };
    // What each request took in the end; nothing where it was not answered.
    let (mut work, mut owners) = (Vec::new(), Vec::new());
    for (input, _) in steps() {
        match input {
            Input::Arrive(arrive) => {
                owners.push(shares.tenants.iter().position(|tenant| *tenant == arrive.tenant));
                work.push(0);
            }
            Input::Finished { request, usage, .. } => work[request.0 as usize] = (shares.cost)(usage),
            _ => {}
        }
    }
    let mut places = vec![Place::Ended; work.len()];
    let (mut waiting, mut since) = ([0usize; 2], None::<[u64; 2]>);
    let mut service = Service::default();
    for (input, outputs) in steps() {
        let mut served = [0u64; 2];
        let mut put = |request: RequestId, place: Place| {
            let at = request.0 as usize;
            let before = std::mem::replace(&mut places[at], place);
            let Some(owner) = owners[at] else { return };
            waiting[owner] -= usize::from(before == Place::Queued);
            waiting[owner] += usize::from(place == Place::Queued);
            served[owner] += if place == Place::Out { work[at] } else { 0 };
        };
        match input {
            Input::Arrive(Arrive { request, .. }) | Input::Failed { request, .. } => {
                put(*request, Place::Queued)
            }
            Input::Finished { request, .. } | Input::Gone { request } => put(*request, Place::Ended),
            Input::Policy(_) => since = None,
            _ => {}
        }
        for output in outputs {
            match output {
                Output::Dispatch(dispatch) => put(dispatch.request, Place::Out),
                Output::Reject { request, .. } | Output::Fail { request, .. } => put(*request, Place::Ended),
                _ => {}
            }
        }
        since = match since {
            _ if waiting.contains(&0) => None,
            None => Some([0; 2]),
            Some(before) => {
                let both = [before[0] + served[0], before[1] + served[1]];
                let [ours, theirs] = [0, 1].map(|at| both[at] * 100 / shares.weights[at]);
                service.difference_max = service.difference_max.max(ours.abs_diff(theirs));
                service.served = [service.served[0] + served[0], service.served[1] + served[1]];
                Some(both)
            }
        };
    }
    service
}
