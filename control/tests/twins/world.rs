//! A world that control is driven through: random, but as a driver would tell of it.

use control::door::{Input, LoadedModel, Observation, Output, StoredModel, Utilisation};
use control::draw::Draw;
use control::ids::{HostId, ModelId, RequestId, SessionId, TenantId};
use control::request::{Arrive, Failure, Usage};
use control::units::{Bytes, Instant, Nanos};

/// Models of the world.
pub(crate) const MODELS: u32 = 3;

/// What a host says of itself.
pub(crate) fn observation(draw: &mut Draw) -> Observation {
    let stored = (0..MODELS).filter(|_| draw.below(4) > 0).map(|model| (ModelId(model), Bytes(1)));
    let stored: Vec<StoredModel> = stored.map(|(model, bytes)| StoredModel::of_size(model, bytes)).collect();
    let loaded = stored.iter().filter(|_| draw.below(2) == 0);
    let loaded =
        loaded.map(|model| LoadedModel { model: model.model, bytes: Bytes(1), vram: Bytes(1) }).collect();
    Observation { version: String::new(), loaded, stored }
}

fn utilisation(draw: &mut Draw) -> Utilisation {
    let mut permille = || draw.below(1_001) as u16;
    Utilisation { cpu: permille(), memory: permille(), gpu: permille(), network: permille() }
}

/// What is under way, as a driver would know it.
#[derive(Default)]
pub(crate) struct World {
    /// Requests so far.
    pub(crate) arrived: u64,
    /// Waiting, as far as was told.
    pub(crate) queued: Vec<RequestId>,
    /// Request, attempt, whether its first byte came.
    pub(crate) sent: Vec<(RequestId, u8, bool)>,
}

impl World {
    /// What happens next.
    pub(crate) fn next(&mut self, hosts: u32, now: Instant, draw: &mut Draw) -> Input {
        let roll = draw.below(100);
        if roll < 8 {
            let host = HostId(draw.below(hosts));
            return match roll {
                0 => Input::Silent { host },
                5.. => Input::Measured { host, utilisation: utilisation(draw) },
                _ => Input::Observed { host, observation: observation(draw) },
            };
        }
        if roll < 50 && !self.sent.is_empty() {
            let at = draw.below(self.sent.len() as u32) as usize;
            let (request, attempt, streaming) = self.sent[at];
            if !streaming && roll < 25 {
                self.sent[at].2 = true;
                return Input::FirstByte { request, attempt };
            }
            self.sent.remove(at);
            return match roll % 8 {
                0 => Input::Gone { request },
                1 => Input::Failed { request, attempt, failure: Failure::Busy },
                _ => {
                    let usage = Usage {
                        prompt_tokens: 1 + draw.below(900),
                        output_tokens: draw.below(300),
                        prompt_eval: Nanos(u64::from(draw.below(1_000_000_000))),
                        eval: Nanos(u64::from(draw.below(1_000_000_000))),
                        ..Usage::default()
                    };
                    Input::Finished { request, attempt, usage }
                }
            };
        }
        if roll < 53 && !self.queued.is_empty() {
            return Input::Gone { request: self.queued[draw.below(self.queued.len() as u32) as usize] };
        }
        let request = RequestId(self.arrived);
        self.arrived += 1;
        self.queued.push(request);
        let session = u64::from(draw.below(5));
        Input::Arrive(Arrive {
            request,
            model: ModelId(draw.below(MODELS)),
            tenant: TenantId(draw.below(3)),
            session: (session > 0).then_some(SessionId(session)),
            priority: draw.below(3) as i8 - 1,
            whole: draw.below(4) == 0,
            deadline: (draw.below(3) == 0)
                .then(|| now.saturating_add(Nanos(u64::from(draw.below(2_000_000_000))))),
            prompt_bytes: Bytes(1 + u64::from(draw.below(4_000))),
            hint_output_tokens: (draw.below(3) > 0).then(|| draw.below(300)),
            prefix: (0..draw.below(4)).map(|block| u64::from(block) + session * 10).collect(),
            ..Arrive::default()
        })
    }

    /// What control said to it.
    pub(crate) fn note(&mut self, input: &Input, outputs: &[Output]) {
        if let Input::Gone { request } = input {
            self.queued.retain(|queued| queued != request);
        }
        for output in outputs {
            match output {
                Output::Dispatch(dispatch) => {
                    self.queued.retain(|queued| *queued != dispatch.request);
                    self.sent.push((dispatch.request, dispatch.attempt, false));
                }
                Output::Reject { request, .. } | Output::Fail { request, .. } => {
                    self.queued.retain(|queued| queued != request);
                }
                Output::Cancel { .. }
                | Output::Shadow(_)
                | Output::Act(_)
                | Output::Proposed(_)
                | Output::Abandon(_)
                | Output::Note(_) => {}
            }
        }
        if let Input::Failed { request, .. } = input
            && !outputs.iter().any(|output| matches!(output, Output::Fail { .. }))
            && !self.sent.iter().any(|sent| sent.0 == *request)
        {
            self.queued.push(*request);
        }
    }
}
