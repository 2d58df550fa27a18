//! The version that a tag names, in the order that its format has.
//!
//! | kind | examples | order |
//! |---|---|---|
//! | digest | 64 hexadecimal digits | none in time: by its text |
//! | opaque | `latest`, `8b-instruct-q4_K_M` | by its text |
//! | sequential | `7`, `v7` | by number |
//! | calendar | `2024.11`, `2024.11.03`, `20241103`, `2024.11.03.2` | by date, a month before its days, then by the micro number |
//! | semantic | `1.2.3`, `v1.5`, `1.0.0-rc.1+linux` | precedence of Semantic Versioning 2.0.0 |
//!
//! Versions of different kinds are ordered as the table is, semantic ones last; versions of one kind and value (`v7` and `7`,
//! `1.5` and `1.5.0`, two builds) by their text. So the order is total, and only one text is equal to another.
//!
//! What can be read in two ways is a date first: `2024.11.3` is one and `2024.13.3` is not. A leading `v`, a missing patch
//! number and, for dates, leading zeros are taken beyond what Semantic Versioning allows. Numbers have any length.

use alloc::boxed::Box;
use core::cmp::Ordering;
use core::fmt;
use core::ops::Range;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// How a tag counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// The digest of what it names.
    Digest,
    /// In no way that is known.
    Opaque,
    /// From one number to the next.
    Sequential,
    /// By dates.
    Calendar,
    /// By Semantic Versioning 2.0.0.
    Semantic,
}

/// A tag with its order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Box<str>", into = "Box<str>")]
pub struct Version {
    text: Box<str>,
    shape: Shape,
}

/// Where in a text its value stands. Empty ranges where a kind has no such part.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Shape {
    kind: Kind,
    /// Year, month and day as decimal digits, the day 0 where there is none; 0 for other kinds.
    date: u32,
    /// Numbers with dots between: of a sequential version its number, of a date the micro number.
    numbers: Range<usize>,
    prerelease: Range<usize>,
}

/// A model's name without its tag, and the tag.
#[must_use]
pub fn name_and_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        // What stands before a slash is a registry with its port.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    }
}

impl Kind {
    /// Whether one of two such versions can be the newer one.
    #[must_use]
    pub const fn has_order(self) -> bool {
        matches!(self, Self::Sequential | Self::Calendar | Self::Semantic)
    }
}

impl Version {
    /// The version that a tag names; every text is one.
    #[must_use]
    pub fn of(tag: &str) -> Self {
        Self { shape: Shape::of(tag), text: tag.into() }
    }

    /// A model's name without its tag, and the version that its tag names; of no tag that of an empty text.
    #[must_use]
    pub fn of_model(name: &str) -> (&str, Self) {
        let (name, tag) = name_and_tag(name);
        (name, Self::of(tag.unwrap_or_default()))
    }

    /// The tag as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How it counts.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.shape.kind
    }

    /// Whether it is before its release: semantic versions only.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        !self.shape.prerelease.is_empty()
    }

    /// The order by kind and value, in which `v7` and `7`, or two builds of one release, are equal. Digests and opaque tags
    /// have no value but their text.
    #[must_use]
    pub fn precedence(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (&self.shape, &other.shape);
        let by_text = || match ours.kind {
            Kind::Digest | Kind::Opaque => self.text.cmp(&other.text),
            Kind::Sequential | Kind::Calendar | Kind::Semantic => Ordering::Equal,
        };
        (ours.kind, ours.date)
            .cmp(&(theirs.kind, theirs.date))
            .then_with(|| numbers(&self.text[ours.numbers.clone()], &other.text[theirs.numbers.clone()]))
            .then_with(|| {
                prereleases(&self.text[ours.prerelease.clone()], &other.text[theirs.prerelease.clone()])
            })
            .then_with(by_text)
    }
}

impl Shape {
    fn of(tag: &str) -> Self {
        let plain = |kind| Self { kind, date: 0, numbers: 0..0, prerelease: 0..0 };
        if tag.parse::<Digest>().is_ok() {
            return plain(Kind::Digest);
        }
        let start = tag.len() - tag.strip_prefix('v').unwrap_or(tag).len();
        Self::calendar(tag, start)
            .or_else(|| Self::sequential(tag, start))
            .or_else(|| Self::semantic(tag, start))
            .unwrap_or(plain(Kind::Opaque))
    }

    fn sequential(tag: &str, start: usize) -> Option<Self> {
        let shape = Self { kind: Kind::Sequential, date: 0, numbers: start..tag.len(), prerelease: 0..0 };
        is_number(&tag[start..]).then_some(shape)
    }

    fn calendar(tag: &str, start: usize) -> Option<Self> {
        let (date, micro) = date_and_micro(&tag[start..])?;
        let numbers = tag.len() - micro.len()..tag.len();
        Some(Self { kind: Kind::Calendar, date, numbers, prerelease: 0..0 })
    }

