//! The digest of a manifest or a blob: SHA-256, as Ollama and registries print it.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// 32 bytes; equal digests mean equal content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// What stands for a digest that is not known.
    pub const UNKNOWN: Self = Self([0; 32]);

    /// Whether it is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        *self != Self::UNKNOWN
    }

    /// Its first twelve digits, as Ollama's lists shorten it.
    #[must_use]
    pub const fn short(self) -> Short {
        Short(self)
    }
}

/// Prints 64 hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

/// Prints the first twelve digits of a digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Short(Digest);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotADigest;

impl fmt::Display for NotADigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 64 hexadecimal digits, perhaps after sha256:")
    }
}

impl core::error::Error for NotADigest {}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
        let (pairs, []) = digits.as_chunks::<2>() else { return Err(NotADigest) };
        if pairs.len() != 32 {
            return Err(NotADigest);
        }
        let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(NotADigest);
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_digest_reads_what_it_prints() {
        let digest = Digest(core::array::from_fn(|at| (at * 9) as u8));
        for text in [digest.to_string(), format!("sha256:{digest}"), digest.to_string().to_uppercase()] {
            assert_eq!(text.parse(), Ok(digest));
        }
        assert_eq!(digest.short().to_string(), "0009121b242d");
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for text in ["", "sha256:", "00", &"0".repeat(63), &"0".repeat(66), &"g".repeat(64), "sha512:00"] {
            assert_eq!(text.parse::<Digest>(), Err(NotADigest), "{text}");
        }
    }
}
