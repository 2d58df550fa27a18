//! Fields that a key's policy caps, spliced in place: the rest of a body goes on byte for byte as it came.
//!
//! Only Ollama's own calls carry them: `options.num_ctx`, and `keep_alive`. Bodies come here after
//! [`RequestFacts`](super::request::RequestFacts) has read them, so they are JSON, and each of these keys stands once.

use std::borrow::Cow;
use std::ops::Range;

use control::request::KeepAlive;
use serde_json::value::RawValue;

use super::duration;

/// The most that a body may ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Caps {
    /// Largest context in tokens.
    pub num_ctx: Option<u32>,
    /// Longest time for which the model stays loaded, in seconds.
    pub keep_alive_seconds: Option<u64>,
}

/// Ollama's own keep-alive, where a body asks for none (`envconfig/config.go`).
const KEEP_ALIVE_SECONDS: u64 = 300;

/// An object, read one level deep.
type Object<'a> = std::collections::BTreeMap<Cow<'a, str>, &'a RawValue>;

/// The body with what is beyond the caps brought down to them; `None` where nothing is.
#[must_use]
pub fn capped(body: &[u8], caps: Caps) -> Option<Vec<u8>> {
    let object: Object<'_> = serde_json::from_slice(body).ok()?;
    let find = |object: &Object<'_>, key: &str| {
        object
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| place(body, value.get()))
    };
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    if let Some(most) = caps.num_ctx
        && let Some(options) = find(&object, "options")
        && let Ok(options) = serde_json::from_slice::<Object<'_>>(&body[options])
        && let Some(at) = find(&options, "num_ctx")
        && std::str::from_utf8(&body[at.clone()])
            .is_ok_and(|text| text.parse::<f64>().is_ok_and(|asked| asked > f64::from(most)))
    {
        edits.push((at, most.to_string()));
    }
    if let Some(most) = caps.keep_alive_seconds {
        let found = find(&object, "keep_alive").filter(|at| &body[at.clone()] != b"null");
        match found {
            Some(at) => {
                let value = serde_json::from_slice(&body[at.clone()]).ok()?;
                let beyond = match duration::keep_alive(&value).ok()? {
                    Some(KeepAlive::Forever) => true,
                    Some(KeepAlive::For(span)) => span.0 > most.saturating_mul(1_000_000_000),
                    None => KEEP_ALIVE_SECONDS > most,
                };
                if beyond {
                    edits.push((at, most.to_string()));
                }
            }
            // Nothing asked is five minutes.
            None if most < KEEP_ALIVE_SECONDS => {
                let brace = body.iter().position(|&byte| byte == b'{')?;
                let comma = if object.is_empty() { "" } else { "," };
                edits.push((brace + 1..brace + 1, format!("\"keep_alive\":{most}{comma}")));
            }
            None => {}
        }
    }
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|edit| edit.0.start);
    let (mut spliced, mut from) = (Vec::with_capacity(body.len() + 32), 0);
    for (at, text) in edits {
        spliced.extend_from_slice(&body[from..at.start]);
        spliced.extend_from_slice(text.as_bytes());
        from = at.end;
    }
    spliced.extend_from_slice(&body[from..]);
    Some(spliced)
}

/// Where a part of the body stands in it: the part is borrowed from it.
fn place(body: &[u8], part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - body.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(body: &str, num_ctx: Option<u32>, keep_alive_seconds: Option<u64>) -> Option<String> {
        let spliced = capped(body.as_bytes(), Caps { num_ctx, keep_alive_seconds })?;
        Some(String::from_utf8(spliced).expect("text stays text"))
    }

    #[test]
    fn what_is_beyond_is_brought_down_and_all_else_stays_byte_for_byte() {
        let body = "{ \"model\":\"m\",\n \"Options\" : {\"seed\":1.50, \"num_ctx\" : 99999 } ,\"keep_alive\":\"24h\",\"x\":[ ] }";
        let is = "{ \"model\":\"m\",\n \"Options\" : {\"seed\":1.50, \"num_ctx\" : 4096 } ,\"keep_alive\":60,\"x\":[ ] }";
        assert_eq!(after(body, Some(4_096), Some(60)).as_deref(), Some(is));
        assert_eq!(after(body, Some(100_000), Some(86_400)), None);
        assert_eq!(after(body, None, None), None);
    }

    #[test]
    fn every_way_to_ask_for_more_time_is_seen() {
        let keep_alive = |value: &str| after(&format!("{{\"keep_alive\":{value}}}"), None, Some(600));
        for beyond in ["-1", "\"-1s\"", "601", "\"11m\"", "\"1h\"", "6e2000", "1e9"] {
            let capped = keep_alive(beyond);
            assert!(
                capped.as_deref() == Some("{\"keep_alive\":600}") || beyond == "6e2000",
                "{beyond}: {capped:?}"
            );
        }
        for within in ["0", "600", "\"10m\"", "null", "\"5s\""] {
            assert_eq!(keep_alive(within), None, "{within}");
        }
    }

    #[test]
    fn nothing_asked_is_five_minutes() {
        assert_eq!(after("{}", None, Some(60)).as_deref(), Some("{\"keep_alive\":60}"));
        assert_eq!(after(" {\"a\":1}", None, Some(60)).as_deref(), Some(" {\"keep_alive\":60,\"a\":1}"));
        assert_eq!(after("{\"a\":1}", None, Some(300)), None);
    }
}
