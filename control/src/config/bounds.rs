//! What values of a config may be.

use alloc::format;
use alloc::string::ToString;
use core::fmt::Display;

use crate::config::ConfigError;
use crate::units::Nanos;

/// Longest span: a year keeps sums of times far from their limit.
pub(crate) const MILLIS_MAX: u64 = 366 * 24 * 3_600 * 1_000;

/// An error that names a key inside `[control]`.
pub(crate) fn error(key: &str, found: impl Display, expected: impl Display) -> ConfigError {
    ConfigError { key: key.to_string(), found: found.to_string(), expected: expected.to_string() }
}

/// The value, where it is one of `least` to `most`.
pub(crate) fn within<Number: Copy + Into<u64>>(
    key: &str,
    value: Number,
    (least, most): (u64, u64),
) -> Result<Number, ConfigError> {
    let number = value.into();
    if (least..=most).contains(&number) {
        Ok(value)
    } else {
        Err(error(key, number, format!("{least} to {most}")))
    }
}

/// The span, where it is at least a millisecond and at most a year.
pub(crate) fn millis(key: &str, value: u64) -> Result<Nanos, ConfigError> {
    if (1..=MILLIS_MAX).contains(&value) {
        Ok(Nanos::from_millis(value))
    } else {
        Err(error(key, value, format!("1 to {MILLIS_MAX} milliseconds")))
    }
}
