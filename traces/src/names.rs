//! Lists of models' names: `llama3.1:8b-v{1..40}` stands for forty names.

/// The names that one stands for: itself, unless it has a range of numbers in braces.
fn expanded(name: &str) -> Vec<String> {
    let range = || {
        let (before, rest) = name.split_once('{')?;
        let (range, after) = rest.split_once('}')?;
        let (first, last) = range.split_once("..")?;
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        let is_fine = first <= last && last - first < NAMES_MAX;
        is_fine.then(|| (first..=last).map(|number| format!("{before}{number}{after}")).collect())
    };
    range().unwrap_or_else(|| vec![name.to_owned()])
}

/// Names of one range at the most; a longer one stands for itself, and is no model.
const NAMES_MAX: u32 = 10_000;

/// The names that a list stands for, each with its place in the list as written.
pub fn placed(names: &[String]) -> impl Iterator<Item = (usize, String)> + '_ {
    names.iter().enumerate().flat_map(|(at, name)| expanded(name).into_iter().map(move |name| (at, name)))
}

/// The names that a list stands for.
#[must_use]
pub fn all(names: &[String]) -> Vec<String> {
    placed(names).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_in_braces_stands_for_its_numbers_and_all_else_for_itself() {
        assert_eq!(expanded("m:8b-v{9..11}"), ["m:8b-v9", "m:8b-v10", "m:8b-v11"]);
        for name in ["m:8b", "m:{1..}", "m:{3..2}", "m{}", "m:{0..4000000000}", "m:{1..2"] {
            assert_eq!(expanded(name), [name]);
        }
        assert_eq!(all(&["a{1..2}".into(), "b".into()]), ["a1", "a2", "b"]);
    }
}
