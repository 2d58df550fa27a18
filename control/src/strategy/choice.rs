//! A strategy as it is written (a name, or a table of one name with parameters), and as it was chosen.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Line, Parameter, nearest};
use crate::config::ConfigError;

/// What stands in `[control]`: `"prequal"`, or `{ prequal = { probes = 5 } }`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StrategyFile {
    /// The strategy.
    pub name: String,
    /// Parameters that are written.
    pub parameters: BTreeMap<String, i64>,
}

impl From<&str> for StrategyFile {
    fn from(name: &str) -> Self {
        Self { name: name.to_string(), parameters: BTreeMap::new() }
    }
}

impl fmt::Display for StrategyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (at, (name, value)) in self.parameters.iter().enumerate() {
            write!(f, "{}{name}={value}", if at == 0 { " " } else { ", " })?;
        }
        Ok(())
    }
}

impl Serialize for StrategyFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.parameters.is_empty() {
            return serializer.serialize_str(&self.name);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.name, &self.parameters)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for StrategyFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = StrategyFile;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a strategy's name, or a table of one name with its parameters")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<StrategyFile, E> {
                Ok(name.into())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StrategyFile, A::Error> {
                let none = || de::Error::invalid_length(0, &self);
                let (name, parameters) = map.next_entry()?.ok_or_else(none)?;
                match map.next_key::<String>()? {
                    None => Ok(StrategyFile { name, parameters }),
                    Some(_) => Err(de::Error::invalid_length(2, &self)),
                }
            }
        }
        deserializer.deserialize_any(Written)
    }
}

/// A strategy with all its parameters, checked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Chosen<Kind> {
    /// Which.
    pub kind: Kind,
    /// In the order in which the strategy lists them.
    pub parameters: Parameters,
}

/// Values of a strategy's parameters, in the order in which it lists them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Parameters(Vec<u32>);

impl Parameters {
    /// What holds where nothing is written.
    #[must_use]
    pub fn defaults(of: &[Parameter]) -> Self {
        Self(of.iter().map(|parameter| parameter.default).collect())
    }

    /// The value of the parameter at that place of the strategy's list.
    ///
    /// # Panics
    /// Where the strategy lists fewer.
    #[must_use]
    pub fn get(&self, at: usize) -> u32 {
        self.0[at]
    }
}

/// The strategy that is written, with every parameter.
///
/// # Errors
/// Where no strategy has that name, it has no such parameter, or a value is out of range.
pub fn choose<Kind: Copy>(
    key: &str,
    file: &StrategyFile,
    all: &[Line<Kind>],
) -> Result<Chosen<Kind>, ConfigError> {
    let Some((kind, strategy)) = all.iter().find(|(_, strategy)| strategy.name == file.name) else {
        return Err(unknown(key.to_string(), &file.name, all.iter().map(|line| line.1.name).collect()));
    };
    let mut values = Parameters::defaults(strategy.parameters);
    for (name, &value) in &file.parameters {
        let path = format!("{key}.{}.{name}", strategy.name);
        let Some(at) = strategy.parameters.iter().position(|parameter| parameter.name == name) else {
            return Err(unknown(
                path,
                name,
                strategy.parameters.iter().map(|parameter| parameter.name).collect(),
            ));
        };
        let Parameter { least, most, .. } = strategy.parameters[at];
        match u32::try_from(value) {
            Ok(value) if (least..=most).contains(&value) => values.0[at] = value,
            _ => {
                return Err(ConfigError {
                    key: path,
                    found: value.to_string(),
                    expected: format!("{least} to {most}"),
                });
            }
        }
    }
    Ok(Chosen { kind: *kind, parameters: values })
}

fn unknown(key: String, name: &str, names: Vec<&str>) -> ConfigError {
    let near = nearest(name, &names).map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
    let expected = match names.as_slice() {
        [] => "no parameter: this strategy has none".to_string(),
        _ => format!("one of {}{near}", names.join(", ")),
    };
    ConfigError { key, found: format!("{name:?}"), expected }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::strategy::{Requires, Strategy};

    const ALL: &[Line<u8>] = &[
        (
            1,
            Strategy {
                name: "plain",
                summary: "",
                source: "",
                cost: "",
                needs: "",
                requires: Requires::Nothing,
                parameters: &[],
            },
        ),
        (
            2,
            Strategy {
                name: "tuned",
                summary: "",
                source: "",
                cost: "",
                needs: "",
                requires: Requires::Nothing,
                parameters: &[
                    Parameter { name: "probes", summary: "", default: 3, least: 2, most: 16 },
                    Parameter { name: "decay_millis", summary: "", default: 10, least: 1, most: 99 },
                ],
            },
        ),
    ];

    fn tuned(name: &str, value: i64) -> StrategyFile {
        StrategyFile { name: "tuned".into(), parameters: [(name.to_string(), value)].into() }
    }

    #[test]
    fn a_bare_name_takes_every_default() {
        let chosen = choose("balancer", &"tuned".into(), ALL).unwrap();
        assert_eq!((chosen.kind, chosen.parameters), (2, Parameters(vec![3, 10])));
    }

    #[test]
    fn written_parameters_take_their_place() {
        let chosen = choose("balancer", &tuned("decay_millis", 50), ALL).unwrap();
        assert_eq!((chosen.parameters.get(0), chosen.parameters.get(1)), (3, 50));
    }

    #[test]
    fn wrong_parameters_are_told_with_their_path() {
        let told = |file: &StrategyFile| choose("balancer", file, ALL).unwrap_err().to_string();
        assert_eq!(
            told(&tuned("probs", 4)),
            "control.balancer.tuned.probs: found \"probs\", expected one of probes, decay_millis (did you mean \
             \"probes\"?)"
        );
        assert_eq!(told(&tuned("probes", 17)), "control.balancer.tuned.probes: found 17, expected 2 to 16");
        assert_eq!(told(&tuned("probes", -1)), "control.balancer.tuned.probes: found -1, expected 2 to 16");
        let file = StrategyFile { name: "plain".into(), ..tuned("probes", 4) };
        assert_eq!(
            told(&file),
            "control.balancer.plain.probes: found \"probes\", expected no parameter: this strategy has none"
        );
    }
}
