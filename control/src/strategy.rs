//! What every strategy says of itself; the lists `ALL` drive the command line, the docs and the tests.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::ConfigError;

/// A strategy, as printed by `herder strategies`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strategy {
    /// As written in `[control]`.
    pub name: &'static str,
    /// The idea in a sentence.
    pub summary: &'static str,
    /// Paper, or project and file.
    pub source: &'static str,
    /// Cost of a decision; n hosts that hold the model, q queued requests.
    pub cost: &'static str,
    /// What it must know.
    pub needs: &'static str,
}

/// One line of a list `ALL`: the variant and what it says of itself.
pub type Line<Kind> = (Kind, Strategy);

/// The variant of that name.
///
/// # Errors
/// Where no strategy has it: all names, and the nearest.
pub fn by_name<Kind: Copy>(key: &'static str, name: &str, all: &[Line<Kind>]) -> Result<Kind, ConfigError> {
    if let Some((kind, _)) = all.iter().find(|(_, strategy)| strategy.name == name) {
        return Ok(*kind);
    }
    let names: Vec<&str> = all.iter().map(|(_, strategy)| strategy.name).collect();
    let near = nearest(name, &names).map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
    Err(ConfigError {
        key,
        found: format!("{name:?}"),
        expected: format!("one of {}{near}", names.join(", ")),
    })
}

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

/// The name of a kind, for output.
///
/// # Panics
/// Where a variant has no line in `ALL`.
#[must_use]
pub fn name_of<Kind: Copy + PartialEq>(kind: Kind, all: &'static [Line<Kind>]) -> &'static str {
    all.iter().find(|line| line.0 == kind).expect("every variant has a line in ALL").1.name
}

/// All names as one text.
#[must_use]
pub fn names<Kind>(all: &[Line<Kind>]) -> String {
    all.iter().map(|line| line.1.name).collect::<Vec<_>>().join(", ")
}
