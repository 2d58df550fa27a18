//! Faults as they are written, in JSON or on a line, and checked.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Effect, Fault, Garble, Harm, Kind, Scope};
use crate::wire;

/// A fault as written.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FaultFile {
    /// Which: `refuse`, `error`, `busy`, `slow`, `stall`, `cut`, `garble`, `hang-ps` or `runner-crash`.
    pub fault: String,
    /// Strikes requests whose path begins so; those that run a model where absent (`refuse`: all).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Strikes requests for this model, by its full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Strikes this share of the requests; 1 to 100.
    #[serde(default = "all")]
    pub percent: u32,
    /// Ends after as many requests that it could have struck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Of the draws.
    #[serde(default)]
    pub seed: u64,
    /// `error`: the status, 400 to 599; 500 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// `error`: what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `slow`: how many times longer each step takes; 1 to 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<u32>,
    /// `stall`, `cut`, `garble`: tokens that come before it; 0 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_tokens: Option<u32>,
    /// `stall`: whether the answer's head comes; it does where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<bool>,
    /// `garble`: `truncated-line`, `bad-utf8`, `long-line` or `no-final-line`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
}

const fn all() -> u32 {
    100
}

/// Why a fault cannot be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FaultError {
    /// The text cannot be read.
    #[error("fault: {0}")]
    Text(String),
    /// A value that cannot be.
    #[error("fault {fault:?}: {key}: found {found}, expected {expected}")]
    Value {
        /// Which fault.
        fault: String,
        /// Which of its keys.
        key: &'static str,
        /// What was given.
        found: String,
        /// What may be given.
        expected: &'static str,
    },
}

const NAMES: &str = "refuse, error, busy, slow, stall, cut, garble, hang-ps or runner-crash";

impl FromStr for FaultFile {
    type Err = FaultError;

    /// `NAME` or `NAME:key=value,key=value`.
    fn from_str(line: &str) -> Result<Self, FaultError> {
        let (name, rest) = line.split_once(':').unwrap_or((line, ""));
        let mut fields = Map::new();
        for pair in rest.split(',').filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(FaultError::Text(format!("found {pair:?}, expected key=value in {line:?}")));
            };
            let given_before = fields.insert(key.into(), word(key, value)).is_some();
            if given_before || key == "fault" {
                return Err(FaultError::Text(format!("{key} is given twice in {line:?}")));
            }
        }
        fields.insert("fault".into(), name.into());
        serde_json::from_value(fields.into())
            .map_err(|error| FaultError::Text(format!("{error} in {line:?}")))
    }
}

/// Numbers and flags are what they look like, but for the keys that are text.
fn word(key: &str, value: &str) -> Value {
    if matches!(key, "path" | "model" | "text" | "how") {
        return value.into();
    }
    serde_json::from_str(value).unwrap_or_else(|_| value.into())
}

impl FaultFile {
    pub(super) fn check(&self) -> Result<Fault, FaultError> {
        let wrong = |key: &'static str, found: String, expected: &'static str| {
            Err(FaultError::Value { fault: self.fault.clone(), key, found, expected })
        };
        if !(1..=100).contains(&self.percent) {
            return wrong("percent", self.percent.to_string(), "1 to 100");
        }
        let harm = |harm| Effect::Harm { harm, after_tokens: self.after_tokens.unwrap_or(0) };
        let error = |status, text: &str| Effect::Error { status, text: text.to_owned() };
        // The keys that each fault may have, beside those that all have.
        let (effect, keys): (Effect, &[&str]) = match self.fault.as_str() {
            "refuse" => (Effect::Refuse, &["percent"]),
            "error" => {
                let status = self.status.unwrap_or(500);
                if !(400..=599).contains(&status) {
                    return wrong("status", status.to_string(), "400 to 599");
                }
                let text = self.text.as_deref().unwrap_or("an injected fault");
                (error(status, text), &["percent", "model", "status", "text"])
            }
            "busy" => (error(503, wire::BUSY), &["percent", "model"]),
            "stall" if self.head == Some(false) => (Effect::Hang, &["percent", "model", "head"]),
            "stall" => (harm(Harm::Stall), &["percent", "model", "head", "after_tokens"]),
            "cut" => (harm(Harm::Cut), &["percent", "model", "after_tokens"]),
            "garble" => {
                let how = match self.how.as_deref().unwrap_or("truncated-line") {
                    "truncated-line" => Garble::TruncatedLine,
                    "bad-utf8" => Garble::BadUtf8,
                    "long-line" => Garble::LongLine,
                    "no-final-line" => Garble::NoFinalLine,
                    other => {
                        let expected = "truncated-line, bad-utf8, long-line or no-final-line";
                        return wrong("how", format!("{other:?}"), expected);
                    }
                };
                (harm(Harm::Garble(how)), &["percent", "model", "how", "after_tokens"])
            }
            "hang-ps" => (Effect::Hang, &["percent"]),
            "runner-crash" => (Effect::RunnerCrash, &["percent", "model"]),
            "slow" => {
                let factor = self.factor.unwrap_or(10);
                if !(1..=1_000).contains(&factor) {
                    return wrong("factor", factor.to_string(), "1 to 1000");
                }
                self.only(&["factor"])?;
                return Ok(self.with(Kind::Slow { factor }, Scope::All));
            }
            other => return wrong("fault", format!("{other:?}"), NAMES),
        };
        self.only(keys)?;
        let scope = match (&self.path, self.fault.as_str()) {
            (Some(path), _) => Scope::Path(path.clone()),
            (None, "refuse") => Scope::All,
            (None, "hang-ps") => Scope::Path("/api/ps".into()),
            (None, _) => Scope::Inference,
        };
        Ok(self.with(Kind::Effect(effect), scope))
    }

