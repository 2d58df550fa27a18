//! Rules by what they look at first: the tenant, else the model, else neither. A request meets the rules of its tenant, of
//! its model and of nobody in particular, and no others.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{RequestView, Rule, RuleId, conjunction};
use crate::constraints::Demands;

/// Rules by id, and the ids by tenant and model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Indexed {
    rules: BTreeMap<RuleId, Rule>,
    /// Rules that name tenants, under each of them.
    by_tenant: BTreeMap<String, Vec<RuleId>>,
    /// Rules that name models but no tenants, under each of them.
    by_model: BTreeMap<String, Vec<RuleId>>,
    /// Rules that name neither.
    others: Vec<RuleId>,
}

impl Indexed {
    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn add(&mut self, id: RuleId, rule: Rule) {
        self.index(&rule, |ids| ids.push(id));
        let before = self.rules.insert(id, rule);
        assert!(before.is_none(), "ids are given out once");
    }

    pub(super) fn remove(&mut self, id: RuleId) -> Option<Rule> {
        let rule = self.rules.remove(&id)?;
        self.index(&rule, |ids| ids.retain(|other| *other != id));
        Some(rule)
    }

    pub(super) fn get(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(&id)
    }

    pub(super) fn demands_for(&self, request: &RequestView<'_>) -> Demands {
        if self.rules.is_empty() {
            return Demands::default();
        }
        let of_tenant = self.by_tenant.get(request.tenant).into_iter().flatten();
        let of_model = self.by_model.get(request.model).into_iter().flatten();
        let candidates = of_tenant.chain(of_model).chain(&self.others).map(|id| &self.rules[id]);
        conjunction(candidates.filter(|rule| rule.applies(request)))
    }

    /// Changes each list of ids in which a rule stands; a list that is left empty goes.
    fn index(&mut self, rule: &Rule, mut change: impl FnMut(&mut Vec<RuleId>)) {
        let (map, names) = if !rule.tenants.is_empty() {
            (&mut self.by_tenant, &rule.tenants)
        } else if !rule.models.is_empty() {
            (&mut self.by_model, &rule.models)
        } else {
            return change(&mut self.others);
        };
        for name in names {
            let ids = map.entry(name.clone()).or_default();
            change(ids);
            if ids.is_empty() {
                map.remove(name);
            }
        }
    }
}
