//! The plain twin: a list of rules, walked through for each request.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{RequestView, Rule, RuleId, conjunction};
use crate::constraints::Demands;

/// Rules in the order in which they were added.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Listed {
    rules: Vec<(RuleId, Rule)>,
}

impl Listed {
    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn add(&mut self, id: RuleId, rule: Rule) {
        self.rules.push((id, rule));
    }

    pub(super) fn remove(&mut self, id: RuleId) -> Option<Rule> {
        let at = self.rules.iter().position(|rule| rule.0 == id)?;
        Some(self.rules.remove(at).1)
    }

    pub(super) fn get(&self, id: RuleId) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.0 == id).map(|(_, rule)| rule)
    }

    pub(super) fn demands_for(&self, request: &RequestView<'_>) -> Demands {
        conjunction(self.rules.iter().map(|(_, rule)| rule).filter(|rule| rule.applies(request)))
    }
}
