//! What autoscaling rests on, and what it did.

use serde::{Deserialize, Serialize};

use crate::policy::scale::Highest;
use crate::units::Instant;

/// Whether a host is on. Those that do not stand by always are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// It is on.
    #[default]
    On,
    /// It is on, but is to be given back: what runs there ends, nothing new goes there.
    Leaving,
    /// It stands by.
    Off,
    /// It is being provisioned.
    Coming,
}

/// What autoscaling knows.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ScaleFacts {
    /// When it looks next; `None` where it does not.
    pub tick_at: Option<Instant>,
    /// Most requests under way or waiting since it looked last.
    pub requests_max: u64,
    /// Slots wanted, of late.
    pub wanted: Highest,
}
