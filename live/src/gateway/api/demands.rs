//! What a request demands of its host, told by a header: the words of a rule's `demands` (`[[control.rules]]`), as JSON.
//!
//! Control keeps a lane of the queue for each model and each set of demands, so how many sets there may be is bounded.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use control::constraints::{Demands, DemandsFile};
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::gateway::config::MayAssert;
use crate::gateway::keys::Caller;

/// What the host must be like.
const DEMANDS_HEADER: HeaderName = HeaderName::from_static("x-herder-demands");
/// Longest header.
const BYTES_MAX: usize = 4_096;
/// Most different demands of all requests since the gateway started.
const DIFFERENT_MAX: usize = 1_024;

/// All demands that requests made so far.
#[derive(Debug, Default)]
pub(super) struct Demanded(Mutex<BTreeSet<Demands>>);

impl Demanded {
    /// What a request demands.
    ///
    /// # Errors
    /// Status and text of the answer. A demand is never passed over: whoever makes one relies on it.
    pub(super) fn told(&self, headers: &HeaderMap, caller: &Caller) -> Result<Demands, (StatusCode, String)> {
        let mut values = headers.get_all(DEMANDS_HEADER).iter();
        let Some(value) = values.next() else { return Ok(Demands::default()) };
        if !caller.may_assert(MayAssert::Demands) {
            let message =
                format!("{DEMANDS_HEADER}: only a key that may assert \"demands\" may send this header");
            return Err((StatusCode::FORBIDDEN, message));
        }
        let read = if values.next().is_some() {
            Err(format!("{DEMANDS_HEADER}: found it more than once, expected it once"))
        } else {
            read(value).and_then(|demands| self.admitted(demands))
        };
        read.map_err(|message| (StatusCode::BAD_REQUEST, message))
    }

    fn admitted(&self, demands: Demands) -> Result<Demands, String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= DIFFERENT_MAX && !known.contains(&demands) {
            return Err(format!(
                "{DEMANDS_HEADER}: found demands unlike all {DIFFERENT_MAX} that were made since the gateway started, \
                 expected one of those"
            ));
        }
        known.insert(demands.clone());
        Ok(demands)
    }
}

fn read(value: &HeaderValue) -> Result<Demands, String> {
    let text = value.to_str().ok().filter(|text| text.len() <= BYTES_MAX).ok_or_else(|| {
        format!("{DEMANDS_HEADER}: expected a JSON object of at most {BYTES_MAX} ASCII characters")
    })?;
    let file: DemandsFile = serde_json::from_str(text).map_err(|error| {
        format!("{DEMANDS_HEADER}: {error}; expected demands as in control.rules, like {{\"require_zones\": [\"eu\"]}}")
    })?;
    let wrong = |error: control::config::ConfigError| {
        format!("{}: found {}, expected {}", error.key, error.found, error.expected)
    };
    file.check(DEMANDS_HEADER.as_str()).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<Demands, String> {
        read(&HeaderValue::from_str(text).expect("a header"))
    }

    #[test]
    fn demands_are_those_of_a_rule() {
        let file = DemandsFile {
            require_zones: Some(vec!["eu".into()]),
            vram_gib_min: Some(40),
            ..DemandsFile::default()
        };
        let demands = told("{\"require_zones\": [\"eu\"], \"vram_gib_min\": 40}");
        assert_eq!(demands, Ok(file.check("").expect("good demands")));
        assert_eq!(told(" {} "), Ok(Demands::default()));
    }

    #[test]
    fn what_cannot_be_taken_is_told_with_its_place() {
        for (text, expected) in [
            (
                "eu",
                "x-herder-demands: expected value at line 1 column 1; expected demands as in control.rules",
            ),
            (
                "{\"zone\": \"eu\"}",
                "x-herder-demands: unknown field `zone`, expected one of `require_capabilities`",
            ),
            ("{\"gpus\": \"a100\"}", "expected a sequence at line 1 column 15"),
            ("{\"gpus\": []}", "x-herder-demands.gpus: found 0 names, expected 1 to 1000 names"),
            (
                "{\"start_after_millis\": 9, \"deadline_millis\": 8}",
                "x-herder-demands.start_after_millis: found 9, expected less than deadline_millis, 8",
            ),
        ] {
            let message = told(text).expect_err("it cannot be taken");
            assert!(message.contains(expected), "{message}");
        }
        let long = format!("{{\"gpus\": [\"{}\"]}}", "x".repeat(BYTES_MAX));
        assert!(told(&long).expect_err("too long").contains("at most 4096 ASCII characters"));
    }

    #[test]
    fn different_demands_are_bounded_and_those_that_were_made_stay_good() {
        let demanded = Demanded::default();
        let on = |host: usize| {
            let demands = told(&format!("{{\"require_hosts\": [\"{host}\"]}}")).expect("good demands");
            demanded.admitted(demands)
        };
        assert!((0..DIFFERENT_MAX).all(|host| on(host).is_ok()));
        assert!(on(DIFFERENT_MAX).expect_err("one too many").contains("unlike all 1024"));
        assert!(on(7).is_ok_and(|demands| !demands.is_empty()));
    }
}
