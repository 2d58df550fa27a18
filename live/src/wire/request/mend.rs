//! Texts that are no Unicode: halves of surrogate pairs (clients that cut a text in the middle of an emoji write such), and
//! bytes that are no UTF-8. Go's decoder puts U+FFFD in their place, Rust's refuses them.

use std::borrow::Cow;

/// The body as Go reads it; `None` where there is nothing to mend.
pub(super) fn mended(body: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(body);
    let mut changed = matches!(text, Cow::Owned(_));
    let mut bytes = text.into_owned().into_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        at += found;
        at += match (escaped(&bytes, at), escaped(&bytes, at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                bytes[at + 2..at + 6].copy_from_slice(b"fffd");
                changed = true;
                6
            }
            // The escaped character may be a backslash, too.
            _ => 2.min(bytes.len() - at),
        };
    }
    changed.then_some(bytes)
}

/// The unit of an escape `\uXXXX`.
fn escaped(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::mended;

    #[test]
    fn halves_of_pairs_and_bytes_that_are_no_text_are_replaced() {
        for (body, want) in [
            (&br#"a\ud83dz"#[..], &br#"a\ufffdz"#[..]),
            (br#"\uDE00\uD83D"#, br#"\ufffd\ufffd"#),
            (br#"\ud83d\ud83d\ude00"#, br#"\ufffd\ud83d\ude00"#),
            (b"a\xffz", "a\u{fffd}z".as_bytes()),
        ] {
            assert_eq!(mended(body).as_deref(), Some(want), "{}", body.escape_ascii());
        }
        for body in [
            &b""[..],
            b"plain",
            br#"\ud83d\ude00"#,
            br#"\\ud83d"#,
            br#"\n\"\u00e9"#,
            b"\\",
            b"\\u",
            b"\\ud83",
        ] {
            assert_eq!(mended(body), None, "{}", body.escape_ascii());
        }
    }
}
