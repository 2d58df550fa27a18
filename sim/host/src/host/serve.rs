//! Requests on a runner: the prompt cut to the context, the caps on the answer, what the batch loop reports.

use control::request::{DoneReason, Kind, Usage};
use control::units::Instant;

use super::flight::{Slot, Stage};
use super::prompt::cut;
use super::{Completed, Host, Serving, rules};
use crate::api::{HostError, HostEvent, Phase, RequestKey};
use crate::batch::{LoopEvent, Sequence};
use crate::spec::Runner as RunnerKind;

impl Host {
    /// Hands a runner over to a request: it holds the runner until its end, stops its expiry, and overwrites its
    /// keep-alive if it carries one.
    pub(super) fn use_runner(&mut self, now: Instant, at: usize, slot: Slot, out: &mut Vec<HostEvent>) {
        let runner = &mut self.runners[at];
        let flight = self.flights.get_mut(slot);
        runner.refs += 1;
        runner.expires = None;
        if self.spec.serving == Serving::Ollama
            && let Some(keep_alive) = flight.request.options.keep_alive
        {
            runner.keep_alive = keep_alive;
            runner.evicted = false;
        }
        flight.load = now.since(flight.arrived);
        flight.stage = Stage::Running(runner.id);
        let id = runner.id;
        let (kind, prompt) = (flight.request.kind, flight.request.prompt_tokens);
        let load = flight.load;
        let cancelled = flight.cancelled;
        let error = if prompt > runner.num_ctx && !flight.request.truncate {
            Some(HostError::PromptTooLong)
        } else if kind == Kind::Embedding && !self.embeds(self.flights.get(slot).model) {
            Some(HostError::Unsupported)
        } else {
            None
        };
        if cancelled {
            self.flights.remove(slot);
        } else if prompt == 0 {
            self.answer(slot, Usage { load, done: DoneReason::Load, ..Usage::default() }, 0, out);
        } else if let Some(error) = error {
            self.refuse(slot, error, out);
        } else {
            self.admit(now, at, slot);
            return;
        }
        self.complete(now, Completed::Finished(id));
    }

    /// Embedding models do; of the others only those that llamarunner serves.
    fn embeds(&self, model: u16) -> bool {
        let model = &self.profile(model).model;
        model.embedding_only || model.runner(self.spec.version) == RunnerKind::Llamarunner
    }

    fn admit(&mut self, now: Instant, at: usize, slot: Slot) {
        let runner = &mut self.runners[at];
        let flight = self.flights.get_mut(slot);
        let request = &mut flight.request;
        let mut blocks = request.blocks.take();
        if request.prompt_tokens > runner.num_ctx {
            flight.truncated = true;
            request.prompt_tokens = runner.num_ctx;
            let keep = rules::NUM_KEEP.min(runner.num_ctx - 1);
            blocks = blocks.map(|blocks| cut(&blocks, request.kind, keep, runner.num_ctx));
        }
        let (output_tokens, done) = match request.kind {
            Kind::Embedding => (0, DoneReason::Stop),
            Kind::Completion => capped(request.output_tokens, request.num_predict, runner.num_ctx),
        };
        runner.admitted += 1;
        runner.batch.admit(
            now,
            Sequence {
                key: RequestKey(slot.into()),
                prompt_tokens: request.prompt_tokens,
                blocks,
                answer_block: request.answer_block,
                output_tokens,
                done,
                shift: request.shift,
            },
        );
        self.loop_changed(now, at, Phase::Delivery);
    }

    /// Passes on what a batch loop reported.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        at: usize,
        events: &mut Vec<LoopEvent>,
        out: &mut Vec<HostEvent>,
    ) {
        for event in events.drain(..) {
            match event {
                LoopEvent::FirstToken(key) => {
                    let flight = self.flights.get(key.0 as Slot);
                    if !flight.cancelled {
                        out.push(HostEvent::FirstToken { key: flight.request.key });
                    }
                }
                LoopEvent::Finished { key, output_tokens, cached_tokens, prompt_eval, eval, done } => {
                    let slot = key.0 as Slot;
                    let flight = self.flights.get(slot);
                    let prompt_tokens = flight.request.prompt_tokens;
                    self.tally.prompt_tokens += u64::from(prompt_tokens.saturating_sub(cached_tokens));
                    self.tally.cached_tokens += u64::from(cached_tokens);
                    self.tally.output_tokens += u64::from(output_tokens);
                    let load = flight.load;
                    let usage = Usage { prompt_tokens, output_tokens, load, prompt_eval, eval, done };
                    self.answer(slot, usage, cached_tokens, out);
                    self.left(now, at);
                }
                LoopEvent::Cancelled(key) => {
                    self.flights.remove(key.0 as Slot);
                    self.left(now, at);
                }
            }
        }
    }

    /// A request has left a batch loop.
    fn left(&mut self, now: Instant, at: usize) {
        let runner = &mut self.runners[at];
        runner.admitted -= 1;
        let id = runner.id;
        self.complete(now, Completed::Finished(id));
    }
}

/// Tokens that will be generated, and why they end: at the model's own end, or at `num_predict`, which is at most ten
/// contexts (so too where it is not given). The runner takes a 0 for no limit.
fn capped(output_tokens: u32, num_predict: Option<u32>, num_ctx: u32) -> (u32, DoneReason) {
    let most = num_ctx.saturating_mul(rules::PREDICT_PER_CTX);
    let limit = match num_predict {
        Some(0) => u32::MAX,
        Some(tokens) => tokens.min(most),
        None => most,
    };
    if output_tokens >= limit { (limit, DoneReason::Length) } else { (output_tokens, DoneReason::Stop) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_ends_at_the_lower_of_its_own_end_and_the_cap() {
        assert_eq!(capped(7, Some(10), 100), (7, DoneReason::Stop));
        assert_eq!(capped(12, Some(10), 100), (10, DoneReason::Length));
        assert_eq!(capped(12, Some(0), 1), (12, DoneReason::Stop));
    }

    #[test]
    fn answer_without_a_cap_ends_after_ten_contexts() {
        assert_eq!(capped(1_001, None, 100), (1_000, DoneReason::Length));
        assert_eq!(capped(999, None, 100), (999, DoneReason::Stop));
        assert_eq!(capped(5_000, Some(4_000), 100), (1_000, DoneReason::Length));
    }
}
