//! `implementation`: `"optimised"`, `"baseline"`, or a table that says so by part.

use core::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::index::Implementation;

/// Which of the twins decides, by part.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Implementations {
    /// The queue and its times.
    pub queue: Implementation,
    /// Hosts by load, and by weight.
    pub hosts: Implementation,
    /// Matching of demands to hosts.
    pub constraints: Implementation,
    /// What is remembered of the last answers, and of prompts.
    pub history: Implementation,
}

impl From<Implementation> for Implementations {
    fn from(all: Implementation) -> Self {
        Self { queue: all, hosts: all, constraints: all, history: all }
    }
}

/// The table as written.
#[derive(Default, Serialize, Deserialize)]
#[serde(remote = "Implementations", deny_unknown_fields, default)]
struct Table {
    queue: Implementation,
    hosts: Implementation,
    constraints: Implementation,
    history: Implementation,
}

impl Serialize for Implementations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() && *self == Self::from(self.queue) {
            self.queue.serialize(serializer)
        } else {
            Table::serialize(self, serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Implementations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Implementations;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"optimised\", \"baseline\", or a table of these by part (queue, hosts, constraints, history)")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Implementations, E> {
                match name {
                    "optimised" => Ok(Implementation::Optimised.into()),
                    "baseline" => Ok(Implementation::Baseline.into()),
                    other => Err(E::unknown_variant(other, &["optimised", "baseline"])),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Implementations, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map))
            }
        }
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(Written)
        } else {
            Table::deserialize(deserializer)
        }
    }
}