    fn semantic(tag: &str, start: usize) -> Option<Self> {
        let release = match tag.split_once('+') {
            Some((release, build)) if build.split('.').all(is_identifier) => release,
            Some(_) => return None,
            None => tag,
        };
        let (core, prerelease) = match release[start..].split_once('-') {
            Some((core, prerelease)) if prerelease.split('.').all(is_prerelease_identifier) => {
                (core, release.len() - prerelease.len()..release.len())
            }
            Some(_) => return None,
            None => (&release[start..], 0..0),
        };
        let is_core = (2..=3).contains(&core.split('.').count())
            && core.split('.').all(|number| is_number(number) && !has_leading_zero(number));
        is_core.then(|| Self {
            kind: Kind::Semantic,
            date: 0,
            numbers: start..start + core.len(),
            prerelease,
        })
    }
}

/// The date of `YYYY.MM`, `YYYY.MM.DD` or `YYYYMMDD`, and what stands behind another dot: a number or nothing.
fn date_and_micro(text: &str) -> Option<(u32, &str)> {
    let (first, rest) = text.split_once('.').unwrap_or((text, ""));
    let (year, month, day, micro) = if first.len() == 8 && is_number(first) {
        (&first[..4], &first[4..6], Some(&first[6..]), rest)
    } else {
        let (month, rest) = rest.split_once('.').unwrap_or((rest, ""));
        let (day, micro) = rest.split_once('.').unwrap_or((rest, ""));
        (first, month, (!day.is_empty()).then_some(day), micro)
    };
    let year = (year.len() == 4).then(|| within(year, 1900, 2999)).flatten()?;
    let month = (month.len() <= 2).then(|| within(month, 1, 12)).flatten()?;
    let day = match day {
        Some(day) => (day.len() <= 2).then(|| within(day, 1, 31)).flatten()?,
        None => 0,
    };
    let ends_well = !text.ends_with('.') && (micro.is_empty() || is_number(micro));
    ends_well.then_some((year * 10_000 + month * 100 + day, micro))
}

fn within(text: &str, least: u32, most: u32) -> Option<u32> {
    text.parse().ok().filter(|number| is_number(text) && (least..=most).contains(number))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_leading_zero(number: &str) -> bool {
    number.len() > 1 && number.starts_with('0')
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_prerelease_identifier(text: &str) -> bool {
    is_identifier(text) && !(is_number(text) && has_leading_zero(text))
}

/// Number by number, one that is missing as 0.
fn numbers(ours: &str, theirs: &str) -> Ordering {
    let (mut ours, mut theirs) = (ours.split('.'), theirs.split('.'));
    loop {
        let (our, their) = (ours.next(), theirs.next());
        if our.is_none() && their.is_none() {
            return Ordering::Equal;
        }
        let order = number(our.unwrap_or_default(), their.unwrap_or_default());
        if order.is_ne() {
            return order;
        }
    }
}

/// Digits by value, however many they are.
fn number(ours: &str, theirs: &str) -> Ordering {
    let (ours, theirs) = (ours.trim_start_matches('0'), theirs.trim_start_matches('0'));
    (ours.len(), ours).cmp(&(theirs.len(), theirs))
}

/// None is greatest; then identifier by identifier, numbers before words, and more identifiers after fewer.
fn prereleases(ours: &str, theirs: &str) -> Ordering {
    match (ours.is_empty(), theirs.is_empty()) {
        (true, _) | (_, true) => ours.is_empty().cmp(&theirs.is_empty()),
        (false, false) => ours.split('.').map(Identifier).cmp(theirs.split('.').map(Identifier)),
    }
}

/// An identifier of a prerelease.
struct Identifier<'a>(&'a str);

impl Ord for Identifier<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (is_number(self.0), is_number(other.0)) {
            (true, true) => number(self.0, other.0),
            (ours, theirs) => theirs.cmp(&ours).then_with(|| self.0.cmp(other.0)),
        }
    }
}

impl PartialOrd for Identifier<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Identifier<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Identifier<'_> {}

/// By kind, then value, then text.
impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.precedence(other).then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Versions are equal where their texts are.
impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<&str> for Version {
    fn from(tag: &str) -> Self {
        Self::of(tag)
    }
}

impl From<Box<str>> for Version {
    fn from(text: Box<str>) -> Self {
        Self { shape: Shape::of(&text), text }
    }
}

impl From<Version> for Box<str> {
    fn from(version: Version) -> Self {
        version.text
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "prop_oneof! shares its parts, in tests only")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ascends(tags: &[&str]) {
        for (at, earlier) in tags.iter().enumerate() {
            for later in &tags[at + 1..] {
                let (earlier, later) = (Version::of(earlier), Version::of(later));
                assert_eq!(earlier.precedence(&later), Ordering::Less, "{earlier} < {later}");
                assert_eq!(later.precedence(&earlier), Ordering::Greater, "{earlier} < {later}");
            }
        }
    }

    fn same_value(tags: &[&str]) {
        for (ours, theirs) in tags.iter().zip(&tags[1..]) {
            let (ours, theirs) = (Version::of(ours), Version::of(theirs));
            assert_eq!(ours.precedence(&theirs), Ordering::Equal, "{ours} and {theirs}");
            assert_ne!(ours, theirs);
            assert_eq!(ours.cmp(&theirs), ours.as_str().cmp(theirs.as_str()));
        }
    }

