//! What stands in a host's place: Ollama, or a node that runs tasks. The first is what nearly every run is made of, so it lies in the place
//! itself and the other behind a pointer.

use std::sync::Arc;

use control::door::Observation;
use control::ids::ModelId;
use control::units::{Bytes, Instant};
use sim_host::api::{Due, HostEvent, Message, RequestKey};
use sim_host::host::{Host, HostCounters};
use sim_host::task::TaskHost;

use crate::config::HostKind;

/// One host, of either kind.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the usual kind is found without a pointer")]
pub(super) enum Machine {
    Ollama(Host),
    Task(Box<TaskHost>),
}

impl Machine {
    pub(super) fn new(kind: &HostKind) -> Self {
        match kind {
            HostKind::Ollama(spec) => Self::Ollama(Host::new(Arc::clone(spec))),
            HostKind::Task(spec) => Self::Task(Box::new(TaskHost::new(Arc::clone(spec)))),
        }
    }

    #[inline]
    pub(super) fn next(&self) -> Option<Due> {
        match self {
            Self::Ollama(host) => host.next(),
            Self::Task(host) => host.next(),
        }
    }

    #[inline]
    pub(super) fn advance(&mut self, due: Due, out: &mut Vec<HostEvent>) {
        match self {
            Self::Ollama(host) => host.advance(due, out),
            Self::Task(host) => host.advance(due, out),
        }
    }

    #[inline]
    pub(super) fn deliver(&mut self, now: Instant, message: Message, out: &mut Vec<HostEvent>) {
        match self {
            Self::Ollama(host) => host.deliver(now, message, out),
            Self::Task(host) => host.deliver(now, message, out),
        }
    }

    #[inline]
    pub(super) fn prefetch(&self, depth: u32) -> Option<RequestKey> {
        match self {
            Self::Ollama(host) => host.prefetch(depth),
            Self::Task(_) => None,
        }
    }

    #[inline]
    pub(super) fn revision(&self) -> u64 {
        match self {
            Self::Ollama(host) => host.revision(),
            Self::Task(host) => host.revision(),
        }
    }

    pub(super) fn observe(&self) -> Observation {
        match self {
            Self::Ollama(host) => host.observe(),
            Self::Task(host) => host.observe(),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Ollama(host) => host.check(),
            Self::Task(host) => host.check(),
        }
    }

    pub(super) fn counters(&self, now: Instant) -> HostCounters {
        match self {
            Self::Ollama(host) => host.counters(now),
            Self::Task(host) => host.counters(now),
        }
    }

    /// Models loaded or loading, with the memory they take; tasks have none.
    pub(super) fn loaded(&self) -> Vec<(ModelId, Bytes)> {
        match self {
            Self::Ollama(host) => host.loaded().collect(),
            Self::Task(_) => Vec::new(),
        }
    }
}
