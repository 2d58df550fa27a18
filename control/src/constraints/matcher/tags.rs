//! What hosts bear (zones, capabilities, models in memory), both ways: the tags of a host, and the hosts of a tag.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::ids::HostId;
use crate::index::Implementation;
use crate::index::host_set::HostSet;
use crate::index::vocabulary::Vocabulary;

/// The hosts that bear a tag.
#[derive(Clone, Debug, Default)]
pub(super) struct Posting {
    hosts: HostSet,
    /// How many, so that the smallest set is known without counting.
    len: u32,
}

impl Posting {
    pub(super) fn hosts(&self) -> &HostSet {
        &self.hosts
    }

    /// The size, and the set itself.
    pub(super) fn borrowed(&self) -> (u32, Cow<'_, HostSet>) {
        (self.len, Cow::Borrowed(&self.hosts))
    }
}

/// Tags by host and hosts by tag; tags are dense numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Tags {
    /// A bit for each tag of a host.
    rows: Vec<Vec<u64>>,
    postings: Vec<Posting>,
}

impl Tags {
    /// Gives a host these tags and no others.
    pub(super) fn put(&mut self, host: HostId, tags: impl Iterator<Item = u32>) {
        let mut row = Vec::new();
        for tag in tags {
            let (word, bit) = place(tag);
            if word >= row.len() {
                row.resize(word + 1, 0);
            }
            row[word] |= bit;
        }
        if host.index() >= self.rows.len() {
            self.rows.resize(host.index() + 1, Vec::new());
        }
        let before = core::mem::replace(&mut self.rows[host.index()], row);
        let words = before.len().max(self.rows[host.index()].len());
        for at in 0..words {
            let now = self.rows[host.index()].get(at).copied().unwrap_or(0);
            let mut changed = before.get(at).copied().unwrap_or(0) ^ now;
            while changed != 0 {
                let bit = changed.trailing_zeros();
                changed &= changed - 1;
                self.change(at * 64 + bit as usize, host, now >> bit & 1 == 1);
            }
        }
    }

    /// Whether a host bears a tag.
    pub(super) fn contains(&self, host: HostId, tag: u32) -> bool {
        let (word, bit) = place(tag);
        self.rows[host.index()].get(word).is_some_and(|word| word & bit != 0)
    }

    /// The hosts that bear a tag; `None` where no host ever did.
    pub(super) fn posting(&self, tag: u32) -> Option<&Posting> {
        self.postings.get(tag as usize)
    }

    fn change(&mut self, tag: usize, host: HostId, member: bool) {
        if tag >= self.postings.len() {
            self.postings.resize(tag + 1, Posting::default());
        }
        let posting = &mut self.postings[tag];
        posting.hosts.set(host, member);
        if member {
            posting.len += 1;
        } else {
            posting.len -= 1;
        }
    }
}

const fn place(tag: u32) -> (usize, u64) {
    (tag as usize / 64, 1 << (tag % 64))
}

/// Tags that have names.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    vocabulary: Vocabulary,
    tags: Tags,
}

impl Default for Labels {
    fn default() -> Self {
        Self { vocabulary: Vocabulary::new(Implementation::Optimised), tags: Tags::default() }
    }
}

impl Labels {
    /// Gives a host these labels and no others; an empty name is no label.
    pub(super) fn put(&mut self, host: HostId, names: &[String]) {
        let (vocabulary, tags) = (&mut self.vocabulary, &mut self.tags);
        let named = names.iter().filter(|name| !name.is_empty());
        tags.put(host, named.map(|name| vocabulary.intern(name)));
    }

    /// Whether a host bears a label.
    pub(super) fn has(&self, host: HostId, name: &str) -> bool {
        self.vocabulary.peek(name).is_some_and(|tag| self.tags.contains(host, tag))
    }

    /// Whether a host bears one of these labels.
    pub(super) fn has_any(&self, host: HostId, names: &[String]) -> bool {
        names.iter().any(|name| self.has(host, name))
    }

    /// The hosts of each label; `None` where no host ever bore it.
    pub(super) fn postings<'a>(&'a self, names: &[String]) -> impl Iterator<Item = Option<&'a Posting>> {
        names.iter().map(|name| self.tags.posting(self.vocabulary.peek(name)?))
    }

    /// The hosts that bear one of these labels, and how many.
    pub(super) fn any_of(&self, names: &[String]) -> (u32, Cow<'_, HostSet>) {
        let mut postings = self.postings(names).flatten();
        let Some(first) = postings.next() else { return (0, Cow::default()) };
        let Some(second) = postings.next() else { return first.borrowed() };
        let mut any = first.hosts.clone();
        any.or(&second.hosts);
        postings.for_each(|posting| any.or(&posting.hosts));
        (any.len() as u32, Cow::Owned(any))
    }
}
