//! Which requests demand what: an operator's rules. All that apply to a request count together, so their order does not
//! matter.

mod indexed;
mod listed;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::file::{name, names};
use super::{Demands, DemandsFile};
use crate::config::ConfigError;
use crate::index::Implementation;
use crate::request::Kind;
use indexed::Indexed;
use listed::Listed;

/// A rule as written: it applies where all of its tests hold; one that is absent holds always.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// What the operator calls it; unique.
    pub name: String,
    /// The request is by one of these tenants.
    pub tenants: Option<Vec<String>>,
    /// It is for one of these models, named as Ollama normalises them.
    pub models: Option<Vec<String>>,
    /// It is of one of these kinds.
    pub kinds: Option<Vec<Kind>>,
    /// Its priority is at least this.
    pub priority_min: Option<i8>,
    /// What it demands then; at least one thing.
    pub demands: DemandsFile,
}

/// A checked rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rule {
    name: String,
    /// Empty: any.
    tenants: Vec<String>,
    /// Empty: any.
    models: Vec<String>,
    /// Empty: any.
    kinds: Vec<Kind>,
    priority_min: i8,
    demands: Demands,
}

/// What rules look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestView<'a> {
    /// What the operator calls the tenant.
    pub tenant: &'a str,
    /// The model's name as Ollama normalises it.
    pub model: &'a str,
    /// What is asked for.
    pub kind: Kind,
    /// Higher is more urgent.
    pub priority: i8,
}

impl RuleFile {
    /// Checks every key; `key` is the path of the rule's table.
    ///
    /// # Errors
    /// The first key that cannot be taken: a name or list that is empty or too long, no demand at all, or what
    /// [`DemandsFile::check`] refuses.
    pub fn check(&self, key: &str) -> Result<Rule, ConfigError> {
        let name = name(&format!("{key}.name"), &self.name)?;
        let tenants = names(&format!("{key}.tenants"), self.tenants.as_deref())?.unwrap_or_default();
        let models = names(&format!("{key}.models"), self.models.as_deref())?.unwrap_or_default();
        if self.kinds.as_ref().is_some_and(Vec::is_empty) {
            return Err(ConfigError {
                key: format!("{key}.kinds"),
                found: "an empty list".to_string(),
                expected: "at least one kind, or no such key".to_string(),
            });
        }
        let demands = self.demands.check(&format!("{key}.demands"))?;
        if demands.is_empty() {
            return Err(ConfigError {
                key: format!("{key}.demands"),
                found: "an empty table".to_string(),
                expected: "at least one demand".to_string(),
            });
        }
        let kinds = self.kinds.clone().unwrap_or_default();
        Ok(Rule { name, tenants, models, kinds, priority_min: self.priority_min.unwrap_or(i8::MIN), demands })
    }

    /// Checks a list of rules; `key` is the path of the list.
    ///
    /// # Errors
    /// The first that [`RuleFile::check`] refuses, or that has another's name.
    pub fn check_all(files: &[Self], key: &str) -> Result<Vec<Rule>, ConfigError> {
        let mut seen = BTreeSet::new();
        let checked = files.iter().enumerate().map(|(at, file)| {
            let key = format!("{key}[{at}]");
            let rule = file.check(&key)?;
            if seen.insert(&file.name) {
                return Ok(rule);
            }
            Err(ConfigError {
                key: format!("{key}.name"),
                found: format!("\"{}\", as another rule", file.name),
                expected: "a name of its own".to_string(),
            })
        });
        checked.collect()
    }
}

impl Rule {
    /// What the operator calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it demands where it applies.
    #[must_use]
    pub const fn demands(&self) -> &Demands {
        &self.demands
    }

    /// Whether it applies to a request.
    #[must_use]
    pub fn applies(&self, request: &RequestView<'_>) -> bool {
        let among = |names: &[String], name: &str| {
            names.is_empty() || names.binary_search_by(|other| other.as_str().cmp(name)).is_ok()
        };
        request.priority >= self.priority_min
            && (self.kinds.is_empty() || self.kinds.contains(&request.kind))
            && among(&self.tenants, request.tenant)
            && among(&self.models, request.model)
    }
}

/// A rule in a set of rules; never given to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(pub u32);

/// A set of rules that can change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rules {
    next: u32,
    table: Table,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Table {
    Optimised(Indexed),
    Baseline(Listed),
}

impl Rules {
    /// No rules yet.
    #[must_use]
    pub fn new(implementation: Implementation) -> Self {
        let table = match implementation {
            Implementation::Optimised => Table::Optimised(Indexed::default()),
            Implementation::Baseline => Table::Baseline(Listed::default()),
        };
        Self { next: 0, table }
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.table {
            Table::Optimised(indexed) => indexed.len(),
            Table::Baseline(listed) => listed.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a rule; the id is how to take it out again.
    pub fn add(&mut self, rule: Rule) -> RuleId {
        let id = RuleId(self.next);
        self.next += 1;
        match &mut self.table {
            Table::Optimised(indexed) => indexed.add(id, rule),
            Table::Baseline(listed) => listed.add(id, rule),
        }
        id
    }

    /// Takes a rule out; `None` where there is none with that id.
    pub fn remove(&mut self, id: RuleId) -> Option<Rule> {
        match &mut self.table {
            Table::Optimised(indexed) => indexed.remove(id),
            Table::Baseline(listed) => listed.remove(id),
        }
    }

    /// The rule with that id.
    #[must_use]
    pub fn get(&self, id: RuleId) -> Option<&Rule> {
        match &self.table {
            Table::Optimised(indexed) => indexed.get(id),
            Table::Baseline(listed) => listed.get(id),
        }
    }

    /// What a request demands: all that the rules that apply to it demand. Nothing, in O(1), where there are no rules.
    #[must_use]
    pub fn demands_for(&self, request: &RequestView<'_>) -> Demands {
        match &self.table {
            Table::Optimised(indexed) => indexed.demands_for(request),
            Table::Baseline(listed) => listed.demands_for(request),
        }
    }
}

/// All that these rules demand together.
fn conjunction<'a>(rules: impl Iterator<Item = &'a Rule>) -> Demands {
    rules.fold(Demands::default(), |demands, rule| demands.and(&rule.demands))
}

#[cfg(test)]
mod tests;
