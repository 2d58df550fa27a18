//! Paths of keys: names joined by points, elements of lists by their number, as in `fleet.group[0].gpu`. Quotes keep a name together, as
//! in TOML: `models."a.b:c".pin`.

use std::ops::Range;

/// The names in a path and where each stands. An empty one stands where the next point or the end is.
pub(crate) fn names(path: &str) -> Vec<(&str, Range<usize>)> {
    let mut open = None;
    let separates = |letter: char| {
        match open {
            Some(quote) if letter == quote => open = None,
            None if matches!(letter, '"' | '\'') => open = Some(letter),
            _ => {}
        }
        open.is_none() && matches!(letter, '.' | '[')
    };
    let mut start = 0;
    let named = path.split(separates).map(|part| {
        let written = part.trim();
        let name = unquoted(written).unwrap_or_else(|| written.trim_end_matches(']'));
        let at = start + part.find(name).expect("a name is a part of where it stands");
        start += part.len() + 1;
        (name, at..at + name.len())
    });
    named.collect()
}

/// What stands between quotes.
fn unquoted(text: &str) -> Option<&str> {
    ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_points_and_brackets_outside_quotes() {
        for (path, wanted) in [
            ("seed", &["seed"][..]),
            ("fleet.group[0].gpu", &["fleet", "group", "0", "gpu"]),
            ("models.\"a.b:c\".pin", &["models", "a.b:c", "pin"]),
            ("models.'a\"[0].b'.pin", &["models", "a\"[0].b", "pin"]),
            (" a . b ", &["a", "b"]),
            ("a..b", &["a", "", "b"]),
            ("", &[""]),
        ] {
            let found = names(path);
            assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), wanted, "{path}");
            assert!(found.into_iter().all(|(name, at)| path[at] == *name), "{path}");
        }
    }
}
