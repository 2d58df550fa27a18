//! A configuration as a tree in which each value knows where it was written: a place in a file, or an option of
//! the command line laid over it.
//!
//! It knows nothing of what the keys mean: `reader` fills typed structs from it.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::error::{Found, Report, Text};
use super::key_path;

/// A configuration that was read: its text, the options laid over it, and the merged tree.
#[derive(Clone, Debug)]
pub struct Document {
    /// All texts that values come from; the first is the file.
    texts: Vec<Arc<Text>>,
    /// The merged tree; always a table.
    pub(super) root: Node,
}

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Which text.
    pub(super) text: usize,
    /// Which bytes of it.
    pub(super) span: Range<usize>,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where the value was written.
    pub(super) origin: Origin,
    /// What was written.
    pub(super) value: Value,
}

/// A key with its place, and what it holds.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// Where it was written first.
    pub(super) origin: Origin,
    /// What it holds.
    pub(super) node: Node,
}

/// What TOML can hold.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Text.
    String(String),
    /// A whole number.
    Integer(i64),
    /// A number with a point.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// A date or time, as written; no key of ours takes one.
    Datetime(String),
    /// A list.
    Array(Vec<Node>),
    /// Keys in the order of the file.
    Table(Vec<Entry>),
}

impl Document {
    /// Reads TOML. `name` is what errors call it (a path, or a built-in's name).
    ///
    /// # Errors
    /// Where the text is not TOML, with its place.
    pub fn parse(name: &str, text: &str) -> Result<Self, Report> {
        let source = Arc::new(Text { name: name.to_owned(), text: text.to_owned() });
        let table = DeTable::parse(text).map_err(|error| syntax_error(&source, &error))?;
        let mut nodes = Nodes { source: &source, text: 0 };
        let span = table.span();
        let root = nodes.table(table.into_inner(), span)?;
        Ok(Self { texts: vec![source], root })
    }

    /// Lays one option over the file: `path=value`, the value as TOML writes it, or bare text.
    /// `option` is its name on the command line (`--set`), for errors.
    ///
    /// # Errors
    /// Where there is no `=`, the path leads through something that is not a table, or an index is out of range.
    pub fn set(&mut self, option: &str, assignment: &str) -> Result<(), Report> {
        let source = Arc::new(Text { name: format!("from {option}"), text: assignment.to_owned() });
        let text = self.texts.len();
        let Some((path, value)) = assignment.split_once('=') else {
            return Err(Report::at(
                &source,
                0..assignment.len(),
                format!("`{option}` needs a key and a value"),
            )
            .label("no `=` here")
            .help(format!("write {option} key=value, for example {option} workload.requests=1000")));
        };
        let value_at = path.len() + 1;
        let node = argument_value(&source, text, value, value_at)?;
        self.texts.push(Arc::clone(&source));

        let names = key_path::names(path);
        if let Some((_, span)) = names.iter().find(|(name, _)| name.is_empty()) {
            return Err(Report::at(&source, span.clone(), format!("`{option}` has an empty key"))
                .label("a key is missing here")
                .help("a key path is names joined by points, for example `control.balancer` or `fleet.group[0].gpu`"));
        }
        let segments: Vec<_> =
            names.into_iter().map(|(name, span)| (name.to_owned(), Origin { text, span })).collect();
        put(&mut self.root, &segments, node, &source)
    }

    /// Takes away what is written for `key` in the section `section`, if anything.
    pub fn remove(&mut self, section: &str, key: &str) {
        let Value::Table(sections) = &mut self.root.value else { return };
        for section in sections.iter_mut().filter(|entry| entry.key == section) {
            if let Value::Table(entries) = &mut section.node.value {
                entries.retain(|entry| entry.key != key);
            }
        }
    }

    /// Lays what is written in the table at `from` over the table at `over`, key by key (points in a key lead deeper).
    /// Values keep their places, so that whatever is wrong with one is reported where it was written.
    ///
    /// # Errors
    /// Where a key leads through something that is not a table.
    pub fn lay(&mut self, from: &str, over: &str) -> Result<(), Report> {
        let Value::Table(entries) = &self.nearest(from).0.value else { return Ok(()) };
        for entry in entries.clone() {
            let source = Arc::clone(&self.texts[entry.origin.text]);
            let path: Vec<_> = over
                .split('.')
                .chain(key_path::names(&entry.key).into_iter().map(|(name, _)| name))
                .map(|name| (name.to_owned(), entry.origin.clone()))
                .collect();
            put(&mut self.root, &path, entry.node, &source)?;
        }
        Ok(())
    }

    /// The name of the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.texts[0].name
    }

    /// A report on the value at `path`, or on the nearest table around it that is written.
    #[must_use]
    pub fn report(&self, path: &str, message: impl Into<String>) -> Report {
        self.report_at(self.nearest(path).1, message)
    }

    /// The value at `path`, or the nearest table around it that is written, and its place.
    fn nearest(&self, path: &str) -> (&Node, &Origin) {
        let mut nearest = (&self.root, &self.root.origin);
        for (segment, _) in key_path::names(path).into_iter().filter(|(name, _)| !name.is_empty()) {
            let next = match &nearest.0.value {
                Value::Table(entries) => entries.iter().find(|entry| entry.key == segment).map(|entry| {
                    let whole = matches!(entry.node.value, Value::Table(_));
                    (&entry.node, if whole { &entry.origin } else { &entry.node.origin })
                }),
                Value::Array(nodes) => segment
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| nodes.get(index))
                    .map(|node| (node, &node.origin)),
                _ => None,
            };
            let Some(next) = next else { break };
            nearest = next;
        }
        nearest
    }

    pub(super) fn report_at(&self, origin: &Origin, message: impl Into<String>) -> Report {
        Report::at(&self.texts[origin.text], origin.span.clone(), message)
    }
}

