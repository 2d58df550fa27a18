//! Misspelt words.

use alloc::vec::Vec;

/// The name within a third of its length in edits (Levenshtein distance), if any; the first of the nearest.
#[must_use]
pub fn nearest<'a>(word: &str, names: &[&'a str]) -> Option<&'a str> {
    let (distance, near) = names.iter().map(|name| (edits(word, name), *name)).min_by_key(|pair| pair.0)?;
    (distance <= near.len().div_ceil(3)).then_some(near)
}

/// Levenshtein's distance in characters: insertions, deletions and changes that make one word of the other.
#[must_use]
pub fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let substitution = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[to.len()]
}