    fn with(&self, kind: Kind, scope: Scope) -> Fault {
        Fault { written: self.clone(), kind, scope, met: 0, struck: 0 }
    }

    /// Refuses keys that this fault does not look at.
    fn only(&self, keys: &[&str]) -> Result<(), FaultError> {
        let percent = (self.percent != all()).then_some(self.percent);
        // What can be drawn can be bounded and aimed, too.
        let drawn = keys.contains(&"percent");
        let given: [(&'static str, bool); 10] = [
            ("percent", percent.is_some()),
            ("next", self.next.is_some() && !drawn),
            ("path", self.path.is_some() && (!drawn || self.fault == "hang-ps")),
            ("model", self.model.is_some()),
            ("status", self.status.is_some()),
            ("text", self.text.is_some()),
            ("factor", self.factor.is_some()),
            ("after_tokens", self.after_tokens.is_some()),
            ("head", self.head.is_some()),
            ("how", self.how.is_some()),
        ];
        match given.into_iter().find(|(key, given)| *given && !keys.contains(key)) {
            Some((key, _)) => Err(FaultError::Value {
                fault: self.fault.clone(),
                key,
                found: "a value".into(),
                expected: "none: this fault does not look at it",
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        match line.parse::<FaultFile>().and_then(|file| file.check()) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{line} is good"),
        }
    }

    #[test]
    fn a_line_says_what_json_says() {
        let line: FaultFile = "cut:after_tokens=3,percent=20,model=llama3.2:3b".parse().expect("good");
        let json = r#"{"fault":"cut","after_tokens":3,"percent":20,"model":"llama3.2:3b"}"#;
        assert_eq!(line, serde_json::from_str(json).expect("good"));
        assert_eq!(serde_json::to_value(&line).expect("JSON")["seed"], 0);
        let stall: FaultFile = "stall:head=false,path=/api/chat".parse().expect("good");
        let checked = stall.check().expect("good");
        assert_eq!(checked.kind, Kind::Effect(Effect::Hang));
        assert_eq!(checked.scope, Scope::Path("/api/chat".into()));
    }

    #[test]
    fn wrong_faults_are_named_with_what_is_expected() {
        for (line, says) in [
            ("cutt", format!("fault \"cutt\": fault: found \"cutt\", expected {NAMES}")),
            ("error:percent=0", "fault \"error\": percent: found 0, expected 1 to 100".into()),
            ("error:status=200", "fault \"error\": status: found 200, expected 400 to 599".into()),
            ("slow:factor=0", "fault \"slow\": factor: found 0, expected 1 to 1000".into()),
            (
                "busy:factor=2",
                "fault \"busy\": factor: found a value, expected none: this fault does not look at it".into(),
            ),
            (
                "slow:percent=20",
                "fault \"slow\": percent: found a value, expected none: this fault does not look at it"
                    .into(),
            ),
            ("error:percent", "fault: found \"percent\", expected key=value in \"error:percent\"".into()),
            ("error:seed=1,seed=2", "fault: seed is given twice in \"error:seed=1,seed=2\"".into()),
        ] {
            assert_eq!(refused(line), says);
        }
        assert!(refused("error:precent=3").contains("unknown field `precent`"));
        assert!(refused("garble:how=x").contains("found \"x\", expected truncated-line"));
    }
}