fn syntax_error(source: &Arc<Text>, error: &toml::de::Error) -> Report {
    let end = source.text.len();
    let span = error.span().unwrap_or(end..end);
    Report::at(source, span, "this is not TOML").label(error.message().to_owned())
}

/// A value of the command line: what parses as TOML is that, everything else is text.
fn argument_value(source: &Arc<Text>, text: usize, value: &str, offset: usize) -> Result<Node, Report> {
    let whole = Origin { text, span: offset..offset + value.len() };
    let opens_structure = value.trim_start().starts_with(['[', '{', '"', '\'']);
    match DeValue::parse(value) {
        Ok(parsed) => {
            let mut nodes = Nodes { source, text };
            let mut node = nodes.value(parsed.into_inner(), 0..value.len())?;
            shift(&mut node, offset);
            node.origin = whole;
            Ok(node)
        }
        Err(error) if opens_structure => {
            let span = error.span().unwrap_or(value.len()..value.len());
            let span =
                (span.start + offset).min(source.text.len())..(span.end + offset).min(source.text.len());
            Err(Report::at(source, span, "this value is not TOML").label(error.message().to_owned()))
        }
        Err(_) => Ok(Node { origin: whole, value: Value::String(value.trim().to_owned()) }),
    }
}

fn shift(node: &mut Node, offset: usize) {
    node.origin.span = node.origin.span.start + offset..node.origin.span.end + offset;
    match &mut node.value {
        Value::Array(nodes) => nodes.iter_mut().for_each(|node| shift(node, offset)),
        Value::Table(entries) => {
            for entry in entries {
                entry.origin.span = entry.origin.span.start + offset..entry.origin.span.end + offset;
                shift(&mut entry.node, offset);
            }
        }
        _ => {}
    }
}

fn put(node: &mut Node, path: &[(String, Origin)], value: Node, source: &Arc<Text>) -> Result<(), Report> {
    let Some(((name, origin), rest)) = path.split_first() else {
        *node = value;
        return Ok(());
    };
    match &mut node.value {
        Value::Table(entries) => {
            let index = entries.iter().position(|entry| entry.key == *name).unwrap_or_else(|| {
                let node = Node { origin: origin.clone(), value: Value::Table(Vec::new()) };
                entries.push(Entry { key: name.clone(), origin: origin.clone(), node });
                entries.len() - 1
            });
            entries[index].origin = origin.clone();
            put(&mut entries[index].node, rest, value, source)
        }
        Value::Array(nodes) => {
            let len = nodes.len();
            let found = name.parse::<usize>().ok().and_then(|index| nodes.get_mut(index));
            let Some(element) = found else {
                return Err(Report::at(
                    source,
                    origin.span.clone(),
                    format!("there is no element `{name}` here"),
                )
                .label(format!(
                    "expected a number below {len}: the list has {len} elements, counted from 0"
                )));
            };
            put(element, rest, value, source)
        }
        // A bare name stands for a table of that name with nothing in it; what is written below it takes its place.
        Value::String(_) => {
            *node = Node { origin: origin.clone(), value: Value::Table(Vec::new()) };
            put(node, path, value, source)
        }
        other => Err(Report::at(source, origin.span.clone(), format!("there is no key `{name}` here"))
            .label(format!("the key before it holds {}, not a table", Found::of(other)))),
    }
}

/// Turns the parser's tree into ours.
struct Nodes<'a> {
    source: &'a Arc<Text>,
    text: usize,
}

impl Nodes<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        Origin { text: self.text, span }
    }

    fn table(&mut self, table: DeTable<'_>, span: Range<usize>) -> Result<Node, Report> {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let (key_span, value_span) = (key.span(), value.span());
            let node = self.value(value.into_inner(), value_span)?;
            entries.push(Entry { key: key.into_inner().into_owned(), origin: self.origin(key_span), node });
        }
        entries.sort_by_key(|entry| entry.origin.span.start);
        Ok(Node { origin: self.origin(span), value: Value::Table(entries) })
    }

    fn value(&mut self, value: DeValue<'_>, span: Range<usize>) -> Result<Node, Report> {
        let value = match value {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Integer(number) => {
                let parsed = i64::from_str_radix(number.as_str(), number.radix());
                Value::Integer(parsed.map_err(|_| {
                    Report::at(self.source, span.clone(), "this number is too large")
                        .label(format!("expected at most {}", i64::MAX))
                })?)
            }
            DeValue::Float(number) => {
                let parsed = number.as_str().parse::<f64>();
                Value::Float(parsed.map_err(|_| {
                    Report::at(self.source, span.clone(), "this is not a number").label("expected a number")
                })?)
            }
            DeValue::Boolean(value) => Value::Boolean(value),
            DeValue::Datetime(value) => Value::Datetime(value.to_string()),
            DeValue::Array(values) => {
                let mut nodes = Vec::with_capacity(values.len());
                for value in values {
                    let span = value.span();
                    nodes.push(self.value(value.into_inner(), span)?);
                }
                Value::Array(nodes)
            }
            DeValue::Table(table) => return self.table(table, span),
        };
        Ok(Node { origin: self.origin(span), value })
    }
}

#[cfg(test)]
mod tests;
