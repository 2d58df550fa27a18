//! Numbers that may have no bound, in JSON: `null` where there is none, `"inf"` or `"-inf"` where it has no bound.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number, or nothing, or one without bound.
struct Bounded(Option<f64>);

impl Serialize for Bounded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_none(),
            Some(f64::INFINITY) => serializer.serialize_str("inf"),
            Some(f64::NEG_INFINITY) => serializer.serialize_str("-inf"),
            Some(value) => serializer.serialize_f64(value),
        }
    }
}

impl<'de> Deserialize<'de> for Bounded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Bounded;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, null, \"inf\" or \"-inf\"")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Bounded, E> {
                Ok(Bounded(None))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Bounded, E> {
                Ok(Bounded(Some(value)))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Bounded, E> {
                Ok(Bounded(Some(value as f64)))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Bounded, E> {
                Ok(Bounded(Some(value as f64)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bounded, E> {
                match text {
                    "inf" => Ok(Bounded(Some(f64::INFINITY))),
                    "-inf" => Ok(Bounded(Some(f64::NEG_INFINITY))),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// One of them.
pub(crate) mod one {
    use super::{Bounded, Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        Bounded(*value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Bounded::deserialize(deserializer).map(|bounded| bounded.0)
    }
}

/// The measures of a run, by their keys.
pub(crate) mod all {
    use std::collections::BTreeMap;

    use super::{Bounded, Deserialize, Deserializer, Serializer};
    use crate::compare::cells::Values;
    use crate::compare::measures;

    pub(crate) fn serialize<S: Serializer>(values: &Values, serializer: S) -> Result<S::Ok, S::Error> {
        let keys = measures::ALL.iter().map(|measure| measure.key);
        serializer.collect_map(keys.zip(values.iter().map(|value| Bounded(*value))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Values, D::Error> {
        let found: BTreeMap<String, Bounded> = BTreeMap::deserialize(deserializer)?;
        Ok(measures::ALL.iter().map(|measure| found.get(measure.key).and_then(|value| value.0)).collect())
    }
}
