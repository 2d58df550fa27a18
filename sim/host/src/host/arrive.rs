//! A request before the scheduler: is the model there, its template and tokens; and a client that leaves.

use std::cmp::Reverse;

use control::request::{DoneReason, KeepAlive, Kind, Usage};
use control::units::{Instant, Nanos};

use super::flight::{Flight, Slot, Stage};
use super::{Host, Serving};
use crate::api::{HostError, HostEvent, HostRequest, RequestKey};

impl Host {
    pub(super) fn arrive(&mut self, now: Instant, request: HostRequest, out: &mut Vec<HostEvent>) {
        let key = request.key;
        let resident_only = matches!(self.spec.serving, Serving::Paged { .. });
        let found = self.disk.find(request.model).filter(|model| !resident_only || *model == 0);
        let Some(model) = found else {
            out.push(HostEvent::Error { key, error: HostError::ModelMissing });
            return;
        };
        let profile = &self.spec.models[model as usize].profile;
        if request.kind == Kind::Completion && profile.model.embedding_only {
            out.push(HostEvent::Error { key, error: HostError::Unsupported });
            return;
        }
        let work = if unloads(&request) { Nanos::ZERO } else { Nanos(profile.request_overhead_nanos) };
        let slot = self.flights.add(Flight {
            request,
            model,
            blob: self.disk.blob(model),
            arrived: now,
            stage: Stage::Preparing,
            cancelled: false,
            truncated: false,
            load: Nanos::ZERO,
        });
        if work == Nanos::ZERO {
            self.get_runner(now, slot, out);
            return;
        }
        self.prepared += 1;
        self.preparing.push(Reverse((now + work, self.prepared, slot)));
        if self.on_cpu() && self.preparing.len() == 1 {
            self.share(now);
        }
    }

    /// The client of a request leaves. Nothing of it is reported any more; it keeps its place where Ollama keeps it: in
    /// the pending queue until it is popped, in the batch loop until the next boundary. A load for it is aborted.
    pub(super) fn cancel(&mut self, now: Instant, key: RequestKey, out: &mut Vec<HostEvent>) {
        let Some(slot) = self.flights.find(key) else { return };
        let flight = self.flights.get_mut(slot);
        flight.cancelled = true;
        match flight.stage {
            Stage::Preparing | Stage::Locked | Stage::Pending => {}
            Stage::Gone(_) => unreachable!("what is gone is not found"),
            Stage::Loading(id) => self.abort_load(now, id),
            Stage::Running(id) => self.cancel_in_loop(now, id, slot, out),
        }
    }

    /// Answers a request that only unloads.
    pub(super) fn answer_unload(&mut self, slot: Slot, out: &mut Vec<HostEvent>) {
        let usage = Usage { done: DoneReason::Unload, ..Usage::default() };
        self.answer(slot, usage, 0, out);
    }

    /// Sends the whole answer, where anyone still waits for it, and forgets the request.
    pub(super) fn answer(&mut self, slot: Slot, usage: Usage, cached_tokens: u32, out: &mut Vec<HostEvent>) {
        let flight = self.flights.get(slot);
        if !flight.cancelled {
            let (key, truncated) = (flight.request.key, flight.truncated);
            out.push(HostEvent::Finished { key, usage, cached_tokens, truncated });
        }
        self.flights.remove(slot);
    }

    /// Sends an error, where anyone still waits for it, and forgets the request.
    pub(super) fn refuse(&mut self, slot: Slot, error: HostError, out: &mut Vec<HostEvent>) {
        let flight = self.flights.get(slot);
        if !flight.cancelled {
            out.push(HostEvent::Error { key: flight.request.key, error });
        }
        self.flights.remove(slot);
    }

    /// Its models compute on the CPU that prepares requests.
    pub(super) fn on_cpu(&self) -> bool {
        self.spec.gpus.is_empty()
    }
}

/// An empty prompt with a keep-alive of 0 unloads the model.
pub(super) fn unloads(request: &HostRequest) -> bool {
    request.kind == Kind::Completion
        && request.prompt_tokens == 0
        && request.options.keep_alive == Some(KeepAlive::For(Nanos::ZERO))
}
