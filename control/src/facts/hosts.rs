//! The host table: what was declared, what was observed and when, and what is under way there.

use serde::{Deserialize, Serialize};

use super::scale::Power;
use crate::door::{Declaration, Observation, Utilisation};
use crate::units::Instant;

/// One host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostFacts {
    /// What the operator says of it.
    pub declaration: Declaration,
    /// What it said last.
    pub observation: Observation,
    /// When that changed last.
    pub changed_at: Instant,
    /// How busy it is, where a source of metrics is declared and has spoken.
    pub utilisation: Option<Utilisation>,
    /// Whether it has answered a poll yet.
    pub heard: bool,
    /// Since when it has not answered its polls.
    pub silent_since: Option<Instant>,
    /// Whether the operator has drained it: what runs there ends, nothing new goes there.
    pub drained: bool,
    /// Most requests at once while it warms up after a silence.
    pub warming: Option<u32>,
    /// Whether it is on.
    pub power: Power,
}

/// The part of a host that balancers read most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HostLoad {
    /// Requests let out to it.
    pub in_flight: u32,
    /// Most requests to be let out to it.
    pub limit: u32,
    /// Estimated tokens (prompt and answer) of the requests under way there.
    pub outstanding_tokens: u64,
}

impl HostLoad {
    /// Whether another request may be let out.
    #[must_use]
    #[inline]
    pub const fn has_room(&self) -> bool {
        self.in_flight < self.limit
    }
}

impl HostFacts {
    /// A host of which only the declaration is known.
    #[must_use]
    pub fn declared(declaration: Declaration, now: Instant) -> Self {
        let power = if declaration.standby { Power::Off } else { Power::On };
        Self {
            declaration,
            observation: Observation::default(),
            changed_at: now,
            utilisation: None,
            heard: false,
            silent_since: None,
            drained: false,
            warming: None,
            power,
        }
    }

    /// Whether it answers: it is on, was heard, and is not silent now.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.heard && self.silent_since.is_none() && matches!(self.power, Power::On | Power::Leaving)
    }

    /// Whether it may be chosen at all: it answers, and is neither drained nor about to be given back.
    #[must_use]
    pub const fn is_offered(&self) -> bool {
        self.is_up() && !self.drained && matches!(self.power, Power::On)
    }
}