    #[test]
    fn semantic_versions_have_the_precedence_of_their_specification() {
        // Semantic Versioning 2.0.0, clause 11.
        ascends(&[
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "2.0.0",
            "2.1.0",
            "2.1.1",
            "2.1.10",
            "10.0.0",
        ]);
        ascends(&[
            "1.0.0-0",
            "1.0.0-999999999999999999999999",
            "1.0.0--",
            "1.0.0-A",
            "1.0.0-a",
            "1.0.0-a.0.0",
        ]);
        ascends(&["1.0.99999999999999999999", "1.0.100000000000000000000"]);
        same_value(&["1.5.0+exp.sha.5114f85", "1.5.0+21AF26D3---117B344092BD", "1.5.0", "1.5", "v1.5"]);
        same_value(&["1.0.0-rc.1+a", "1.0.0-rc.1", "v1.0.0-rc.1+001"]);
    }

    #[test]
    fn dates_are_in_order_of_time_however_they_are_written() {
        ascends(&[
            "2023.12",
            "2024.2",
            "2024.10.31",
            "2024.11",
            "20241103",
            "2024.11.03.1",
            "2024.11.03.12",
            "v20241104",
        ]);
        same_value(&["20241103", "2024.11.03", "2024.11.3", "v2024.11.03", "2024.11.03.0"]);
    }

    #[test]
    fn numbers_count_in_sequence() {
        ascends(&["0", "v7", "10", "2409", "v99999999999999999999999", "100000000000000000000000"]);
        same_value(&["v7", "7", "007"]);
    }

    #[test]
    fn kinds_are_told_apart_and_ordered() {
        let digest = "3f".repeat(32);
        let table: &[(Kind, &[&str])] = &[
            (Kind::Digest, &[&digest]),
            (
                Kind::Opaque,
                &[
                    "",
                    "v",
                    "latest",
                    "8b",
                    "8b-instruct-q4_K_M",
                    "7b-instruct-v0.3",
                    "v7-beta",
                    "1.2.3.4",
                    "1..2",
                    "1.2.",
                    ".1",
                    "01.2.3",
                    "1.2.03",
                    "1.0.0-",
                    "1.0.0-01",
                    "1.0.0-a..b",
                    "1.0.0+",
                    "1.0.0-a+b+c",
                    "1.0.0-é",
                    "é",
                    "-1",
                    "+1",
                    "2024.11.",
                    "2024.11.03.",
                    "2024.11.03.x",
                    "2024.+1.2",
                    "v v7",
                ],
            ),
            (Kind::Sequential, &["0", "v7", "2411", "20241301", "12345678", "202411"]),
            (Kind::Calendar, &["2024.11", "2024.1.1", "20241103", "v2024.11.03", "20241103.2"]),
            (
                Kind::Semantic,
                &["0.3", "v1.5", "1.2.3", "2024.13.1", "2024.11.32", "1.0.0--", "2024.11.3-rc.1"],
            ),
        ];
        for (at, (kind, tags)) in table.iter().enumerate() {
            for tag in *tags {
                assert_eq!(Version::of(tag).kind(), *kind, "{tag}");
                for later in table[at + 1..].iter().flat_map(|(_, tags)| *tags) {
                    assert!(Version::of(tag) < Version::of(later), "{tag} < {later}");
                }
            }
        }
        assert!(Version::of("1.0.0-a").is_prerelease() && !Version::of("1.0.0+a-b").is_prerelease());
    }

    fn tag() -> impl Strategy<Value = alloc::string::String> {
        prop_oneof![
            "v?[0-2]{1,2}(\\.[0-2]{1,2}){0,3}(-[0a.-]{0,4})?(\\+[0a.]{0,3})?",
            "v?202[34](\\.)?(0?[19]|1[0-9])(\\.)?([0-3][0-9]|[19])?(\\.[0-9])?",
            "[a-c0v.+é-]{0,6}",
        ]
    }

    proptest! {
        #[test]
        fn the_order_is_total_and_agrees_with_equality(a in tag(), b in tag(), c in tag()) {
            let [a, b, c] = [a, b, c].map(|tag| Version::of(&tag));
            prop_assert_eq!(a.cmp(&a), Ordering::Equal);
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&b).is_eq(), a == b);
            let mut sorted = [&a, &b, &c];
            sorted.sort();
            prop_assert!(sorted[0] <= sorted[1] && sorted[1] <= sorted[2] && sorted[0] <= sorted[2]);
            prop_assert!(sorted[0].precedence(sorted[2]).is_le());
            if a.precedence(&b).is_eq() && b.precedence(&c).is_eq() {
                prop_assert!(a.precedence(&c).is_eq());
            }
        }

        #[test]
        fn a_version_is_written_as_its_tag(tag in tag()) {
            let version = Version::of(&tag);
            let bytes = postcard::to_allocvec(&version).unwrap();
            prop_assert_eq!(&bytes, &postcard::to_allocvec(&tag).unwrap());
            let read: Version = postcard::from_bytes(&bytes).unwrap();
            prop_assert_eq!(read.shape, version.shape);
        }
    }
}
