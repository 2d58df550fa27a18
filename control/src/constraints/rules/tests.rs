use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn named(prefix: &'static str) -> impl Strategy<Value = Option<Vec<String>>> {
    let name = (0u32..4).prop_map(move |kind| format!("{prefix}{kind}"));
    prop::option::of(prop::collection::vec(name, 1..4))
}

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![Kind::Completion, Kind::Embedding])
}

/// Each rule demands a capability of its own, so that the demands tell which rules applied.
fn rule_files() -> impl Strategy<Value = Vec<RuleFile>> {
    let tests = (
        named("t"),
        named("m"),
        prop::option::of(prop::collection::vec(kind(), 1..3)),
        prop::option::of(-2i8..3),
    );
    prop::collection::vec(tests, 0..20).prop_map(|all| {
        let file = |(at, (tenants, models, kinds, priority_min))| RuleFile {
            name: format!("rule {at}"),
            tenants,
            models,
            kinds,
            priority_min,
            demands: DemandsFile {
                require_capabilities: Some(vec![format!("c{at}")]),
                ..DemandsFile::default()
            },
        };
        all.into_iter().enumerate().map(file).collect()
    })
}

proptest! {
    #[test]
    fn index_and_list_find_the_same_rules(
        files in rule_files(),
        removals in prop::collection::vec((0usize..20, 0u32..24), 0..20),
        requests in prop::collection::vec((0u32..5, 0u32..5, kind(), -3i8..4), 1..20),
    ) {
        let mut twins = [Implementation::Optimised, Implementation::Baseline].map(Rules::new);
        let rules = RuleFile::check_all(&files, "rules").unwrap();
        // After the last rule, and after some before it, a rule may go.
        for at in 0..=rules.len() {
            if let Some(rule) = rules.get(at) {
                let ids = twins.each_mut().map(|twin| twin.add(rule.clone()));
                prop_assert_eq!(ids, [RuleId(at as u32); 2]);
                prop_assert_eq!(twins[0].get(ids[0]), Some(rule));
            }
            for (_, id) in removals.iter().filter(|removal| removal.0 == at) {
                let [one, other] = twins.each_mut().map(|twin| twin.remove(RuleId(*id)));
                prop_assert_eq!(one, other);
                prop_assert_eq!(twins[0].get(RuleId(*id)), None);
            }
            prop_assert_eq!(twins[0].len(), twins[1].len());
            for (tenant, model, kind, priority) in &requests {
                let (tenant, model) = (format!("t{tenant}"), format!("m{model}"));
                let request = RequestView { tenant: &tenant, model: &model, kind: *kind, priority: *priority };
                prop_assert_eq!(twins[0].demands_for(&request), twins[1].demands_for(&request));
            }
        }
        let bytes = postcard::to_allocvec(&twins[0]).unwrap();
        prop_assert_eq!(format!("{:?}", postcard::from_bytes::<Rules>(&bytes).unwrap()), format!("{:?}", &twins[0]));
        for id in 0..20 {
            twins[0].remove(RuleId(id));
        }
        let empty = Indexed::default();
        prop_assert_eq!(format!("{:?}", twins[0].table), format!("{:?}", Table::Optimised(empty)), "nothing is left over");
        prop_assert!(twins[0].is_empty());
    }
}

fn refused(file: RuleFile) -> String {
    let error = RuleFile::check_all(&[rule("first"), file], "rules").unwrap_err();
    format!("{}: found {}, expected {}", error.key, error.found, error.expected)
}

fn rule(name: &str) -> RuleFile {
    let demands = DemandsFile { vram_gib_min: Some(24), ..DemandsFile::default() };
    RuleFile { name: name.to_string(), demands, ..RuleFile::default() }
}

#[test]
fn a_rule_that_cannot_be_taken_says_where_and_why() {
    assert_eq!(
        refused(RuleFile { tenants: Some(Vec::new()), ..rule("b") }),
        "rules[1].tenants: found 0 names, expected 1 to 1000 names, or no such key"
    );
    assert_eq!(
        refused(RuleFile { kinds: Some(Vec::new()), ..rule("b") }),
        "rules[1].kinds: found an empty list, expected at least one kind, or no such key"
    );
    assert_eq!(refused(rule("")), "rules[1].name: found a name of 0 bytes, expected names of 1 to 256 bytes");
    assert_eq!(
        refused(rule("first")),
        "rules[1].name: found \"first\", as another rule, expected a name of its own"
    );
    assert_eq!(
        refused(RuleFile { demands: DemandsFile::default(), ..rule("b") }),
        "rules[1].demands: found an empty table, expected at least one demand"
    );
    let demands = DemandsFile { vram_gib_min: Some(0), ..DemandsFile::default() };
    assert_eq!(
        refused(RuleFile { demands, ..rule("b") }),
        "rules[1].demands.vram_gib_min: found 0, expected 1 to 1048576"
    );
}

#[test]
fn a_rule_keeps_its_name_and_its_demands() {
    let rule = rule("big ones").check("rules[0]").unwrap();
    assert_eq!(rule.name(), "big ones");
    assert_eq!(rule.demands().constraints().len(), 1);
}
