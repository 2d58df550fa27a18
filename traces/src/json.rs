//! Rows that are JSON objects, one a line: how they are parsed, and where something is wrong with one.

use std::sync::Arc;

use control::request::Block;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decimal;
use crate::error::{Fault, shown};
use crate::limits::TOKENS_MAX;

/// The object that a line holds; `expected` says in words what it should be.
pub(crate) fn object<'a, T: Deserialize<'a>>(line: &'a [u8], expected: &'static str) -> Result<T, Fault> {
    // serde would take an array for the fields in their order.
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Err(Fault::new(1, shown(line), expected));
    }
    serde_json::from_slice(line).map_err(|error| fault(line, &error, expected))
}

/// A stamp in nanoseconds, and its column in the line, of which `value` is a part. Its unit is ten to the power of
/// `scale` nanoseconds (9 for seconds, 6 for milliseconds); `unit` says that in words.
pub(crate) fn stamp(
    line: &[u8],
    value: &RawValue,
    name: &str,
    (scale, unit): (i64, &str),
) -> Result<(i128, usize), Fault> {
    let text = value.get();
    let column = text.as_ptr() as usize - line.as_ptr() as usize + 1;
    let at = decimal::scaled(text.as_bytes(), scale)
        .map_err(|_| Fault::new(column, format!("{} in {name}", shown(text.as_bytes())), unit))?;
    Ok((at, column))
}

/// Checks a number of tokens.
pub(crate) fn tokens(name: &str, tokens: u32) -> Result<u32, Fault> {
    if tokens > TOKENS_MAX {
        return Err(Fault::new(1, format!("{tokens} in {name}"), format!("at most {TOKENS_MAX} tokens")));
    }
    Ok(tokens)
}

/// A prompt of `tokens` tokens in `hash_ids`, one a block of `block_tokens`, the last one perhaps partial.
pub(crate) fn blocks(ids: &[u64], tokens: u32, block_tokens: u32) -> Result<Arc<[Block]>, Fault> {
    let expected = tokens.div_ceil(block_tokens) as usize;
    if ids.len() != expected {
        let found = format!("{} hash_ids", ids.len());
        return Err(Fault::new(1, found, format!("{expected}, as input_length is {tokens}")));
    }
    let last = expected.saturating_sub(1);
    let last_tokens = tokens - last as u32 * block_tokens;
    Ok(ids
        .iter()
        .enumerate()
        .map(|(index, &id)| Block { id, tokens: if index == last { last_tokens } else { block_tokens } })
        .collect())
}

/// serde_json's message, taken apart.
fn fault(line: &[u8], error: &serde_json::Error, expected: &'static str) -> Fault {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let column = error.column().max(1);
    match text.split_once(", expected ") {
        Some((found, "u32")) => Fault::new(column, found, "a whole number of tokens"),
        Some((found, "u64")) => Fault::new(column, found, "the whole number of a block"),
        Some((found, "i64")) => Fault::new(column, found, "a whole number"),
        _ => Fault::new(column, format!("{} ({text})", shown(line)), expected),
    }
}
