//! Identities as types: dense numbers that the driver gives out, so that they index vectors.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// This id as an index into a vector.
            #[must_use]
            #[inline]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id! {
    /// A host of the fleet, in the order of declaration.
    HostId(u32)
}
id! {
    /// A model's name, in the order in which names became known.
    ModelId(u32)
}
id! {
    /// A tenant (who pays), in the order in which tenants became known.
    TenantId(u32)
}
id! {
    /// A set of demands on hosts, in the order in which sets became known; 0 demands nothing.
    DemandsId(u32)
}
id! {
    /// A session: requests that continue one conversation.
    SessionId(u64)
}
id! {
    /// A request, numbered from 0 in order of arrival, without gaps.
    RequestId(u64)
}
id! {
    /// An arm: a balancer with its name and what it learned, in the order in which they were first needed.
    ArmId(u16)
}
id! {
    /// An action on a host, numbered from 0 without gaps.
    ActionId(u64)
}
id! {
    /// The config that was in force: 0 at the start, one more with each change.
    Epoch(u32)
}
