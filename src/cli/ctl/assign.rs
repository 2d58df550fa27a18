//! `key=value` of the command line as JSON: `a.b=1` is a table in a table. A value is what TOML, the language of the config,
//! would make of it; else what JSON would, which knows `null` and other tables; else text.

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use crate::scenario::key_path;

pub(super) fn read(assignments: &[String]) -> Result<Map<String, Value>> {
    let mut object = Map::new();
    for assignment in assignments {
        let Some((path, value)) = assignment.split_once('=') else {
            bail!("{assignment:?}: found no =, expected KEY=VALUE");
        };
        let value = read_value(value);
        let mut keys = key_path::names(path).into_iter().map(|(name, _)| name).peekable();
        let mut table = &mut object;
        while let Some(key) = keys.next() {
            if key.is_empty() {
                bail!("{assignment:?}: found an empty key, expected names joined by points");
            }
            if keys.peek().is_none() {
                table.insert(key.to_owned(), value);
                break;
            }
            let Value::Object(inner) = table.entry(key).or_insert_with(|| Value::Object(Map::new())) else {
                bail!("{assignment:?}: {key} has a value already that is no table");
            };
            table = inner;
        }
    }
    Ok(object)
}

fn read_value(written: &str) -> Value {
    let toml = written.parse::<toml::Value>().ok().and_then(|value| serde_json::to_value(value).ok());
    let value = toml.or_else(|| serde_json::from_str(written).ok());
    value.unwrap_or_else(|| Value::String(written.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn assignments_become_tables() {
        let strings = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let read = |list: &[&str]| read(&strings(list)).map(Value::Object);
        let wanted =
            json!({"balancer": {"prequal": {"probes": 5, "depth": 2}}, "scheduler": "fifo", "x": null});
        let written = ["balancer.prequal.probes=5", "balancer.prequal.depth=2", "scheduler=fifo", "x=null"];
        assert_eq!(read(&written).expect("good"), wanted);
        for (written, value) in [
            ("n=1_000", json!(1_000)),
            ("n=0.5", json!(0.5)),
            ("on=true", json!(true)),
            ("t='random'", json!("random")),
            ("t={ probes = 5 }", json!({"probes": 5})),
            ("t={\"probes\": 5}", json!({"probes": 5})),
            ("t=[\"a\", \"b\"]", json!(["a", "b"])),
            ("t=x=y", json!("x=y")),
        ] {
            let read = read(&[written]).expect("good");
            assert_eq!(read.as_object().and_then(|read| read.values().next()), Some(&value), "{written}");
        }
        for (bad, why) in [("x", "no ="), ("=1", "empty key"), ("a..b=1", "empty key")] {
            let error = read(&[bad]).expect_err("bad").to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(read(&["a=1", "a.b=2"]).is_err());
        let quoted = read(&["placement.models.\"a.b:c\".pin=[\"h\"]"]).expect("good");
        assert_eq!(quoted, json!({"placement": {"models": {"a.b:c": {"pin": ["h"]}}}}));
    }
}
