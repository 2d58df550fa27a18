//! What is wrong with an input and where: the source line with the place marked, what was found, what was expected.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::document::Value;

/// A text that values come from.
#[derive(Debug, PartialEq, Eq)]
pub struct Text {
    /// A path, a built-in's name, or the option of the command line.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// One thing that is wrong, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    source: Arc<Text>,
    span: Range<usize>,
    message: String,
    label: String,
    helps: Vec<String>,
}

impl Report {
    /// A report on these bytes of a text.
    #[must_use]
    pub fn at(source: &Arc<Text>, span: Range<usize>, message: impl Into<String>) -> Self {
        let end = source.text.len();
        let span = span.start.min(end)..span.end.clamp(span.start.min(end), end);
        let inner = Inner {
            source: Arc::clone(source),
            span,
            message: message.into(),
            label: String::new(),
            helps: Vec::new(),
        };
        Self(Box::new(inner))
    }

    /// What stands beside the marked place: what was found, what was expected.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label = label.into();
        self
    }

    /// One more line below: what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.helps.push(help.into());
        self
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Line and column, each from 1; columns count characters.
    #[must_use]
    pub fn place(&self) -> (usize, usize) {
        let before = &self.0.source.text[..self.0.span.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let mut annotation = AnnotationKind::Primary.span(inner.span.clone());
        if !inner.label.is_empty() {
            annotation = annotation.label(&inner.label);
        }
        let snippet = Snippet::source(&inner.source.text).path(&inner.source.name).annotation(annotation);
        let mut group = Level::ERROR.primary_title(&inner.message).element(snippet);
        for help in &inner.helps {
            group = group.element(Level::HELP.message(help));
        }
        f.write_str(&Renderer::plain().render(&[group]))
    }
}

impl std::error::Error for Report {}

/// Why a scenario could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Something written in it is wrong.
    #[error(transparent)]
    Wrong(#[from] Report),
    /// Something in its file of profiles is wrong.
    #[error("error: {0}")]
    Profiles(#[from] sim_host::profile::ProfileError),
    /// The file cannot be read.
    #[error("error: the scenario {} cannot be read: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// Neither a file nor a built-in.
    #[error(
        "error: there is no scenario `{name}`: expected a file or the name of a built-in{nearest}\n  = built in: {builtin}"
    )]
    Unknown {
        /// What was given.
        name: String,
        /// `, such as …` where a built-in's name is near; else empty.
        nearest: String,
        /// All built-ins' names.
        builtin: String,
    },
}

/// A value in words, for "found …".
pub(super) struct Found(String);

impl Found {
    pub(super) fn of(value: &Value) -> Self {
        Self(match value {
            Value::String(text) => format!("the text \"{text}\""),
            Value::Integer(number) => format!("the number {number}"),
            Value::Float(number) => format!("the number {number:?}"),
            Value::Boolean(value) => format!("`{value}`"),
            Value::Datetime(value) => format!("the date {value}"),
            Value::Array(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        })
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The candidate nearest to what was typed, where one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = typed.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| {
            let plain = candidate.to_lowercase().replace('-', "_");
            let mut distance = strsim::damerau_levenshtein(&folded, &plain);
            // A key without its unit, or a part of it, is a near miss too: `warmup` for `warmup_percent`.
            if folded.len() >= 3 && (plain.starts_with(&folded) || plain.ends_with(&folded)) {
                distance = distance.min(2);
            }
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(typed.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
